"""A project of an earlier version is named, migrated by one command, and runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from scaffold.migrate.earlier import commit, earlier_project

from homeostat.cli import main
from homeostat.project.layout import Project
from homeostat.scaffold.draft.files import package_files, read_template
from homeostat.scaffold.migrate.known_texts import known_ids, text_id
from homeostat.scheduling.up import schedules

VERBS = (["status"], ["run", "data"], ["up"], ["check"], ["releases"], ["data", "review"])


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return earlier_project(tmp_path_factory.mktemp("earlier"))


@pytest.fixture
def project(old: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(old, tmp_path / "old"))


def migrate(project: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["new", "--migrate", *options, "-C", str(project)])


def changed(project: Path) -> list[str]:
    listed = subprocess.run(["git", "diff", "--name-only"], cwd=project, capture_output=True, text=True, check=True)
    return listed.stdout.split()


def test_every_text_of_this_version_is_known() -> None:
    """Where this fails, add the id to ``known_texts.json``: later versions tell an unedited file by it."""
    texts = {**package_files(), "Makefile": read_template("Makefile")}
    ids = {path: text_id(path, text) for path, text in texts.items()}
    assert {path: one for path, one in ids.items() if one not in known_ids().get(path, [])} == {}


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_anything_run_in_it_names_the_command(verb: list[str], project: Path) -> None:
    run = CliRunner().invoke(main, ["-C", str(project), *verb])
    assert run.exit_code == 1
    assert len(run.stderr.splitlines()) == 1
    assert (
        "earlier version of homeostat (flows/data.py, flows/deployment.py, flows/evaluation.py and 5 more)"
        in run.stderr
    )
    assert f"bring it to this one with homeostat new --migrate -C {project}" in run.stderr


def test_its_own_tests_name_the_command(project: Path) -> None:
    ran = subprocess.run(["make", "test", f"BIN={Path(sys.executable).parent}"], cwd=project, capture_output=True,
                         text=True, check=False)  # fmt: skip
    assert ran.returncode != 0
    assert "homeostat.up is not in this version" in ran.stderr or "dag is not in this version" in ran.stderr
    assert "homeostat new --migrate" in ran.stderr


def test_nothing_is_written_without_consent(project: Path) -> None:
    run = migrate(project)
    assert run.exit_code == 2
    names = "DataOutcome, project_flow, publish, retried_task, run_context, take_in_data"
    assert f"+from homeostat.api import {names}" in run.stdout
    assert "nothing was written; add --yes" in run.stderr
    assert changed(project) == []


def test_it_is_migrated_once(project: Path) -> None:
    run = migrate(project, "--yes")
    assert run.exit_code == 0, run.output
    assert "old is migrated, not committed" in run.stdout and "replace it by hand" not in run.stdout
    files = changed(project)
    assert {"Makefile", "flows/data.py", "flows/lifecycle.py", "tests/test_project.py"} <= set(files)
    assert not {"params.yaml", "features.sql", "README.md"} & set(files)
    assert "replay --from 2022-01-03 --to 2022-01-16" in (project / "Makefile").read_text()
    assert "/opt/homeostat/bin)" in (project / "Makefile").read_text()
    fresh = package_files()
    assert [f for f in files if f not in ("Makefile", "dvc.yaml") and (project / f).read_text() != fresh[f]] == []
    commit(project, "migrated")
    again = migrate(project, "--yes")
    assert (again.exit_code, again.stdout, changed(project)) == (0, "old: nothing to migrate\n", [])


def test_edits_are_kept(project: Path) -> None:
    own = '\n\ndef mine() -> str:\n    from homeostat.up import LEAST\n\n    return f"{LEAST}"\n'
    with (project / "flows" / "monitoring.py").open("a") as file:
        file.write(own)
    makefile = project / "Makefile"
    makefile.write_text(makefile.read_text() + "mine:\n\techo 1\n")
    (project / "own.py").write_text("from homeostat.nowhere import it\n")
    before = (project / "flows" / "monitoring.py").read_text()
    run = migrate(project, "--yes")
    assert "flows/monitoring.py: only moved names replaced" in run.stdout
    assert "own.py:1: homeostat.nowhere.it is not in this version; replace it by hand" in run.stdout
    after = (project / "flows" / "monitoring.py").read_text()
    assert after.endswith(own.replace("homeostat.up", "homeostat.scheduling.up"))
    unmoved = [line for line in before.splitlines() if "import" not in line]
    assert [line for line in after.splitlines() if "import" not in line] == unmoved
    assert "-m homeostat.adapters.dvc_yaml" in makefile.read_text() and "mine:\n\techo 1\n" in makefile.read_text()
    assert (project / "own.py").read_text() == "from homeostat.nowhere import it\n"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_once_migrated_it_runs(project: Path) -> None:
    assert migrate(project, "--yes").exit_code == 0
    assert dict(schedules(Project.find(project)))["lifecycle"] == "tick"
    place = Path(sys.executable).parent
    ran = subprocess.run(["make", "test", f"BIN={place}"], cwd=project, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and "OK" in ran.stderr, ran.stderr
    environment = {"PATH": f"{place}:/usr/bin:/bin", "HOME": str(project.parent)}
    dvc = subprocess.run([place / "dvc", "repro", "-q", "featurize"], cwd=project, capture_output=True, text=True,
                         check=False, env=environment)  # fmt: skip
    assert dvc.returncode == 0, dvc.stderr
    assert len(list((project / "data" / "features").glob("*.parquet"))) == 14
