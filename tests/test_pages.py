"""The pages under docs/: the tutorial is gone through by hand, as it were, and each page on what that has left."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from walked import Reader, blocks, steps

from homeostat.project.layout import Project

DOCS = Path(__file__).parents[1] / "docs"
TUTORIAL = DOCS / "tutorial.md"
CONCEPTS = [DOCS / f"{name}.md" for name in ("scope", "contract", "release", "decision")]
SCREEN = 60  # lines

slow = pytest.mark.slow
patient = pytest.mark.timeout(1500)


@pytest.mark.parametrize("page", CONCEPTS, ids=lambda p: p.stem)
def test_a_page_of_a_concept_is_a_screen_and_shows_a_file_and_a_command(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= SCREEN
    assert {"sh", "text"} <= {kind for kind, _ in blocks(page)}
    assert {"yaml", "json", "sql"} & {kind for kind, _ in blocks(page)}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda p: p.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (DOCS / link).exists()] == []


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader who has come to the end of the tutorial."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    for step in steps(TUTORIAL):
        reader.types(step)
    return reader


@slow
@patient
def test_the_tutorial_takes_ten_minutes_at_most(walked: Reader) -> None:
    """Of the processors' time, so that a busy machine does not matter, and the minutes that its `up` is watched."""
    for command, (wall, processor) in walked.spent.items():
        print(f"{wall:6.1f} s, {processor:6.1f} s of the processors  {command}")
    watched, _ = walked.spent["homeostat up"]
    assert sum(processor for _, processor in walked.spent.values()) < 400
    assert watched < 400


@slow
@patient
def test_what_was_rolled_back_does_not_serve_though_it_is_kept(walked: Reader) -> None:
    from homeostat.releases.registry import ledger

    found = ledger(Project.find(walked.folder))
    assert found.champion is not None
    assert found.champion.version == "v0.1.0"
    assert [(e.action, e.version) for e in found.events if e.who == "homeostat"][-1] == ("rollback", "v0.1.0")
    assert [r.version for r in found.releases][:2] == ["v0.1.0", "v0.2.0"]


@slow
@patient
@pytest.mark.parametrize("page", CONCEPTS, ids=lambda p: p.stem)
def test_a_page_of_a_concept_says_what_is_true(page: Path, walked: Reader) -> None:
    files = [f.read_text() for name in ("params.yaml", "features.sql", "expectations/*.json", "reports/*/*.json")
             for f in walked.folder.glob(name)]  # fmt: skip
    held = {line.strip() for text in files for line in text.splitlines()}
    for kind, text in blocks(page):
        if kind in ("yaml", "sql", "json"):
            shown = [line.strip() for line in text.splitlines() if line.strip() not in ("", "...")]
            assert [line for line in shown if line not in held and not in_json(line, files)] == []
    for step in steps(page):
        walked.types(step)


def in_json(line: str, files: list[str]) -> bool:
    """Whether a file that no person writes holds the line but for what `...` stands for."""
    pattern = re.escape(line).replace(re.escape("..."), ".*")
    return any(re.search(pattern, json.dumps(json.loads(text), indent=2)) for text in files if text.startswith("{"))
