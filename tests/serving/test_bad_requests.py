"""Whatever is sent has an answer that is not the service's fault, and the service goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator

import asked
import pytest
from asked import event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from homeostat.project.layout import Project

NUMBERS = [0, -1, 2**31, 2**63 - 1, -(2**63), 2**63, 10**400, 0.1, -0.0, 1e308, 5e-324]
TEXTS = ["", "m1", "\x00", "\u2028", "9" * 5000, "2024-03-03T02:00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00Z",
         "2024-02-30T00:00:00", "2024-03-03T02:00:00+23:59", "NaN", "null"]  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(NUMBERS)
    | st.sampled_from(TEXTS)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
NAMES = st.sampled_from(["meter", "at", "phase", "load", "{x}", "c0", "__class__", "model_config"]) | st.text()
EVENTS = st.builds(lambda changed: event(50) | changed, st.dictionaries(NAMES, VALUES, max_size=3)) | VALUES
TIMES = st.datetimes().map(lambda time: event(50) | {"at": time.isoformat()})
LABELS = st.builds(
    lambda key, objective, value, more: {"event": key, "objective": objective, "value": value} | more,
    st.just({k: event(40)[k] for k in ("meter", "at")}) | EVENTS, st.just("high") | VALUES, st.just(1) | VALUES,
    st.just({}) | st.dictionaries(st.just("known_at") | NAMES, VALUES, max_size=1),
)  # fmt: skip
BODIES = (
    st.builds(lambda events: {"events": events}, st.lists(EVENTS | TIMES, max_size=3) | VALUES)
    | st.builds(lambda labels: {"labels": labels}, st.lists(LABELS, max_size=3) | VALUES)
    | VALUES
)
BYTES = BODIES.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=200)
PATHS = st.sampled_from(
    ["/predict", "/predict", "/predict?how=computed", "/rank", "/labels", "/release", "/docs", "/x"]
)
KINDS = st.sampled_from(["application/json"] * 8 + ["text/plain", "", "application/json; charset=utf-16"])
METHODS = st.sampled_from(["POST"] * 9 + ["GET", "PUT", "DELETE", "OPTIONS"])


@pytest.fixture(scope="module")
def standing(made: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    import shutil

    folder = tmp_path_factory.mktemp("bad") / "meters"
    shutil.copytree(made.root, folder)
    project = Project(folder, folder)
    asked.release(project, 0)
    with asked.asking(project) as client:
        yield client


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(method=METHODS, path=PATHS, body=BYTES, kind=KINDS)
def test_every_request_has_a_defined_answer(
    standing: TestClient, method: str, path: str, body: bytes, kind: str
) -> None:
    answer = standing.request(method, path, content=body, headers={"content-type": kind})
    assert answer.status_code in (200, 404, 405, 413, 415, 422), answer.text
    if answer.status_code >= 400 and method != "HEAD":
        for problem in answer.json()["problems"]:
            assert set(problem) == {"field", "problem", "fix"}
            assert problem["fix"]


def test_it_still_answers(standing: TestClient) -> None:
    assert standing.post("/predict", json={"events": [event(50)]}).status_code == 200
