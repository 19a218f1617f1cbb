"""SIGKILL in the midst of writes, half-done ones too: what is run again ends as if nothing had happened, by itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import killed_verbs
import pytest
from killed_verbs import Verb

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SEED = 9
KILLS = {
    "lifecycle": 2, "data": 1, "promote": 3, "canary": 2, "rollback": 3, "correct": 2, "serve": 3,
    "replay": 3, "new": 1,
}  # fmt: skip
assert sum(KILLS.values()) == 20


@pytest.fixture(scope="module")
def verbs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Verb]]:
    with killed_verbs.all_verbs(tmp_path_factory.mktemp("verbs")) as verbs:
        yield {verb.name: verb for verb in verbs}


@pytest.mark.parametrize("name", KILLS)
def test_a_verb_killed_at_its_writes_ends_alike(verbs: dict[str, Verb], name: str, tmp_path: Path) -> None:
    verb, chance, killed, trial = verbs[name], random.Random(f"{SEED} {name}"), 0, 0
    undisturbed = verb.undisturbed(tmp_path)
    while killed < KILLS[name]:
        trial += 1
        killed += verb.kill(tmp_path / str(trial), KILLS[name] - killed, chance, undisturbed)
