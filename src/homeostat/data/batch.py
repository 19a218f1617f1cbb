"""One batch with the verdict on it, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from homeostat.core.batch_rules import Verdict
from homeostat.core.sentences import sentence
from homeostat.core.text import count


@dataclass(frozen=True)
class Batch:
    """The verdict on one batch, and which batch it is; ``still_missing``: it is missing, and so is the one before."""

    source: str
    label: str
    verdict: Verdict
    still_missing: bool = False

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
    def as_before(self) -> bool:
        """Whether nothing is wrong with it but what was already wrong in the batch before."""
        doubted = self.outcome == "in doubt" and all("" < f.since < self.label for f in self.verdict.failed)
        return doubted or self.still_missing

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
        return f"{self.name} {self.outcome}{rows}" + (f": {self.why}" if self.why else "")


def sentences(batches: Iterable[Batch]) -> Iterator[str]:
    """A line each; batches of one source that are missing one after the other, as in a season's gap, have one."""
    for (source, gap), one in groupby(batches, key=lambda b: (b.source, b.verdict.status == "missing")):
        row = list(one)
        if gap and len(row) > 1:
            yield f"{source} {row[0].label} to {row[-1].label} missing ({len(row)} batches): {row[-1].why}"
        else:
            yield from (batch.sentence for batch in row)
