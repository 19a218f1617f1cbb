"""A first ``features.sql``: the columns as they come, the calendar, and how things went so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from homeostat.scaffold.profile.batch_period import DAY
from homeostat.scaffold.profile.identifiers import PREFIXES, TAKEN, quoted
from homeostat.scaffold.profile.profile_table import label_of

if TYPE_CHECKING:
    from homeostat.scaffold.draft.roles import Choices
    from homeostat.scaffold.profile.profile_table import Column, Understanding

SPLIT = 400 * DAY  # of history from which months come again


@dataclass(frozen=True)
class Feature:
    """One line of the SELECT; ``part`` is where it stands, ``said`` what it is."""

    name: str
    sql: str
    said: str
    part: str


@dataclass(frozen=True)
class FeatureDraft:
    sql: str
    features: tuple[Feature, ...]
    history: timedelta
    drawer: Drawer

    def saying(self, features: Sequence[Feature]) -> FeatureDraft:
        """The same with other comments."""
        return FeatureDraft(self.drawer.text(features), tuple(features), self.history, self.drawer)


def draft(found: Understanding, choices: Choices) -> FeatureDraft:
    """The SELECT and what is in it."""
    drawer = Drawer(found, choices)
    features = drawer.features()
    return FeatureDraft(drawer.text(features), tuple(features), drawer.history(), drawer)


class Drawer:
    """Collects the parts of the query: common tables, joins, and lines of the SELECT."""

    def __init__(self, found: Understanding, choices: Choices) -> None:
        self.found, self.choices = found, choices
        self.source = quoted(found.table.name)
        self.parts: list[str] = []
        self.joins: list[str] = []
        self.taken = {n.lower() for n in (*TAKEN, *found.table.names)}

    def features(self) -> list[Feature]:
        found: list[Feature] = [*self._as_given(), *self._ratios(), *self._calendar(), *self._other_times()]
        found += self._labels((), "all")
        for thing in self.choices.things:
            found += self._labels((thing,), thing)
        if self.found.series:
            found += self._lags() + self._moves()
        found += self._contexts()
        return found

    def history(self) -> timedelta:
        longest = self._windows(self.choices.things)[1]
        wanted = longest + self.found.horizon + self.found.asked.predict_before + self.found.rhythm.period
        lags = [length for _, length in self._lag_lengths()] if self.found.series else []
        wanted = max([wanted, *(length + self.found.rhythm.period for length in lags)])
        if self.found.delays:
            most = self.found.bound.most if self.found.bound else self.found.delays[0.95]
            wanted = max(wanted, most + longest)
        return -(-wanted // DAY) * DAY if wanted > DAY else -(-wanted // timedelta(hours=1)) * timedelta(hours=1)

    def text(self, features: Sequence[Feature]) -> str:
        head = (
            "-- Every feature of the project, once: one row an event, each from what was known before its predict_at.\n"
            f"-- `events` are the rows of {self.found.table.name} as they were known then; "
            "`outcome_known_at` says when a\n"
            "-- label came. Sums are over whole numbers and decimals, so that they are the same in any order.\n"
            "-- MATERIALIZED: the service keeps it from one request to the next.\n"
        )
        common = "WITH\n" + ",\n".join(self.parts) + "\n" if self.parts else ""
        keys = ", ".join(f"e.{quoted(k)}" for k in self.found.table.key)
        lines: list[tuple[str, str]] = [(f"    {keys},", "")]
        part = ""
        for feature in features:
            if feature.part != part:
                lines.append((f"    -- {feature.part}", ""))
                part = feature.part
            named = "" if feature.sql.split(".", 1)[-1] == quoted(feature.name) else f" AS {quoted(feature.name)}"
            lines.append((f"    {feature.sql}{named},", feature.said))
        last = max(n for n, (code, _) in enumerate(lines) if not code.lstrip().startswith("--"))
        lines[last] = (lines[last][0].rstrip(","), lines[last][1])
        wide = min(64, max(len(code) for code, _ in lines))
        body = "\n".join(f"{code:<{wide}}  -- {said}" if said else code for code, said in lines)
        return f"{head}{common}SELECT\n{body}\nFROM events e\n" + "".join(f"{j}\n" for j in self.joins)

    # ---- the row itself

    def _as_given(self) -> list[Feature]:
        c, found = self.choices, list[Feature]()
        key = set(self.found.table.key)
        for name in [*c.numbers, *c.flags, *c.words, *c.codes]:
            column = self.found.table.column(name)
            sql = f"e.{quoted(name)}"
            if name in c.flags:
                sql = f"CAST({sql} AS INT)"
            elif name in c.codes and column.distinct <= 500:
                sql = f"CAST({sql} AS VARCHAR)"
            called = self._named(f"{name}_is") if name in key else name
            found.append(Feature(called, sql, _described(column, name in c.codes), "as the event comes"))
        return found

    def _ratios(self) -> list[Feature]:
        return [
            Feature(self._named(f"{one}_per_{two}"), f"e.{quoted(one)} / nullif(e.{quoted(two)}, 0)", "",
                    "ratios that tell more than their parts")
            for one, two in self.choices.ratios
        ]  # fmt: skip

    def _calendar(self) -> list[Feature]:
        step, long_enough = self.found.step, self.found.history > SPLIT
        part, found = "the calendar", list[Feature]()
        fine = step is None or step < DAY
        if fine:
            found.append(Feature(self._named("hour"), "hour(e.event_time)", "of the day, UTC", part))
        if step is None or step < 7 * DAY:
            found.append(Feature(self._named("weekday"), "isodow(e.event_time)", "1 is Monday", part))
        if long_enough and (step is None or step < 300 * DAY):
            found.append(Feature(self._named("month"), "month(e.event_time)", "of the year", part))
        if not self.found.series:  # the newest labels of a series say where it stands; elsewhere they come late
            found.append(self._so_far("day_of_history", "e.event_time", part))
        return found

    def _so_far(self, name: str, time: str, part: str) -> Feature:
        """Tells the newest from what was before, so that a model can follow what changed."""
        sql = f"date_diff('day', DATE '{self.found.start:%Y-%m-%d}', {time})"
        return Feature(self._named(name), sql, "days since the history began: what is new can differ", part)

    def _other_times(self) -> list[Feature]:
        found = []
        for name in self.choices.times:
            sql = f"e.{quoted(name)}"
            part = "other times of the row"
            found.append(
                Feature(
                    self._named(f"{name}_days"), f"date_diff('day', e.event_time, {sql})", "days from the event", part
                )
            )
            found.append(Feature(self._named(f"{name}_weekday"), f"isodow({sql})", "1 is Monday", part))
            if self.found.history > SPLIT:
                found.append(Feature(self._named(f"{name}_month"), f"month({sql})", "of the year", part))
            if not self.found.series:
                found.append(self._so_far(f"{name}_day_of_history", sql, part))
        return found

    # ---- labels so far

    def _labels(self, by: tuple[str, ...], called: str) -> list[Feature]:
        """Trailing means of labels that were known and mature, of all events or by a thing."""
        word = "told" if not by else f"told_by_{_bare(called)}"
        lately = "lately" if not by else f"lately_by_{_bare(called)}"
        keys = "".join(f"{quoted(b)}, " for b in by)
        label = self.choices.objective.lower()
        of = f" of each {called}" if by else ""
        briefly, at_length = self._windows(by)
        short, long = _words(briefly), _words(at_length)
        there = {c.name for c in self.found.table.columns}
        value = next(name for name in ("y", "label_value", "the_value_of_the_label") if name not in there)
        known = "outcome_known_at"
        if self.found.delays and self.found.bound is None:  # those that came early are a biased sample
            known = f"greatest(outcome_known_at, event_time + {_interval(self.found.horizon)})"
        self.parts.append(
            f"-- labels{of} by the moment from which they count: known, and mature\n"
            f"{word} AS MATERIALIZED (\n"
            f"    SELECT {keys}{known} AS known, sum({value}) AS total, count(*) AS many\n"
            f"    FROM (SELECT *, {self._exact(self.found.label.sql)} AS {value} FROM {self.source})\n"
            f"    WHERE {value} IS NOT NULL GROUP BY ALL\n)"
        )
        partition = f"PARTITION BY {keys.rstrip(', ')} " if by else ""
        extra = ""
        if self.found.series:
            extra = (
                ",\n        total / many AS newest,\n"
                f"        lag(total / many) OVER ({partition}ORDER BY known) AS newest_but_one"
            )
        self.parts.append(
            f"{lately} AS MATERIALIZED (\n"
            f"    SELECT {keys}known,\n"
            f"        sum(total) OVER briefly / sum(many) OVER briefly AS mean_{short},\n"
            f"        sum(total) OVER at_length / sum(many) OVER at_length AS mean_{long}{extra}\n"
            f"    FROM {word}\n"
            f"    WINDOW briefly AS ({partition}ORDER BY known RANGE {_interval(briefly)} PRECEDING),\n"
            f"        at_length AS ({partition}ORDER BY known RANGE {_interval(at_length)} PRECEDING)\n)"
        )
        equal = "".join(f"{lately}.{quoted(b)} = e.{quoted(b)} AND " for b in by)
        self.joins.append(
            f"ASOF LEFT JOIN {lately}\n    ON {equal}{lately}.known < e.predict_at"
            if by
            else f"ASOF LEFT JOIN {lately} ON {lately}.known < e.predict_at"
        )
        part = f"{self.found.label.column} so far{of}: the last of its trailing means before predict_at"
        stem = label if not by else f"{_bare(called)}_{label}"
        lines = [
            Feature(self._named(f"{stem}_{short}"), f"{lately}.mean_{short}", f"mean over {short}", part),
            Feature(self._named(f"{stem}_{long}"), f"{lately}.mean_{long}", f"mean over {long}", part),
        ]
        if self.found.series and (by or not self.choices.things):
            lines += [
                Feature(self._named(f"{stem}_newest"), f"{lately}.newest", "the last one known", part),
                Feature(self._named(f"{stem}_newest_but_one"), f"{lately}.newest_but_one", "the one before", part),
            ]
        return lines

    def _windows(self, by: tuple[str, ...]) -> tuple[timedelta, timedelta]:
        """Of one thing among many there are fewer labels: they are followed for longer."""
        if not by or self.found.series:
            return self.choices.short, self.choices.long
        return self.choices.long, min(
            3 * self.choices.long, max(self.choices.long, self.found.history / 4 // DAY * DAY)
        )

    def _lags(self) -> list[Feature]:
        """The label of the same thing at the same time before."""
        found, label = [], self.choices.objective.lower()
        for name, length in self._lag_lengths():
            alias = f"{name}_before"
            same = "".join(f" AND {alias}.{quoted(t)} = e.{quoted(t)}" for t in self.choices.things)
            self.joins.append(
                f"LEFT JOIN {self.source} {alias} ON {alias}.event_time = e.event_time - {_interval(length)}{same}\n"
                f"    AND {alias}.outcome_known_at < e.predict_at"
            )
            value = f"CAST({_aliased(self.found, alias)} AS DOUBLE)"
            found.append(Feature(self._named(f"{label}_{alias}"), value, "at the same time", "the same time before"))
        return found

    def _lag_lengths(self) -> list[tuple[str, timedelta]]:
        step = self.found.step or DAY
        wanted = [("a_day", DAY, step < DAY), ("a_week", 7 * DAY, step <= DAY), ("a_year", 364 * DAY, step >= DAY)]
        longest = self.found.history * 0.4
        return [(n, d) for n, d, fits in wanted if fits and d > step and not d % step and d <= longest]

    def _moves(self) -> list[Feature]:
        """How the main numbers moved until now, the event's own among them."""
        if not self.choices.moving:
            return []
        things = self.choices.things
        keys = "".join(f"{quoted(t)}, " for t in things)
        partition = f"PARTITION BY {keys.rstrip(', ')} " if things else ""
        short, lines, found = _words(self.choices.short), [], []
        part = f"how the numbers moved: against the one before, and against their mean of {short}"
        for name in self.choices.moving:
            change, over = self._named(f"{name}_change"), self._named(f"{name}_over_{short}")
            n, exact = quoted(name), self._exact(quoted(name), of_label=False)
            lines.append(f"        {n} - lag({n}) OVER so_far AS {quoted(change)}")
            lines.append(f"        {n} - avg({exact}) OVER briefly AS {quoted(over)}")
            found += [
                Feature(change, f"moved.{quoted(change)}", "", part),
                Feature(over, f"moved.{quoted(over)}", "", part),
            ]
        self.parts.append(
            "-- each row beside those before it: what came with an event is known when it is asked about\n"
            f"moved AS MATERIALIZED (\n    SELECT {keys}event_time, given_known_at,\n"
            + ",\n".join(lines)
            + f"\n    FROM {self.source}\n"
            f"    WINDOW so_far AS ({partition}ORDER BY event_time),\n"
            f"        briefly AS ({partition}ORDER BY event_time RANGE {_interval(self.choices.short)} PRECEDING)\n)"
        )
        same = "".join(f" AND moved.{quoted(t)} = e.{quoted(t)}" for t in things)
        self.joins.append(
            f"LEFT JOIN moved ON moved.event_time = e.event_time{same} AND moved.given_known_at < e.predict_at"
        )
        return found

    def _contexts(self) -> list[Feature]:
        found = []
        for context in self.found.contexts:
            table, name = context.table, quoted(context.table.name)
            join = [self.found.table.column(_own(self.found, said)).name for said in context.join]
            theirs = [k for k, _ in zip(table.key, join, strict=False)]
            equal = " AND ".join(f"{name}.{quoted(t)} = e.{quoted(o)}" for t, o in zip(theirs, join, strict=True))
            if table.time is None:
                self.joins.append(f"LEFT JOIN {name} ON {equal}")
            else:
                self.joins.append(f"ASOF LEFT JOIN {name} ON {equal} AND {name}.given_known_at < e.predict_at")
            for column in table.columns:
                usable = column.kind in ("integer", "float", "boolean") or (
                    column.kind == "string" and column.distinct <= 500
                )
                if column.name in table.key or not usable or column.distinct <= 1:
                    continue
                sql = f"{name}.{column.sql}" if column.kind != "boolean" else f"CAST({name}.{column.sql} AS INT)"
                found.append(
                    Feature(
                        self._named(f"{table.name}_{column.name}"), sql, _described(column, False), f"from {table.name}"
                    )
                )
        return found

    # ---- words

    def _exact(self, sql: str, of_label: bool = True) -> str:
        """A number whose sum does not depend on the order of its parts."""
        if of_label and self.found.label.task == "binary":
            return f"CAST(({sql}) AS INT)"
        return f"TRY_CAST({sql} AS DECIMAL(38, 8))"

    def _named(self, wanted: str) -> str:
        """A name that no other feature or column has."""
        name = wanted if not wanted.lower().startswith(PREFIXES) else f"the_{wanted}"
        while name.lower() in self.taken:
            name += "_"
        self.taken.add(name.lower())
        return name


def _own(found: Understanding, said: str) -> str:
    return next(c.name for c in found.table.columns if said in (c.raw, c.name) or said.lower() == c.raw.lower())


def _aliased(found: Understanding, alias: str) -> str:
    """The label of another row."""
    return label_of(found.label, alias)


def _described(column: Column, code: bool) -> str:
    said = []
    if code:
        said.append("a code")
    if column.raw != column.name:
        said.append(column.raw.replace("\n", " "))
    if column.missing > 0.005:
        said.append(f"{column.missing:.0%} missing")
    return ", ".join(said)


def _bare(name: str) -> str:
    """A part of a name: letters, digits and _ of any script."""
    return name.lower()


def _interval(length: timedelta) -> str:
    """A length as SQL says it."""
    seconds = int(length.total_seconds())
    for unit, size in (("DAY", 86400), ("HOUR", 3600), ("MINUTE", 60)):
        if seconds % size == 0 and seconds:
            return f"INTERVAL {seconds // size} {unit}"
    return f"INTERVAL {seconds} SECOND"


interval = _interval


def _words(length: timedelta) -> str:
    return f"{length // DAY}d" if length >= DAY else f"{length // timedelta(hours=1)}h"
