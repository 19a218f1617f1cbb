"""Filters, and a band in which the scores decide nothing: in evaluation, predictions, service and review alike."""

from __future__ import annotations

import json
from datetime import timedelta

import asked
import hourly
import polars as pl
import pytest
from click.testing import CliRunner
from first_release import at, in_service

from homeostat import loop
from homeostat.adapters.parquet import read_table
from homeostat.checks.scope_page import scope_page
from homeostat.cli import main
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.decisions.reweigh import release_weights
from homeostat.monitoring import for_people, outcomes
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.serving.explain import explain
from homeostat.training.bundle import Bundle
from homeostat.training.event_decisions import DECIDED

pytestmark = pytest.mark.slow
LATER = 34  # hours
SPARE = "m5"
PARAMS = hourly.PARAMS
for _old, _new in {
    "threads: 1\n": 'threads: 1\nclock:\n  start: "2024-03-02T06:00:00"\n',
    "calibration: 1}\nmon": "calibration: 1, slice_floor: -5, slice_gap: 50,\n"
    "  budget: {megabytes: 0.001, score_seconds: 30, make_seconds: 3000, score_memory: 9000, make_memory: 9000,\n"
    "    hour: 36, score_cost: 300, make_cost: 30}}\nmon",
    "label_horizon: 1h}": "label_horizon: 1h,\n  filters: {spare: meter = 'm5'}}",
    "costs: {alert: 1, capacity: 2}": "costs:\n  alert: 1\n  capacity: 2\n  abstain: {margin: 0.9, most: 0.95}",
}.items():
    assert _old in PARAMS, _old
    PARAMS = PARAMS.replace(_old, _new)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A model in service since ``FIRST``, and data up to ``LATER``."""
    project = in_service(tmp_path_factory.mktemp("undecided") / "meters", PARAMS)
    with loop.run_context(project.home, at(LATER)) as (session, now):
        loop.data(session, now)
        loop.predict(session, now)
        session.complete(now)
    return project


def served(project: Project) -> pl.DataFrame:
    files = sorted(project.predictions.glob("*.parquet"))
    return pl.concat([read_table(path) for path in files], how="diagonal_relaxed")


def champion(project: Project) -> Bundle:
    serving = Registry.open(project).load_champion()
    assert serving is not None
    return serving.bundle


def judged(project: Project) -> Decision:
    (record,) = project.candidates.glob("*.json")
    return Decision.from_dict(json.loads(record.read_text()))


def test_the_evaluation_counts_them_and_prices_the_rest(project: Project) -> None:
    evaluation = champion(project).evaluation
    coverage, money = evaluation["coverage"], evaluation["money"]["candidate"]
    assert coverage["filtered"] == {"spare": 12}  # one an hour of the holdout
    assert 0 < coverage["abstained"] < coverage["rows"] == money["rows"] == 60
    assert coverage["rest"]["rows"] == coverage["rows"] - coverage["abstained"]
    assert coverage["rest"]["alerts"] == money["alerts"], "an undecided event is not acted on"
    assert coverage["rest"]["silence"] < money["silence"]
    (finding,) = [f for f in judged(project).findings if f.rule == Rule.COVERAGE]
    assert (finding.outcome, finding.limit) == ("pass", 0.95)
    assert "filter spare takes out 12" in sentence(finding)


def test_the_gate_keeps_to_the_floor_the_gap_and_the_budgets(project: Project) -> None:
    findings = {finding.name: finding for finding in judged(project).findings}
    assert findings["high: floor of slices"].facts["column"] == "meter"
    assert findings["high: gap between slices"].value is not None
    size = findings["megabytes: budget"]
    bundle = champion(project).folder
    assert size.value == sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) / 1e6
    assert (size.outcome, judged(project).action) == ("fail", "keep")  # and a person has released it all the same
    assert 0 < (findings["score_seconds: budget"].value or 0) < 30
    assert 0 < (findings["make_seconds: budget"].value or 0) < 3000
    making, cost = (findings[f"{name}: budget"].value or 0 for name in ("make_seconds", "make_cost"))
    assert cost == pytest.approx(making / 100)  # at 36 an hour
    assert all(20 < (findings[f"{name}_memory: budget"].value or 0) < 9000 for name in ("score", "make"))
    assert 0 < (findings["score_cost: budget"].value or 0) < 300


def test_nobody_is_told_to_act_on_them(project: Project) -> None:
    rows = served(project)
    assert set(rows.filter(meter=SPARE)[DECIDED]) == {"filtered"}
    others = rows.filter(pl.col("meter") != SPARE)
    close = (2 * others["score__high"] - (1 - others["score__high"])).abs() < 0.9
    assert ((others[DECIDED] == "person") == close).all() and close.any() and not close.all()
    assert (rows["alert"] == (rows[DECIDED] == "act")).all() and rows["alert"].any()
    undecided = outcomes.money(project.scope, outcomes.rows(project), at(LATER))["undecided"]
    assert undecided == {"filtered": rows[DECIDED].to_list().count("filtered"), "person": int(close.sum())}


def test_the_service_answers_as_the_loop_predicts(project: Project) -> None:
    events = [asked.event(hour, n) for hour in (LATER + 1, LATER + 2) for n in range(hourly.METERS)]
    with asked.asking(project) as client:
        body = client.post("/predict", json={"events": events}).json()
        answers = {(one["key"]["meter"], one["event_time"]): one for one in body["predictions"]}
        ranked = client.post("/rank", json={"events": events}).json()["predictions"]
    for (meter, _), one in answers.items():
        silence, acting = 2 * one["scores"]["high"], 1 - one["scores"]["high"]
        plain = "act" if silence > acting else "do not act"
        expected = "filtered" if meter == SPARE else "person" if abs(silence - acting) < 0.9 else plain
        assert (one["decision"], one["alert"]) == (expected, expected == "act")
    assert {one["decision"] for one in answers.values()} >= {"filtered", "person"}
    reasons = {one["decision"]: one["reason"] for one in answers.values()}
    assert reasons["filtered"] == "events.filters.spare holds: it is neither ranked nor acted on"
    assert reasons["person"].endswith("within costs.abstain, so the scores do not decide")
    assert not any(one["alert"] for one in ranked if one["key"]["meter"] == SPARE)
    params = project.root / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("meter = 'm5'", "meter = 'm4'"))  # a filter counts as it was when it was asked
    again = [explain(Project.find(project.root), one["id"]) for one in answers.values()]
    params.write_text(text)
    assert all(one.same for one in again)


def test_events_for_a_person_are_listed_until_their_labels_are_due(project: Project) -> None:
    rows = served(project).filter(pl.col(DECIDED) == "person", pl.col("event_time") > at(LATER) - timedelta(hours=1))
    keys = {one.key for one in for_people.waiting(project)}
    assert keys >= set(rows.select("meter", "at").rows())
    assert all(one.event_time > at(LATER) - timedelta(hours=1) for one in for_people.waiting(project))
    shown = CliRunner().invoke(main, ["data", "review", "-C", str(project.root)]).output
    assert f"{len(keys)} event" in shown and "left to a person by costs.abstain: act on each or leave it" in shown


def test_the_page_of_the_scope_says_so(project: Project) -> None:
    text = " ".join(scope_page(project).text.split())
    assert "It abstains where the expected costs of acting and not acting differ by under 0.9." in text
    assert "Then a person decides; a release may abstain from at most 95 % of the events." in text
    assert "Filter spare: an event with meter = 'm5' is neither ranked nor acted on" in text


def test_another_band_is_released_with_the_same_models(project: Project) -> None:
    params = project.root / "params.yaml"
    before = dict(champion(project).manifest["files"])
    params.write_text(params.read_text().replace("{margin: 0.9, most: 0.95}", "{margin: 0.8, most: 0.001, then: drop}"))
    hourly.commit(project.root, "a narrow band")
    with loop.run_context(project.home, at(LATER)) as (session, now):
        loop.data(session, now)
        kept = release_weights(session, now)
    assert kept is not None and (kept.action, kept.gate[1].rule) == ("keep", Rule.COVERAGE)
    assert "costs.abstain.margin 0.9 -> 0.8, costs.abstain.then person -> drop" in headline(kept)
    params.write_text(params.read_text().replace("most: 0.001, ", ""))
    hourly.commit(project.root, "as many as there are")
    with loop.run_context(project.home, at(LATER)) as (session, now):
        loop.data(session, now)
        made = release_weights(session, now)
    assert made is not None and made.action == "release"
    after = champion(project)
    assert after.scope.costs.abstain is not None and after.scope.costs.abstain.then == "drop"
    assert {k: v for k, v in before.items() if k.startswith("models/")} == {
        k: v for k, v in after.manifest["files"].items() if k.startswith("models/")
    }
