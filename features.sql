-- Every feature of the project, once: one row an event, each from what was known before its predict_at.
-- Averages are over whole numbers and sums over decimals, so that they are the same at any number of threads.
-- MATERIALIZED: the same for many events, so the service keeps it from one request to the next.
WITH
-- the events, with their local clock in minutes and the last midnight in New York before their predict_at
asked AS (
    SELECT
        *,
        hour * 60 + minute AS departs,
        sched_arr_time // 100 * 60 + sched_arr_time % 100 AS arrives,
        date_trunc('day', predict_at - INTERVAL 5 HOUR) + INTERVAL 5 HOUR AS midnight
    FROM events
),
moments AS MATERIALIZED (SELECT DISTINCT predict_at, midnight FROM asked),
nights AS MATERIALIZED (SELECT DISTINCT midnight FROM asked),
-- flights since a day before the first event: no join but the last ones runs over the whole history;
-- joins over a span of time are equal in the hour first, or each moment would be compared with every flight
recent AS MATERIALIZED (
    SELECT *, date_trunc('hour', event_time) AS event_hour
    FROM flights WHERE event_time >= (SELECT min(predict_at) - INTERVAL 1 DAY FROM moments)
),
-- each moment with the flights that should have left in the 8 hours before it, as they stood then
due AS MATERIALIZED (
    SELECT
        m.predict_at, f.origin, f.carrier, f.dest,
        date_diff('minute', f.event_time, m.predict_at) AS age,
        f.departure_known_at < m.predict_at AS reported,
        (NOT reported)::INT AS waiting,
        (reported AND f.dep_time IS NULL)::INT AS cancelled,
        CASE WHEN reported THEN f.dep_delay ELSE age END AS delay,  -- or how long it has waited so far
        CASE WHEN f.outcome_known_at < m.predict_at THEN f.arr_delay END AS arr_delay,
        CASE WHEN f.outcome_known_at < m.predict_at THEN f.arr_delay - f.dep_delay END AS lost  -- on the way
    FROM (SELECT predict_at, date_trunc('hour', predict_at) - to_hours(unnest(range(9))) AS event_hour FROM moments) m
    JOIN recent f ON f.event_hour = m.event_hour
        AND f.event_time < m.predict_at AND f.event_time >= m.predict_at - INTERVAL 8 HOUR
),
-- how the three airports do together
city AS MATERIALIZED (
    SELECT
        predict_at,
        avg(delay) FILTER (age <= 120) AS delay_2h,
        avg((delay >= 30)::INT) FILTER (age <= 240) AS late_4h,
        avg(cancelled) FILTER (age <= 240) AS cancelled_4h
    FROM due GROUP BY ALL
),
-- how the airport does
airport AS MATERIALIZED (
    SELECT
        predict_at, origin,
        avg(delay) FILTER (age <= 60) AS delay_1h,
        avg(delay) FILTER (age <= 240) AS delay_4h,
        avg(waiting) FILTER (age <= 180) AS waiting_3h,
        avg(cancelled) FILTER (age <= 120) AS cancelled_2h,
        avg(cancelled) AS cancelled_8h,
        avg(arr_delay) AS arr_delay_8h,
        avg(lost) AS lost_8h
    FROM due GROUP BY ALL
),
-- how the carrier does, from all three airports
company AS MATERIALIZED (
    SELECT
        predict_at, carrier,
        avg(delay) FILTER (age <= 120) AS delay_2h,
        avg(waiting) FILTER (age <= 120) AS waiting_2h,
        avg(cancelled) AS cancelled_8h,
        avg(arr_delay) AS arr_delay_8h
    FROM due GROUP BY ALL
),
-- how the carrier does at this airport
station AS MATERIALIZED (
    SELECT
        predict_at, origin, carrier,
        avg(delay) FILTER (age <= 240) AS delay_4h,
        avg(cancelled) AS cancelled_8h
    FROM due GROUP BY ALL
),
-- how flights to the destination do: its weather and its ground stops show here
destination AS MATERIALIZED (
    SELECT
        predict_at, dest,
        avg(waiting) FILTER (age <= 240) AS waiting_4h,
        avg(cancelled) AS cancelled_8h,
        avg(lost) AS lost_8h
    FROM due GROUP BY ALL
),
-- departures that the schedule has at the airport in the hour up to the event
crowd AS (
    SELECT e.origin, e.event_time, count(*) AS departures_1h
    FROM (
        SELECT *, date_trunc('hour', event_time) - to_hours(unnest(range(2))) AS event_hour
        FROM (SELECT DISTINCT origin, event_time, predict_at FROM asked)
    ) e
    JOIN recent f ON f.origin = e.origin AND f.event_hour = e.event_hour AND f.schedule_known_at < e.predict_at
        AND f.event_time <= e.event_time AND f.event_time > e.event_time - INTERVAL 1 HOUR
    GROUP BY ALL
),
-- the aircraft's departure from New York before this one, as it stood; it has to come back first
inbound AS (
    SELECT
        e.time_hour, e.minute, e.carrier, e.flight, e.origin,
        date_diff('minute', f.event_time, e.event_time) AS gap,
        gap - f.distance * 2 / 7.5 AS slack,  -- time left after there and back at 450 miles an hour
        CASE
            WHEN f.departure_known_at < e.predict_at THEN f.dep_delay
            ELSE greatest(date_diff('minute', f.event_time, e.predict_at), 0)
        END AS dep_delay,
        CASE WHEN f.outcome_known_at < e.predict_at THEN f.arr_delay END AS arr_delay
    FROM asked e
    JOIN recent f ON f.tailnum = e.tailnum AND f.schedule_known_at < e.predict_at
        AND f.event_time < e.event_time AND f.event_time >= e.event_time - INTERVAL 18 HOUR
    QUALIFY row_number() OVER (
        PARTITION BY e.time_hour, e.minute, e.carrier, e.flight, e.origin
        ORDER BY f.event_time DESC, f.origin, f.carrier, f.flight
    ) = 1
),
-- the weather of each hour with that of the hours before it
sky AS MATERIALIZED (
    SELECT
        origin AS place, observed_known_at, temp, dewp, pressure, wind_dir, wind_speed,
        pressure - lag(pressure, 3) OVER hours AS rising_3h,
        sum(precip::DECIMAL(9, 4)) OVER (hours ROWS 5 PRECEDING)::DOUBLE AS precip_6h,
        min(visib) OVER (ORDER BY observed_known_at RANGE INTERVAL 2 HOUR PRECEDING) AS worst_visib  -- of all airports
    FROM weather
    WINDOW hours AS (PARTITION BY origin ORDER BY event_time)
),
-- flights of the four weeks before midnight whose outcome was known by then
settled AS MATERIALIZED (
    SELECT
        n.midnight, f.carrier, f.flight, f.origin, f.dest, f.arr_delay,
        f.event_time >= n.midnight - INTERVAL 7 DAY AS week,
        (f.arr_delay >= 30)::INT AS late,
        (f.dep_time IS NULL)::INT AS cancelled
    FROM nights n
    JOIN flights f ON f.outcome_known_at < n.midnight AND f.event_time >= n.midnight - INTERVAL 28 DAY
),
rates AS MATERIALIZED (
    SELECT
        midnight,
        avg(late) AS late_28d, avg(late) FILTER (week) AS late_7d,
        avg(cancelled) AS cancelled_28d, avg(cancelled) FILTER (week) AS cancelled_7d
    FROM settled GROUP BY ALL
),
carrier_rates AS MATERIALIZED (
    SELECT
        midnight, carrier,
        avg(late) FILTER (week) AS late_7d,
        avg(cancelled) FILTER (week) AS cancelled_7d
    FROM settled GROUP BY ALL
),
origin_rates AS MATERIALIZED (
    SELECT midnight, origin, avg(late) FILTER (week) AS late_7d FROM settled GROUP BY ALL
),
route_rates AS MATERIALIZED (
    SELECT midnight, carrier, dest, avg(late) AS late_28d, avg(cancelled) AS cancelled_28d FROM settled GROUP BY ALL
),
flight_rates AS MATERIALIZED (
    SELECT midnight, carrier, flight, dest, avg(arr_delay) AS arr_delay_28d FROM settled GROUP BY ALL
),
-- all that is of a moment and an airport, and of a moment and a carrier, side by side: few joins for each event
place AS MATERIALIZED (
    SELECT
        m.predict_at, o.origin,
        city.delay_2h AS city_delay_2h, city.late_4h AS city_late_4h, city.cancelled_4h AS city_cancelled_4h,
        airport.* EXCLUDE (predict_at, origin),
        w.temp, w.dewp, w.pressure, w.rising_3h, w.wind_dir, w.wind_speed, w.precip_6h, w.worst_visib,
        rates.late_28d, rates.late_7d, rates.cancelled_28d, rates.cancelled_7d,
        origin_rates.late_7d AS origin_late_7d
    FROM moments m
    CROSS JOIN (SELECT DISTINCT origin FROM flights) o
    LEFT JOIN city USING (predict_at)
    LEFT JOIN airport USING (predict_at, origin)
    ASOF LEFT JOIN sky w ON w.place = o.origin AND w.observed_known_at < m.predict_at
    LEFT JOIN rates USING (midnight)
    LEFT JOIN origin_rates USING (midnight, origin)
),
line AS MATERIALIZED (
    SELECT
        m.predict_at, c.carrier,
        company.* EXCLUDE (predict_at, carrier),
        carrier_rates.late_7d, carrier_rates.cancelled_7d
    FROM moments m
    CROSS JOIN (SELECT DISTINCT carrier FROM flights) c
    LEFT JOIN company USING (predict_at, carrier)
    LEFT JOIN carrier_rates USING (midnight, carrier)
)
SELECT
    e.time_hour, e.minute, e.carrier, e.flight, e.origin,
    -- the schedule
    e.carrier AS airline,
    e.origin AS airport,
    e.dest AS destination,
    isodow(make_date(e.year, e.month, e.day)) AS weekday,  -- 1 is Monday
    e.departs,                                             -- local minute of the day
    (e.arrives - e.departs + 1440) % 1440 AS block,        -- scheduled minutes, and the difference of the two clocks
    e.distance,                                            -- miles
    crowd.departures_1h,                                   -- of the airport, up to this one
    -- delays so far, in minutes, and shares of the flights that were due
    place.city_delay_2h,                                   -- all airports
    place.city_late_4h,
    place.city_cancelled_4h,
    place.delay_1h AS airport_delay_1h,                    -- this airport
    place.delay_4h AS airport_delay_4h,
    place.waiting_3h AS airport_waiting_3h,                -- due and not reported: a delay that builds up
    place.cancelled_2h AS airport_cancelled_2h,
    place.cancelled_8h AS airport_cancelled_8h,
    place.arr_delay_8h AS airport_arr_delay_8h,            -- of those landed by now
    place.lost_8h AS airport_lost_8h,                      -- between departure and arrival
    line.delay_2h AS carrier_delay_2h,                     -- this carrier
    line.waiting_2h AS carrier_waiting_2h,
    line.cancelled_8h AS carrier_cancelled_8h,
    line.arr_delay_8h AS carrier_arr_delay_8h,
    station.delay_4h AS station_delay_4h,                  -- this carrier at this airport
    station.cancelled_8h AS station_cancelled_8h,
    destination.waiting_4h AS dest_waiting_4h,             -- flights to the same destination
    destination.cancelled_8h AS dest_cancelled_8h,
    destination.lost_8h AS dest_lost_8h,
    -- the aircraft, by tail number: to lack one gives a cancellation away
    inbound.gap AS inbound_gap,                            -- minutes since its last scheduled departure
    inbound.slack AS inbound_slack,                        -- of these, left for turning round
    inbound.dep_delay AS inbound_dep_delay,
    inbound.arr_delay AS inbound_arr_delay,
    inbound.slack - coalesce(inbound.arr_delay, inbound.dep_delay) AS inbound_margin,
    planes.seats AS plane_seats,
    -- the weather
    place.temp,                                            -- degrees Fahrenheit
    place.dewp,                                            -- dew point: humid air, thunderstorms
    place.pressure,                                        -- millibars
    place.rising_3h,                                       -- its change
    place.wind_dir,                                        -- degrees: which runways are in use
    place.wind_speed,                                      -- miles an hour
    place.precip_6h,                                       -- inches
    place.worst_visib,                                     -- miles
    -- trailing rates: how things go lately
    place.late_28d,
    place.late_7d,
    place.cancelled_28d,
    place.cancelled_7d,
    line.late_7d AS carrier_late_7d,
    line.cancelled_7d AS carrier_cancelled_7d,
    place.origin_late_7d,
    route_rates.late_28d AS route_late_28d,
    route_rates.cancelled_28d AS route_cancelled_28d,
    flight_rates.arr_delay_28d AS flight_arr_delay_28d     -- the same flight number
FROM asked e
LEFT JOIN place USING (predict_at, origin)
LEFT JOIN line USING (predict_at, carrier)
LEFT JOIN station USING (predict_at, origin, carrier)
LEFT JOIN destination USING (predict_at, dest)
LEFT JOIN crowd USING (origin, event_time)
LEFT JOIN inbound USING (time_hour, minute, carrier, flight, origin)
LEFT JOIN planes USING (tailnum)
LEFT JOIN route_rates USING (midnight, carrier, dest)
LEFT JOIN flight_rates USING (midnight, carrier, flight, dest)
