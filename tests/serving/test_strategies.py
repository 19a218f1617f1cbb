"""A challenger beside what serves, in one process: who is answered by whom, and what is written down."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import asked
import polars as pl
import pytest
from asked import NOW, event, logged
from at_work import until
from click.testing import CliRunner
from starlette.testclient import TestClient

from homeostat.adapters import git
from homeostat.cli import main
from homeostat.core.authorship import Authorship
from homeostat.core.ledger import Register, ReleaseEvent, Yank, event_tag, release_tag, yank_tag
from homeostat.core.rollout import in_canary
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.serving import explain, jsonl, prediction_log
from homeostat.training import bundle as bundles

EVENTS = [event(hour, meter) for hour in (50, 51, 52, 53, 54) for meter in range(6)]


def predict(client: TestClient, *events: dict[str, Any], path: str = "/predict") -> dict[str, Any]:
    answer = client.post(path, json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def lines(project: Project) -> list[dict[str, Any]]:
    """The lines of the log that refer to predictions."""
    entries = [entry for path in prediction_log.log_files(project) for entry in jsonl.read(path)]
    return [entry for entry in entries if "id" not in entry]


def serves(client: TestClient, version: str | None, tried: str | None) -> bool:
    state = client.get("/release").json()
    champion, challenger = state["serves"], state.get("tried")
    return (champion and champion["release"], (challenger or {}).get("release")) == (version, tried)


def chosen(answer: dict[str, Any], bundle: str, share: float) -> bool:
    (one,) = answer["predictions"]
    key = (one["key"]["meter"], datetime.fromisoformat(one["key"]["at"]))
    return in_canary(key, bundle, share)


def test_a_canary_answers_its_share_of_the_keys_and_stays_with_them(project: Project) -> None:
    _, second = asked.sealed(project)
    asked.beside(project, second, 0.3, after=1)
    by_share: dict[float, set[str]] = {}
    with asked.asking(project) as client:
        until(lambda: serves(client, "v0.1.0", "v0.2.0"), 20, "the canary")
        for share in (0.3, 0.6):
            if share == 0.6:
                asked.beside(project, second, share, after=2)
                until(lambda: client.get("/release").json()["tried"]["share"] == 0.6, 20, "the next step")
            answers = [predict(client, one) for one in EVENTS]
            for answer in answers:
                weight = 3 if answer["release"] == "v0.2.0" else 2
                assert answer["predictions"][0]["risk"] == weight * answer["predictions"][0]["scores"]["high"]
                assert (answer["release"] == "v0.2.0") == chosen(answer, second, share)
            by_share[share] = {str(a["predictions"][0]["key"]) for a in answers if a["release"] == "v0.2.0"}
            assert [predict(client, one)["release"] for one in EVENTS] == [a["release"] for a in answers]
        assert 0 < len(by_share[0.3]) < len(by_share[0.6]) < len(EVENTS)
        assert by_share[0.3] < by_share[0.6]
        assert {(e["release"], e["event"]) for e in logged(project)} == {("v0.1.0", 1), ("v0.2.0", 2), ("v0.2.0", 3)}
        assert lines(project) == []
        metrics = client.get("/metrics").text
        assert 'homeostat_predictions_total{how="ahead",release="v0.2.0"}' in metrics
        assert 'homeostat_answer_seconds_count{release="v0.2.0"}' in metrics


def test_a_list_is_answered_by_one_version_whatever_its_order(project: Project) -> None:
    _, second = asked.sealed(project)
    asked.beside(project, second, 0.5, after=1)
    with asked.asking(project) as client:
        releases = set()
        for size in range(2, 12):
            some = EVENTS[size : 2 * size]
            answers = [
                predict(client, *order, path=path) for order in (some, some[::-1]) for path in ("/predict", "/rank")
            ]
            assert len({answer["release"] for answer in answers}) == 1
            for answer in answers:
                weight = 3 if answer["release"] == "v0.2.0" else 2
                assert all(p["risk"] == weight * p["scores"]["high"] for p in answer["predictions"])
            releases.add(answers[0]["release"])
        assert releases == {"v0.1.0", "v0.2.0"}


def test_a_shadow_is_in_the_log_and_in_no_answer(project: Project) -> None:
    made = asked.spoilt(project, asked.turned)
    with asked.asking(project) as client:
        before = [predict(client, one) for one in EVENTS]
    asked.beside(project, made, None, after=1)
    with asked.asking(project) as client:
        until(lambda: serves(client, "v0.1.0", "v0.2.0"), 20, "the shadow")
        after = [predict(client, one) for one in EVENTS]
        ids = {answer["predictions"][0]["id"] for answer in after}
        assert [answer["predictions"] for answer in after] == [answer["predictions"] for answer in before]
        assert {answer["release"] for answer in after} == {"v0.1.0"} and "v0.2.0" not in str(after)
        until(lambda: {line["of"] for line in lines(project)} == ids, 20, "the scores of the shadow")
        by_shadow = {line["of"]: line["scores"] for line in lines(project)}
        for answer in after:
            (one,) = answer["predictions"]
            assert by_shadow[one["id"]] != [one["scores"]["high"]]
        assert all(line["release"] == "v0.2.0" and line["event"] == 2 for line in lines(project))
        explained = list(explain.lines(explain.explain(project, after[0]["predictions"][0]["id"])))
        (score,) = by_shadow[after[0]["predictions"][0]["id"]]
        assert f"challenger v0.2.0 in shadow: high {score!r}" in explained
        many = len(lines(project))
        predict(client, *EVENTS)  # what was scored already is not scored again
        assert 'homeostat_shadow_events_total{outcome="scored",release="v0.2.0"}' in client.get("/metrics").text
        assert {e["release"] for e in logged(project)} == {"v0.1.0"}
    assert len(lines(project)) == many


@pytest.mark.parametrize("share", [0.999, None])
def test_what_a_challenger_cannot_answer_is_answered_all_the_same(project: Project, share: float | None) -> None:
    made = asked.spoilt(project, asked.failing)
    asked.beside(project, made, share, after=1)
    with asked.asking(project) as client:
        until(lambda: serves(client, "v0.1.0", "v0.2.0"), 20, "the challenger")
        releases = {(e["at"], e["meter"]): predict(client, e)["release"] for e in EVENTS}
        late = {
            (e["at"], e["meter"])
            for e in EVENTS
            if e["phase"] == 2 and e["at"] > (NOW + timedelta(hours=2)).isoformat()
        }
        assert late
        by_challenger = {key for key, release in releases.items() if release == "v0.2.0"}
        assert by_challenger == (set() if share is None else set(releases) - late)
        errors = until(
            lambda: len(errors := [n for n in lines(project) if "error" in n]) == len(late) and errors, 20, "lines"
        )
        assert {line["release"] for line in errors} == {"v0.2.0"}
        assert {line["of"] for line in errors} <= {e["id"] for e in logged(project)}
        if share is not None:
            assert f'challenger_failures_total{{release="v0.2.0"}} {len(late)}.0' in client.get("/metrics").text


def test_what_both_cannot_answer_is_no_failure_of_the_challenger(project: Project) -> None:
    _, second = asked.sealed(project)
    asked.beside(project, second, 0.999, after=1)
    with asked.asking(project) as client:
        until(lambda: serves(client, "v0.1.0", "v0.2.0"), 20, "the challenger")
        answer = client.post("/predict", json={"events": [event(5000)]})
        assert answer.status_code == 422
    assert lines(project) == []


def test_a_step_ends_as_the_champion_or_as_if_it_had_never_been(project: Project) -> None:
    _, second = asked.sealed(project)
    with asked.asking(project) as client:
        asked.beside(project, second, 0.5, after=1)
        until(lambda: serves(client, "v0.1.0", "v0.2.0"), 20, "the canary")
        Registry(project).rollback(Authorship("ann", "no", NOW + timedelta(hours=2)))
        until(lambda: serves(client, "v0.1.0", None), 20, "the rollback")
        assert {predict(client, one)["release"] for one in EVENTS} == {"v0.1.0"}
        asked.beside(project, second, 0.5, after=3)
        until(lambda: serves(client, "v0.1.0", "v0.2.0"), 20, "the canary again")
        Registry(project).promote("v0.2.0", Authorship("ann", "well", NOW + timedelta(hours=4)))
        until(lambda: serves(client, "v0.2.0", None), 20, "the champion")
        assert {predict(client, one)["release"] for one in EVENTS} == {"v0.2.0"}


def yank_elsewhere(project: Project, version: str) -> None:
    """As the tag of another host arrives, where the version did not serve."""
    release = Registry.open(project).ledger.release(version)
    assert release is not None
    made = Yank(version, release.commit, "bob", "poison", NOW, release.bundle)
    git.create_tag(project.home, yank_tag("meters", version), release.commit, made.message(), NOW)


def test_a_version_that_is_yanked_elsewhere_is_dropped(project: Project) -> None:
    first, second = asked.sealed(project)
    asked.release(project, 1, after=1)
    with asked.asking(project) as client:
        until(lambda: serves(client, "v0.2.0", None), 20, "the second version")
        worker = client.app.app.state.endpoints.worker  # type: ignore[attr-defined]
        yank_elsewhere(project, "v0.2.0")
        until(lambda: serves(client, "v0.1.0", None), 20, "the version before")
        assert second not in worker._bundles and "v0.2.0" not in worker.state.context.precomputed
        assert predict(client, event(50))["release"] == "v0.1.0"
        yank_elsewhere(project, "v0.1.0")
        until(lambda: client.get("/ready").status_code == 503, 20, "nothing to serve")
        assert client.post("/predict", json={"events": [event(50)]}).status_code == 503


def test_a_challenger_that_is_yanked_elsewhere_is_dropped(project: Project) -> None:
    asked.beside(project, asked.sealed(project)[1], 0.999, after=1)
    with asked.asking(project) as client:
        until(lambda: serves(client, "v0.1.0", "v0.2.0"), 20, "the canary")
        yank_elsewhere(project, "v0.2.0")
        until(lambda: serves(client, "v0.1.0", None), 20, "what serves alone")
        assert {predict(client, one)["release"] for one in EVENTS} == {"v0.1.0"}


def test_a_challenger_that_cannot_be_loaded_leaves_what_serves_alone(project: Project) -> None:
    """Its tag is there, made elsewhere; here it answers otherwise than it was sealed."""
    folder = project.releases / asked.sealed(project)[1]
    table = pl.read_parquet(folder / "golden.parquet")
    table.with_columns(pl.col("score__high") * (1 + 2**-52)).write_parquet(folder / "golden.parquet")
    made = bundles.seal(folder, "meters", {})
    folder.rename(project.releases / made)
    commit = git.head(project.root)
    registered = Register("v0.2.0", commit, "ann", "better", NOW, made)
    git.create_tag(project.home, release_tag("meters", "v0.2.0"), commit, registered.message(), NOW)
    event = ReleaseEvent(2, "v0.2.0", "canary", commit, "ann", "better", NOW, made, share=0.5)
    git.create_tag(project.home, event_tag("meters", 2), commit, event.message(), NOW)
    with asked.asking(project) as client:
        assert serves(client, "v0.1.0", None)
        failed = client.get("/release").json()["failed"]
        assert failed["release"] == "v0.2.0" and "rehearsal failed" in failed["why"]
        assert {predict(client, one)["release"] for one in EVENTS} == {"v0.1.0"}
        assert [line["release"] for line in lines(project) if "unloaded" in line] == ["v0.2.0"]


def test_the_commands_tell_what_is_tried(project: Project) -> None:
    def say(*words: str) -> str:
        result = CliRunner().invoke(main, [*words, "-C", str(project.home)])
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    _, second = asked.sealed(project)
    asked.beside(project, second, None)
    sentence = say("promote", "v0.2.0", "--canary", "5%", "--why", "a look", "--who", "bob")
    assert sentence == "v0.2.0 is tried beside v0.1.0 (canary 5%): a look"
    assert "canary 5% v0.2.0 bob: a look <- serves now" in say("releases")
    shown = say("releases", "show", "v0.2.0")
    assert f"tried {NOW} to {NOW} (shadow by ann" in shown and f"tried {NOW} to now (canary 5% by bob: a look)" in shown
    at = say("releases", "served-at", NOW.isoformat())
    assert at.startswith("v0.1.0 since") and f"beside it v0.2.0 since {NOW} (canary 5% by bob: a look)" in at
    assert "tried v0.2.0 beside it, canary 5%, since 2024-03-03 01:00 by bob" in say("status")
    sentence = say("rollback", "--why", "slow", "--who", "bob")
    assert sentence == "v0.1.0 serves everything, v0.2.0 is no longer tried: slow"
    assert "serves already" in say("rollback", "--why", "slow", "--who", "bob")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--canary", "5"), "'5' is not between 0 and 100%; for all promote without it"),
        (("--canary", "many"), "'many' is no share; write 5% or 0.05"),
        (("--canary", "5%", "--shadow"), "two ways; give one"),
    ],
)
def test_a_canary_that_cannot_be_is_refused_in_a_line(project: Project, words: tuple[str, ...], error: str) -> None:
    command = ["promote", "v0.1.0", *words, "--why", "w", "--who", "ann", "-C", str(project.home)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2 and error in result.output and "Traceback" not in result.output
    assert len(Registry.open(project).ledger.events) == 1


def test_a_scope_without_rollout_says_so(project: Project) -> None:
    params = project.root / "params.yaml"
    params.write_text(params.read_text().partition("rollout:")[0])
    asked.release(project, 1)
    command = ["promote", "v0.1.0", "--shadow", "--why", "w", "--who", "ann", "-C", str(project.home)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2 and "params.yaml: no rollout" in result.output
