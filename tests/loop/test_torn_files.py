"""Every kind of file that the loop keeps for itself, empty or cut in half: the next ticks end as if it were whole."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import killed_verbs
import pytest
from replayed import Outcome, outcome, same

from homeostat.core.errors import EnvironmentFault, ScopeError
from homeostat.project.layout import Project
from homeostat.project.window import read_window

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
KINDS = (
    ".homeostat/.gitignore", ".homeostat/tick", ".homeostat/lock", ".homeostat/cache/landed/*/*.json",
    ".homeostat/cache/sources/newest.json", ".homeostat/cache/sources/*/about.json",
    ".homeostat/cache/sources/*/*.parquet", ".homeostat/columns/*.json", ".homeostat/rehearsed/*",
    ".homeostat/releases/*/manifest.json", ".homeostat/releases/*/golden.parquet", ".homeostat/ledger/.git",
    ".homeostat/ledger/params.yaml", ".homeostat/ledger/features.sql", ".homeostat/ledger/expectations/*.json",
    ".homeostat/ledger/.dvc/config.local", ".homeostat/ledger/data/window.yaml",
    ".homeostat/ledger/data/accepted/*/*.json", ".homeostat/ledger/data/features/*.json", ".git/worktrees/*/gitdir",
    "reports/quality/labels.parquet",
)  # fmt: skip
TICKS = 15, 21  # hours: after a release, and two ticks later


@dataclass(frozen=True)
class Whole:
    """The project after its release, and what two more ticks come to."""

    folder: Path
    outcome: Outcome
    data: dict[str, str]


def data_of(project: Project) -> dict[str, str]:
    """The batches and features of the worktree, by hash."""
    data = project.worktree.root / "data"
    return {str(p.relative_to(data)): hashlib.sha256(p.read_bytes()).hexdigest() for p in data.rglob("*.parquet")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    place = tmp_path_factory.mktemp("torn")
    folder = killed_verbs.ticked(killed_verbs.at_work(place / "meters"), 0, TICKS[0]).home
    other = Project(place / "other", place / "other")
    shutil.copytree(folder, other.home, symlinks=True)
    killed_verbs.ticked(other, *TICKS)
    assert outcome(other).refs
    return Whole(folder, outcome(other), data_of(other))


@pytest.mark.parametrize("half", [False, True], ids=["empty", "half"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_torn_file_needs_no_hand(whole: Whole, tmp_path: Path, kind: str, half: bool) -> None:
    folder = tmp_path / "meters"
    shutil.copytree(whole.folder, folder, symlinks=True)
    paths = sorted(folder.glob(kind))
    assert paths
    data = paths[0].read_bytes()
    paths[0].write_bytes(data[: len(data) // 2 if half else 0])
    project = killed_verbs.ticked(Project(folder, folder), *TICKS)
    same(outcome(project), whole.outcome)
    assert data_of(project) == whole.data


@pytest.mark.parametrize("half", [False, True], ids=["empty", "half"])
@pytest.mark.parametrize("kind", ["reports/decisions/*.json", "reports/incidents/*.json"])
def test_a_torn_record_is_named_and_the_loop_runs_without_it(
    whole: Whole, tmp_path: Path, kind: str, half: bool
) -> None:
    folder = tmp_path / "meters"
    shutil.copytree(whole.folder, folder, symlinks=True)
    (folder / "reports" / "incidents").mkdir(exist_ok=True)
    path = next(iter(sorted(folder.glob(kind))), folder / "reports" / "incidents" / "0001.json")
    data = path.read_bytes() if path.exists() else b'{"opened": "2024-03-01T00:00:00"}'
    path.write_bytes(data[: len(data) // 2 if half else 0])
    with pytest.raises(EnvironmentFault, match=f"{path.name}: damaged .*; move it away and run again"):
        killed_verbs.ticked(Project(folder, folder), *TICKS)
    path.rename(tmp_path / path.name)
    killed_verbs.ticked(Project(folder, folder), *TICKS)


def test_a_persons_own_window_is_not_replaced(whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / "meters"
    shutil.copytree(whole.folder, folder, symlinks=True)
    shutil.rmtree(folder / ".homeostat")
    (folder / "data" / "window.yaml").write_text("")
    with pytest.raises(ScopeError, match="git restore it"):
        killed_verbs.ticked(Project(folder, folder), *TICKS)
    with pytest.raises(ScopeError):
        read_window(Project(folder, folder))
