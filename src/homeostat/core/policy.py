"""The referee between the actions: nothing, retrain or roll back, from findings and from losses on the same rows.

Findings say that something may be wrong and start a decision; what is done follows from the evidence: the previous
version and a fresh candidate, judged on the same matured events as the champion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from homeostat.core import drift, health
from homeostat.core.evaluation import Compared, Comparison
from homeostat.core.findings import Action, Decision, Finding
from homeostat.core.incidents import kind

DRIFT = (drift.DRIFT_SHARE, drift.SCORE_DRIFT, drift.MISSING)  # they start a decision, once in a cool-down
QUALITY = (health.QUALITY, health.AGAINST_BASELINE, health.CALIBRATION)  # they start one whenever they fail

TOLD = 3  # reasons that a sentence tells; the findings hold them all
ByObjective = Mapping[str, Comparison]


@dataclass(frozen=True)
class Evidence:
    """What was measured for a decision; every comparison is over the same matured events, by objective.

    ``previous``: the previous healthy version against the champion; ``candidate``: the fresh candidate against the
    champion; ``candidate_previous``: the candidate against the previous version. A share below zero: the first is
    better. ``due``: why a retrain is due by rhythm, or nothing. ``barred``: why the candidate may not be released by
    itself, or nothing. ``paths``: the records, which a sentence cites. ``tried``: the version that is being tried
    beside the champion, or nothing.
    """

    champion: str
    paths: tuple[str, ...] = ()
    previous_version: str = ""
    previous: ByObjective = field(default_factory=dict)
    gate: Decision | None = None
    candidate: ByObjective = field(default_factory=dict)
    candidate_previous: ByObjective = field(default_factory=dict)
    due: str = ""
    barred: str = ""
    tried: str = ""


@dataclass(frozen=True)
class Case:
    """All that a rule sees; ``roll_back`` is the share by which the previous version must be better."""

    findings: tuple[Finding, ...]
    evidence: Evidence
    roll_back: float

    @property
    def signs(self) -> tuple[Finding, ...]:
        """What failed and may start a decision."""
        return tuple(f for f in self.findings if alarming(f))

    @property
    def reason(self) -> str:
        """Why there is anything to decide."""
        said = [*([self.evidence.due] if self.evidence.due else []), *(f.sentence for f in self.signs)]
        more = [f"{len(said) - TOLD} more"] if len(said) > TOLD else []
        return "; ".join([*said[:TOLD], *more])

    @property
    def keep(self) -> str:
        """What stays as it is."""
        return f"Keep {self.evidence.champion}" if self.evidence.champion else "Nothing serves, and nothing is released"

    @property
    def release(self) -> str:
        champion = self.evidence.champion
        return "Release the fresh candidate" + (f" in place of {champion}" if champion else "")

    @property
    def passed(self) -> bool:
        """The candidate passed its gate and nothing keeps it from being released."""
        return self.evidence.gate is not None and self.evidence.gate.action == "release" and not self.evidence.barred


def alarming(finding: Finding) -> bool:
    """Whether a finding is a sign of trouble; a single column's drift only explains one."""
    return finding.failed and kind(finding.rule) in (*DRIFT, *QUALITY)


def loses_to_baseline(findings: Iterable[Finding]) -> bool:
    """Whether the champion is worse than its own baseline, beyond chance: then the baseline may serve in its place."""
    return any(f.failed and kind(f.rule) == health.AGAINST_BASELINE for f in findings)


def starts_decision(
    findings: Iterable[Finding], now: datetime, last: datetime | None, cool_down: timedelta
) -> tuple[Finding, ...]:
    """The findings for which evidence is gathered, which costs a retrain; none: there is nothing to decide.

    ``last`` is when drift alone last started a decision, or a rollback was done, if ever. Until the cool-down is over
    drift alone starts none: what it could show has just been looked at.
    """
    failed = tuple(f for f in findings if alarming(f))
    cooling = last is not None and now < last + cool_down
    return () if cooling and all(kind(f.rule) in DRIFT for f in failed) else failed


def barred_by(
    candidate: tuple[str, str], rolled_back: tuple[str, str], version: str, at: datetime, now: datetime, over: timedelta
) -> str:
    """Why a candidate may not be released by itself, or nothing.

    ``candidate`` and ``rolled_back`` are the hashes of code and of scope that each was made from; ``version`` was
    rolled back from ``at``.

    >>> day = timedelta(days=1)
    >>> barred_by(("c", "s"), ("c", "s"), "v0.2.0", datetime(2024, 1, 1), datetime(2024, 1, 8), 14 * day)
    'same code and scope as v0.2.0, rolled back on 2024-01-01; not released by itself before 2024-01-15; to release it \
all the same, promote it by hand'
    >>> barred_by(("new", "s"), ("c", "s"), "v0.2.0", datetime(2024, 1, 1), datetime(2024, 1, 8), 14 * day)
    ''
    """
    if candidate != rolled_back or now >= at + over:
        return ""
    same = f"same code and scope as {version}, rolled back on {at:%Y-%m-%d}"
    return f"{same}; not released by itself before {at + over:%Y-%m-%d}; to release it all the same, promote it by hand"


def barred_as_yanked(version: str, who: str, why: str, at: datetime) -> str:
    """Why a candidate that is bit for bit a release that was yanked may not be released.

    >>> barred_as_yanked("v0.2.0", "ann", "wrong prices", datetime(2024, 1, 1))
    'it is v0.2.0 bit for bit, which ann yanked on 2024-01-01: wrong prices; edit what it is made of, or wait for data'
    """
    same = f"it is {version} bit for bit, which {who} yanked on {at:%Y-%m-%d}: {why}"
    return f"{same}; edit what it is made of, or wait for data"


def decide_action(findings: Sequence[Finding], evidence: Evidence, roll_back: float) -> Decision:
    """The first rule that has an answer decides; the findings are kept either way."""
    case = Case(tuple(findings), evidence, roll_back)
    return next(decision for rule in RULES if (decision := rule(case)) is not None)


def a_rollout_decides_first(case: Case) -> Decision | None:
    """While a release is tried beside the champion no other is made, and none comes back: its steps decide."""
    tried = case.evidence.tried
    if not tried:
        return None
    said = f"{case.keep}: {tried} is being tried beside it, which decides first; to end that, roll back or promote it"
    return _decision(case, "nothing", _seen(case, said))


def champion_has_gone_bad(case: Case) -> Decision | None:
    """The previous version is materially better on the same rows: known good first, unless the candidate beats it.

    Calibration alone is no sign that a release has gone bad: it is the level of the world that has moved, and for
    some days an older model may happen to fit it; a newer one is what learns it.
    """
    seen = case.evidence
    if case.signs and all(kind(f.rule) == health.CALIBRATION for f in case.signs):
        return None
    better = {o: c for o, c in _overall(seen.previous) if _better(c, case.roll_back)}
    worse = {o: c for o, c in _overall(seen.previous) if _worse(c, case.roll_back)}
    if not better or worse:
        return None
    said = _list(better, seen.previous_version, seen.champion)
    rivals = dict(_overall(seen.candidate_previous))
    if case.passed and any(_better(c) for c in rivals.values()) and not any(_worse(c) for c in rivals.values()):
        ahead = _list({o: c for o, c in rivals.items() if _better(c)}, "the candidate", seen.previous_version)
        why = f"{case.release}, which has gone bad: {said}"
        return _decision(case, "retrain", f"{why}. The candidate passed its gate and is better still: {ahead}")
    return _decision(case, "roll back", f"Roll back {seen.champion} to {seen.previous_version}: {said}")


def candidate_has_earned_it(case: Case) -> Decision | None:
    """A retrain was due or something failed, and the candidate passed its gate."""
    if not case.passed or not case.reason:
        return None
    said = _list(dict(_overall(case.evidence.candidate)), "the candidate", case.evidence.champion)
    release = f"{case.release}: it passed its gate" + (f" ({said})" if said else "")
    return _decision(case, "retrain", f"{release}. Why now: {case.reason}")


def candidate_is_barred(case: Case) -> Decision | None:
    """It passed, but is made as one that was rolled back, which a person may release, or is one that was yanked."""
    gate = case.evidence.gate
    if not case.evidence.barred or gate is None or gate.action != "release":
        return None
    said = f"{case.keep}: the fresh candidate passed its gate but is barred: {case.evidence.barred}"
    return _decision(case, "nothing", _seen(case, said))


def candidate_has_lost(case: Case) -> Decision | None:
    """Something was seen or due, and what was trained on the newest data is no better."""
    gate = case.evidence.gate
    if gate is None or not case.reason:
        return None
    return _decision(case, "nothing", _seen(case, f"{case.keep}: {gate.sentence}{_about_previous(case)}"))


def something_was_seen(case: Case) -> Decision | None:
    """Signs, but nothing to hold against them: no candidate could be judged, or the cool-down is on."""
    if not case.reason:
        return None
    return _decision(case, "nothing", _seen(case, f"{case.keep}: no candidate was judged{_about_previous(case)}"))


def all_is_well(case: Case) -> Decision:
    """Nothing failed and nothing is due."""
    unsure = sum(f.outcome == "too few to say" for f in case.findings)
    said = f"{case.evidence.champion or 'Nothing'} serves; of {len(case.findings)} rules none failed"
    said += f", {unsure} had too few events to say" if unsure else ""
    return _decision(case, "nothing", said)


RULES: tuple[Callable[[Case], Decision | None], ...] = (
    a_rollout_decides_first,
    champion_has_gone_bad,
    candidate_has_earned_it,
    candidate_is_barred,
    candidate_has_lost,
    something_was_seen,
    all_is_well,
)


def _overall(comparisons: ByObjective) -> list[tuple[str, Compared]]:
    return [(name, c.overall) for name, c in comparisons.items() if c.overall.share.value is not None]


def _better(compared: Compared, by: float = 0.0) -> bool:
    """Its loss is at least ``by`` below the other's, and the interval excludes none at all."""
    share = compared.share
    return share.value is not None and share.value <= -by and share.high is not None and share.high < 0


def _worse(compared: Compared, by: float = 0.0) -> bool:
    share = compared.share
    return share.value is not None and share.value >= by and share.low is not None and share.low > 0


def _list(compared: Mapping[str, Compared], one: str, other: str) -> str:
    """Each comparison in numbers."""
    return "; ".join(_numbers(objective, c, one, other) for objective, c in compared.items())


def _numbers(objective: str, compared: Compared, one: str, other: str) -> str:
    share = compared.share
    assert share.value is not None and compared.loss is not None and compared.other_loss is not None
    side = "below" if share.value < 0 else "above"
    said = f"{objective}: loss of {one} {compared.loss:.4f}, {abs(share.value):.1%} {side} {other}'s "
    said += f"{compared.other_loss:.4f} on the same {compared.rows} matured events"
    if share.low is not None and share.high is not None:
        said += f" (chance leaves {share.low:+.1%} to {share.high:+.1%})"
    return said


def _about_previous(case: Case) -> str:
    seen = case.evidence
    if not seen.previous_version:
        return ". There is no previous version to go back to" if seen.champion else ""
    said = _list(dict(_overall(seen.previous)), seen.previous_version, seen.champion)
    needed = f"it would have to be {case.roll_back:.0%} better beyond chance, no objective worse, and more than "
    needed += "calibration off"
    return f". No reason to go back to {seen.previous_version} ({needed}): {said}" if said else ""


def _seen(case: Case, said: str) -> str:
    return f"{said}. Seen: {case.reason}" if case.reason else said


def _decision(case: Case, action: Action, sentence: str) -> Decision:
    """With the paths of all that it rests on, named in the sentence too."""
    paths = tuple(dict.fromkeys([*case.evidence.paths, *(f.evidence for f in case.signs if f.evidence)]))
    cited = f" [{', '.join(paths)}]" if paths else ""
    return Decision(action, f"{sentence}.{cited}", case.findings, paths)
