"""A release in a folder: what is in it, that it answers as the release does, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import asked
import pytest
import under_load
from browser import needs_browser, tab

from homeostat.cli import main
from homeostat.core.errors import DataError, UsageError
from homeostat.device.export import export
from homeostat.device.runner import Device as Runner
from homeostat.project.layout import Project
from homeostat.project.operation_scope import Device
from homeostat.releases.registry import Registry
from homeostat.training import bundle as bundles
from homeostat.training import pack
from homeostat.training.bundle import Bundle

LINES = (Path(__file__).parents[2] / "src" / "homeostat" / "device" / "runner.py").read_text().splitlines()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = asked.make(tmp_path_factory.mktemp("device") / "meters")
    asked.release(made, 0)
    return made


@pytest.fixture(scope="module")
def bundle(project: Project) -> Bundle:
    return Registry.open(project).load("v0.1.0")


@pytest.fixture(scope="module")
def folder(project: Project, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(project, bundle, "v0.1.0", tmp_path_factory.mktemp("made") / "on-device", Device()).folder


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text()))


def edited(folder: Path, to: Path, **fields: Any) -> Path:
    """A copy of an export with other fields in its manifest."""
    to.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (to / path.name).write_bytes(path.read_bytes())
    (to / "manifest.json").write_text(json.dumps(manifest(folder) | fields))
    return to


def test_it_says_what_it_cannot_know(folder: Path) -> None:
    body = manifest(folder)
    assert body["known"] == ["phase", "hour"], "the last load is in a table"
    assert list(body["defaults"]) == ["last_load"]
    assert body["objectives"]["high"]["on_device"]["events"] > 0
    assert body["privacy"]["sent"].startswith("nothing")


def test_it_answers_as_the_release_does(folder: Path, bundle: Bundle) -> None:
    rows = bundle.reference
    runner = Runner(folder)
    answers = runner.computed(rows.select("phase", "hour", "last_load").to_dicts())
    expected = bundle.models["high"].predict(rows)
    assert [a["scores"]["high"] for a in answers] == pytest.approx(expected.tolist(), abs=1e-12)
    assert len({a["alert"] for a in answers}) == 2


def test_an_answer_says_where_it_is_from(folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    known = json.loads((folder / "answers.json").read_text())[0][0]
    common = dict(zip(("phase", "hour"), known, strict=True))
    runner = Runner(folder)
    assert runner.answer(common)["from"] == "stored answer"
    assert runner.answer(common)["scores"] == runner.computed([common])[0]["scores"]
    assert runner.answer(common | {"last_load": 4.0})["from"] == "device", "it was told what it did not know"
    stale = edited(folder, tmp_path / "stale", answers_until="2020-01-01")
    assert Runner(stale).answer(common)["from"] == "device"
    old = edited(folder, tmp_path / "old", answers_until="2020-01-01", expires="2020-01-01T00:00:00+00:00")
    with pytest.raises(SystemExit, match="expired on 2020-01-01; export a newer release"):
        Runner(old).answer(common)


def test_after_it_expired_a_service_answers(
    project: Project, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = edited(folder, tmp_path / "old", answers_until="2020", expires="2020-01-01T00:00:00+00:00")
    with under_load.served(project) as service:
        monkeypatch.setenv("HOMEOSTAT_TOKEN", service.headers["authorization"].removeprefix("Bearer "))
        event = {"meter": "m1", "at": "2024-03-03T02:00:00", "phase": 1}
        answer = Runner(old, service.address).answer({"phase": 1, "hour": 2}, event)
    assert (answer["from"], answer["release"]) == ("service", "v0.1.0")


@pytest.mark.parametrize("name", ["high.onnx", "golden.json", "answers.json"])
def test_a_damaged_folder_answers_nothing(folder: Path, tmp_path: Path, name: str) -> None:
    spoilt = edited(folder, tmp_path / "spoilt")
    (spoilt / name).write_bytes((spoilt / name).read_bytes() + b" ")
    with pytest.raises(SystemExit, match=f"{name} damaged; export the release again"):
        Runner(spoilt)


def test_one_that_answers_otherwise_answers_nothing(folder: Path, tmp_path: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    golden[0]["raw"]["high"] += 1e-9
    spoilt = edited(folder, tmp_path / "spoilt")
    (spoilt / "golden.json").write_text(json.dumps(golden))
    body = manifest(spoilt)
    body["files"]["golden.json"] = sha256((spoilt / "golden.json").read_bytes()).hexdigest()
    (spoilt / "manifest.json").write_text(json.dumps(body))
    with pytest.raises(SystemExit, match="answers a golden row otherwise"):
        Runner(spoilt)


def test_the_runner_needs_neither_homeostat_nor_more_than_eighty_lines(folder: Path) -> None:
    code = (
        f"import runpy, sys; sys.argv = ['predict.py', '{{\"phase\": 1}}']; "
        f"runpy.run_path({str(folder / 'predict.py')!r}, run_name='__main__'); "
        "assert not [m for m in sys.modules if m.split('.')[0] in ('homeostat', 'polars', 'lightgbm', 'duckdb')]"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["from"] in ("device", "stored answer")
    assert len(LINES) <= 80


def test_where_the_scores_abstain_a_device_says_what_is_worth_an_alert(project: Project, tmp_path: Path) -> None:
    params = project.root / "params.yaml"
    before = params.read_text()
    cheap = "costs: {alert: 0.01, capacity: 2, abstain: {scores: {high: [0.0, 0.9999]}}}"
    params.write_text(before.replace("costs: {alert: 1, capacity: 2}", cheap))
    try:
        pack.pack(Project(project.root, project.home))
    finally:
        params.write_text(before)
    abstaining = bundles.load(project.bundle)
    made = export(project, abstaining, "v0.1.0", tmp_path / "out", Device())
    golden = json.loads((made.folder / "golden.json").read_text())
    assert not abstaining.golden["alert"].any() and all(row["alert"] for row in golden)


def test_an_unlike_folder_is_left_alone(project: Project, bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there and is no export"):
        export(project, bundle, "v0.1.0", tmp_path, Device())
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


@pytest.mark.parametrize("limit", ["megabytes", "milliseconds", "memory"])
def test_the_budget_of_the_scope_is_kept(project: Project, bundle: Bundle, tmp_path: Path, limit: str) -> None:
    tight = Device.model_validate({limit: 0.0001})
    with pytest.raises(DataError, match=rf"not exported: .* over device\.{limit} 0\.0001; raise it"):
        export(project, bundle, "v0.1.0", tmp_path / "small", tight)
    assert list(tmp_path.iterdir()) == []


def test_by_command(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        main(["-C", str(project.root), "releases", "export", "v0.1.0", "--to", str(to)])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "known      2 of 3 features from the request alone: phase, hour" in shown
    assert f"python {to / 'predict.py'}" in shown


@needs_browser
def test_the_page_answers_by_itself(folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    rows = bundle.reference.select("phase", "hour", "last_load").to_dicts()[:200]
    with tab(tmp_path / "browser") as page:
        page.open((folder / "index.html").as_uri())
        assert "golden rows are answered as they were sealed" in page.text
        theirs = page.run(f"{json.dumps(rows)}.map((row) => computed(row))")
        page.fill("phase", "1")
        page.run("document.getElementById('ask').click()")
        assert "stored answer" in page.text or "device" in page.text
    ours = Runner(folder).computed(rows)
    assert [a["scores"]["high"] for a in theirs] == pytest.approx([a["scores"]["high"] for a in ours], abs=1e-12)
    assert [a["alert"] for a in theirs] == [a["alert"] for a in ours]


@needs_browser
def test_a_page_that_answers_otherwise_answers_nothing(folder: Path, tmp_path: Path) -> None:
    text = (folder / "index.html").read_text()
    spoilt = tmp_path / "index.html"
    spoilt.write_text(re.sub(r'"raw":\{"high":-?', '"raw":{"high":9', text))
    with tab(tmp_path / "browser") as page:
        page.open(spoilt.as_uri())
        assert "this page answers nothing" in page.text
        assert page.run("document.getElementById('ask').disabled")
