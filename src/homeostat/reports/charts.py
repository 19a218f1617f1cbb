"""Small drawings for a page: lines over months, batches over time, releases over time. SVG text, nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from homeostat.reports.style import COLOURS, DRAWINGS

WIDTH, HEIGHT = 420, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 100, 12, 26
LONG = 860  # width of a drawing over all of time
NAMES = 110  # width of the names at the left of such a drawing
ROW = 30
MARKS = 20  # height of a row of marks
TITLE = 24  # height of the title of a drawing by itself
GAP = 13  # between two names
LETTER = 7  # width of a letter or digit, at most
BAR, BAR_NAMES, BAR_VALUES, BAR_LETTERS = 20, 130, 60, 20  # height, room for names and values, letters of a name
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
RANK = ("accepted", "doubt", "part", "quarantined", "missing")  # of a bin the worst is shown


@dataclass(frozen=True)
class Line:
    """One line: ``style`` is a class of the page's style sheet; a missing value is a gap."""

    name: str
    style: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Mark:
    """Something that happened: ``place`` counts labels, 0 for the first, and may lie between two."""

    place: float
    title: str


@dataclass(frozen=True)
class Band:
    """A stretch of the labels that is shaded, such as the time of an incident; places count as those of marks."""

    start: float
    end: float
    title: str


@dataclass(frozen=True)
class Row:
    """Marks of one kind, below the lines; ``style`` is a class of the page's style sheet."""

    name: str
    style: str
    marks: Sequence[Mark]


def lines(
    labels: Sequence[str], drawn: Sequence[Line], digits: int, rows: Sequence[Row] = (), width: int = WIDTH,
    marks: Sequence[Mark] = (), bands: Sequence[Band] = (),
) -> str:  # fmt: skip
    """Lines over evenly spaced labels, each named at its right end, and rows of marks below; empty without a value.

    ``marks`` are vertical rules through the drawing, named at their top, and ``bands`` are shaded behind it.
    """
    present = [v for line in drawn for v in line.values if v is not None]
    if not present:
        return ""
    steps = ticks(min(present), max(present))
    low, high = steps[0], steps[-1]
    end = width - RIGHT

    def x(place: float) -> float:
        return LEFT + (end - LEFT) * (place / (len(labels) - 1) if len(labels) > 1 else 0.5)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))

    parts = [_band(x(b.start), x(b.end), b.title) for b in bands]
    parts += [_grid(y(step), _number(step, steps), end) for step in steps]
    parts += _rules(marks, x)
    shown = [_short(label) for label in labels]
    room = max(60, LETTER * max(map(len, shown)) + GAP)
    parts += [_text(x(i), HEIGHT - 8, shown[i], "middle") for i in _spread(len(labels), width, room)]
    for line in drawn:
        parts += [_path(line, x, y), *(_dot(line, labels[i], v, x(i), y(v), digits) for i, v in _there(line.values))]
    parts += _names(drawn, y, x(len(labels) - 1) + 8)
    for number, row in enumerate(rows):
        parts += _row(row, x, HEIGHT + MARKS * number + 10, end)
    return _svg(width, HEIGHT + MARKS * len(rows), parts, "lines: " + ", ".join(line.name for line in drawn))


def bars(labels: Sequence[str], values: Sequence[float | None], digits: int) -> str:
    """One bar a label, one below the other from a common zero, with its value; empty without a value."""
    present = [v for v in values if v is not None]
    if not present:
        return ""
    low, high = min(0.0, *present), max(0.0, *present)
    start, end = BAR_NAMES, WIDTH - BAR_VALUES
    scale = (end - start) / (high - low or 1.0)
    zero, parts = start - low * scale, []
    for number, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = BAR * number
        name = label if len(label) <= BAR_LETTERS else f"{label[: BAR_LETTERS - 1]}\u2026"
        parts.append(f"<g><title>{escape(label)}</title>{_text(start - 8, y + 14, name, 'end')}</g>")
        if value is not None:
            left, wide = min(zero, zero + value * scale), max(abs(value) * scale, 1.0)
            bar = f'<rect class="served" x="{left:.1f}" y="{y + 3}" width="{wide:.1f}" height="{BAR - 6}"/>'
            parts += [bar, _text(left + wide + 6, y + 14, f"{value:,.{digits}f}")]
    return _svg(WIDTH, BAR * len(labels), parts, "bars: " + ", ".join(labels))


@dataclass(frozen=True)
class Spot:
    """A point: one of the ``front`` or not, and named where it is marked."""

    x: float
    y: float
    front: bool
    title: str
    name: str = ""


def scatter(spots: Sequence[Spot], x_name: str, y_name: str) -> str:
    """Points between two axes of shares from 0 to 1, the front joined by a line."""
    end = WIDTH - RIGHT

    def x(value: float) -> float:
        return LEFT + (end - LEFT) * value

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value)

    steps = ticks(0.0, 1.0)
    parts = [_grid(y(step), _number(step, steps), end) for step in steps]
    parts += [_text(x(step), HEIGHT - BOTTOM + 12, _number(step, steps), "middle") for step in steps]
    front = sorted((spot.x, spot.y) for spot in spots if spot.front)
    parts.append(f'<path class="never" d="M{" L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in front)}"/>')
    for spot in sorted(spots, key=lambda one: bool(one.name)):  # what is marked lies on top
        style, size = ("served", 5.5) if spot.name else ("act" if spot.front else "calm", 3.5)
        dot = f'<circle class="{style}" cx="{x(spot.x):.1f}" cy="{y(spot.y):.1f}" r="{size}">'
        parts.append(f"{dot}<title>{escape(spot.title)}</title></circle>")
        parts += [_text(x(spot.x) + 9, y(spot.y) + 4, spot.name, style="served")] if spot.name else []
    parts += [_text(end, HEIGHT - 2, x_name, "end"), _text(0, TOP - 3, y_name)]
    return _svg(WIDTH, HEIGHT, parts, f"{y_name} against {x_name}")


def ticks(low: float, high: float) -> list[float]:
    """Round numbers that span a range.

    >>> ticks(0.31, 0.52)
    [0.3, 0.4, 0.5, 0.6]
    >>> ticks(5, 5)
    [4.0, 4.5, 5.0, 5.5, 6.0]
    """
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-9):
        spread = abs(high) * 0.2 or 1.0
        low, high = low - spread, high + spread
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * k for k in (1, 2, 2.5, 5, 10) if unit * k >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]


@dataclass(frozen=True)
class Cell:
    """One batch on a strip."""

    start: datetime
    state: str  # one of RANK
    title: str


def strips(rows: Mapping[str, Sequence[Cell]], start: datetime, end: datetime) -> str:
    """A strip a source, of the verdicts on its batches; the taller a bar, the worse the worst in it."""
    left, width = NAMES, LONG - NAMES - 10
    tall = ROW * len(rows) + 22
    parts = []
    for number, (name, cells) in enumerate(rows.items()):
        base = ROW * (number + 1) - 4
        parts.append(_text(0, base - 4, name))
        for place, many, group in _binned(cells, start, end):
            worst = max(group, key=lambda c: RANK.index(c.state))
            high = 6 + 4 * RANK.index(worst.state)
            bad = [c for c in group if c.state != "accepted"]
            title = "; ".join(c.title for c in (bad or group)[:4]) + (f"; {len(bad) - 4} more" if len(bad) > 4 else "")
            wide = width / many
            parts.append(
                f'<rect class="{worst.state}" x="{left + place * wide:.1f}" y="{base - high}" '
                f'width="{max(wide - 0.6, 0.8):.1f}" height="{high}"><title>{escape(title)}</title></rect>'
            )
    parts += _dates(start, end, left, width, tall - 6)
    return _svg(LONG, tall, parts, "verdicts on the batches of " + ", ".join(rows))


@dataclass(frozen=True)
class Term:
    """A release in service from ``start`` on; ``back`` where a rollback put it there."""

    version: str
    start: datetime
    end: datetime
    back: bool
    title: str


@dataclass(frozen=True)
class Span:
    """An incident from ``start`` to ``end``, or until now where it is open; ``link`` leads to its page."""

    start: datetime
    end: datetime
    open: bool
    title: str
    link: str


def terms(
    served: Sequence[Term], decisions: Iterable[tuple[datetime, str, str]], start: datetime, end: datetime,
    incidents: Sequence[Span] = (),
) -> str:  # fmt: skip
    """The releases in service over time; below them a mark a decision: (when, action, headline), and the incidents."""
    tall = 92 if incidents else 76

    def x(time: datetime) -> float:
        return NAMES + (LONG - NAMES - 10) * min(max((time - start) / (end - start), 0.0), 1.0)

    parts = []
    for number, term in enumerate(served):
        wide = max(x(term.end) - x(term.start), 1.0)
        style = "back" if term.back else f"term{number % 2}"
        parts.append(
            f'<rect class="{style}" x="{x(term.start):.1f}" y="8" width="{wide:.1f}" height="24" rx="2">'
            f"<title>{escape(term.title)}</title></rect>"
        )
        if wide > 6.6 * len(term.version) + 6:  # of its bold letters, with a margin
            parts.append(_text(x(term.start) + 5, 24, term.version, style="on"))
    for when, action, headline in decisions:
        style = {"nothing": "calm", "roll back": "bad", "fall back": "bad"}.get(action, "act")
        parts.append(
            f'<circle class="{style}" cx="{x(when):.1f}" cy="45" r="{2.5 if style == "calm" else 4.5}">'
            f"<title>{escape(f'{when:%Y-%m-%d %H:%M} {headline}')}</title></circle>"
        )
    for span in incidents:
        wide = max(x(span.end) - x(span.start), 5.0)
        bar = f'<rect class="{"incident" if span.open else "incident over"}" x="{x(span.start):.1f}" y="58" '
        bar += f'width="{wide:.1f}" height="9" rx="2"><title>{escape(span.title)}</title></rect>'
        parts.append(f'<a href="{escape(span.link)}">{bar}</a>')
    parts += [_text(0, y, name) for y, name in ((24, "releases"), (49, "decisions"))]
    parts += [_text(0, 66, "incidents")] if incidents else []
    parts += _dates(start, end, NAMES, LONG - NAMES - 10, tall - 6)
    return _svg(LONG, tall, parts, "releases in service, and the decisions")


def standalone(drawing: str, title: str) -> str:
    """A drawing as a file of its own, with a title; in light colours written out, for not every viewer knows others."""
    size = re.search(r'viewBox="0 0 (\S+) (\S+)"', drawing)
    assert size is not None, "every drawing has a size"
    width, height = float(size[1]), float(size[2]) + TITLE
    light = dict(re.findall(r"--(\w+): (#\w+)", COLOURS.partition("@media")[0]))
    style = re.sub(r"var\(--(\w+)\)", lambda colour: light[colour[1]], DRAWINGS)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-TITLE} {width:g} {height:g}" width="{width:g}" '
    head += f'height="{height:g}" role="img"><title>{escape(title)}</title><style>{style}</style>'
    paper = f'<rect y="{-TITLE}" width="{width:g}" height="{height:g}" fill="{light["paper"]}"/>'
    return f"{head}{paper}{_text(LEFT, -8, title)}{drawing[drawing.index('>') + 1 :]}\n"


# ---- parts


def _binned(cells: Sequence[Cell], start: datetime, end: datetime) -> Iterable[tuple[int, int, list[Cell]]]:
    """Cells by column: (column, of how many, cells); columns are as wide as a batch where all fit."""
    spans = [b.start - a.start for a, b in zip(cells, cells[1:], strict=False)]
    every = min(spans, default=end - start) or timedelta(seconds=1)
    many = max(1, min(LONG // 2, round((end - start) / every)))
    columns: dict[int, list[Cell]] = {}
    for cell in cells:
        place = min(max(int((cell.start - start) / (end - start) * many + 1e-6), 0), many - 1)
        columns.setdefault(place, []).append(cell)
    return [(place, many, group) for place, group in sorted(columns.items())]


def _dates(start: datetime, end: datetime, left: float, width: float, y: float) -> list[str]:
    """Up to seven dates along the bottom."""
    form = "%Y-%m-%d" if end - start > timedelta(days=8) else "%m-%d %H:%M"
    dates = []
    for part in range(7):
        anchor = "start" if part == 0 else "end" if part == 6 else "middle"
        dates.append(_text(left + width * part / 6, y, (start + (end - start) * part / 6).strftime(form), anchor))
    return dates


def _there(values: Sequence[float | None]) -> list[tuple[int, float]]:
    return [(i, v) for i, v in enumerate(values) if v is not None]


def _path(line: Line, x: Callable[[int], float], y: Callable[[float], float]) -> str:
    drawn, pen = [], "M"
    for place, value in enumerate(line.values):
        if value is None:
            pen = "M"
            continue
        drawn.append(f"{pen}{x(place):.1f} {y(value):.1f}")
        pen = "L"
    return f'<path class="{line.style}" d="{" ".join(drawn)}"/>'


def _dot(line: Line, label: str, value: float, x: float, y: float, digits: int) -> str:
    title = escape(f"{label}, {line.name}: {value:,.{digits}f}")
    return f'<circle class="{line.style}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"><title>{title}</title></circle>'


def _names(drawn: Sequence[Line], y: Callable[[float], float], x: float) -> list[str]:
    """The names at the right ends, pushed apart where they would lie over one another."""
    ends = [(y(_there(line.values)[-1][1]), line) for line in drawn if _there(line.values)]
    ends.sort(key=lambda end: end[0])
    places: list[float] = []
    for at, _ in ends:
        places.append(max(at + 4, places[-1] + GAP) if places else at + 4)
    floor = HEIGHT - BOTTOM + 2.0  # below it are the labels
    for number in reversed(range(len(places))):
        places[number] = min(places[number], floor)
        floor = places[number] - GAP
    return [_text(x, place, line.name, style=line.style) for place, (_, line) in zip(places, ends, strict=True)]


def _band(start: float, end: float, title: str) -> str:
    wide, tall = max(end - start, 2.0), HEIGHT - TOP - BOTTOM
    hint = f"<title>{escape(title)}</title>"
    return f'<rect class="band" x="{start:.1f}" y="{TOP}" width="{wide:.1f}" height="{tall}">{hint}</rect>'


def _rules(marks: Sequence[Mark], x: Callable[[float], float]) -> list[str]:
    """Vertical rules; of names that would lie over one another the later is left to the hint."""
    parts, free = [], 0.0
    for mark in sorted(marks, key=lambda m: m.place):
        at, name = x(mark.place), mark.title.partition(" ")[0]
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">')
        parts.append(f"<title>{escape(mark.title)}</title></line>")
        if at >= free:
            parts.append(_text(at + 3, TOP + 8, name, style="mark"))
            free = at + 3 + 7 * len(name)
    return parts


def _row(row: Row, x: Callable[[float], float], y: float, end: float) -> list[str]:
    """A rule with a mark wherever something happened, named at its right end with how often."""
    parts = [f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>']
    for mark in row.marks:
        title = f"<title>{escape(mark.title)}</title>"
        parts.append(f'<circle class="{row.style}" cx="{x(mark.place):.1f}" cy="{y:.1f}" r="4.5">{title}</circle>')
    return [*parts, _text(end + 8, y + 4, f"{row.name}: {len(row.marks)}", style=row.style)]


def _grid(y: float, text: str, end: float) -> str:
    rule = f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return rule + _text(LEFT - 6, y + 4, text, "end")


def _number(step: float, steps: Sequence[float]) -> str:
    """A step of an axis with as many decimals as tell the steps apart.

    >>> _number(0.25, [0.25, 0.5]), _number(20, [0, 20])
    ('0.25', '20')
    """
    gap = steps[1] - steps[0]
    digits = next(d for d in range(11) if abs(gap - round(gap, d)) < 1e-9 * gap)
    return f"{step:,.{digits}f}"


def _spread(many: int, width: int, room: int = 60) -> list[int]:
    """Places of at most a label for each ``room`` pixels, the first among them.

    >>> _spread(12, 420), _spread(3, 420), _spread(12, 420, 90)
    ([0, 2, 4, 6, 8, 10], [0, 1, 2], [0, 4, 8])
    """
    every = max(1, math.ceil((many - 1) / max(width // room - 1, 1)))
    return list(range(0, many, every))


def _short(label: str) -> str:
    """A month as it is written; another label as it is.

    >>> _short("2013-04")
    'Apr 13'
    """
    month = re.fullmatch(r"\d\d(\d\d)-(0[1-9]|1[0-2])", label)
    return f"{MONTHS[int(month[2]) - 1]} {month[1]}" if month else label


def _text(x: float, y: float, text: str, anchor: str = "start", style: str = "") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: Iterable[str], text: str) -> str:
    body = "".join(parts)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(text)}">{body}</svg>'
