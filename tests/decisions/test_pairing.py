"""What a recipe is, when two bundles hold the same model, and what two models come to on the same rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import numpy as np
import polars as pl
import pytest
import sealed

from homeostat.core.margins import Margin
from homeostat.core.promises import WindowFigures
from homeostat.core.release_gate import MONEY, WEIGHTED_LOSS
from homeostat.decisions.pairing import Pairing, margins, recipe, same_models
from homeostat.project import scope as scopes
from homeostat.training import bundle as bundles
from homeostat.training.bundle import Bundle

TRAINED = {"objectives": {"high": {"kind": "linear"}}}


def made(folder: Path, params: str = hourly.PARAMS, sql: str = hourly.SQL, kind: str = "linear") -> Bundle:
    sealed.fill(folder)
    (folder / "params.yaml").write_text(bundles.sealed_text(params))
    (folder / "features.sql").write_text(sql)
    (folder / "training.json").write_text(json.dumps({"objectives": {"high": {"kind": kind}}}))
    return bundles.load(folder, bundles.seal(folder, "meters", {}))


def edited(old: str, new: str) -> str:
    assert old in hourly.PARAMS, old
    return hourly.PARAMS.replace(old, new)


@pytest.mark.parametrize(
    ("params", "same"),
    [
        (hourly.PARAMS, True),
        (edited("weight: 2", "weight: 3"), True),
        (edited("trees: 5", "trees: 6"), True),  # of a kind that is not trained
        (edited("by: [meter]", "by: []"), True),  # the baseline's
        (edited("capacity: 2", "capacity: 9"), True),
        (edited("min_slice: 10", "min_slice: 20"), True),
        (edited("holdout: 12h", "holdout: 6h"), True),
        (edited("features: [phase, hour, last_load]", "features: [phase, hour]"), False),
        (edited("label: load > 5", "label: load > 6"), False),
        (edited("train: all", "train: 20h"), False),
        (edited("refit: true", "refit: false"), False),
    ],
)
def test_a_recipe_is_what_the_models_are_made_by(tmp_path: Path, params: str, same: bool) -> None:
    assert (recipe(made(tmp_path / "a", params)) == recipe(made(tmp_path / "b"))) == same


def test_features_sql_and_the_kind_are_parts_of_the_recipe(tmp_path: Path) -> None:
    every = [
        made(tmp_path / "a"), made(tmp_path / "b", sql=hourly.SQL.replace("min(e.phase)", "max(e.phase)")),
        made(tmp_path / "c", kind="lightgbm"), made(tmp_path / "d", kind="heuristic"),
        made(tmp_path / "e", edited("by: [meter]", "by: []"), kind="heuristic"),
        made(tmp_path / "f", edited("trees: 5", "trees: 6"), kind="lightgbm"),
    ]  # fmt: skip
    assert len({recipe(bundle) for bundle in every}) == len(every)


def nothing(_: Path) -> None: ...


def other_judged(folder: Path) -> None:
    shutil.copytree(folder / "baseline" / "high", folder / "judged" / "high", dirs_exist_ok=True)


def other_models(folder: Path) -> None:
    shutil.copytree(folder / "baseline" / "high", folder / "models" / "high", dirs_exist_ok=True)


def none_judged(folder: Path) -> None:
    shutil.rmtree(folder / "judged")


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ([nothing], True),
        ([other_judged], True),  # the candidate's is the champion's model in service
        ([other_models], True),  # or its judged one
        ([other_judged, other_models], False),
        ([none_judged], True),  # from before they were kept
        ([none_judged, other_models], False),
    ],
)
def test_the_same_model_is_the_champions_judged_one_or_that_in_service(
    tmp_path: Path, changes: list[Callable[[Path], None]], same: bool
) -> None:
    candidate, champion = made(tmp_path / "a"), sealed.fill(tmp_path / "b")
    for change in changes:
        change(champion)
    assert same_models(candidate, bundles.load(champion, bundles.seal(champion, "meters", {}))) == same


def pairing(score: np.ndarray, other: np.ndarray, y: np.ndarray) -> Pairing:
    """Events of fourteen hours, a few each minute."""
    begin = datetime(2024, 3, 1)
    times = [begin + timedelta(minutes=n * 14 * 60 / len(y)) for n in range(len(y))]
    rows = pl.DataFrame({"event_time": times, "label__high": y, "given__meter": [f"m{n % 2}" for n in range(len(y))]})
    rows = rows.with_columns(known__high=pl.col("event_time"), event_time=pl.col("event_time"))
    now = begin + timedelta(days=1)
    return Pairing(scopes.parse(hourly.PARAMS), rows, {"high": score}, {"high": other, "more": other}, now)


def test_two_models_on_the_same_rows() -> None:
    rng = np.random.default_rng(2)
    chance = rng.beta(2, 2, 840)
    y = (rng.random(840) < chance).astype(float)
    pair = pairing(chance, np.full(840, 0.5), y)
    assert pair.common == ("high",)
    of = pair.objectives()["high"]
    assert (of.loss, of.overall.rows) == ("log_loss", 840) and of.overall.high is not None and of.overall.high < 0
    assert {value: one.rows for value, one in of.slices["meter"].items()} == {"m0": 420, "m1": 420}
    assert of.calibration == pytest.approx(0.5 / y.mean())
    weighted, money = pair.endpoint(WEIGHTED_LOSS), pair.endpoint(MONEY)
    assert weighted.share == of.overall.share and weighted.loss == pytest.approx(2 * (of.overall.loss or 0))
    assert money.high is not None and money.high < 0 and money.rows == 840
    first = pair.rows["event_time"][0]
    early = Pairing(pair.scope, pair.rows, pair.scores, pair.other, first + timedelta(hours=3))
    assert early.objectives()["high"].overall.rows == 121  # those an hour old, the label's horizon


def test_the_scopes_own_margin_comes_before_one_drafted_from_windows_of_the_same_kind() -> None:
    begin = datetime(2024, 3, 1)
    windows = [
        WindowFigures("high", kind, "", begin, begin, 99, {"log_loss": (loss, 1.0)})
        for kind, losses in (("linear", (0.5, 0.52, 0.5, 0.52)), ("heuristic", (0.1, 0.9, 0.1, 0.9)))
        for loss in losses
    ]
    scope = scopes.parse(edited(" not_worse: 1", " not_worse: 0.001"))
    drafted = margins(scope, TRAINED, windows)["high"]
    assert drafted.windows == 4 and drafted.share == pytest.approx(0.0113, abs=1e-4)
    given = scopes.parse(edited(" not_worse: 1", " not_worse: 0.001, margin: {high: 0.03}"))
    assert margins(given, TRAINED, windows)["high"] == Margin(0.03)


LADDER = """
  ladder:
    every: 4h
    rungs:
      desk: {model: heuristic, rule: {sql: "0.1"}}
      plain: {model: linear, features: {high: [phase]}}
"""


def on_rung(folder: Path, rung: str, kind: str, params: str) -> Bundle:
    sealed.fill(folder)
    (folder / "params.yaml").write_text(bundles.sealed_text(params))
    (folder / "features.sql").write_text(hourly.SQL)
    (folder / "training.json").write_text(json.dumps({"objectives": {"high": {"kind": kind}}, "rung": rung}))
    return bundles.load(folder, bundles.seal(folder, "meters", {}))


def test_the_recipe_of_a_rung_is_its_own_and_no_other_rung_s(tmp_path: Path) -> None:
    ladder = edited("  baseline: {by: [meter]}", "  baseline: {by: [meter]}" + LADDER.rstrip())
    plain = on_rung(tmp_path / "a", "plain", "linear", ladder)
    same = on_rung(tmp_path / "b", "plain", "linear", ladder.replace('"0.1"', '"0.2"'))
    written = made(tmp_path / "c", edited("features: [phase, hour, last_load]", "features: [phase]"))
    assert recipe(plain) == recipe(same) == recipe(written)  # on a ladder or not
    desk = on_rung(tmp_path / "d", "desk", "heuristic", ladder)
    other = on_rung(tmp_path / "e", "desk", "heuristic", ladder.replace('"0.1"', '"0.2"'))
    assert len({recipe(desk), recipe(other), recipe(plain)}) == 3
