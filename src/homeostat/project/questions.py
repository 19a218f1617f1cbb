"""The questions that come before a model: each answered by somebody, on a day, or left open."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from homeostat.project.part import Part, require
from homeostat.project.value_types import Text

ASKED = {
    "ethical": "Is it ethical?",
    "simpler": "Does a simpler solution do?",
    "data": "Is the right data to be had?",
    "devastating": "Can one error be devastating?",
    "explained": "Must every decision be explained?",
    "pays": "Does it pay?",
}
STOPS = ("ethical", "data", "pays")  # a no to these ends a project


class Answer(Part):
    answer: Literal["yes", "no"]
    who: Text
    when: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    why: Text | None = None


class Questions(Part):
    """An answer for each of ``ASKED``; none where it is still open."""

    ethical: Answer | None = None
    simpler: Answer | None = None
    data: Answer | None = None
    devastating: Answer | None = None
    explained: Answer | None = None
    pays: Answer | None = None

    def says(self, name: str, answer: str) -> bool:
        """Whether a question has that answer."""
        given: Answer | None = getattr(self, name)
        return given is not None and given.answer == answer

    def check(self, learns: bool, has_ladder: bool, asks_people: bool) -> None:
        """Check that no answer contradicts what the rest of the scope does."""
        for name in STOPS:
            stop = "is no, and nothing should be built then; end the project, or answer it again"
            require(not self.says(name, "no"), ("questions", name, "answer"), stop)
        path = ("questions", "simpler", "answer")
        learned = "is yes, but a model is trained; set training.model to heuristic, or judge both by training.ladder"
        require(not self.says("simpler", "yes") or not learns or has_ladder, path, learned, ("training", "model"))
        path = ("questions", "devastating", "answer")
        alone = "is yes, but no decision or event waits for a person; add approval, or costs.abstain with then: person"
        require(not self.says("devastating", "yes") or asks_people, path, alone, ("costs",))
