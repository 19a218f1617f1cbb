"""An online model in the loop: what matures is learned once, step by step, and each step can be rebuilt."""

from __future__ import annotations

from datetime import timedelta

import hourly
import pytest

from homeostat import loop, replay
from homeostat.models.online import Online
from homeostat.releases import verify
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
END = 30  # hours; the first model is released at 24
PARAMS = hourly.STEADY.replace("model: linear", "model: online") + "learn: {every: 3h, max_move: 0.1}\n"


def test_each_event_is_learned_once_between_full_retrains(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, end = tmp_path_factory.mktemp("learned") / "meters", hourly.START + timedelta(hours=END)
    project = replay.prepare(hourly.make(folder, params=PARAMS, table=hourly.steady_readings()), hourly.START, end, "s")
    ticks: list[loop.Tick] = []
    replay.replay(project, hourly.START, end, ticks.append)
    registry = Registry.open(project)
    assert [one.version for one in registry.ledger.releases] == ["v0.1.0", "v0.1.1", "v0.1.2"]
    bundles = [registry.load(one.version) for one in registry.ledger.releases]
    trained = [bundle.training["objectives"]["high"] for bundle in bundles]
    for before, after in zip(trained, trained[1:], strict=False):
        assert after["continued_on"]["from"] > before["to"] and after["continued_on"]["to"] == after["to"]
        assert after["continued_on"]["rows"] == after["rows"] - before["rows"]
    for kind in ("models", "judged"):
        models = [getattr(bundle, kind)["high"] for bundle in bundles]
        assert all(isinstance(model, Online) for model in models)
        assert models[0].until < models[1].until < models[2].until
        assert all(one <= other for one, other in zip(models[0].squares, models[2].squares, strict=True))
    assert bundles[2].training["learn"] == {"how": "each event once"}
    assert verify.rebuild(project, registry, registry.registered("v0.1.2"), end) == ""
