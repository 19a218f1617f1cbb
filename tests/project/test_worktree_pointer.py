"""A project's folder that was copied or moved: its worktree commits into its own repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import hourly
import pytest
from registered import in_front_of_git

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
    worktree.ensure(original.home, "meters", "main", NOW)
    assert hourly.run(original.worktree.root, "status", "--porcelain") == ""


@pytest.mark.parametrize("half", [False, True])
def test_a_pointer_cut_short_is_written_again(original: Project, half: bool) -> None:
    pointer = original.worktree.root / ".git"
    whole = pointer.read_text()
    pointer.write_text(whole[: len(whole) // 2] if half else "")
    assert "belongs to it again" in repair_worktree_pointer(original)
    assert pointer.read_text() == whole
    assert repair_worktree_pointer(original) == ""


def test_amendments_that_no_commit_has_are_taken_over(original: Project) -> None:
    made = original.worktree.amendments / "0001-release-readings-2024-03-01.yaml"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text("number: 1\n")
    shutil.rmtree(original.home / ".git" / "worktrees")
    assert "made again" in repair_worktree_pointer(original)
    worktree.ensure(original.home, "meters", "main", NOW)
    assert made.read_text() == "number: 1\n"
    assert sorted(p.name for p in original.state.iterdir()) == [".gitignore", "ledger"]


def test_a_worktree_whose_making_was_interrupted_is_made_again(original: Project) -> None:
    private = original.home / ".git" / "worktrees" / "ledger"
    (private / "locked").write_text("initializing\n")
    (private / "index.lock").touch()
    (original.worktree.root / "params.yaml").unlink()
    worktree.ensure(original.home, "meters", "main", NOW)
    assert (original.worktree.root / "params.yaml").is_file()
    assert hourly.run(original.worktree.root, "status", "--porcelain") == ""


def test_a_folder_whose_files_are_half_brought_to_a_commit_is_brought_again(original: Project, tmp_path: Path) -> None:
    (original.home / "new.txt").write_text("new\n")
    hourly.commit(original.home, "edit")
    fails = in_front_of_git(tmp_path / "bin", 'case "$*" in *read-tree*-u*) exit 137;; esac')
    code = "from homeostat.adapters import worktree; from pathlib import Path; from datetime import datetime\n"
    code += f"worktree.follow(Path({str(original.home)!r}), 'meters', 'main', datetime(2024, 3, 5))"
    assert subprocess.run([sys.executable, "-c", code], env=fails, capture_output=True, check=False).returncode
    assert not (original.worktree.root / "new.txt").exists()
    worktree.follow(original.home, "meters", "main", NOW)
    assert (original.worktree.root / "new.txt").read_text() == "new\n"
    assert hourly.run(original.worktree.root, "status", "--porcelain") == ""
