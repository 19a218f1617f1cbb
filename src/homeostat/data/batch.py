"""One batch with the verdict on it, in words."""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.core.batch_rules import Verdict
from homeostat.core.sentences import sentence
from homeostat.core.text import count


@dataclass(frozen=True)
class Batch:
    """The verdict on one batch, and which batch it is."""

    source: str
    label: str
    verdict: Verdict

    @property
    def name(self) -> str:
        return f"{self.source} {self.label}"

    @property
    def accepted_whole(self) -> bool:
        whole = self.verdict.status == "accepted" and not self.verdict.rows_quarantined
        return whole and not self.verdict.suspect_columns

    @property
    def outcome(self) -> str:
        """The verdict in a word."""
        if self.verdict.rows_quarantined:
            return "quarantined"
        return "in doubt" if self.verdict.suspect_columns else self.verdict.status

    @property
    def doubted_as_before(self) -> bool:
        """Whether it is in doubt for nothing but what was already wrong in the batch before."""
        return self.outcome == "in doubt" and all("" < f.since < self.label for f in self.verdict.failed)

    @property
    def rows(self) -> str:
        """How many rows are quarantined, where any are."""
        quarantined, rows = self.verdict.rows_quarantined, self.verdict.rows
        if not quarantined:
            return ""
        return f"all {count(rows, 'row')}" if quarantined == rows else f"{quarantined:,} of {count(rows, 'row')}"

    @property
    def why(self) -> str:
        """The findings that failed, in words."""
        return "; ".join(map(sentence, self.verdict.failed))

    @property
    def sentence(self) -> str:
        rows = f" ({self.rows})" if self.rows else ""
        return f"{self.name} {self.outcome}{rows}: {self.why}"
