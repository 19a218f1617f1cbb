"""The questions that come before a model, held against the release in service."""

from __future__ import annotations

from pathlib import Path

import pytest
from first_release import in_service

from homeostat.project.layout import Project
from homeostat.reports.questions import question_lines

QUESTIONS = """
questions:
  simpler: {answer: no, who: Ann, when: "2024-02-01", why: rates miss the evenings}
  pays: {answer: yes, who: Bob, when: "2024-02-02"}
"""


@pytest.mark.slow
def test_answers_stand_with_who_when_and_what_the_release_shows(tmp_path: Path) -> None:
    project = in_service(tmp_path / "meters")
    assert list(question_lines(project)) == []
    params = project.root / "params.yaml"
    params.write_text(params.read_text() + QUESTIONS)
    lines = list(question_lines(Project.find(project.root)))
    assert lines[0] == "- Is it ethical? Nobody has answered; add questions.ethical."
    assert "- Does a simpler solution do? No, by Ann on 2024-02-01: rates miss the evenings." in lines
    money = next(line for line in lines if "alerts on held-out events cost" in line)
    assert money.split(":")[0].strip() in ("pass", "fail")
    shown = lines[lines.index(money) - 1]
    assert shown == "- Does it pay? Yes, by Bob on 2024-02-02."
