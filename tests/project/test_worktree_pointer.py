"""A project's folder that was copied or moved: its worktree commits into its own repository."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import hourly
import pytest

from homeostat.adapters import worktree
from homeostat.project.layout import Project
from homeostat.project.worktree_pointer import repair_worktree_pointer

NOW = datetime(2024, 3, 5)


@pytest.fixture
def original(tmp_path: Path) -> Project:
    folder = tmp_path / "original"
    folder.mkdir()
    (folder / "params.yaml").write_text(hourly.PARAMS)
    hourly.run(folder, "init", "-q", "-b", "main")
    hourly.commit(folder, "start")
    worktree.ensure(folder, "meters", "main", NOW)
    return Project.find(folder)


def refs(project: Project) -> str:
    return hourly.run(project.home, "for-each-ref")


@pytest.mark.parametrize("moved", [False, True], ids=["copied", "moved"])
def test_it_is_itself_again(original: Project, tmp_path: Path, moved: bool) -> None:
    before = refs(original)
    assert repair_worktree_pointer(original) == ""
    if moved:
        shutil.move(original.home, tmp_path / "other")
    else:
        shutil.copytree(original.home, tmp_path / "other", symlinks=True)
    other = Project.find(tmp_path / "other")
    line = repair_worktree_pointer(other)
    assert str(original.home) in line and str(other.home) in line
    assert repair_worktree_pointer(other) == ""
    (other.worktree.root / "data").mkdir(exist_ok=True)
    (other.worktree.root / "data" / "window.yaml").write_text("from: 2024-03-01\n")
    worktree.commit_kept(other.worktree.root, "tick", NOW)
    assert refs(other) != before
    if not moved:
        assert refs(original) == before
        assert hourly.run(original.worktree.root, "status", "--porcelain") == ""


def test_a_worktree_that_its_repository_does_not_know_is_made_again(original: Project) -> None:
    shutil.rmtree(original.home / ".git" / "worktrees")
    assert "made again" in repair_worktree_pointer(original)
    shutil.rmtree(original.worktree.root)
    worktree.ensure(original.home, "meters", "main", NOW)
    assert hourly.run(original.worktree.root, "status", "--porcelain") == ""
