"""Every fault of the data tried on a judged history: how many are found, how soon, under which name, and what then.

Nothing is written: the damaged batches are staged beside the real ones, judged by the same code as any batch, and
forgotten. A table of what the rules can see is so a matter of seconds for many seeds, where a replay takes minutes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal

import polars as pl

from homeostat.adapters.parquet import table_bytes
from homeostat.core.errors import UsageError
from homeostat.core.history_faults import WHOLE
from homeostat.core.periods import period_of
from homeostat.core.profiles import ENOUGH
from homeostat.core.rules import Rule
from homeostat.core.text import count, percent
from homeostat.data.case import History
from homeostat.data.selection import event_times
from homeostat.data.validate import missing, validate
from homeostat.data.workspace import Workspace
from homeostat.faults.damage import DAMAGES, SEASON, THEN, TIME, Damage, season_before, suitable
from homeostat.faults.label_trials import LABEL_FAULTS, LabelTrial
from homeostat.project.executor import IN_PROCESS, Executor, in_runs, shared
from homeostat.project.layout import Project

if TYPE_CHECKING:
    from homeostat.core.batch_rules import Verdict

Size = Literal["small", "middle", "large"]
SIZES: tuple[Size, ...] = ("small", "middle", "large")
DRAWS = 10  # of a place and columns, until a fault changes anything there
LOOKS = 5  # batches of a fault that lasts, until it counts as not found
UNFOUND = "nothing"


@dataclass(frozen=True)
class Trial:
    """One fault in one place, and what the rules made of it.

    ``after``: how many batches after its first the fault was found; None: it was not. ``kinds``: the names under which
    it was. ``columns`` are those that were damaged, ``named`` whether the findings name one of them; a fault of rows or
    of their times has none to name. ``action``: what became of the batch in which it was found.
    """

    fault: str
    source: str
    batch: str
    columns: tuple[str, ...]
    after: int | None = None
    kinds: tuple[str, ...] = ()
    named: bool = False
    action: str = "accepted"

    @property
    def detected(self) -> bool:
        """Whether a fault was found; of what is none, whether nothing was."""
        return (self.after is not None) == bool(DAMAGES[self.fault].kinds)

    @property
    def acted_right(self) -> bool:
        """Whether that is what the table of faults asks for."""
        return self.detected and self.action in DAMAGES[self.fault].actions

    @property
    def let_in(self) -> int:
        """Of the batches tried, those with the fault that came in before the right action; an oracle lets in none."""
        every = LOOKS if DAMAGES[self.fault].lasts else 1
        return (self.after or 0) if self.acted_right else every

    @property
    def right(self) -> bool:
        """Whether it was detected, under the right name and with a damaged column."""
        if not DAMAGES[self.fault].kinds:
            return self.detected
        right = set(self.kinds) & set(DAMAGES[self.fault].kinds)
        return bool(right & WHOLE) or (self.named and bool(right))


@dataclass(frozen=True)
class _Place:
    """Where faults may be put: a source whose history says something, and its batches by label."""

    source: str
    labels: tuple[str, ...]
    verdicts: Mapping[str, Verdict] = field(repr=False)


def try_all(project: Project, seeds: int, size: Size, executor: Executor = IN_PROCESS) -> list[Trial]:
    """Try each fault of the data ``seeds`` times: at places, and in columns, that chance chooses by the scope's seed.

    ``project`` is the tree in which the batches are; where several sources suit a fault they take turns.

    Drifts of the world are no faults of a batch: they are drilled one by one.

    Raises:
        UsageError: no source has batches enough for the history rules to say anything.
    """
    if not list(_places(Workspace(project))):
        raise UsageError(f"no source has {ENOUGH + LOOKS} accepted batches in this range; choose a longer one")
    wanted = [(name, seed) for name, damage in DAMAGES.items() for seed in range(0 if damage.of_world else seeds)]
    tried = in_runs(executor, partial(try_faults, project.root, project.home, size), wanted)
    return [trial for trial in tried if trial is not None]


def try_faults(root: Path, home: Path, size: Size, wanted: Sequence[tuple[str, int]]) -> list[Trial | None]:
    """Try faults, each by its name and the number of the try; None where nothing suits one."""
    workspace = Workspace(Project(shared(root), home))
    places, trials = list(_places(workspace)), []
    for name, seed in wanted:
        chance = random.Random(f"{workspace.scope.seed} {name} {seed}")
        draws = (_try(workspace.again(), places[(seed + turn) % len(places)], name, DAMAGES[name], size, chance)
                 for turn in range(len(places) * DRAWS))  # fmt: skip
        trials.append(next(filter(None, draws), None))
    return trials


def undamaged(project: Project) -> tuple[int, int]:
    """Of the batches as they came: how many the history rules could judge, and how many of these they found at fault.

    What they found may of course be right.
    """
    workspace = Workspace(project)
    judged = [
        [f for f in verdict.findings if f.rule == Rule.HISTORY and f.value is not None]
        for place in _places(workspace)
        for verdict in place.verdicts.values()
    ]
    return sum(map(bool, judged)), sum(any(f.failed for f in findings) for findings in judged)


def _places(workspace: Workspace) -> Iterator[_Place]:
    for name, source in workspace.scope.sources.items():
        verdicts = workspace.verdicts.of_source(name) if source.timed else {}
        accepted = [label for label, verdict in verdicts.items() if verdict.status == "accepted"]
        if len(accepted) >= ENOUGH + LOOKS:
            yield _Place(name, tuple(accepted), verdicts)


def _try(
    workspace: Workspace, place: _Place, name: str, damage: Damage, size: Size, chance: random.Random
) -> Trial | None:
    """Put the fault somewhere in a source; None where nothing suits it, or nothing changes: that is no fault."""
    start = chance.randrange(ENOUGH, len(place.labels) - LOOKS + 1)
    labels = place.labels[start : start + (LOOKS if damage.lasts else 1)]
    batches = {label: _rows(workspace, place.source, label) for label in labels}
    before = [_rows(workspace, place.source, label) for label in place.labels[start - ENOUGH : start]]
    key = workspace.scope.sources[place.source].key
    columns = suitable(damage, before, key)
    if len(columns) < damage.many or any(rows.is_empty() for rows in batches.values()):
        return None
    chosen = tuple(chance.sample(columns, damage.many)) if columns else ()
    value = damage.sizes[SIZES.index(size)]
    damaged = {label: damage.change(rows, chosen, value * damage.strength(batch), chance)
               for batch, (label, rows) in enumerate(batches.items())}  # fmt: skip
    if name == SEASON:
        damaged = {labels[0]: season_before(batches[labels[0]], before[0], key)}
        if not _at_its_time(workspace, place.source, damaged[labels[0]]):
            return None
    if damage.of == "time":
        damaged = _moved(workspace, place.source, damaged)
    elif name != "renamed-column" and not all(_at_its_time(workspace, place.source, r) for r in damaged.values()):
        return None  # rows without a time, or at another, come in no batch or in another
    if all(rows.equals(damaged[label]) for label, rows in batches.items()):
        return None
    trial = Trial(name, place.source, labels[0], chosen)
    for after, (label, rows) in enumerate(damaged.items()):
        verdict = _judged(workspace, place.source, label, rows)
        kinds, named = _new_failures(verdict, place.verdicts[label], chosen)
        if kinds:
            named = named or damage.of in ("rows", "time")
            action = _action(verdict)
            if damage.ends:
                sound = _judged(workspace, place.source, label, batches[label])
                again, _ = _new_failures(sound, place.verdicts[label], chosen)
                action += THEN if not again and sound.status == "accepted" else f", then {_action(sound)}"
            return replace(trial, after=after, kinds=kinds, named=named, action=action)
    return trial


def _action(verdict: Verdict) -> str:
    if verdict.status != "accepted":
        return verdict.status
    if verdict.rows_quarantined:
        return "rows quarantined"
    return "in doubt" if verdict.suspect_columns else "accepted"


def _rows(workspace: Workspace, source: str, label: str) -> pl.DataFrame:
    """The rows of a batch as they landed, with the event time of each."""
    rows = pl.read_parquet(workspace.project.landed / source / f"{label}.parquet")
    return rows.with_columns(event_times(source, workspace.scope.sources[source], rows).alias(TIME))


def _at_its_time(workspace: Workspace, name: str, rows: pl.DataFrame) -> bool:
    """Whether rows lie at the event times that they had before their values were changed."""
    return event_times(name, workspace.scope.sources[name], rows.drop(TIME)).equals(rows[TIME], check_names=False)


def _moved(workspace: Workspace, name: str, batches: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The rows in the batches that their changed times put them in; those outside of all are lost."""
    source, offset = workspace.scope.sources[name], workspace.scope.rhythm.offset
    rows = pl.concat([r.drop(TIME) for r in batches.values()], how="diagonal_relaxed")
    rows = rows.with_columns(event_times(name, source, rows).alias(TIME))
    periods = {label: period_of(label, source.length, offset) for label in batches}
    return {label: rows.filter(pl.col(TIME).is_between(p.start, p.end, closed="left")) for label, p in periods.items()}


def _judged(workspace: Workspace, source: str, label: str, rows: pl.DataFrame) -> Verdict:
    """The verdict on a batch with these rows, after those staged before it; one of none at all has not come."""
    if rows.is_empty():
        period = period_of(label, workspace.scope.sources[source].length, workspace.scope.rhythm.offset)
        verdict = missing(workspace, source, period)
        assert verdict is not None, "late for good"
        return verdict
    workspace.files.write(workspace.project.landed / source / f"{label}.parquet", table_bytes(rows.drop(TIME)))
    return validate(workspace, source, label, history=History.before(label, workspace.verdicts.of_source(source)))


def _new_failures(verdict: Verdict, sound: Verdict, columns: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The kinds of what fails in a damaged batch and not in the sound one, and whether they name a damaged column."""
    there = {(f.rule, f.subject, f.facts.get("kind")) for f in sound.failed}
    new = [f for f in verdict.failed if (f.rule, f.subject, f.facts.get("kind")) not in there]
    kinds = tuple(sorted({str(f.facts.get("kind", f.rule)) for f in new}))
    texts = [text for f in new for text in (f.subject, *f.facts.get("columns", ()), f.facts.get("reason", ""))]
    return kinds, any(column in text for column in columns for text in texts)


# ---- as a table


def table(
    trials: Sequence[Trial], sound: tuple[int, int], size: Size, labels: Sequence[LabelTrial] = ()
) -> Iterator[str]:
    """A line a fault: how many were found, rightly named, and rightly acted on; then what was taken for what."""
    every: list[Trial | LabelTrial] = [*trials, *labels]
    by_fault = {name: of for name in (*DAMAGES, *LABEL_FAULTS) if (of := [t for t in every if t.fault == name])}
    yield f"{'fault, ' + size:22}{'tried':>6}{'found':>8}{'named':>8}{'acted':>10}{'after':>7}{'let in':>8}  found as"
    for name, of in by_fault.items():
        yield f"{name:22}{_shares(of)}  {_taken_for(of)}"
    yield f"{'all':22}{_shares(every)}"
    judged, failed = sound
    share = f" ({percent(failed / judged)})" if judged else ""
    yield f"as they came: {count(failed, 'batch')} of {judged:,} at fault{share}"
    yield "found: by any rule; named: the right kind and a damaged column; acted: the right action, so that nothing"
    yield "trains on it; after: batches until then, the median; let in: batches with the fault before the right action,"
    yield "on average, of those that it was tried in, where an oracle that acts at once lets in none"


def _shares(trials: Sequence[Trial | LabelTrial]) -> str:
    many, found = len(trials), [t.after for t in trials if t.after is not None]
    shares = [sum(of) / many for of in ([t.detected for t in trials], [t.right for t in trials],
                                        [t.acted_right for t in trials])]  # fmt: skip
    after = f"{median(found):g}" if found else "-"
    let_in = sum(t.let_in for t in trials) / many
    return f"{many:>6}{percent(shares[0]):>8}{percent(shares[1]):>8}{percent(shares[2]):>10}{after:>7}{let_in:>8.1f}"


def _taken_for(trials: Sequence[Trial | LabelTrial]) -> str:
    kinds = Counter(kind for t in trials for kind in (t.kinds or (UNFOUND,)))
    return ", ".join(f"{kind} {many}" for kind, many in kinds.most_common())
