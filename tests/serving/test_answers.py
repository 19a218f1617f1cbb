"""What is asked and what is answered, in one process."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asked
import hourly
import polars as pl
import pytest
from asked import NOW, event, logged
from at_work import until
from starlette.testclient import TestClient
from steps import land, upcoming, validate

from homeostat.features.tables import read_features
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.serving import examples, paths, prediction_log
from homeostat.serving.answer import Precomputed
from homeostat.training import bundle


def predict(client: TestClient, *events: dict[str, Any], how: str = "") -> dict[str, Any]:
    answer = client.post("/predict", params={"how": how} if how else {}, json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_answer_names_the_version_that_gave_it(client: TestClient, project: Project) -> None:
    response = predict(client, event(50, 0), event(50, 1))
    first, _ = asked.sealed(project)
    assert (response["release"], response["bundle"], response["event"]) == ("v0.1.0", first, 1)
    one, two = response["predictions"]
    assert one["key"] == {"meter": "m0", "at": event(50, 0)["at"]}
    assert two["key"]["meter"] == "m1"
    assert (one["predict_at"], one["as_of"]) == ("2024-03-03T01:00:00", "2024-03-03T01:00:00")
    assert one["risk"] == 2 * one["scores"]["high"]
    assert one["how"] == "ahead"
    serves = client.get("/release").json()["serves"]
    assert (serves["release"], serves["who"], serves["why"]) == ("v0.1.0", "ann", "passed")


@pytest.mark.parametrize("how", ["computed", "ahead"])
def test_online_equals_batch_to_the_last_bit(client: TestClient, project: Project, how: str) -> None:
    """Asked about what is ahead, as of the same time, the service says what the batch says, feature by feature."""
    batch = upcoming(project, NOW)
    assert batch is not None and batch.height == hourly.METERS
    champion = Registry.open(project).load_champion()
    assert champion is not None
    scored = bundle.score(champion[1], batch)
    rows = batch.select("meter", "at", "phase").to_dicts()
    param = how if how == "computed" else ""
    response = predict(client, *({**row, "at": row["at"].isoformat()} for row in rows), how=param)["predictions"]
    assert [p["how"] for p in response] == [how] * len(rows)
    assert [p["scores"]["high"] for p in response] == scored["score__high"].to_list()
    assert [p["risk"] for p in response] == scored["risk"].to_list()

    context = client.app.app.state.endpoints.worker.state.context  # type: ignore[attr-defined]
    asked_for = context.events_of_request(
        {**batch.select("meter", "at", "phase").to_dict(as_series=False), "load": [None] * len(rows)}
    )
    features, _ = context.features(context.sql, asked_for, NOW)
    assert features.equals(batch.select(features.columns), null_equal=True)


def test_an_event_of_the_past_is_as_of_its_predict_at(client: TestClient, project: Project) -> None:
    """The day before yesterday's feature rows, event by event, whatever has become known since."""
    label = "2024-03-02T20"
    batch = read_features(project, [label])
    champion = Registry.open(project).load_champion()
    assert champion is not None
    scores = bundle.score(champion[1], batch)["score__high"].to_list()
    rows = batch.select("meter", "at", "phase").to_dicts()
    for row, score in zip(rows, scores, strict=True):
        response = predict(client, {**row, "at": row["at"].isoformat(), "load": 77.0})["predictions"][0]
        assert response["as_of"] == response["predict_at"]
        assert response["scores"]["high"] == score  # the load that was sent is not known by then, and not used


def test_what_the_loop_predicted_is_used_while_it_is_fresh(project: Project) -> None:
    batch = upcoming(project, NOW)
    assert batch is not None
    champion = Registry.open(project).load_champion()
    assert champion is not None
    rows = bundle.score(champion[1], batch).with_columns(
        pl.lit("v0.1.0").alias("release"), pl.lit(NOW).cast(pl.Datetime("us")).alias("as_of"), risk=pl.lit(7.0)
    )
    project.predictions.mkdir(parents=True)
    rows.write_parquet(project.predictions / "2024-03-03T02.parquet")
    ahead, other = event(50, 1), event(50, 1, phase=9)
    with asked.asking(project) as client:
        response = predict(client, ahead)["predictions"][0]
        assert (response["how"], response["risk"]) == ("prediction", 7.0)
        assert predict(client, ahead, how="computed")["predictions"][0]["how"] == "computed"
        assert predict(client, other)["predictions"][0]["how"] == "computed"  # the source says otherwise of it
    asked.release(project, 1)
    with asked.asking(project) as client:  # by another release
        assert predict(client, ahead)["predictions"][0]["how"] == "ahead"


def test_feature_rows_are_used_where_they_are(project: Project) -> None:
    clock = project.root / "params.yaml"
    clock.write_text(clock.read_text().replace("2024-03-03T00:00:00", "2024-03-02T20:00:00"))
    with asked.asking(Project(project.root, project.home)) as client:
        ready, computed = (predict(client, event(45, 2), how=how)["predictions"][0] for how in ("", "computed"))
    assert (ready.pop("how"), computed.pop("how")) == ("features", "computed")
    assert ready.pop("id") != computed.pop("id")
    assert ready == computed


def test_an_answer_carries_the_decision_and_the_expected_costs(client: TestClient) -> None:
    for one in predict(client, *(event(50, n) for n in range(hourly.METERS)))["predictions"]:
        chance = one["scores"]["high"]
        assert one["decision"] == ("act" if 2 * chance > 1 - chance else "do not act")
        assert one["alert"] == (one["decision"] == "act")
        assert one["reason"] == f"not acting is expected to cost {2 * chance:.4g}, acting {1 - chance:.4g}"


def test_rank_puts_the_riskiest_first_and_warns_of_as_many_as_can_be_acted_on(client: TestClient) -> None:
    events = [event(50, n) for n in range(hourly.METERS)]
    response = client.post("/rank", json={"events": events}).json()["predictions"]
    risks = [p["risk"] for p in response]
    assert risks == sorted(risks, reverse=True)
    worth = sum(p["alert"] for p in predict(client, *events)["predictions"])
    assert worth > 2  # the capacity of a period
    assert [p["alert"] for p in response] == [True, True] + [False] * (len(response) - 2)
    cut = response[2:worth]
    assert {p["decision"] for p in cut} == {"do not act"}
    assert all(p["reason"].endswith("; the 2 riskiest of its period take the capacity") for p in cut)


BAD: list[tuple[Any, str, str]] = [
    ([], "body", "object"),
    ({"events": []}, "events", "at least one"),
    ({"events": [event(50)] * 1001}, "events", "1000 at most"),
    ({"events": [event(50), event(50)]}, "events.1", "once"),
    ({"events": [event(50, phase="one")]}, "events.0.phase", "whole number"),
    ({"events": [event(50, phase=1.5)]}, "events.0.phase", "whole number"),
    ({"events": [event(50, phase=2**63)]}, "events.0.phase", "phase"),
    ({"events": [event(50, tide=1)]}, "events.0.tide", "no column"),
    ({"events": [event(50, load=float("nan"))]}, "events.0.load", "finite"),
    ({"events": [event(50, load=float("-inf"))]}, "events.0.load", "finite"),
    ({"events": [event(50, meter=0) | {"meter": None}]}, "events.0.meter", "string"),
    ({"events": [{"meter": "m1", "phase": 1}]}, "events.0.at", "add it"),
    ({"events": [event(50, at="noon")]}, "events.0.at", "2024-03-01T12:00:00"),
    ({"events": [event(50, at="0001-01-01T00:00:00+14:00")]}, "events.0.at", "correct at"),
    ({"events": [event(5000)]}, "events", "within that time"),
    ({"events": [event(50, at="1900-01-01T00:00:00")]}, "events", "the columns that give its time"),
]


@pytest.mark.parametrize(("body", "field", "fix"), BAD)
def test_a_refusal_names_the_field_and_the_fix(client: TestClient, body: Any, field: str, fix: str) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post("/predict", content=json.dumps(body), headers=headers)
    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["problems"]
    assert problem["field"] == field
    assert fix in problem["fix"]
    assert "\n" not in problem["problem"]


def test_what_is_unknown_or_missing_is_answered(client: TestClient) -> None:
    strange = [event(50) | {"meter": name} for name in ("never seen", "", "\x00", "é" * 5000)]
    response = predict(client, *strange, event(50, 1, phase=None), event(50, 2, phase=-(2**63)))
    assert len(response["predictions"]) == 6


def test_one_bad_event_of_many_requests_spoils_its_own_alone(client: TestClient) -> None:
    from homeostat.serving.batching import Job, outcomes

    endpoints = client.app.app.state.endpoints  # type: ignore[attr-defined]
    state = endpoints.worker.state
    good = [state.shapes.events(json.dumps({"events": [event(50, n)]}).encode()) for n in range(3)]
    far = state.shapes.events(json.dumps({"events": [event(4000)]}).encode())
    jobs = [Job(state, events, None) for events in (good[0], far, *good[1:])]  # type: ignore[arg-type]
    results = outcomes(jobs, NOW)
    assert [isinstance(one, list) for one in results] == [True, False, True, True]


def test_content_type_size_token_and_paths(client: TestClient, project: Project) -> None:
    body = json.dumps({"events": [event(50)]})
    cases = [
        (client.post("/predict", content=body, headers={"content-type": "text/plain"}), 415),
        (client.post("/predict", content=b"\xff\xfe", headers={"content-type": "application/json"}), 422),
        (client.post("/predict", content=b" " * (5 << 20), headers={"content-type": "application/json"}), 413),
        (
            client.post("/predict", content=iter([b" " * (1 << 20)] * 5), headers={"content-type": "application/json"}),
            413,
        ),
        (client.get("/predict"), 405),
        (client.post("/promote", json={}), 404),
        (client.post("/release", json={}), 405),
        (client.post("/predict", json={"events": [event(50)]}, headers={"authorization": "Bearer x"}), 401),
        (client.get("/docs", headers={"authorization": ""}), 401),
        (client.get("/live", headers={"authorization": ""}), 200),
        (client.get("/ready", headers={"authorization": ""}), 200),
    ]
    assert [(answer.request.url.path, answer.status_code) for answer, _ in cases] == [
        (answer.request.url.path, status) for answer, status in cases
    ]
    assert all("fix" in answer.text for answer, status in cases if status != 200)
    assert paths.token(project).stat().st_mode & 0o777 == 0o600


def label(value: float = 1, hour: float = 48, **more: Any) -> dict[str, Any]:
    key = {name: event(hour)[name] for name in ("meter", "at")}
    return {"event": key, "objective": "high", "value": value} | more


def test_labels_are_kept_once_and_late_or_changed_ones_said_to_be(project: Project) -> None:
    def send(client: TestClient, *labels: dict[str, Any]) -> Any:
        return client.post("/labels", json={"labels": list(labels)})

    with asked.asking(project) as one, asked.asking(project) as two:  # two workers, one journal
        assert send(one, label()).json() == {"labels": [{"status": "kept", "late": False}]}
        assert send(two, label()).json()["labels"][0]["status"] == "repeated"
        assert send(two, label(0)).json()["labels"][0]["status"] == "changed"
        assert send(one, label(0), label(1, 20)).json()["labels"] == [
            {"status": "repeated", "late": False}, {"status": "kept", "late": True},
        ]  # fmt: skip
        for bad, field in [
            (label(0.5), "labels.0.value"), (label(hour=60), "labels.0.event"),
            (label(objective="low"), "labels.0.objective"),
            (label(known_at="2024-03-09T00:00:00"), "labels.0.known_at"),
        ]:  # fmt: skip
            answer = send(one, bad)
            assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, field)
    lines = paths.labels(project).read_text().splitlines()
    assert [json.loads(line)["value"] for line in lines] == [1, 0, 1]


def test_every_prediction_is_kept_once_and_a_torn_line_is_passed_over(project: Project) -> None:
    with asked.asking(project) as client:
        first = predict(client, event(50), event(50, 1))["predictions"]
        again = predict(client, event(50))["predictions"]
    assert again[0] == first[0]
    (path,) = prediction_log.log_files(project)
    assert len(path.read_text().splitlines()) == 2
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])  # as the machine left it
    assert [entry["id"] for entry in logged(project)] == [first[0]["id"]]
    journal = prediction_log.Journal(path)
    journal.add([{"id": "x"}])
    journal.close()
    assert [entry["id"] for entry in logged(project)] == [first[0]["id"], "x"]


def ended(path: Path) -> Path:
    """The file as a process left it that is there no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return path.rename(path.with_name(f"{path.name.rpartition('-')[0]}-{process.pid}.jsonl"))


def test_what_has_ended_is_packed_and_reads_as_before(client: TestClient, project: Project) -> None:
    ids = [predict(client, event(50, n))["predictions"][0]["id"] for n in range(3)]
    (path,) = prediction_log.log_files(project)
    assert prediction_log.pack_ended(project) == []  # this process still adds to it
    before = list(logged(project))
    since = list(prediction_log.lines_since(project, NOW - timedelta(days=1)))
    ended(path)
    packed = prediction_log.pack_ended(project)
    assert [p.suffix for p in packed] == [".gz"] and not list(paths.served(project).glob("*.jsonl"))
    assert list(logged(project)) == before
    assert list(prediction_log.lines_since(project, NOW - timedelta(days=1))) == since
    assert [(prediction_log.find(project, name) or {}).get("id") for name in ids] == ids
    assert prediction_log.pack_ended(project) == []


KILL = """
import os, signal, sys
from pathlib import Path
from homeostat.serving import jsonl
def die(*args): os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], die)
jsonl.pack(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("where", ["fsync", "replace", "unlink"])
def test_killed_while_packing_nothing_is_lost_or_twice(tmp_path: Path, where: str) -> None:
    folder = paths.served(Project(tmp_path, tmp_path))
    folder.mkdir(parents=True)
    path = folder / "2024-03-03T010000-1.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "at": "2024"}) + "\n" for n in range(1000)))
    path = ended(path)
    done = subprocess.run([sys.executable, "-c", KILL, str(path), where], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    project = Project(tmp_path, tmp_path)
    for _ in range(2):
        assert [e["id"] for e in logged(project)] == [str(n) for n in range(1000)]
        prediction_log.pack_ended(project)
    assert [p.suffix for p in prediction_log.log_files(project)] == [".gz"]


def test_the_examples_of_the_description_are_what_is_answered(client: TestClient) -> None:
    response = client.get("/openapi.json").json()
    assert response["info"]["title"] == "meters"

    def example(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
        operation = response["paths"][path]["post"]
        asked_for = operation["requestBody"]["content"]["application/json"]["example"]
        given = client.post(path, json=asked_for)
        assert given.status_code == 200, given.text
        promised = operation["responses"]["200"]["content"]["application/json"]["example"]
        return promised, given.json()

    promised, given = example("/predict")
    assert len(promised["predictions"]) == 2
    assert promised == given | {"worker": 1}
    promised, given = example("/rank")
    assert promised == given | {"worker": 1}
    promised, given = example("/labels")
    assert promised == given
    page = client.get("/docs").text
    assert "Known with read" in page and "src=" not in page and 'href="http' not in page


def test_where_nothing_is_at_hand_the_examples_are_golden(client: TestClient) -> None:
    state = client.app.app.state.endpoints.worker.state  # type: ignore[attr-defined]
    events, answer = examples.prediction_example(replace(state, precomputed=Precomputed({}, {}, timedelta(0))))
    sealed = state.live.bundle.golden
    assert len(events) == 2
    for request, prediction in zip(events, answer["predictions"], strict=True):
        row = sealed.filter(meter=request["meter"], at=datetime.fromisoformat(request["at"])).row(0, named=True)
        assert (prediction["scores"]["high"], prediction["alert"]) == (row["score__high"], row["alert"])


def test_by_the_wall_clock_the_examples_of_old_data_are_moved_to_the_present(made: Project, tmp_path: Path) -> None:
    shutil.copytree(made.root, tmp_path / "meters")
    project = Project(tmp_path / "meters", tmp_path / "meters")
    params = project.root / "params.yaml"
    clock = 'clock:\n  start: "2024-03-03T00:00:00"\n'
    assert clock in params.read_text()
    params.write_text(params.read_text().replace(clock, ""))
    asked.release(project, 0)
    with asked.asking(project) as client:
        post = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
        example = post["requestBody"]["content"]["application/json"]["example"]
        answer = client.post("/predict", json=example)
        assert answer.status_code == 200, answer.text
        promised = post["responses"]["200"]["content"]["application/json"]["example"]["predictions"]
        given = answer.json()["predictions"]
        assert [p["key"] for p in given] == [p["key"] for p in promised] and len(given) == 2
        times = [datetime.fromisoformat(p["event_time"]) for p in given]
        assert all(abs(datetime.now() - time) < timedelta(days=8) for time in times)
        old = client.post("/predict", json={"events": [event(50)]})
        assert old.status_code == 422 and "from now" in old.text


def test_nothing_released_yet(made: Project, tmp_path: Any) -> None:
    shutil.copytree(made.root, tmp_path / "meters")
    with asked.asking(Project(tmp_path / "meters", tmp_path / "meters")) as client:
        assert client.get("/live").status_code == 200
        for answer in (client.get("/ready"), client.post("/predict", json={"events": [event(50)]})):
            assert answer.status_code == 503
            assert "no release yet" in answer.text
        assert client.get("/release").json()["serves"] is None
        assert "homeostat_serving_event" in client.get("/metrics").text


def test_new_batches_are_seen_without_a_restart(client: TestClient, project: Project) -> None:
    before = predict(client, event(51))["predictions"][0]
    worker = client.app.app.state.endpoints.worker  # type: ignore[attr-defined]
    start = worker.state.context
    period = start.period(NOW - timedelta(hours=1))
    land(project, "readings", period)
    validate(project, "readings", period.label, now=NOW)
    until(lambda: worker.state.context is not start, 20, "a new context")
    assert predict(client, event(51))["predictions"][0]["scores"] != before["scores"]


def test_what_was_predicted_and_came_back_is_for_its_owner_alone(client: TestClient, project: Project) -> None:
    predict(client, event(50, 1))
    label = {"event": {k: v for k, v in event(10, 1).items() if k in ("meter", "at")}, "objective": "high", "value": 1}
    assert client.post("/labels", json={"labels": [label]}).status_code == 200
    closed = [paths.served(project), paths.labels(project), *paths.served(project).glob("*.jsonl")]
    assert len(closed) == 3 and all(path.stat().st_mode & 0o077 == 0 for path in closed)
