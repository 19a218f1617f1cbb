"""A prediction comes out again to the last bit, and what its parts are."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import asked
import hourly
import pytest
from asked import NOW, event
from steps import land, validate

from homeostat.core.errors import UsageError
from homeostat.core.periods import periods_between
from homeostat.project.layout import Project
from homeostat.serving import paths
from homeostat.serving.explain import explain, lines

LATER = NOW + timedelta(hours=3)


def test_a_prediction_is_derived_again_after_the_data_moved_on(project: Project) -> None:
    with asked.asking(project) as client:
        ids = [
            p["id"]
            for batch in ([event(50, 1), event(50.9, 2)], [event(44, 3, load=1e300)])
            for p in client.post("/predict", json={"events": batch}).json()["predictions"]
        ]
    # since then the events' own hours were accepted, and another release came
    for period in periods_between(hourly.START + timedelta(hours=48), LATER, timedelta(hours=1), timedelta(0)):
        land(project, "readings", period)
        validate(project, "readings", period.label, now=LATER)
    asked.release(project, 1)
    for name in ids:
        explained = explain(project, name)
        assert explained.same, list(lines(explained))
        parts = explained.parts["high"]
        assert parts is not None and set(parts.by_feature) == {"phase", "hour", "last_load"}
        assert 1 / (1 + math.exp(-parts.total)) == pytest.approx(explained.entry["scores"][0], rel=1e-12)
        text = "\n".join(lines(explained))
        assert "v0.1.0 (event 1" in text and "last_load = " in text and "recomputed to the last bit" in text


def test_a_prediction_that_was_tampered_with_does_not(project: Project) -> None:
    with asked.asking(project) as client:
        name = client.post("/predict", json={"events": [event(50)]}).json()["predictions"][0]["id"]
    (path,) = paths.served(project).glob("*.jsonl")
    entry = json.loads(path.read_text())
    entry["scores"][0] = math.nextafter(entry["scores"][0], 1)
    path.write_text(json.dumps(entry) + "\n")
    explained = explain(project, name)
    assert not explained.same
    assert "RECOMPUTED DIFFERENTLY" in "\n".join(lines(explained))
    with pytest.raises(UsageError, match="no such prediction"):
        explain(project, "0" * 24)
