"""Incidents: one a problem, from its first failed finding to its end; each alerts once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import NormalDist
from typing import Any

from homeostat.core import old_records
from homeostat.core.batch_rules import ROWS
from homeostat.core.drift import LOST
from homeostat.core.findings import TOO_FEW, Finding
from homeostat.core.rules import ALERTING, BUDGETED, COVERED, Rule
from homeostat.core.sentences import sentence
from homeostat.core.text import count

ENDS = 2  # evaluations in a row that pass and so end it, so that a problem at the limit does not alert every week
ANSWERED = frozenset({Rule.APPROVAL})  # a question, which is over at once


@dataclass(frozen=True)
class Incident:
    """``finding`` is the last that failed, at ``last_failed``; its rule and subject are the problem.

    ``passes`` counts the evaluations in a row that passed, the last one at ``last_passed``: the same evaluation again,
    after a run was interrupted, counts once. ``closed`` is None while the incident is open. ``release`` is the version
    that the finding was measured on; empty where it is about no release. ``noted``: it is on record and pages nobody.
    ``escalated`` is when it was escalated, once.
    """

    finding: Finding
    opened: datetime
    last_failed: datetime
    passes: int = 0
    last_passed: datetime | None = None
    closed: datetime | None = None
    release: str = ""
    noted: bool = False
    escalated: datetime | None = None

    @property
    def problem(self) -> str:
        """Its name."""
        return self.finding.name

    @property
    def sentence(self) -> str:
        return f"{self.problem}: {sentence(self.finding)}"

    @property
    def told(self) -> str:
        """Whether it paged a person."""
        if self.noted:
            return "noted"
        return f"paged, escalated {self.escalated:%Y-%m-%d}" if self.escalated else "paged"

    @property
    def progress(self) -> str:
        """When it was last seen, on which release, and what closes it.

        >>> from homeostat.core.rules import Rule
        >>> failed = Finding(Rule.CALIBRATION, "demand", "fail")
        >>> Incident(failed, datetime(2024, 1, 1), datetime(2024, 1, 8), 1, release="v0.2.0").progress
        'last seen 2024-01-08 00:00 on v0.2.0; closes after 1 more passing check'
        """
        on = f" on {self.release}" if self.release else ""
        left = count(ENDS - self.passes, "more passing check" if self.passes else "passing check")
        noted = "noted, pages nobody; " if self.noted else ""
        if self.finding.rule in ANSWERED:
            return f"asked {self.opened:%Y-%m-%d %H:%M}{on}; closes with the answer, or the deadline"
        return f"{noted}last seen {self.last_failed:%Y-%m-%d %H:%M}{on}; closes after {left}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; ``sentence`` is for a reader of the file, and is not read back."""
        return {
            "sentence": self.sentence,
            "opened": self.opened.isoformat(),
            "last_failed": self.last_failed.isoformat(),
            "passes": self.passes,
            "last_passed": self.last_passed.isoformat() if self.last_passed else None,
            "closed": self.closed.isoformat() if self.closed else None,
            "release": self.release,
            "noted": self.noted,
            **({"escalated": self.escalated.isoformat()} if self.escalated else {}),
            "finding": self.finding.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Incident:
        """What ``to_dict`` wrote, or a version from before incidents had fields."""
        body = old_records.incident(raw)
        last_passed, closed = (datetime.fromisoformat(body[k]) if body[k] else None for k in ("last_passed", "closed"))
        opened, last_failed = (datetime.fromisoformat(body[k]) for k in ("opened", "last_failed"))
        escalated = datetime.fromisoformat(body["escalated"]) if body.get("escalated") else None
        finding, release = Finding.from_dict(body["finding"]), body.get("release", "")
        noted = body.get("noted", False)
        return cls(finding, opened, last_failed, body["passes"], last_passed, closed, release, noted, escalated)


@dataclass(frozen=True)
class Changes:
    """What one evaluation changed: ``opened`` is what to alert on; ``open`` all that is open after it, noted or not."""

    opened: tuple[Incident, ...]
    closed: tuple[Incident, ...]
    open: tuple[Incident, ...]


def update_incidents(
    open_before: Iterable[Incident], findings: Iterable[Finding], now: datetime, release: str = "",
    budget: float | None = None,
) -> Changes:
    """Fold the findings of one evaluation, of ``release`` if they are about one, into the incidents that are open.

    A failed finding of a rule that alerts opens its incident, or keeps it open; it opens none where good windows were
    as far off, or another that failed covers it. Too few to say, or a rule that was not evaluated, changes nothing. A
    rule is evaluated where a finding of it says pass or fail. Where the scope has an alarm budget, what chance may
    explain is noted, until it is certain: ``budget`` is the probability that it leaves to a loss to the baseline by
    chance.
    """
    findings = list(findings)
    tests = max(sum(f.rule == Rule.AGAINST_BASELINE for f in findings), 1)
    chance = None if budget is None else budget / tests
    failed = {_problem(f): f for f in findings if f.failed and f.rule in ALERTING}
    unsure = {_problem(f) for f in findings if f.outcome == TOO_FEW}
    evaluated = {f.rule for f in findings if f.outcome != TOO_FEW}
    kept, closed, paged = [], [], []
    for incident in open_before:
        problem, rule = _problem(incident.finding), incident.finding.rule
        finding = failed.pop(problem, None)
        if finding is not None:
            noted = incident.noted and _is_noted(finding, chance)
            kept.append(replace(incident, finding=finding, last_failed=now, passes=0, release=release, noted=noted))
            paged += [kept[-1]] if incident.noted and not noted else []
        elif problem in unsure or rule not in evaluated or incident.last_passed == now:
            kept.append(incident)
        elif incident.passes + 1 >= (1 if rule in ANSWERED else ENDS):
            closed.append(replace(incident, passes=incident.passes + 1, last_passed=now, closed=now))
        else:
            kept.append(replace(incident, passes=incident.passes + 1, last_passed=now))
    covered = {rule for f in findings if f.failed for rule in COVERED.get(f.rule, ())}
    new = (f for f in failed.values() if not f.usual and f.rule not in covered)
    opened = [Incident(f, now, now, release=release, noted=_is_noted(f, chance)) for f in new]
    paged += [incident for incident in opened if not incident.noted]
    return Changes(tuple(paged), tuple(closed), (*kept, *opened))


def _is_noted(finding: Finding, chance: float | None) -> bool:
    """Whether a budget leaves the page to ``Rule.CHANGE``: not where a column is lost, no window was ever near, or the
    interval itself leaves less than ``chance`` to a model that does not lose to its baseline.
    """
    certain = finding.facts.get("state") in LOST or finding.facts.get("unprecedented", False)
    if finding.rule == Rule.AGAINST_BASELINE and chance is not None:
        certain = _by_chance(finding) <= chance
    return chance is not None and finding.rule in BUDGETED and not certain


def _by_chance(finding: Finding) -> float:
    """The probability of a value so far above zero where it is not, by a normal distribution of its interval."""
    if finding.value is None or finding.interval is None:
        return 1.0
    normal = NormalDist()
    error = (finding.value - finding.interval.low) / normal.inv_cdf((1 + finding.interval.confidence) / 2)
    return normal.cdf(-finding.value / error) if error > 0 else 0.0


def history_alarms(unlike: Mapping[str, Sequence[Sequence[Finding]]], incidents: Iterable[Incident]) -> list[Finding]:
    """One finding an incident that the history rules open or keep open, from those on batches, by source.

    A column that fails again belongs to the incident that it is in already; the others of a kind are one new incident,
    named after the first of them. A source of which no batch was judged says nothing about its own incidents.
    """
    mine = [i for i in incidents if i.closed is None and i.finding.rule == Rule.HISTORY]
    alarms = {i.finding.subject: replace(i.finding, outcome=TOO_FEW) for i in mine
              if i.finding.facts["source"] not in unlike}  # fmt: skip
    subjects = {(i.finding.facts["source"], c): i.finding.subject for i in mine for c in _columns(i.finding)}
    for source, batches in unlike.items():
        alarms.setdefault(source, Finding(Rule.HISTORY, source, "pass"))
        for failed in batches:
            for finding in failed:
                names = [subjects[source, c] for c in _columns(finding) if (source, c) in subjects]
                own = ".".join([source, *finding.facts["columns"][:1]])
                subject = names[0] if names else own
                subjects |= {(source, c): subject for c in _columns(finding)}
                alarms[subject] = replace(finding, subject=subject)
    return list(alarms.values())


def _columns(finding: Finding) -> Sequence[str]:
    return finding.facts["columns"] or (ROWS,)


def _problem(finding: Finding) -> tuple[str, str]:
    return finding.rule, finding.subject
