"""The status: what an on-call engineer needs first, on one screen. Reads stored records and the tags, nothing heavy."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from homeostat.adapters.git import read_ledger
from homeostat.core.findings import TOO_FEW
from homeostat.core.headlines import headline
from homeostat.core.ledger import is_continued, release_line
from homeostat.core.periods import floor, period_of
from homeostat.core.rules import ON_QUALITY, Rule
from homeostat.core.sentences import sentence
from homeostat.core.text import count, metric_name, percent, printable
from homeostat.decisions import history
from homeostat.decisions.history import Batch, Decided
from homeostat.monitoring.answers import answered_incidents
from homeostat.monitoring.loop_health import loop_findings
from homeostat.monitoring.notices import unsent
from homeostat.project.clock import clock_now, next_tick
from homeostat.project.up_address import Running, running
from homeostat.project.window import read_window
from homeostat.reports.estimates import estimate_lines
from homeostat.reports.learning import learning_line
from homeostat.reports.open_items import OpenItem, open_items

if TYPE_CHECKING:
    from homeostat.core.ledger import ReleaseEvent
    from homeostat.project.layout import Project

DAYS = 7  # of batches that are listed, and as many periods at least
DECISIONS = 12  # among which one that measured the champion is searched for
SHOWN = 3  # decisions, and open problems
LONGEST = 300  # characters of an open problem: the fix stands at its end
METRICS = ("auc", "r2", "ndcg", "calibration")  # shown beside the loss
NOTIFY = "alerts.notify"
LEFT = 11  # width of the left column


@dataclass(frozen=True)
class Status:
    """What is on record; times are naive UTC."""

    project: str
    folder: str
    as_of: datetime | None  # of the data; None before the first tick
    champion: ReleaseEvent | None
    rollout: ReleaseEvent | None  # a release beside it, as a canary or in shadow
    measured: Decided | None  # the last decision that measured the champion on mature events
    promised: tuple[str, ...]  # what it promised, a line an objective
    learning: str  # what its continuations came to, as served; empty where it is none
    open: tuple[OpenItem, ...]
    decisions: tuple[Decided, ...]  # the last ones, the newest first
    next: tuple[tuple[str, datetime], ...]
    up: Running | None  # the addresses of the server and of its pages, where it is up
    page: str | None


def read(project: Project) -> Status:
    """What is on record now.

    Raises:
        EnvironmentFault: the ledger or a record cannot be read.
    """
    scope, tree = project.scope, project.worktree
    as_of = read_window(tree).as_of if tree.window_file.is_file() else None
    ledger = read_ledger(project.home, scope.project)
    champion = ledger.champion
    last = history.decisions(project, last=DECISIONS)
    recent = tuple(_recent(project, as_of)) if as_of is not None else ()
    now = clock_now(project)
    answered = [one for one in answered_incidents(project) if one.incident.closed is None]
    rests = {one.incident.problem: rest for one in answered if (rest := one.settled or one.snooze(now)) is not None}
    owners = {one.incident.problem: one.owner for one in answered}
    line = release_line(champion.version) if champion else ""
    measured = next((d for d in reversed(last) if champion and release_line(d.release) == line and d.quality), None)
    return Status(
        project=scope.project,
        folder=str(project.home),
        as_of=as_of,
        champion=champion,
        rollout=ledger.rollout,
        measured=measured,
        promised=tuple(_promised(project, champion)),
        learning=learning_line(project, line) if champion and is_continued(champion.version) else "",
        open=(
            *_unsent(project),
            *open_items(loop_findings(project, now), [a.incident for a in answered], recent, rests, owners),
        ),
        decisions=tuple(reversed(history.with_outcomes(project, last)[-SHOWN:])),
        next=tuple(_next(project, as_of)),
        up=running(project),
        page=str(project.report_page) if project.report_page.is_file() else None,
    )


def _unsent(project: Project) -> Iterator[OpenItem]:
    """That the last message about an incident was not taken: whoever waits for one should know."""
    if (failed := unsent(project)) is not None:
        text = f"messages: the one of {when(failed.at)} was not sent: {failed.problem}; see {NOTIFY} in params.yaml"
        yield OpenItem(text, "homeostat run lifecycle", "it is tried again at every run")


def _promised(project: Project, champion: ReleaseEvent | None) -> list[str]:
    """From the unpacked release, where there is one."""
    path = project.releases / champion.bundle / "evaluation.json" if champion else None
    return history.promised(json.loads(path.read_text())) if path and path.is_file() else []


def _recent(project: Project, as_of: datetime) -> Iterator[Batch]:
    scope = project.scope
    for batch in history.not_accepted(project.worktree, last=DAYS):
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
        recent, scope = history.decisions(project, last=60), project.scope
        fits = {name: history.last_fit(recent, name) for name in scope.objectives}
        due = [fit + scope.retrain_every(name) for name, fit in fits.items() if fit is not None]
        if due:
            yield "fresh candidate, at the latest", min(due)


# ---- as text


def text(status: Status, width: int | None = None) -> str:
    """One screen, styled for a terminal; ``click.echo`` takes the style away where there is none."""
    width = min(width or shutil.get_terminal_size((100, 24)).columns, 120)
    parts = (_head, _state, _open, _release, _learning, _quality, _estimated, _decisions, _soon)
    rows = [row for part in parts for row in part(status)]
    return "\n".join(_row(left, line, style, width) for left, line, style in rows)


def screen_text(lines: Iterable[tuple[str, str]], width: int | None = None) -> str:
    """Lines of (what, text), laid out as the status is."""
    width = min(width or shutil.get_terminal_size((100, 24)).columns, 120)
    return "\n".join(_row(left, line, BOLD if place == 0 else PLAIN, width) for place, (left, line) in enumerate(lines))


Row = tuple[str, str, Mapping[str, Any]]  # left column, text, style
PLAIN: Mapping[str, Any] = {}
BAD: Mapping[str, Any] = {"fg": "red"}
GOOD: Mapping[str, Any] = {"fg": "green"}
DIM: Mapping[str, Any] = {"dim": True}
BOLD: Mapping[str, Any] = {"bold": True}


def _row(left: str, line: str, style: Mapping[str, Any], width: int) -> str:
    import click

    body = textwrap.wrap(printable(line), width - LEFT, break_long_words=False, break_on_hyphens=False) or [""]
    lines = [click.style(part, **style) for part in body]
    return f"{printable(left):{LEFT}}" + ("\n" + " " * LEFT).join(lines)


def _head(status: Status) -> Iterator[Row]:
    as_of = f"data as of {when(status.as_of)} UTC" if status.as_of else "no data yet"
    yield status.project, f"{as_of}; {f'{len(status.open)} open' if status.open else 'nothing open'}", BOLD


class State(NamedTuple):
    """Whether a person is needed, in one line."""

    text: str
    urgent: bool


def state(status: Status) -> State | None:
    """Whether a person is needed; None before the first data."""
    if status.as_of is None:
        return None
    urgent = sum(item.alerts for item in status.open)
    if urgent:
        return State(f"{count(urgent, 'problem')} open: begin with the first below, and with its command", True)
    if status.open:
        return State(f"well: {count(len(status.open), 'note')} below, and none that cannot wait", False)
    if status.champion is None:
        return State("well: nothing needs you; nothing is in service yet", False)
    return State("well: nothing needs you; every batch of the last days was accepted whole", False)


def _state(status: Status) -> Iterator[Row]:
    if (now := state(status)) is not None:
        yield "state", now.text, BAD if now.urgent else GOOD


def _release(status: Status) -> Iterator[Row]:
    event = status.champion
    if event is None:
        yield "release", "none in service yet", BAD
        yield from _first_steps(status)
        return
    how = "rolled back to" if event.action == "rollback" else "promoted"
    yield "release", f"{event.version} since {when(event.at)}, {how} by {event.who}", BOLD
    yield "why", _short(event.why), PLAIN
    if (tried := status.rollout) is not None:
        yield "rollout", f"{tried.version} beside it, {tried.what}, since {when(tried.at)} by {tried.who}", PLAIN


def _learning(status: Status) -> Iterator[Row]:
    if status.learning and status.champion is not None:
        yield "learning", f"continues {release_line(status.champion.version)}.0; {status.learning}", PLAIN


def _first_steps(status: Status) -> Iterator[Row]:
    if status.as_of is None:
        yield "first", "homeostat check scope    show what this project is set to do", PLAIN
        yield "", "homeostat run data       bring in the first batch", PLAIN
        yield "", "homeostat up             run the schedules, so that the loop runs by itself", PLAIN
    else:
        yield "first", "the loop releases the baseline as soon as events are mature: homeostat run lifecycle", PLAIN


def _quality(status: Status) -> Iterator[Row]:
    if status.champion is None:
        return
    if status.measured is None:
        yield "quality", "not measured yet: at the last decision no event that it predicted was mature", DIM
        for line in status.promised:
            yield "", f"promised {line}", DIM
        return
    left = "quality"
    for objective, measured in status.measured.quality.items():
        if objective != "money":
            yield left, f"{objective}: {_figures(measured)} ({count(measured['rows'], 'event')})", PLAIN
            left = ""
    yield from _cost(status.measured.quality.get("money"))
    yield from _health(status.measured)


def _cost(money: Mapping[str, Any] | None) -> Iterator[Row]:
    if not money or money["cost"]["value"] is None:
        return
    cost, silence = money["cost"]["value"], money["silence"]
    saved = f"{percent(1 - cost / silence)} less than" if cost <= silence and silence else "no less than"
    alerts = f"{count(money['alerts'], 'alert')}, {money['needless']:,} false"
    yield "cost", f"{cost:,.0f}, {saved} the {silence:,.0f} of no alerts at all; {alerts}", PLAIN
    if money.get("undecided"):
        left = ", ".join(f"{many:,} {decision}" for decision, many in money["undecided"].items())
        yield "", f"not decided by scores, of the events of the window: {left}", PLAIN


def _health(measured: Decided) -> Iterator[Row]:
    """What good windows had too, the names of the rules that say nothing, and how many passed; what failed is open."""
    findings = [f for f in measured.decision.findings if f.rule in ON_QUALITY]
    yield from (("", f"-- {f.name}, as in good windows: {sentence(f)}", PLAIN) for f in findings if f.usual)
    unsure = [f.name for f in findings if f.outcome == TOO_FEW]
    if unsure:
        yield "", f"?? too little to say: {', '.join(unsure)}", DIM
    for finding in measured.decision.findings:
        if finding.rule == Rule.CHANGE and finding.outcome == TOO_FEW:
            yield "", f"?? alarm budget: {sentence(finding)}", DIM
    passed = len(findings) - len(unsure)
    if passed and not any(f.failed for f in findings):
        yield "", f"ok {count(passed, 'rule')} on promise, baseline and calibration passed", GOOD


def _figures(measured: Mapping[str, Any]) -> str:
    figures = []
    metrics = measured.get("metrics", {})
    for metric in dict.fromkeys([*list(metrics)[:1], *[m for m in metrics if m in METRICS]]):
        both = metrics[metric]
        now, then = both["realised"], both["promised"]
        if now is not None:
            held = measured.get("ranges", {}).get(metric)
            figures.append(f"{metric_name(metric)} {now:.3f}{_promise(held, then)}")
    return ", ".join(figures) or "too little to say"


def _promise(held: Mapping[str, Any] | None, then: float | None) -> str:
    """The range of good windows, on its own scale; where there is none, what the holdout showed."""
    if held is None:
        return "" if then is None else f" (promised {then:.3f})"
    low, high = sorted((held["worst"], held["best"]))
    now = f"{held['now']:.2f} {held['scale']}, " if held["scale"] else ""
    return f" ({now}promised {low:.2f} to {high:.2f})"


def _estimated(status: Status) -> Iterator[Row]:
    left = "estimated"
    for line in estimate_lines(status.measured.quality) if status.measured else ():
        yield left, line, DIM
        left = ""


def _open(status: Status) -> Iterator[Row]:
    left = "open"
    for item in status.open[:SHOWN]:
        mark, style = ("!!", BAD) if item.alerts else ("-", PLAIN)
        yield left, f"{mark} {textwrap.shorten(item.text, LONGEST, placeholder=' ...')}", style
        yield "", f"{' ' * len(mark)} {item.note}", DIM
        left = ""
    if any(item.alerts for item in status.open):
        yield "", "homeostat status --incident shows the worst on one screen, with what to type", DIM
    if len(status.open) > SHOWN:
        yield left, f"and {len(status.open) - SHOWN} more: homeostat status --page", DIM


def _decisions(status: Status) -> Iterator[Row]:
    left = "decisions"
    for one in status.decisions:
        yield left, f"{one.at:%Y-%m-%d}  {_short(headline(one.decision))}", PLAIN
        left = ""
    if status.decisions:
        last = status.decisions[0]
        drift = f"; {last.drift_command} draws its drift" if last.drift_command else ""
        yield "", f"{last.command} prints the last one whole{drift}", DIM


def _soon(status: Status) -> Iterator[Row]:
    left = "next"
    for what, time in status.next:
        yield left, f"{when(time)}  {what}", PLAIN
        left = ""
    if status.up is not None:
        yield "up", f"yes, the schedules run: {status.up.url.removesuffix('/api')}", GOOD
        if status.up.pages:
            yield "pages", f"{status.up.pages} (the password is the token in .homeostat/token)", PLAIN
    else:
        yield "up", "no, the schedules do not run; start them with homeostat up", PLAIN if status.champion else DIM
    if status.page is not None:
        yield "page", status.page, DIM


def when(time: datetime) -> str:
    """A time as a person reads it, to the minute."""
    return f"{time:%Y-%m-%d %H:%M}"


def _short(line: str) -> str:
    return textwrap.shorten(line, 150, placeholder=" ...")
