"""The fault behind statistics of a batch that lie outside their limits: its kind, its columns, and what would fix it.

A repair is a change of the values after which the batch looks like those before: a unit, a sign, another column's name,
blanks or case of a code, a shift of the clock. Where one fits it names the fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

import numpy as np

from homeostat.core.batch_rules import CLOCK_CHANGE, ROWS
from homeostat.core.profile_limits import GAIN, Compared
from homeostat.core.profile_scales import natural
from homeostat.core.profile_statistics import ALWAYS, shift_fits
from homeostat.core.profiles import CLOCK, LEVELS, PARTS, Profile
from homeostat.core.repairs import CLOSE, UNIT, Band, best_repair

CLEAR = 1.5  # excess of a statistic from which it is far outside
NEAR = 0.05  # how far a share of ones may lie outside the usual, to be a usual one turned around
ALIKE = 0.2  # difference of the shares that are missing of two columns that may be swapped
EXPLAINED = 0.8  # share of the new texts that a repair must turn into known ones
FAR_NEARER = 0.5  # of the distance to what a column itself usually is, at which it lies to what another is
FITS = 0.6  # of the usual fit, that a shift of the clock must come to
ELSEWHERE = 0.15  # total variation of the parts that are left of a truncated batch
FULL = 0.85  # of the usual rows, from which a part of the period has all of its own
CUT = 3  # parts of the period without rows that show by themselves that a batch is truncated
EVEN = 3  # times the mean share of a value, up to which no one of them is stuck
STUCK = 0.9  # share of one value from which a column is stuck
GONE = 0.1  # share of a slice's usual rows below which it is lost
BROKEN = "\ufffd"  # what stands for bytes that are no text
NAMED = 5  # texts that a fault names

CLOCKS = frozenset({"shifted time", CLOCK_CHANGE})
WHOLE = frozenset({"lost hours", "few rows", "many rows", "lost slice"}) | CLOCKS  # what else moved, moved with it

Outside = Mapping[str, Mapping[str, Compared]]  # by column and statistic


@dataclass(frozen=True)
class Fault:
    """``kind`` names it; ``columns`` are those of the source, none where it is about its rows.

    ``exact``: a repair leads back to what is usual. ``facts`` hold what its sentence needs.
    """

    kind: str
    columns: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    exact: bool = False
    excess: float = 0.0


def faults(
    profile: Profile, history: Sequence[Profile], outside: Sequence[Compared], units: Mapping[str, str] | None = None
) -> list[Fault]:
    """What is wrong with a batch, one fault a kind and set of columns, the clearest first.

    ``units``: the unit that columns of the batch before came in instead of their own.
    """
    before = units or {}
    named = [_in_unit(f, [before[c] for c in f.columns if c in before], profile, history)
             for f in _named(profile, history, outside)]  # fmt: skip
    others = [f.facts["unit"] for f in sorted(named, key=lambda f: -f.excess) if f.facts.get("unit")]
    named = [f if f.facts.get("unit") in before.values() else _in_unit(f, others, profile, history) for f in named]
    joined: dict[tuple[str, str], Fault] = {}
    for fault in named:
        key = (fault.kind, str(fault.facts.get("repair", "")))
        same = joined.get(key)
        if same is None or fault.kind == "swapped columns":
            joined[key if same is None else (fault.kind, ",".join(fault.columns))] = fault
        else:
            columns = tuple(dict.fromkeys((*same.columns, *fault.columns)))
            facts = same.facts if same.excess >= fault.excess else fault.facts
            joined[key] = Fault(fault.kind, columns, facts, same.exact and fault.exact, max(same.excess, fault.excess))
    return sorted(joined.values(), key=lambda f: (not f.exact, -f.excess))


def _in_unit(fault: Fault, units: Sequence[str], profile: Profile, history: Sequence[Profile]) -> Fault:
    """The fault as a change to the first of the units that fits its column: the one it came in before, or another's."""
    numbers = [c for c in fault.columns if c in profile.quantiles and any(c in p.quantiles for p in history)]
    if fault.kind not in ("unit change", "moved values", "zeros") or not len(fault.columns) == len(numbers) == 1:
        return fault
    now, band = profile.quantiles[numbers[0]], _band(numbers[0], history)
    for unit in units:
        fixed = UNIT[unit].fix(now)
        if band.misfit(fixed) <= CLOSE and band.distance(fixed) <= band.distance(now):
            facts = {"unit": unit, "repair": UNIT[unit].sql}
            return replace(fault, kind="unit change", facts={**fault.facts, **facts})
    return fault


def _named(profile: Profile, history: Sequence[Profile], outside: Sequence[Compared]) -> Iterator[Fault]:
    by_column: dict[str, dict[str, Compared]] = {}
    for c in outside:
        if c.statistic not in ("order", "slice", "swap"):
            by_column.setdefault(c.column, {})[c.statistic] = c
    done: set[str] = {CLOCK, ROWS}
    for fault in _of_rows(profile, history, outside):
        yield fault
        done |= set(fault.columns)
        if fault.kind in CLOCKS:
            outside = [c for c in outside if CLOCK not in (c.column, c.other)]
        if fault.kind in WHOLE:
            done |= {c for c, stats in by_column.items() if max(s.excess for s in stats.values()) < CLEAR}
            outside = [c for c in outside if c.statistic != "slice"]
    for fault in _swapped(profile, history, by_column, outside):
        if not done & set(fault.columns):
            done |= set(fault.columns)
            yield fault
    for column, stats in by_column.items():
        of_column = _of_column(column, profile, history, stats) if column not in done else None
        if of_column is not None:
            done.add(column)
            yield of_column
    if done == {CLOCK, ROWS}:  # another fault of a column also changes how it differs from others
        swaps = [c for c in outside if c.statistic == "swap"]
        done |= {name for c in swaps for name in (c.column, c.other)}
        yield from (_swap(c) for c in swaps)
    yield from _of_slices([c for c in outside if c.statistic == "slice" and c.column not in done])
    yield from _of_pairs(profile, history, outside, done)


# ---- rows and clock


def _of_rows(profile: Profile, history: Sequence[Profile], outside: Sequence[Compared]) -> Iterator[Fault]:
    """At most one fault of the batch's rows as such: their time, then their number."""
    own = {c.statistic: c for c in outside if c.column in ("", CLOCK) and c.statistic != "order"}
    timed = [c for c in outside if CLOCK in (c.column, c.other)]
    excess = max((c.excess for c in (*own.values(), *timed) or outside), default=0.0)
    turned = [n for c in timed if c.statistic == "order" for n in (c.column, c.other) if n != CLOCK]
    shift = _shift(profile, history) if {"shift", "clock"} & set(own) else 0
    shift = shift or (_shift(profile, history, turned) if turned else 0)
    lost = _lost_parts(profile, history) if outside else []
    if not own and len(lost) < CUT:
        lost = []
    if set(own) == {"cut"} and len(lost) < 2:
        lost = []
    if not {"lost", "cut"} & set(own) and "rows" in own and _thin_elsewhere(profile, history, lost):
        lost = []  # of so few rows some parts have none by chance
    renamed = {c.column for c in outside if c.statistic == "new"}
    gone = [c for c in outside if c.statistic == "slice" and c.column not in {CLOCK, *renamed} and _is_lost(c)]
    if shift and not (len(lost) >= CUT and _as_usual_elsewhere(profile, history, lost)):
        kind = "shifted time" if abs(shift) > 1 else CLOCK_CHANGE
        exact = abs(shift) > 1 and excess >= CLEAR and bool({"shift", "clock"} & set(own))
        whole = "period" if np.array_equal(profile.course, profile.clock) else "day"
        yield Fault(kind, (), {"parts": shift, "of": PARTS, "whole": whole}, exact, excess)
    elif lost:
        yield Fault("lost hours", (), {"parts": lost, "of": PARTS}, excess=excess)
    elif gone:
        yield from _of_slices(gone)
    elif "copies" in own:
        yield Fault("many rows", (), {"copies": profile.copies, "usual": float(np.median([p.copies for p in history]))},
                    excess=excess)  # fmt: skip
    elif "rows" in own:
        usual = round(natural("rows", own["rows"].usual))
        kind = "few rows" if profile.rows < usual else "many rows"
        yield Fault(kind, (), {"rows": profile.rows, "usual": usual}, excess=excess)
    elif {"clock", "slice"} & set(own):
        yield Fault("times of day", (), {}, excess=excess)


def _lost_parts(profile: Profile, history: Sequence[Profile]) -> list[int]:
    """The parts of the period that always had rows and now have none."""
    usual = np.array([p.clock for p in history])
    always = (usual > 0).mean(axis=0) >= ALWAYS
    return [int(i) for i in np.flatnonzero(always & (profile.clock == 0))]


def _thin_elsewhere(profile: Profile, history: Sequence[Profile], lost: Sequence[int]) -> bool:
    """Whether the other parts of the period have fewer rows too."""
    usual = np.median([p.clock for p in history], axis=0)
    there = np.array([part not in lost for part in range(PARTS)])
    return bool(profile.rows < FULL * usual[there].sum())


def _as_usual_elsewhere(profile: Profile, history: Sequence[Profile], lost: Sequence[int]) -> bool:
    """Whether the rows of the other parts of the period lie among these as they do in other batches."""
    there = np.array([part not in lost for part in range(PARTS)])
    now, usual = profile.clock[there], np.mean([p.clock for p in history], axis=0)[there]
    moved = 0.5 * np.abs(now / max(now.sum(), 1) - usual / max(usual.sum(), 1)).sum()
    return float(moved) <= ELSEWHERE


def _shift(profile: Profile, history: Sequence[Profile], columns: Sequence[str] | None = None) -> int:
    """By how many parts of the period the rows and their values come late (> 0) or early; 0: no shift fits better."""
    fits = shift_fits(profile, history, columns)
    best = int(fits[0].argmax())
    if not best or fits[0, best] < max(fits[0, 0] + GAIN, FITS * float(np.median(fits[1:, 0]))):
        return 0
    return best if best <= PARTS // 2 else best - PARTS


# ---- swapped columns


def _swapped(
    profile: Profile, history: Sequence[Profile], by_column: Outside, outside: Sequence[Compared]
) -> Iterator[Fault]:
    suspects = {c: max(s.excess for s in stats.values()) for c, stats in by_column.items() if c not in (ROWS, CLOCK)}
    related = {n for c in outside if c.statistic == "order" for n in (c.column, c.other)}
    columns, numbers = list(suspects), list(profile.quantiles)
    for one in columns:
        near = [*columns[columns.index(one) + 1 :], *(c for c in related if c not in suspects)]
        for other in [*near, *(c for c in numbers if c not in {CLOCK, *suspects, *related})]:
            alike = _are_swapped(one, other, profile, history)
            if alike and (other in near or _unlike_themselves(one, other, profile, history)):
                excess = max(suspects[one], suspects.get(other, 0.0))
                yield Fault("swapped columns", (one, other), {"repair": f"{one} and {other}"}, True, excess)
                break


def _swap(c: Compared) -> Fault:
    return Fault("swapped columns", (c.column, c.other), {"repair": f"{c.column} and {c.other}"}, excess=c.excess)


def _are_swapped(one: str, other: str, profile: Profile, history: Sequence[Profile]) -> bool:
    """Whether each column's values look like those that the other had before, and not both like their own."""
    if one in profile.values and other in profile.values:
        return all(
            _share_known(profile.values[a], b, history) >= EXPLAINED
            and _share_known(profile.values[a], a, history) < 1 - EXPLAINED
            for a, b in ((one, other), (other, one))
        )
    if not all(c in p.quantiles for c in (one, other) for p in (profile, history[-1])):
        return False
    bands = {c: _band(c, history) for c in (one, other)}
    own = max(bands[c].misfit(profile.quantiles[c]) for c in bands)
    return own > CLOSE and all(
        bands[b].misfit(profile.quantiles[a]) <= CLOSE
        and abs(profile.stats[a, "missing"] - _usual(history, b, "missing")) <= ALIKE
        for a, b in ((one, other), (other, one))
    )


def _unlike_themselves(one: str, other: str, profile: Profile, history: Sequence[Profile]) -> bool:
    """Whether each of two columns of numbers lies far nearer to what the other usually is than to what it is itself."""
    if not all(any(c in p.quantiles for p in history) for c in (one, other)):
        return False
    bands, now = {c: _band(c, history) for c in (one, other)}, profile.quantiles
    pairs = ((one, other), (other, one))
    return all(bands[b].distance(now[a]) < FAR_NEARER * bands[a].distance(now[a]) for a, b in pairs)


def _band(column: str, history: Sequence[Profile]) -> Band:
    return Band.of([p.quantiles[column] for p in history if column in p.quantiles])


def _share_known(values: Mapping[str, int], column: str, history: Sequence[Profile]) -> float:
    before = set().union(*(p.values.get(column, {}) for p in history))
    return sum(many for value, many in values.items() if value in before) / max(sum(values.values()), 1)


def _usual(history: Sequence[Profile], column: str, statistic: str) -> float:
    values = [p.stats[column, statistic] for p in history if (column, statistic) in p.stats]
    return float(np.median(values)) if values else 1.0


# ---- one column


def _of_column(
    column: str, profile: Profile, history: Sequence[Profile], stats: Mapping[str, Compared]
) -> Fault | None:
    excess = max(c.excess for c in stats.values())
    median = {"now": _middle(profile, column), "usual": _middle_usual(history, column)}
    same, same_usual = profile.stats.get((column, "same"), 0.0), _usual(history, column, "same")
    stuck_at_one = Fault("stuck values", (column,), {"now": same, "usual": same_usual}, excess=excess)
    if same >= STUCK and same_usual < STUCK / 2:
        return stuck_at_one
    if set(stats) & {*LEVELS, "size", "zero", "repair"} and column in profile.quantiles:
        repaired = _number_repaired(column, profile, history)
        if repaired is not None:
            kind, facts, exact = repaired
            return Fault(kind, (column,), median | facts, exact, excess)
    if "missing" in stats or "apart" in stats:
        c = stats.get("missing") or stats["apart"]
        kind = "missing values" if c.value > c.usual else "filled values"
        return Fault(kind, (column,), _shares(c), excess=excess)
    fewer = stats.get("repeated")
    if fewer is not None and fewer.value < fewer.usual:
        kind = "flipped values" if _is_flag(column, [profile, *history]) else "unsteady values"
        return Fault(kind, (column,), _shares(fewer), excess=excess)
    if "midnight" in stats and stats["midnight"].value < stats["midnight"].usual:
        return Fault("shifted dates", (column,), _shares(stats["midnight"]), excess=excess)
    if "stale" in stats:
        return Fault("stale values", (column,), {}, excess=excess)
    fewer_values = stats.get("distinct")
    if fewer_values is not None and same <= EVEN / natural("distinct", fewer_values.value):
        different = {name: round(value) for name, value in _shares(fewer_values).items()}
        return Fault("coarse values", (column,), different, excess=excess)
    stuck = stats.get("same") or stats.get("run") or fewer
    if stuck is not None:
        return Fault("stuck values", (column,), _shares(stuck), excess=excess)
    if column in profile.values or {"blanks", "lower", "odd", "length", "new", "mix"} & set(stats):
        return _of_text(column, profile, history, stats, excess)
    if "zero" in stats and stats["zero"].value > stats["zero"].usual:
        return Fault("zeros", (column,), _shares(stats["zero"]), excess=excess)
    if fewer_values is not None:
        return stuck_at_one
    if "negative" in stats:
        return Fault("lost signs", (column,), _shares(stats["negative"]), excess=excess)
    return Fault("moved values", (column,), median, excess=excess)


def _is_flag(column: str, profiles: Sequence[Profile]) -> bool:
    """Whether a column holds yes and no alone."""
    values = [set(p.quantiles[column].tolist()) for p in profiles if column in p.quantiles]
    return bool(values) and all(v <= {0.0, 1.0} for v in values)


def _shares(c: Compared) -> dict[str, float]:
    return {"now": natural(c.statistic, c.value), "usual": natural(c.statistic, c.usual)}


def _middle(profile: Profile, column: str) -> float | None:
    values = profile.quantiles.get(column)
    return None if values is None else float(values[len(values) // 2])


def _middle_usual(history: Sequence[Profile], column: str) -> list[float] | None:
    """The least and the greatest median of the batches before."""
    middles = [m for p in history if (m := _middle(p, column)) is not None]
    return [min(middles), max(middles)] if middles else None


def _number_repaired(
    column: str, profile: Profile, history: Sequence[Profile]
) -> tuple[str, dict[str, Any], bool] | None:
    """The change that leads the values of a column back to the usual ones, where one does."""
    now, before = profile.quantiles[column], [p.quantiles[column] for p in history if column in p.quantiles]
    if _is_flag(column, [profile, *history]):
        zero, usual = profile.stats[column, "zero"], [p.stats[column, "zero"] for p in history if column in p.quantiles]
        flipped = min(usual) - NEAR <= 1 - zero <= max(usual) + NEAR
        return ("flipped values", {"repair": "1 - {c}"}, True) if flipped else None
    band = Band.of(before)
    misfit, best = band.misfit(now), best_repair(now, band)
    if misfit <= CLOSE or best is None:
        return None
    repair, fixed = best
    exact = repair.named and band.tells(repair) and misfit >= CLEAR and band.misfit(fixed) <= CLOSE / 2
    return repair.kind, {"unit": repair.unit, "repair": repair.sql}, exact


# ---- texts


def _of_text(
    column: str, profile: Profile, history: Sequence[Profile], stats: Mapping[str, Compared], excess: float
) -> Fault | None:
    values = profile.values.get(column, {})
    known = set().union(*(p.values.get(column, {}) for p in history))
    if not values and "new" in stats:
        return Fault("category explosion", (column,), _shares(stats["new"]), excess=excess)
    new = {value: many for value, many in values.items() if value not in known}
    named = sorted(new, key=lambda v: (-new[v], v))[:NAMED]
    facts: dict[str, Any] = {"new": named, "distinct": len(new), "rows": sum(new.values())}
    if not values or "new" not in stats:
        kind = next((k for s, k in (("odd", "encoding"), ("blanks", "blanks"), ("lower", "case")) if s in stats), None)
        if kind is not None:
            return Fault(kind, (column,), {"repair": REPAIRS[kind]} | _shares(stats[_STATISTIC[kind]]), excess=excess)
        if "length" in stats:
            return Fault("form of texts", (column,), {"now": stats["length"].value, "usual": stats["length"].usual},
                         excess=excess)  # fmt: skip
        return Fault("category shares", (column,), _shares(stats["mix"]), excess=excess) if "mix" in stats else None
    if sum(many for value, many in new.items() if BROKEN in value) >= EXPLAINED * sum(new.values()):
        return Fault("encoding", (column,), facts | {"repair": REPAIRS["encoding"]}, excess=excess)
    for kind, repair in _TEXT_REPAIRS.items():
        texts = known | {_fold(v, kind) for v in known}
        explained = sum(many for value, many in new.items() if repair(value) & texts)
        if explained >= EXPLAINED * sum(new.values()):
            return Fault(kind, (column,), facts | {"repair": REPAIRS[kind]}, True, excess)
    usual = np.median([len(p.values.get(column, {})) for p in history])
    if sum(new.values()) >= EXPLAINED * sum(values.values()):
        return Fault("keys changed", (column,), facts, excess=excess)
    return Fault("category explosion" if len(new) > max(0.3 * usual, NAMED) else "new categories", (column,), facts,
                 excess=excess)  # fmt: skip


def _fold(value: str, kind: str) -> str:
    if kind == "case":
        return value.casefold()
    return value.strip() if kind == "blanks" else value


def _decoded(value: str) -> set[str]:
    """What a text may have been before it was read, or written, in the wrong encoding."""
    found = set()
    for wrong in ("cp1252", "latin-1"):
        for there, back in ((wrong, "utf-8"), ("utf-8", wrong)):
            try:
                found.add(value.encode(there).decode(back))
            except (UnicodeEncodeError, UnicodeDecodeError):
                continue
    return found - {value}


REPAIRS = {"blanks": "trim({c})", "case": "upper({c}) or lower({c})", "encoding": "the encoding of the file"}
_STATISTIC = {"blanks": "blanks", "case": "lower", "encoding": "odd"}
_TEXT_REPAIRS = {
    "blanks": lambda value: {value.strip()} - {value},
    "case": lambda value: {value.casefold()},
    "encoding": _decoded,
}


# ---- slices and pairs


def _is_lost(c: Compared) -> bool:
    """Whether a slice has hardly any rows left."""
    return natural("slice", c.value) < GONE * natural("slice", c.usual)


def _of_slices(slices: Iterable[Compared]) -> Iterator[Fault]:
    for c in slices:
        rows, usual = natural("slice", c.value), natural("slice", c.usual)
        kind = "lost slice" if _is_lost(c) else "rows of a slice"
        facts = {"slice": c.other, "rows": 0 if rows < 1 else round(rows), "usual": round(usual)}
        yield Fault(kind, (c.column,), facts | {"repair": c.other}, excess=c.excess)


def _of_pairs(
    profile: Profile, history: Sequence[Profile], outside: Iterable[Compared], done: set[str]
) -> Iterator[Fault]:
    pairs = [c for c in outside if c.statistic == "order" and not {c.column, c.other} - {CLOCK} & done]
    while pairs:
        often = [n for c in pairs for n in (c.column, c.other)]
        column = max((n for n in dict.fromkeys(often) if n != CLOCK), key=often.count)
        own = [c for c in pairs if column in (c.column, c.other)]
        pairs = [c for c in pairs if column not in (c.column, c.other)]
        worst = max(own, key=lambda c: c.excess)
        other = worst.other if column == worst.column else worst.column
        now, usual = natural("order", worst.value), natural("order", worst.usual)
        kind = "turned relation" if now * usual < 0 and abs(now) > abs(usual) / 2 else "lost relation"
        columns = (column, other) if len(own) == 1 and other != CLOCK else (column,)  # either may be the bad one
        turned = now * usual < 0 and abs(now) > 2 / sqrt(profile.rows)
        flags = [c for c in columns if turned and _is_flag(c, [profile, *history])]
        if len(flags) == 1:  # a flag has no other way to turn
            kind, columns = "flipped values", (flags[0],)
        yield Fault(kind, columns, {"other": other, "now": now, "usual": usual}, excess=worst.excess)
