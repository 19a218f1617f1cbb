"""The small project, made once; each test has a copy of its own with the first version released."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import asked
import pytest
from starlette.testclient import TestClient

from homeostat.project.layout import Project


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return asked.make(tmp_path_factory.mktemp("serving") / "meters")


@pytest.fixture
def project(made: Project, tmp_path: Path) -> Project:
    folder = tmp_path / "meters"
    shutil.copytree(made.root, folder)
    copied = Project(folder, folder)
    asked.release(copied, 0)
    return copied


@pytest.fixture
def client(project: Project) -> Iterator[TestClient]:
    with asked.asking(project) as client:
        yield client
