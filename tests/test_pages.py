"""The pages under docs/: the tutorial is typed step by step, and each other page on the project that it leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from walked import Reader, blocks, pattern, steps

from homeostat.project.layout import Project

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial.md"
SCREENS = ("scope", "contract", "release", "candidate", "decision", "quality", "alarms")
CONCEPTS = [DOCS / f"{name}.md" for name in SCREENS]
HOW_TO = sorted((DOCS / "howto").glob("*.md"))
SCREEN = 60  # lines of a concept
SHORT = 65  # lines of a how-to
PAGES = [ROOT / "README.md", ROOT / "RUNBOOK.md", *sorted(DOCS.rglob("*.md")),
         *(ROOT / name / "README.md" for name in ("data", "models", "reports"))]  # fmt: skip

slow = pytest.mark.slow
patient = pytest.mark.timeout(1500)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", CONCEPTS, ids=name)
def test_a_page_of_a_concept_is_a_screen_and_shows_a_file_and_a_command(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= SCREEN
    assert {"sh", "text"} <= {kind for kind, _ in blocks(page)}
    assert {"yaml", "json", "sql"} & {kind for kind, _ in blocks(page)}


@pytest.mark.parametrize("page", HOW_TO, ids=name)
def test_a_how_to_is_short_and_begins_with_what_it_is_for(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert len(lines) <= SHORT
    assert lines[0].startswith("# ")
    assert page.stem == "completion" or re.match(r"\*\*(Symptom|Why)\.\*\* ", lines[2])


def test_the_overview_lists_every_page_in_one_line() -> None:
    text = (DOCS / "README.md").read_text()
    listed = re.findall(r"(?m)^\| \[[^\]]+\]\(([^)]+\.md)\).* \| \S.* \|$", text)
    here = {name(page) for page in DOCS.rglob("*.md")} - {"docs/README.md"}
    assert {(DOCS / link).resolve().relative_to(ROOT).as_posix() for link in listed} >= here
    assert len(listed) == len(set(listed))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    """Links to a file that is not there, or to a heading that it does not have."""
    text = re.sub(r"\n(?=\S)", " ", page.read_text())  # a link may be broken over two lines
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        target = page.parent / link if link else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{link}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


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
def test_a_version_that_was_rolled_back_is_kept_and_does_not_serve(walked: Reader) -> None:
    from homeostat.releases.registry import Registry

    releases = Registry.open(Project.find(walked.folder)).ledger
    assert releases.champion is not None
    assert releases.champion.version == "v0.1.0"
    assert [(e.action, e.version) for e in releases.events if e.who == "homeostat"][-1] == ("rollback", "v0.1.0")
    assert [r.version for r in releases.releases][:2] == ["v0.1.0", "v0.2.0"]


@slow
@patient
@pytest.mark.parametrize("page", [*CONCEPTS, *HOW_TO], ids=name)
def test_a_page_shows_real_files_and_answers(page: Path, walked: Reader) -> None:
    files = [f.read_text() for files in ("params.yaml", "features.sql", "expectations/*.json", "reports/*/*.json")
             for f in walked.folder.glob(files)]  # fmt: skip
    there = [line.strip() for text in files for line in text.splitlines()]
    for kind, text in blocks(page):
        if kind in ("yaml", "sql", "json"):
            shown = [line.strip() for line in text.splitlines() if line.strip() not in ("", "...")]
            assert [line for line in shown if not is_in(line, there) and not in_json(line, files)] == []
    for step in steps(page):
        walked.types(step)


def is_in(shown: str, lines: list[str]) -> bool:
    """Whether one of the lines is as shown, but for what `...` stands for."""
    return any(re.fullmatch(pattern(shown), line) for line in lines)


def in_json(shown: str, files: list[str]) -> bool:
    """The same for a file that no person writes, however it is laid out."""
    return any(
        re.search(pattern(shown), json.dumps(json.loads(text), indent=2)) for text in files if text.startswith("{")
    )
