"""The questions that come before a model: each answered by somebody, on a day, or left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from homeostat.project.part import Part, require
from homeostat.project.value_types import Text

Question = Literal["ethical", "simpler", "data", "devastating", "explained", "pays"]
ASKED: dict[Question, str] = {
    "ethical": "Is it ethical?",
    "simpler": "Does a simpler solution do?",
    "data": "Is the right data to be had?",
    "devastating": "Can one error be devastating?",
    "explained": "Must every decision be explained?",
    "pays": "Does it pay?",
}
STOPS: tuple[Question, ...] = ("ethical", "data", "pays")  # a no to these ends a project


class Answer(Part):
    answer: Literal["yes", "no"]
    who: Text
    when: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    why: Text | None = None


def check_answers(answers: Mapping[Question, Answer], learns: bool, has_ladder: bool, asks_people: bool) -> None:
    """Check that no answer contradicts what the rest of the scope does."""

    def says(name: Question, answer: str) -> bool:
        return name in answers and answers[name].answer == answer

    for name in STOPS:
        stop = "is no, and nothing should be built then; end the project, or answer it again"
        require(not says(name, "no"), ("questions", name, "answer"), stop)
    path = ("questions", "simpler", "answer")
    learned = "is yes, but a model is trained; set training.model to heuristic, or judge both by training.ladder"
    require(not says("simpler", "yes") or not learns or has_ladder, path, learned, ("training", "model"))
    path = ("questions", "devastating", "answer")
    alone = "is yes, but no decision or event waits for a person; add approval, or costs.abstain with then: person"
    require(not says("devastating", "yes") or asks_people, path, alone, ("costs",))
