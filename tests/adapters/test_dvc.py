"""DVC in process, on real repositories with stages of a few lines."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest
from tiny_dag import commit, make, square, write_stage

from homeostat.adapters import dvc, git, worktree
from homeostat.adapters.dvc_inputs import texts_parsed_once
from homeostat.adapters.stage_process import StageProcess
from homeostat.core.errors import DataError, EnvironmentFault

NOW = datetime(2024, 3, 1)
HEARS = "import os, signal; signal.signal(2, signal.SIG_DFL)"  # also where the tests run in the background


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make(tmp_path / "home")


def test_runs_what_has_changed_and_nothing_twice(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert dvc.pending(home) == ["double", "square"]
    assert dvc.reproduce(home) == ["double", "square"]
    assert square(home) == "36"
    assert dvc.reproduce(home) == []
    assert dvc.pending(home) == []
    (home / "number.txt").write_text("4")
    assert dvc.reproduce(home, ["double"]) == ["double"]
    assert dvc.reproduce(home) == ["square"]
    assert square(home) == "64"
    assert capfd.readouterr() == ("", "")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=home, capture_output=True, text=True, check=True)
    assert status.stdout.split("\n")[:-1] == [" M number.txt", "?? dvc.lock"]


def test_a_stage_runs_with_the_trees_own_code_and_this_python(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    dvc.reproduce(home)
    python, module, _ = (home / "double-python.txt").read_text().split("\n")
    assert Path(python).parent == Path(sys.executable).parent
    assert Path(module) == home / "src" / "homeostat" / "stages" / "double.py"


def test_a_worktree_runs_its_own_code_on_the_shared_cache(home: Path) -> None:
    dvc.reproduce(home)
    commit(home, "with a lock")
    tree = worktree.ensure(home, "tides", "main", NOW)
    dvc.share_cache(tree, home)
    dvc.share_cache(tree, home)
    dvc.checkout(tree)
    assert square(tree) == "36"
    assert dvc.reproduce(tree) == []
    write_stage(tree, "double", "number.txt", "10 * value")
    (tree / "number.txt").write_text("1")
    assert dvc.reproduce(tree) == ["double", "square"]
    assert square(tree) == "100"
    assert square(home) == "36"
    assert not (tree / ".dvc" / "cache").exists()


def test_a_clone_of_a_clone_shares_the_first_cache(home: Path, tmp_path: Path) -> None:
    dvc.reproduce(home)
    first = git.clone_snapshot(home, git.snapshot_commit(home, NOW), tmp_path / "first", "main")
    dvc.share_cache(first, home)
    second = git.clone_snapshot(first, git.snapshot_commit(first, NOW), tmp_path / "second", "main")
    dvc.share_cache(second, first)
    dvc.checkout(second)
    assert square(second) == "36"


def test_an_out_of_an_old_commit_comes_back(home: Path, tmp_path: Path) -> None:
    dvc.reproduce(home)
    old = commit(home)
    (home / "number.txt").write_text("4")
    dvc.reproduce(home)
    new = commit(home)
    for at, value in ((old, "36"), (new, "64")):
        target = dvc.restore_out(home, at, "models/square", tmp_path / at)
        assert (target / "n.txt").read_text() == value
    assert square(home) == "64"
    with pytest.raises(EnvironmentFault, match="has no models/cube"):
        dvc.restore_out(home, old, "models/cube", tmp_path / "cube")
    subprocess.run(["git", "checkout", "-q", old, "--", "."], cwd=home, check=True)
    assert dvc.reproduce(home) == ["double", "square"]
    assert square(home) == "36"
    assert subprocess.run(["git", "diff", "--quiet", old], cwd=home, check=False).returncode == 0


def test_what_the_cache_lost_is_named(home: Path, tmp_path: Path) -> None:
    dvc.reproduce(home)
    old = commit(home)
    subprocess.run(["rm", "-rf", ".dvc/cache", "models/square"], cwd=home, check=True)
    with pytest.raises(EnvironmentFault, match="models/square") as caught:
        dvc.checkout(home)
    assert "\n" not in str(caught.value)
    with pytest.raises(EnvironmentFault, match="models/square"):
        dvc.restore_out(home, old, "models/square", tmp_path / "old")


@pytest.mark.parametrize(
    ("extra", "kind", "words"),
    [
        ("raise RuntimeError('a bug')", EnvironmentFault, r"double.*RuntimeError: a bug; details in .*stages\.log"),
        ("sys.exit('homeostat.core.errors.DataError: x.csv: empty; send it again')", DataError, "^x.csv: empty; send"),
        ("sys.exit('DataError: x.csv: empty; send it again')", DataError, "^x.csv: empty; send it again$"),
        ("print('on line 1'); sys.exit('DataError: x.csv: empty')", DataError, "^x.csv: empty$"),
        ("import os; os.kill(os.getpid(), 9)", EnvironmentFault, r"stage double: killed by SIGKILL .*; details in"),
        ("sys.exit(3)", EnvironmentFault, "stage double: said; details in"),
        (f"{HEARS}; os.kill(os.getpid(), 2); import time; time.sleep(5)", KeyboardInterrupt, "^$"),
    ],
)
@pytest.mark.parametrize("worker", [dvc.WORKER, None], ids=["warm", "fresh"])
def test_a_stage_that_fails_says_why_in_one_line(
    home: Path, worker: StageProcess | None, extra: str, kind: type[BaseException], words: str
) -> None:
    write_stage(home, "double", "number.txt", "2 * value", extra)
    with pytest.raises(kind, match=words) as caught:
        dvc.reproduce(home, worker=worker)
    assert "\n" not in str(caught.value)
    write_stage(home, "double", "number.txt", "2 * value")
    assert dvc.reproduce(home, worker=worker) == ["double", "square"]


def test_a_broken_dag_or_a_missing_input_is_one_line(home: Path, tmp_path: Path) -> None:
    (home / "number.txt").unlink()
    with pytest.raises(EnvironmentFault, match=r"number\.txt") as caught:
        dvc.reproduce(home)
    assert "\n" not in str(caught.value)
    (home / "dvc.yaml").write_text("stages: [")
    with pytest.raises(EnvironmentFault, match=r"dvc\.yaml"):
        dvc.reproduce(home)
    with pytest.raises(EnvironmentFault, match="dvc init"):
        dvc.reproduce(tmp_path)


def test_waits_for_another_run_and_gives_up_with_a_word(home: Path) -> None:
    wait = "import time; Path('began').touch(); time.sleep(2)"
    write_stage(home, "double", "number.txt", "2 * value", wait)
    environment = {**os.environ, **dvc.stage_environment(home)}
    command = [sys.executable, "-c", f"from dvc.repo import Repo; Repo({str(home)!r}).reproduce()"]
    other = subprocess.Popen(command, cwd=home, env=environment)
    while not (home / "began").exists():
        time.sleep(0.05)
    with pytest.raises(EnvironmentFault, match="another dvc run is at work"):
        dvc.reproduce(home, patience=0.2)
    dvc.reproduce(home)  # waits, and finds done what the other did, or does it again
    assert other.wait() == 0
    assert dvc.reproduce(home) == []
    assert square(home) == "36"


def test_runs_from_a_thread(home: Path) -> None:
    made: list[list[str]] = []
    thread = threading.Thread(target=lambda: made.append(dvc.reproduce(home)))
    thread.start()
    thread.join()
    assert made == [["double", "square"]]


def test_a_lock_that_was_cut_short_is_made_again(home: Path) -> None:
    assert dvc.reproduce(home) == ["double", "square"]
    lock = home / "dvc.lock"
    whole = lock.read_text()
    for damaged in (whole[: len(whole) // 2], "stages:\n", "schema: '2.0'\nstages:\n  double: {", "\0" * 20):
        lock.write_text(damaged)
        dvc.reproduce(home)
        assert lock.read_text() == whole
        assert dvc.reproduce(home) == []


# ---- what a kill leaves of DVC's own files


def torn(path: Path, how: str) -> None:
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "half": data[: len(data) // 2], "other": b"not one\n" * 500}[how])


@pytest.mark.parametrize("how", ["empty", "half", "other"])
@pytest.mark.parametrize("name", ["links", "hashes/local"])
def test_a_database_of_hashes_that_does_not_open_is_made_again(home: Path, name: str, how: str) -> None:
    from dvc.repo import Repo

    dvc.reproduce(home)
    with Repo(str(home)) as repo:
        database = Path(repo.site_cache_dir) / name / "cache.db"
    torn(database, how)
    (home / "number.txt").write_text("4")
    assert dvc.reproduce(home) == ["double", "square"]
    assert dvc.pending(home) == []


@pytest.mark.parametrize("left", ["empty", "half", "other", "nothing", "unfinished"])
def test_a_damaged_record_of_a_run_is_not_used(home: Path, left: str) -> None:
    dvc.reproduce(home)
    for record in (home / ".dvc" / "cache" / "runs").glob("*/*/*"):
        if left == "nothing":
            record.unlink()  # its folder was made, and no record in it
        elif left == "unfinished":
            record.with_name(".ABC.tmp").write_bytes(record.read_bytes()[:100])
        else:
            torn(record, left)
    (home / "dvc.lock").unlink()
    assert sorted(dvc.reproduce(home)) == ["double", "square"]
    assert dvc.pending(home) == []


@pytest.mark.parametrize("how", ["empty", "half", "other"])
def test_settings_of_a_worktree_that_were_cut_short_are_written_again(home: Path, how: str) -> None:
    remote = "['remote \"store\"']\n    url = s3://bucket/x\n    access_key_id = ann\n"
    (home / ".dvc" / "config.local").write_text(remote)
    dvc.reproduce(home)
    commit(home, "with a lock")
    tree = worktree.ensure(home, "tides", "main", NOW)
    dvc.share_cache(tree, home)
    settings = tree / ".dvc" / "config.local"
    whole = settings.read_bytes()
    assert b"access_key_id = ann" in whole and str(home).encode() in whole
    torn(settings, how)
    dvc.share_cache(tree, home)
    assert settings.read_bytes() == whole
    dvc.checkout(tree)
    assert square(tree) == "36"


def test_a_text_is_parsed_once_and_each_reader_has_its_own_answer() -> None:
    from dvc.utils import strictyaml

    usual, text = strictyaml.parse_yaml, "stages: {double: {deps: [number.txt]}}\n"
    with texts_parsed_once():
        first = strictyaml.parse_yaml(text, "dvc.yaml")
        first["stages"].clear()
        assert strictyaml.parse_yaml(text, "dvc.yaml") == usual(text, "dvc.yaml") != first
        assert strictyaml.parse_yaml(text + "# rt\n", "dvc.yaml", typ="rt").ca is not None
    assert strictyaml.parse_yaml is usual
