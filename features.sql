-- Every feature of the project, once: one row an event, each from what was known before its predict_at.
-- Sums and averages are over integers and decimals only, so that they are the same at any number of threads.
WITH
-- the events, with the minutes of their local clock and the midnight in New York before their predict_at
asked AS (
    SELECT
        *,
        hour * 60 + minute AS departs,
        (sched_arr_time // 100) * 60 + sched_arr_time % 100 AS arrives,
        date_trunc('day', predict_at - INTERVAL 5 HOUR) + INTERVAL 5 HOUR AS midnight
    FROM events
),
moments AS MATERIALIZED (SELECT DISTINCT predict_at FROM asked),
-- the flights of the last day and those ahead, so that no join below runs over the whole history
recent AS MATERIALIZED (
    SELECT * FROM flights WHERE event_time >= (SELECT min(predict_at) - INTERVAL 24 HOUR FROM moments)
),
-- each moment with the flights that should have left in the 8 hours before it
due AS MATERIALIZED (
    SELECT
        m.predict_at, f.origin, f.carrier, f.dest,
        date_diff('minute', f.event_time, m.predict_at) AS age,
        coalesce(f.departure_known_at < m.predict_at, false) AS reported,
        reported AND f.dep_time IS NULL AS cancelled,
        NOT reported AS waiting,
        -- delay so far: of a flight that has not left, the time it has waited
        CASE WHEN reported THEN f.dep_delay ELSE age END AS delay,
        CASE WHEN f.outcome_known_at < m.predict_at THEN f.arr_delay END AS arr_delay,
        CASE WHEN f.outcome_known_at < m.predict_at THEN f.arr_delay - f.dep_delay END AS lost
    FROM moments m
    JOIN recent f ON f.event_time < m.predict_at AND f.event_time >= m.predict_at - INTERVAL 8 HOUR
),
-- how the airport does at each moment
airport AS (
    SELECT
        predict_at, origin,
        avg(delay) FILTER (age <= 60) AS delay_1h,
        avg(delay) FILTER (age <= 120) AS delay_2h,
        avg(delay) FILTER (age <= 240) AS delay_4h,
        avg(delay) AS delay_8h,
        avg((delay >= 30)::INT) FILTER (age <= 120) AS late_2h,
        avg((delay >= 30)::INT) FILTER (age <= 240) AS late_4h,
        avg(waiting::INT) FILTER (age <= 60) AS waiting_1h,
        avg(waiting::INT) FILTER (age <= 180) AS waiting_3h,
        avg(arr_delay) AS arr_delay_8h,
        avg(lost) AS lost_8h,
        count_if(cancelled) AS cancelled_8h,
        avg(cancelled::INT) FILTER (age <= 120) AS cancelled_2h
    FROM due GROUP BY ALL
),
-- how the carrier does, at all three airports
company AS (
    SELECT
        predict_at, carrier,
        avg(delay) FILTER (age <= 120) AS delay_2h,
        avg(delay) AS delay_8h,
        avg((delay >= 30)::INT) FILTER (age <= 240) AS late_4h,
        avg(waiting::INT) FILTER (age <= 120) AS waiting_2h,
        avg(arr_delay) AS arr_delay_8h,
        avg(cancelled::INT) AS cancelled_8h
    FROM due GROUP BY ALL
),
-- how the carrier does at this airport
desk AS (
    SELECT
        predict_at, origin, carrier,
        avg(delay) FILTER (age <= 120) AS delay_2h,
        avg(delay) FILTER (age <= 240) AS delay_4h,
        avg(waiting::INT) FILTER (age <= 120) AS waiting_2h,
        avg(cancelled::INT) AS cancelled_8h
    FROM due GROUP BY ALL
),
-- how flights to the destination do: its weather and its ground delays show here
destination AS (
    SELECT
        predict_at, dest,
        avg(delay) FILTER (age <= 240) AS delay_4h,
        avg(waiting::INT) FILTER (age <= 240) AS waiting_4h,
        avg(arr_delay) AS arr_delay_8h,
        avg(lost) AS lost_8h,
        avg(cancelled::INT) AS cancelled_8h
    FROM due GROUP BY ALL
),
-- all three airports together
city AS (
    SELECT
        predict_at,
        avg(delay) FILTER (age <= 120) AS delay_2h,
        avg((delay >= 30)::INT) FILTER (age <= 240) AS late_4h,
        avg(cancelled::INT) FILTER (age <= 240) AS cancelled_4h
    FROM due GROUP BY ALL
),
-- departures scheduled at the airport in the hour up to the event
crowd AS (
    SELECT e.origin, e.event_time, count(*) AS departures_1h
    FROM (SELECT DISTINCT origin, event_time, predict_at FROM asked) e
    JOIN recent f ON f.origin = e.origin AND f.schedule_known_at < e.predict_at
        AND f.event_time <= e.event_time AND f.event_time > e.event_time - INTERVAL 1 HOUR
    GROUP BY ALL
),
-- the aircraft's flight before this one out of New York, and what is known of it
inbound AS (
    SELECT
        e.carrier, e.flight, e.origin, e.time_hour, e.minute,
        date_diff('minute', f.event_time, e.event_time) AS gap,
        CASE WHEN f.departure_known_at < e.predict_at THEN f.dep_delay
            ELSE greatest(date_diff('minute', f.event_time, e.predict_at), 0) END AS dep_delay,
        CASE WHEN f.outcome_known_at < e.predict_at THEN f.arr_delay END AS arr_delay,
        f.distance
    FROM asked e
    JOIN recent f ON f.tailnum = e.tailnum AND f.schedule_known_at < e.predict_at
        AND f.event_time < e.event_time AND f.event_time >= e.event_time - INTERVAL 18 HOUR
    QUALIFY row_number() OVER (
        PARTITION BY e.time_hour, e.minute, e.carrier, e.flight, e.origin
        ORDER BY f.event_time DESC, f.flight DESC, f.origin) = 1
),
-- weather of the last hours at each airport, with what changed
sky AS MATERIALIZED (
    SELECT
        origin AS station, observed_known_at,
        temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip, pressure, visib,
        temp - lag(temp, 3) OVER hours AS warming,
        pressure - lag(pressure, 3) OVER hours AS rising,
        visib - lag(visib, 3) OVER hours AS clearing,
        sum(precip::DECIMAL(9, 4)) OVER (hours ROWS 5 PRECEDING)::DOUBLE AS precip_6h,
        min(visib) OVER (hours ROWS 5 PRECEDING) AS visib_6h,
        max(wind_gust) OVER (hours ROWS 5 PRECEDING) AS gust_6h
    FROM weather
    WINDOW hours AS (PARTITION BY origin ORDER BY event_time)
),
-- the worst of the three airports' weather
skies AS (
    SELECT
        m.predict_at,
        min(w.visib) AS visib, max(w.wind_speed) AS wind_speed, max(w.precip_6h) AS precip_6h
    FROM moments m
    JOIN sky w ON w.observed_known_at < m.predict_at AND w.observed_known_at >= m.predict_at - INTERVAL 3 HOUR
    GROUP BY ALL
),
-- flights of the last four weeks whose outcome was known by the midnight before the event
settled AS MATERIALIZED (
    SELECT
        n.midnight, f.carrier, f.origin, f.dest, f.flight,
        f.event_time >= n.midnight - INTERVAL 7 DAY AS week,
        f.arr_delay >= 30 AS late, f.dep_time IS NULL AS cancelled, f.arr_delay,
        (f.arr_delay - f.dep_delay) AS lost, f.hour
    FROM (SELECT DISTINCT midnight FROM asked) n
    JOIN flights f ON f.outcome_known_at < n.midnight AND f.event_time >= n.midnight - INTERVAL 28 DAY
),
rates AS (
    SELECT midnight, avg(late::INT) AS late_28d, avg(late::INT) FILTER (week) AS late_7d,
        avg(cancelled::INT) AS cancelled_28d, avg(cancelled::INT) FILTER (week) AS cancelled_7d
    FROM settled GROUP BY ALL
),
carrier_rates AS (
    SELECT midnight, carrier, avg(late::INT) AS late_28d, avg(late::INT) FILTER (week) AS late_7d,
        avg(cancelled::INT) AS cancelled_28d, avg(cancelled::INT) FILTER (week) AS cancelled_7d
    FROM settled GROUP BY ALL
),
origin_rates AS (
    SELECT midnight, origin, avg(late::INT) AS late_28d, avg(late::INT) FILTER (week) AS late_7d,
        avg(cancelled::INT) FILTER (week) AS cancelled_7d
    FROM settled GROUP BY ALL
),
dest_rates AS (
    SELECT midnight, dest, avg(late::INT) AS late_28d, avg(late::INT) FILTER (week) AS late_7d,
        avg(cancelled::INT) AS cancelled_28d
    FROM settled GROUP BY ALL
),
route_rates AS (
    SELECT midnight, carrier, dest, avg(late::INT) AS late_28d, avg(lost) AS lost_28d, avg(cancelled::INT) AS cancelled_28d
    FROM settled GROUP BY ALL
),
flight_rates AS (
    SELECT midnight, carrier, flight, dest, count(late) AS flights_28d, avg(late::INT) AS late_28d, avg(arr_delay) AS arr_delay_28d,
        avg(lost) AS lost_28d
    FROM settled GROUP BY ALL
),
hour_rates AS (
    SELECT midnight, origin, hour, avg(late::INT) AS late_28d FROM settled GROUP BY ALL
)
SELECT
    e.time_hour, e.minute, e.carrier, e.flight, e.origin,
    -- schedule
    e.carrier AS airline,
    e.origin AS airport,
    e.dest AS destination,
    e.departs,
    e.arrives,
    isodow(make_date(e.year, e.month, e.day)) AS weekday,
    (e.arrives - e.departs + 1440) % 1440 AS block,
    e.distance,
    crowd.departures_1h,
    -- airport
    airport.delay_1h AS airport_delay_1h,
    airport.delay_2h AS airport_delay_2h,
    airport.delay_4h AS airport_delay_4h,
    airport.delay_8h AS airport_delay_8h,
    airport.late_2h AS airport_late_2h,
    airport.late_4h AS airport_late_4h,
    airport.waiting_1h AS airport_waiting_1h,
    airport.waiting_3h AS airport_waiting_3h,
    airport.arr_delay_8h AS airport_arr_delay_8h,
    airport.lost_8h AS airport_lost_8h,
    airport.cancelled_8h AS airport_cancelled_8h,
    airport.cancelled_2h AS airport_cancelled_2h,
    company.delay_2h AS carrier_delay_2h,
    company.delay_8h AS carrier_delay_8h,
    company.late_4h AS carrier_late_4h,
    company.waiting_2h AS carrier_waiting_2h,
    company.arr_delay_8h AS carrier_arr_delay_8h,
    company.cancelled_8h AS carrier_cancelled_8h,
    desk.delay_2h AS desk_delay_2h,
    desk.delay_4h AS desk_delay_4h,
    desk.waiting_2h AS desk_waiting_2h,
    desk.cancelled_8h AS desk_cancelled_8h,
    destination.delay_4h AS dest_delay_4h,
    destination.waiting_4h AS dest_waiting_4h,
    destination.arr_delay_8h AS dest_arr_delay_8h,
    destination.lost_8h AS dest_lost_8h,
    destination.cancelled_8h AS dest_cancelled_8h,
    city.delay_2h AS city_delay_2h,
    city.late_4h AS city_late_4h,
    city.cancelled_4h AS city_cancelled_4h,
    -- aircraft
    inbound.gap AS inbound_gap,
    inbound.dep_delay AS inbound_dep_delay,
    inbound.arr_delay AS inbound_arr_delay,
    inbound.gap - inbound.distance * 2 / 7.5 AS inbound_slack,
    e.year - p.year AS plane_age,
    p.seats AS plane_seats,
    -- weather
    w.temp, w.dewp, w.humid, w.wind_dir, w.wind_speed, w.wind_gust, w.precip, w.pressure, w.visib,
    w.warming, w.rising, w.clearing, w.precip_6h, w.visib_6h, w.gust_6h,
    skies.visib AS worst_visib, skies.wind_speed AS worst_wind, skies.precip_6h AS worst_precip_6h,
    -- rates
    rates.late_28d, rates.late_7d, rates.cancelled_28d, rates.cancelled_7d,
    carrier_rates.late_28d AS carrier_late_28d, carrier_rates.late_7d AS carrier_late_7d,
    carrier_rates.cancelled_28d AS carrier_cancelled_28d, carrier_rates.cancelled_7d AS carrier_cancelled_7d,
    origin_rates.late_28d AS origin_late_28d, origin_rates.late_7d AS origin_late_7d, origin_rates.cancelled_7d AS origin_cancelled_7d,
    dest_rates.late_28d AS dest_late_28d, dest_rates.late_7d AS dest_late_7d, dest_rates.cancelled_28d AS dest_cancelled_28d,
    route_rates.late_28d AS route_late_28d, route_rates.lost_28d AS route_lost_28d, route_rates.cancelled_28d AS route_cancelled_28d,
    flight_rates.flights_28d, flight_rates.late_28d AS flight_late_28d, flight_rates.arr_delay_28d AS flight_arr_delay_28d,
    flight_rates.lost_28d AS flight_lost_28d,
    hour_rates.late_28d AS hour_late_28d
FROM asked e
LEFT JOIN airport USING (predict_at, origin)
LEFT JOIN company USING (predict_at, carrier)
LEFT JOIN desk USING (predict_at, origin, carrier)
LEFT JOIN destination USING (predict_at, dest)
LEFT JOIN city USING (predict_at)
LEFT JOIN crowd USING (origin, event_time)
LEFT JOIN inbound USING (time_hour, minute, carrier, flight, origin)
LEFT JOIN planes p USING (tailnum)
ASOF LEFT JOIN sky w ON w.station = e.origin AND w.observed_known_at < e.predict_at
LEFT JOIN skies USING (predict_at)
LEFT JOIN rates USING (midnight)
LEFT JOIN carrier_rates USING (midnight, carrier)
LEFT JOIN origin_rates USING (midnight, origin)
LEFT JOIN dest_rates USING (midnight, dest)
LEFT JOIN route_rates USING (midnight, carrier, dest)
LEFT JOIN flight_rates USING (midnight, carrier, flight, dest)
LEFT JOIN hour_rates USING (midnight, origin, hour)
