"""The package as it is installed elsewhere: a project can be made, tested and asked without this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hourly import run
from scaffold.odd_tables import loads

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "src" / "homeostat" / "scaffold" / "draft" / "template"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git knows of, as a stranger's clone has it."""
    tree, out = tmp_path_factory.mktemp("clone") / "homeostat", tmp_path_factory.mktemp("wheel")
    for name in run(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name, follow_symlinks=False)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "wheel"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--no-index", "-w", out, tree], check=True)
    return next(out.glob("homeostat-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that has the wheel, and the dependencies of this one."""
    place = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    packages = next(place.glob("lib/python3*/site-packages"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "--python", place / "bin" / "python"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--no-compile", wheel], check=True)
    here = next(Path(sys.prefix).glob("lib/python3*/site-packages"))
    for one in here.iterdir():  # all but this repository's own source, which is on the path there
        if not one.name.startswith(("homeostat", "__editable__")) and not one.name.endswith(".pth"):
            (packages / one.name).symlink_to(one) if not (packages / one.name).exists() else None
    for tool in ("dvc",):
        text = (Path(sys.prefix) / "bin" / tool).read_text().replace(sys.executable, str(place / "bin" / "python"))
        (place / "bin" / tool).write_text(text)
        (place / "bin" / tool).chmod(0o755)
    return place / "bin"


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    package = ROOT / "src" / "homeostat"
    files = {f.relative_to(package.parent).as_posix() for f in package.rglob("*") if f.is_file()}
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {f for f in files if "__pycache__" not in f} - held == set()
    assert "homeostat/scaffold/draft/template/dvc.yaml.tmpl" in held


def test_a_link_of_the_template_is_a_file_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as found:
        for path in TEMPLATE.rglob("*"):
            if path.is_file():
                name = path.relative_to(ROOT / "src").as_posix()
                assert found.read(name) == path.read_bytes(), name


def test_a_project_of_an_installed_homeostat_is_whole(installed: Path, tmp_path: Path) -> None:
    loads(24 * 14).write_csv(tmp_path / "loads.csv")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(installed), environment["PATH"]])

    def done(*command: str, folder: Path = tmp_path / "mine") -> str:
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    table = ["--from", "loads.csv", "--time", "timestamp", "--label", "load", "--yes"]
    done("homeostat", "new", "mine", *table, folder=tmp_path)
    assert "OK" in done("make", "test")
    assert run(tmp_path / "mine", "status", "--short") == ""
    done("dvc", "repro", "-q", "featurize")
    assert "is_now" not in done("dvc", "status", "featurize")
    where = done("python", "-c", "import homeostat; print(homeostat.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent)
