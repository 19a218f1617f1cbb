"""One batch with the verdict on it, in words."""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.core.batch_rules import Verdict


@dataclass(frozen=True)
class Batch:
    """What became of one batch."""

    source: str
    label: str
    verdict: Verdict

    @property
    def held(self) -> bool:
        return self.verdict.status != "accepted" or self.verdict.rows_quarantined > 0

    @property
    def sentence(self) -> str:
        verdict = self.verdict
        failed = [f.sentence for f in verdict.findings if f.failed]
        why = "; ".join(failed) or "no reason on record"
        if verdict.status == "missing":
            return f"{self.source} {self.label} is missing: {why}"
        if verdict.status == "quarantined":
            return f"{self.source} {self.label} is held whole ({verdict.rows_quarantined} rows): {why}"
        return f"{self.source} {self.label}: {verdict.rows_quarantined} of {verdict.rows} rows held: {why}"
