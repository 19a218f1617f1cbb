"""A bundle that is damaged in service: found when it is read, and whole again."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import hourly
import pytest

from homeostat import faults, replay
from homeostat.core.ledger import Ledger
from homeostat.faults.corrupted_bundle import inject, outcome
from homeostat.releases.registry import Registry
from homeostat.training import bundle

pytestmark = pytest.mark.slow


def test_a_damaged_bundle_is_restored_and_the_release_stays(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=hourly.STEADY, table=hourly.steady_readings())
    start, end, at = hourly.START, hourly.START + timedelta(hours=33), hourly.START + timedelta(hours=27)
    fault = faults.parse(f"corrupted-bundle@{at.isoformat()}")
    replayed = replay.prepare(of, start, end, "drill", True, [fault])
    notes: list[str] = []
    replay.replay(replayed, start, end, lambda tick: None, [fault], lambda now, sentence: notes.append(sentence))
    ledger = Registry.open(replayed).ledger
    champion = ledger.champion
    assert champion is not None and champion.version == "v0.1.0"
    (note,) = notes
    assert re.fullmatch(r"models/high\S* of v0.1.0 is overwritten", note), note
    assert inject(replayed, fault.who, end) == ""  # once
    assert f"{note.replace(' is ', ' was ')}; found" in fault.outcome(replayed, ledger)
    assert bundle.load(replayed.releases / champion.bundle, champion.bundle).hash == champion.bundle  # whole again
    assert "restored from the cache" in outcome(replayed)


def test_without_a_release_there_is_nothing_to_damage(tmp_path: Path) -> None:
    new = hourly.make(tmp_path / "new")
    assert inject(new, "drill it", hourly.START) == ""
    fault = faults.parse("corrupted-bundle@2024-03-02")
    assert fault.outcome(new, Ledger("meters")) == "nothing was in service whose bundle could be damaged"
