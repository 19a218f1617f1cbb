"""Folders of DVC's cache, as DVC itself put them there."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tiny_dag import make

from homeostat.adapters import dvc_cache
from homeostat.core.errors import EnvironmentFault


@pytest.fixture
def added(tmp_path: Path) -> tuple[Path, str]:
    """A repository whose cache has a folder of two files, and the name of its content."""
    from dvc.repo import Repo

    home = make(tmp_path / "home")
    (home / "candidate" / "low").mkdir(parents=True)
    (home / "candidate" / "low" / "model.json").write_text("{}\n")
    (home / "candidate" / "training.json").write_text('{"as_of": 1}\n')
    with Repo(str(home)) as repo:
        repo.add([str(home / "candidate")])
    return home, YAML(typ="safe").load((home / "candidate.dvc").read_text())["outs"][0]["md5"]


def test_a_folder_comes_back_as_it_was(added: tuple[Path, str], tmp_path: Path) -> None:
    home, content = added
    dvc_cache.restore_folder(home, content, tmp_path / "back")
    assert (tmp_path / "back" / "low" / "model.json").read_text() == "{}\n"
    assert (tmp_path / "back" / "training.json").read_text() == '{"as_of": 1}\n'


@pytest.mark.parametrize("settings", ["[core]\n    remote = x\n[cache]\n    dir = {}\n", '[cache]\n    dir = "{}"\n'])
def test_a_tree_uses_the_cache_that_its_settings_name(
    settings: str, added: tuple[Path, str], tmp_path: Path
) -> None:
    home, content = added
    (tmp_path / "tree" / ".dvc").mkdir(parents=True)
    (tmp_path / "tree" / ".dvc" / "config.local").write_text(settings.format(home / ".dvc" / "cache"))
    dvc_cache.restore_folder(tmp_path / "tree", content, tmp_path / "back")
    assert (tmp_path / "back" / "training.json").is_file()


def test_what_the_cache_lacks_or_has_damaged_is_one_line(added: tuple[Path, str], tmp_path: Path) -> None:
    home, content = added
    (part,) = [path for path in (home / ".dvc" / "cache").rglob("*") if path.is_file() and path.read_bytes() == b"{}\n"]
    part.chmod(0o644)
    part.write_text("[]\n")
    with pytest.raises(EnvironmentFault, match="damaged; remove it, and dvc fetch"):
        dvc_cache.restore_folder(home, content, tmp_path / "back")
    part.unlink()
    with pytest.raises(EnvironmentFault, match="the DVC cache lacks it; dvc fetch --all-commits"):
        dvc_cache.restore_folder(home, content, tmp_path / "again")
