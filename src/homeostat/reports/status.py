"""The status: what an on-call engineer needs first, on one screen. Reads stored records and the tags, nothing heavy."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from homeostat.adapters.git import read_ledger
from homeostat.core.incidents import kind
from homeostat.core.periods import floor, period_of
from homeostat.core.text import metric_name
from homeostat.decisions import history
from homeostat.decisions.history import Batch, Decided
from homeostat.project.clock import clock_now, next_tick
from homeostat.project.up_address import where

if TYPE_CHECKING:
    from homeostat.core.incidents import Incident
    from homeostat.core.ledger import ReleaseEvent
    from homeostat.project.layout import Project

DAYS = 7  # of batches that are looked at, and as many periods at least
LOOKS = 12  # decisions among which one that saw what serves is looked for
SHOWN = 3  # decisions, and open things of each kind
TOLD = ("auc", "r2", "ndcg", "calibration")  # metrics that are told beside the loss
LEFT = 11  # width of the left column
HEALTH = ("quality", "against the baseline", "calibration")  # kinds of findings that say how the champion does


@dataclass(frozen=True)
class Status:
    """What is on record; times are naive UTC."""

    project: str
    folder: str
    stale: bool  # the loop should have run and has not
    as_of: datetime | None  # of the data; None before the first tick
    serves: ReleaseEvent | None
    tried: ReleaseEvent | None  # beside it, as a canary or in shadow
    looked: Decided | None  # the last decision that looked at what serves, and saw events mature
    promised: tuple[str, ...]  # what it promised, a line an objective
    incidents: tuple[Incident, ...]  # open ones
    held: tuple[Batch, ...]  # batches of the last days that are missing or held, whole or in part
    decided: tuple[Decided, ...]  # the last ones, the newest first
    next: tuple[tuple[str, datetime], ...]
    up: str | None  # address of the server, where it is up
    page: str | None


def read(project: Project) -> Status:
    """What is on record now.

    Raises:
        EnvironmentFault: the ledger or a record cannot be read.
    """
    scope, ledger = project.scope, project.ledger
    started = ledger.window_file.is_file()
    as_of = ledger.window[1] if started else None
    now, over = clock_now(project), (project.state / "replay.json").is_file()  # a replay is over when it has ended
    released = read_ledger(project.home, scope.project)
    serves = released.champion
    decided = history.decisions(project, last=LOOKS)
    looked = next((d for d in reversed(decided) if serves and d.release == serves.version and d.quality), None)
    return Status(
        project=scope.project,
        folder=str(project.home),
        stale=as_of is not None and not over and now - as_of > 2 * scope.rhythm.tick,
        as_of=as_of,
        serves=serves,
        tried=released.rollout,
        looked=looked,
        promised=tuple(_promised(project, serves)),
        incidents=tuple(i for i in history.incidents(project) if i.closed is None),
        held=tuple(_recent(project, as_of)) if as_of is not None else (),
        decided=tuple(reversed(decided[-SHOWN:])),
        next=tuple(_next(project, as_of)),
        up=where(project),
        page=str(project.report_page) if project.report_page.is_file() else None,
    )


def _promised(project: Project, serves: ReleaseEvent | None) -> list[str]:
    """From the unpacked release, where there is one."""
    path = project.releases / serves.bundle / "evaluation.json" if serves else None
    return history.promised(json.loads(path.read_text())) if path and path.is_file() else []


def _recent(project: Project, as_of: datetime) -> Iterator[Batch]:
    scope = project.scope
    for batch in history.held_back(project.ledger, last=DAYS):
        every = scope.sources[batch.source].period
        if every == "once" or period_of(batch.label, every, scope.rhythm.offset).end > as_of - max(
            timedelta(days=DAYS), DAYS * every
        ):
            yield batch


def _next(project: Project, as_of: datetime | None) -> Iterator[tuple[str, datetime]]:
    rhythm = project.scope.rhythm
    yield "data and predictions", next_tick(project)
    if as_of is not None:
        yield "decision", floor(as_of, rhythm.decide, rhythm.offset) + rhythm.decide
        judged = [d.at for d in history.decisions(project, last=60) if d.candidate]
        if judged:
            yield "fresh candidate, at the latest", judged[-1] + rhythm.retrain


# ---- as text


def text(status: Status, width: int | None = None) -> str:
    """One screen, styled for a terminal; ``click.echo`` takes the style away where there is none."""
    width = min(width or shutil.get_terminal_size((100, 24)).columns, 120)
    rows = [*_head(status), *_serves(status), *_does(status), *_open(status), *_decided(status), *_soon(status)]
    return "\n".join(_row(left, said, style, width) for left, said, style in rows)


Row = tuple[str, str, Mapping[str, Any]]  # left column, text, style
PLAIN: Mapping[str, Any] = {}
BAD: Mapping[str, Any] = {"fg": "red"}
GOOD: Mapping[str, Any] = {"fg": "green"}
DIM: Mapping[str, Any] = {"dim": True}
BOLD: Mapping[str, Any] = {"bold": True}


def _row(left: str, said: str, style: Mapping[str, Any], width: int) -> str:
    import click

    body = textwrap.wrap(said, width - LEFT, break_long_words=False, break_on_hyphens=False) or [""]
    lines = [click.style(line, **style) for line in body]
    return f"{left:{LEFT}}" + ("\n" + " " * LEFT).join(lines)


def _head(status: Status) -> Iterator[Row]:
    as_of = f"data as of {_when(status.as_of)} UTC" if status.as_of else "no data yet"
    troubles = len(status.incidents) + len([b for b in _alone(status) if b.verdict.status != "accepted"])
    word = "nothing open" if not troubles else f"{troubles} open"
    yield status.project, f"{as_of}; {word}", BOLD


def _serves(status: Status) -> Iterator[Row]:
    event = status.serves
    if event is None:
        yield "serves", "nothing yet", BAD
        yield from _first_steps(status)
        return
    how = "rolled back to" if event.action == "rollback" else "promoted"
    yield "serves", f"{event.version} since {_when(event.at)}, {how} by {event.who}", BOLD
    yield "why", _short(event.why), PLAIN
    if (tried := status.tried) is not None:
        yield "tried", f"{tried.version} beside it, {tried.what}, since {_when(tried.at)} by {tried.who}", PLAIN


def _first_steps(status: Status) -> Iterator[Row]:
    if status.as_of is None:
        yield "first", "homeostat check scope    what this project is set to do", PLAIN
        yield "", "homeostat run data       take in the first batch", PLAIN
        yield "", "homeostat up             serve the schedules, so that all of it runs by itself", PLAIN
    else:
        yield "first", "the loop releases the baseline as soon as events are mature: homeostat run lifecycle", PLAIN


def _does(status: Status) -> Iterator[Row]:
    if status.serves is None:
        return
    if status.looked is None:
        yield "does", "not known yet: at the last decision no event that it predicted was mature", DIM
        for line in status.promised:
            yield "", f"promised {line}", DIM
        return
    left = "does"
    for objective, found in status.looked.quality.items():
        if objective != "money":
            yield left, f"{objective}: {_figures(found)} ({found['rows']:,} events)", PLAIN
            left = ""
    money = status.looked.quality.get("money")
    if money and money["cost"]["value"] is not None:
        cost, silence = money["cost"]["value"], money["silence"]
        saved = f"{1 - cost / silence:.0%} less than" if cost <= silence and silence else "no less than"
        many = f"{money['alerts']:,} alerts, {money['needless']:,} not needed"
        yield "money", f"cost {cost:,.0f}, {saved} the {silence:,.0f} of no alerts at all; {many}", PLAIN
    yield from _health(status, status.looked)


def _health(status: Status, looked: Decided) -> Iterator[Row]:
    """What fails and has no incident in words, what cannot be said by name, and the rest in one line."""
    found = [f for f in looked.findings if kind(f.rule) in HEALTH]
    told = {incident.problem for incident in status.incidents}
    failing = [f for f in found if f.failed]
    yield from (("", f"!! {f.sentence}", BAD) for f in failing if f.rule not in told)
    unsure = [f.rule for f in found if f.outcome == "too few to say"]
    if unsure:
        yield "", f"?? too few events to say: {', '.join(unsure)}", DIM
    if found and not failing:
        yield "", f"ok {len(found) - len(unsure)} rules against promise, baseline and truth hold", GOOD


def _figures(found: Mapping[str, Any]) -> str:
    told = []
    metrics = found.get("metrics", {})
    for metric in dict.fromkeys([*list(metrics)[:1], *[m for m in metrics if m in TOLD]]):
        both = metrics[metric]
        now, then = both["realised"], both["promised"]
        if now is not None:
            told.append(f"{metric_name(metric)} {now:.3f}" + (f" (promised {then:.3f})" if then is not None else ""))
    return ", ".join(told) or "too few events to say"


def _open(status: Status) -> Iterator[Row]:
    left = "open"
    if status.stale and status.as_of is not None:
        yield left, f"!! no tick has been completed since {_when(status.as_of)}; homeostat run lifecycle, or up", BAD
        left = ""
    for incident in status.incidents[:SHOWN]:
        yield left, f"!! {incident.problem}, since {incident.opened:%Y-%m-%d}: {_short(incident.sentence)}", BAD
        left = ""
    for batch in _alone(status)[:SHOWN]:
        yield left, f"- {_short(batch.sentence)}", PLAIN
        left = ""
    more = max(len(status.incidents) - SHOWN, 0) + max(len(_alone(status)) - SHOWN, 0)
    if more:
        yield left, f"and {more} more: homeostat data review; reports/incidents", DIM
    elif left and status.as_of is not None:
        yield left, "nothing; every batch of the last days is in, whole", GOOD


def _alone(status: Status) -> list[Batch]:
    """Batches held of a source that no open incident is about, the newest first."""
    told = {part for incident in status.incidents for part in incident.problem.split(": ")}
    return [batch for batch in reversed(status.held) if not {"batch", batch.source} <= told]


def _decided(status: Status) -> Iterator[Row]:
    left = "decided"
    for one in status.decided:
        yield left, f"{one.at:%Y-%m-%d} {one.action}: {_short(one.sentence)}", PLAIN
        left = ""


def _soon(status: Status) -> Iterator[Row]:
    left = "next"
    for what, when in status.next:
        yield left, f"{_when(when)}  {what}", PLAIN
        left = ""
    if status.up is not None:
        yield "up", f"schedules run; look at {status.up.removesuffix('/api')}", GOOD
    else:
        yield "up", "no: schedules do not run; start them with homeostat up", PLAIN if status.serves else DIM
    if status.page is not None:
        yield "page", status.page, DIM


def _when(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _short(sentence: str) -> str:
    return textwrap.shorten(sentence, 150, placeholder=" ...")
