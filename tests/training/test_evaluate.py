from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tides import START, gauges, judged_tides, only, tides

from homeostat.core.errors import DataError
from homeostat.core.oracle_share import BY_COSTS, HALF, ORACLE
from homeostat.decisions.evidence import alert_findings
from homeostat.features.tables import read_features
from homeostat.project.layout import Project
from homeostat.stages import evaluate as evaluate_stage
from homeostat.training.evaluate import (
    Report,
    alerts_of,
    blocks,
    compare_models,
    evaluate_model,
    judge,
    money_of,
    months,
    read_report,
    realised,
)
from homeostat.training.train import train

AS_OF = START + timedelta(days=40)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return judged_tides(tmp_path_factory.mktemp("tides"))


def test_the_report_holds_candidate_and_baseline_on_the_same_rows(judged: Project) -> None:
    report = read_report(judged.evaluation / "evaluation.json")
    assert report.as_of == AS_OF
    assert set(report.trials) == {"flood", "height", "order"}
    for trial in report.trials.values():
        rows = trial.candidate.overall.rows
        assert 300 < rows == trial.baseline.overall.rows == trial.against_baseline.overall.rows
        share = trial.against_baseline.overall.share
        assert share.high is not None and share.high < 0, "the candidate is better beyond chance"
        assert trial.candidate.metric(trial.candidate.loss).value == trial.against_baseline.overall.loss
        assert set(trial.candidate.slices["gauge"]) == {"g0", "g1", "g2"}
        assert set(trial.candidate.months) == {"2024-04"}


def test_who_is_given_alerts_is_measured_by_the_groups_that_the_scope_names(tmp_path: Path, judged: Project) -> None:
    assert "fairness" not in json.loads((judged.evaluation / "evaluation.json").read_text())
    project = tides(tmp_path, evaluation__fairness=["gauge"], release__fairness={"parity": 0.9, "odds": 0.001})
    train(project)
    report = judge(project)
    assert report == read_report(project.evaluation / "evaluation.json")
    groups = report.fairness["gauge"]
    assert set(groups) == {"g0", "g1", "g2"}
    alerts = sum(round((one.alerted.value or 0) * one.rows) for one in groups.values())
    assert alerts == report.money["candidate"].alerts
    parity, odds = alert_findings(project.scope, report)
    assert (parity.name, odds.name) == ("gauge: demographic parity", "gauge: equalized odds")
    assert parity.outcome == "pass" and odds.value is not None and odds.value > 0.001


def test_money_says_that_the_candidate_pays(judged: Project) -> None:
    money = read_report(judged.evaluation / "evaluation.json").money
    ours, theirs = money["candidate"], money["baseline"]
    assert ours.rows == theirs.rows
    assert ours.cost.value is not None and theirs.cost.value is not None
    assert ours.cost.value < theirs.cost.value <= ours.silence == theirs.silence
    assert 0 < ours.alerts <= 4 * 7


def test_headline_numbers_are_flat_numbers(judged: Project) -> None:
    found = json.loads((judged.evaluation / "metrics.json").read_text())
    assert set(found) == {"flood", "height", "order", "money"}
    assert {"rows", "log_loss", "auc", "calibration", "baseline_log_loss"} <= set(found["flood"])
    assert all(isinstance(v, int | float) for part in found.values() for v in part.values())


def test_plots(judged: Project) -> None:
    deciles = pl.read_csv(judged.evaluation / "calibration.csv")
    assert deciles.columns == ["objective", "model", "decile", "rows", "mean_score", "label_rate"]
    flood = deciles.filter(pl.col("objective") == "flood", pl.col("model") == "candidate")
    assert flood["decile"].to_list() == list(range(1, 11))
    assert flood["mean_score"].is_sorted()
    assert flood["label_rate"][9] > 0.9 > 0.1 > flood["label_rate"][0]
    assert set(deciles["objective"]) == {"flood", "height"}, "ranking scores have no calibration"
    by_month = pl.read_csv(judged.evaluation / "months.csv")
    assert set(by_month["metric"]) >= {"log_loss", "rmse", "ndcg_loss"}
    assert by_month.filter(pl.col("metric") == "log_loss").height == 2


def test_judging_again_writes_the_same_bytes(judged: Project) -> None:
    before = {p.name: p.read_bytes() for p in judged.evaluation.iterdir()}
    judge(judged)
    assert {p.name: p.read_bytes() for p in judged.evaluation.iterdir()} == before
    assert set(before) == {"evaluation.json", "metrics.json", "calibration.csv", "months.csv"}


@pytest.mark.parametrize("days", [5, 11, 12])
def test_too_few_held_out_is_said_and_is_no_failure(
    days: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = gauges(days, a_day=6)
    project = tides(tmp_path, days, table=table)
    train(project)
    monkeypatch.chdir(project.root)
    evaluate_stage.main()
    assert "too few events held out to say: " in capsys.readouterr().out
    report = read_report(project.evaluation / "evaluation.json")
    assert report.trials["height"].candidate.metric("rmse").value is None
    assert "rmse" not in json.loads((project.evaluation / "metrics.json").read_text())["height"]


def test_one_class_held_out_is_no_failure(tmp_path: Path) -> None:
    held = pl.col("event_time") >= START + timedelta(days=31)
    calm = gauges(40).with_columns(pl.when(held).then(0.0).otherwise("label__flood").alias("label__flood"))
    project = tides(tmp_path, table=calm, **only("flood"))
    train(project)
    flood = judge(project).trials["flood"]
    assert flood.candidate.metric("auc").value is None
    assert flood.candidate.metric("log_loss").value is not None
    assert flood.against_baseline.overall.share.value is not None


def test_what_decisions_save_of_what_an_oracle_would_is_promised(judged: Project) -> None:
    report = read_report(judged.evaluation / "evaluation.json")
    assert list(report.saved) == [BY_COSTS, HALF, *(f"{name} alone" for name in judged.scope.objectives), ORACLE]
    ours, best, money = report.saved[BY_COSTS], report.saved[ORACLE], report.money["candidate"]
    assert (ours.rows, ours.alerts, round(ours.cost, 6)) == (money.rows, money.alerts, round(money.cost.value or 0, 6))
    assert best.cost <= min(one.cost for one in report.saved.values())
    assert ours.share.value == pytest.approx((money.silence - ours.cost) / (money.silence - best.cost))
    older = {key: value for key, value in report.to_dict().items() if key != "saved"}
    assert Report.from_dict(older).saved == {}


def test_nothing_trained_yet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"training.json: not there or damaged; run dvc repro"):
        judge(tides(tmp_path))


def test_a_damaged_report(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text('{"as_of": "2024-01-01"}')
    with pytest.raises(DataError, match="not there or damaged"):
        read_report(tmp_path / "evaluation.json")


# ---- any scores, as the scope judges them


def chances(table: pl.DataFrame, noise: float = 0.0) -> dict[str, np.ndarray]:
    level = (2 + 0.25 * table["wind"] + table["moon"]).to_numpy() + noise
    return {"flood": 1 / (1 + np.exp(-3 * (level - 5))), "height": level, "order": level}


def test_two_models_are_compared_on_mature_rows(judged: Project) -> None:
    table = read_features(judged)
    good, bad = chances(table), chances(table, noise=1.5)
    found = compare_models(judged.scope, table, good, bad, AS_OF)
    assert all(found[name].overall.share.value < 0 for name in ("flood", "height"))  # type: ignore[operator]
    assert found["order"].overall.share.value == 0, "the same order"
    early = compare_models(judged.scope, table, good, bad, START + timedelta(days=10))
    assert early["height"].overall.rows == 8 * 48 + 1
    nothing = compare_models(judged.scope, table, good, bad, START)
    assert nothing["height"].overall.rows == 0
    assert nothing["height"].overall.share.value is None


def test_evaluations_of_any_scores(judged: Project) -> None:
    table = read_features(judged)
    found = evaluate_model(judged.scope, table, chances(table), AS_OF)
    assert set(found["flood"].months) == {"2024-03", "2024-04"}
    assert found["height"].metric("r2").value > 0.5  # type: ignore[operator]


def test_money_of_any_scores(judged: Project) -> None:
    table = read_features(judged)
    scores = {"flood": chances(table)["flood"]}
    alert = alerts_of(judged.scope, table, scores)
    assert pl.DataFrame({"day": table["at"].dt.date(), "alert": alert}).group_by("day").sum()["alert"].max() == 4
    assert realised(judged.scope, table, alert, AS_OF) == money_of(judged.scope, table, scores, AS_OF)
    assert realised(judged.scope, table, alert, START).rows == 0


def test_rows_in_any_order_give_the_same(judged: Project) -> None:
    table = read_features(judged)
    order = np.random.default_rng(0).permutation(len(table))
    found, shuffled = (
        evaluate_model(judged.scope, t, {"flood": chances(t)["flood"]}, AS_OF)["flood"] for t in (table, table[order])
    )
    assert found.metric("auc") == shuffled.metric("auc")
    assert found.metric("log_loss").value == pytest.approx(shuffled.metric("log_loss").value)


def test_events_that_share_a_time_are_blocks_by_key(tmp_path: Path) -> None:
    scope = tides(tmp_path, evaluation__runs=4).scope
    table = pl.DataFrame({
        "event_time": pl.Series([START] * 8 + [START + timedelta(days=400)] * 8, dtype=pl.Datetime("us")),
        "gauge": ["a"] * 16,
        "at": pl.Series([START + timedelta(hours=n % 8) for n in range(16)], dtype=pl.Datetime("us")),
    })  # fmt: skip
    first, later = np.unique(blocks(scope, table)[:8], return_counts=True), blocks(scope, table)[8:]
    assert first[1].tolist() == [2, 2, 2, 2] and not set(first[0]) & set(later)
    shuffled = np.random.default_rng(0).permutation(16)
    assert (blocks(scope, table[shuffled]) == blocks(scope, table)[shuffled]).all()
    assert (blocks(scope, table.select("event_time")) == blocks(scope, table)).all()


def test_blocks_and_months_start_with_the_rhythm(tmp_path: Path) -> None:
    scope = tides(tmp_path, rhythm__offset="5h").scope
    times = [START.replace(month=4, day=1, hour=h, minute=m) for h, m in ((4, 59), (5, 0), (23, 0))]
    table = pl.DataFrame({"event_time": pl.Series(times, dtype=pl.Datetime("us"))})
    first, second, third = blocks(scope, table)
    assert second == third == first + 1
    assert months(scope, table).tolist() == ["2024-03", "2024-04", "2024-04"]
