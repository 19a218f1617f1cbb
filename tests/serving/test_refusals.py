"""What is refused with its field although a laxer reader would take it, and what cannot be kept is not confirmed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import asked
import pytest
from asked import event, logged
from small_disk import fill, small_disk
from starlette.testclient import TestClient

from homeostat.project.layout import Project
from homeostat.serving.repeated_keys import repeated_key

ONE = json.dumps(event(50))
LABEL = {"event": {name: event(48)[name] for name in ("meter", "at")}, "objective": "high", "value": 1}


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/predict?how=computed", 200, ""),
        ("/predict?how=x", 422, "query.how"),
        ("/predict?how=", 422, "query.how"),
        ("/predict?how=computed&how=computed", 422, "query.how"),
        ("/predict?how=computed&how=x", 422, "query.how"),
        ("/predict?How=computed", 422, "query.How"),
        ("/rank?how=no", 422, "query.how"),
        ("/rank?limit=3", 422, "query.limit"),
        ("/labels?how=computed", 422, "query.how"),
        ("/predict/", 404, "path"),
        ("/labels/", 404, "path"),
    ],
)
def test_a_query_and_a_path_are_as_described(client: TestClient, path: str, status: int, field: str) -> None:
    answer = client.post(path, json={"events": [event(50)]}, follow_redirects=False)
    assert answer.status_code == status, answer.text
    if field:
        (problem,) = answer.json()["problems"]
        assert problem["field"] == field and problem["fix"]


def test_no_redirect_repeats_the_host_header(client: TestClient) -> None:
    for path in ("/", "/docs/", "/predict/", "/release/", "/live/"):
        answer = client.get(path, headers={"host": "example.org"}, follow_redirects=False)
        assert "example.org" not in answer.headers.get("location", ""), path
        assert answer.status_code == (307 if path == "/" else 404)
    assert client.get("/").url.path == "/docs"
    assert client.get("/docs?x=1").status_code == 422
    assert client.get("/ready?from=balancer").status_code == client.get("/live?x").status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (f'{{"events": [{ONE[:-1]}, "phase": 1}}]}}', "events.0.phase"),
        (f'{{"events": [{ONE}, {ONE[:-1]}, "ph\\u0061se": 1}}]}}', "events.1.phase"),
        (f'{{"events": [{ONE}], "events": [{ONE}]}}', "events"),
    ],
)
def test_a_key_that_comes_twice_is_refused(client: TestClient, body: str, field: str) -> None:
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    (problem,) = answer.json()["problems"]
    assert (problem["field"], problem["fix"]) == (field, "send it once")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"{}", None), (b'{"a": [{"b": 1}, {"b": 1}]}', None), (b'{"a": {"a": 1}}', None), (b"[1, 1]", None),
        (b'{"a": 1, "b": 2, "a": 1}', "a"), (b'{"a": [[], [{"c": 1, "c": null}]]}', "a.1.0.c"),
        (b'{"a": {"b": 1, "b": 2}, "a": 1}', "a.b"),
    ],
)  # fmt: skip
def test_the_way_to_a_repeated_key(text: bytes, field: str | None) -> None:
    assert repeated_key(text) == field


def test_on_a_full_disk_nothing_is_confirmed_and_then_it_goes_on(made: Project, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64m") as disk:
        shutil.copytree(made.root, disk / "meters")
        project = Project(disk / "meters", disk / "meters")
        asked.release(project, 0)
        labels = {"labels": [LABEL, LABEL | {"objective": "high", "event": LABEL["event"] | {"meter": "m1"}}]}
        with asked.asking(project) as client:
            assert client.get("/ready").status_code == 200
            fill(disk / "ballast", 0)
            for answer in (
                client.post("/predict", json={"events": [event(50)]}), client.post("/labels", json=labels),
                client.get("/ready"),
            ):  # fmt: skip
                assert answer.status_code == 503 and answer.headers["retry-after"] == "1", answer.text
                (problem,) = answer.json()["problems"]
                assert problem["problem"].endswith("cannot be written: No space left on device")
                assert problem["fix"] == "free space on the disk and send it again"
            assert client.get("/live").status_code == 200
            (disk / "ballast").unlink()
            assert client.get("/ready").status_code == 200
            assert client.post("/predict", json={"events": [event(50)]}).status_code == 200
            statuses = [one["status"] for one in client.post("/labels", json=labels).json()["labels"]]
            assert statuses == ["kept", "kept"]
        assert len(logged(project)) == 1
