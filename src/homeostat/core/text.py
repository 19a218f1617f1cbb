"""How names, numbers and lengths of time are written in a message."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

SINGULAR = {"are": "is", "were": "was", "have": "has"}  # irregular verbs


def listed(names: Sequence[str], most: int) -> str:
    """The names, ``most`` of them at most.

    >>> listed(["a", "b", "c"], 2), listed(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def number(value: float) -> str:
    """A value of the data: whole to its last digit, others to nine.

    >>> number(1000127.0), number(326.2016300000001), number(1e-9), number(float("inf"))
    ('1000127', '326.20163', '1e-09', 'inf')
    """
    return f"{value:.15g}" if float(value).is_integer() else f"{value:.9g}"


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or else its kind.

    >>> first_line(ValueError("no number\\n  at 3")), first_line(ValueError())
    ('no number', 'ValueError')
    """
    return str(error).strip().split("\n")[0] or type(error).__name__


def metric_name(metric: str) -> str:
    """A metric as a person writes it.

    >>> metric_name("log_loss"), metric_name("auc")
    ('log loss', 'AUC')
    """
    return {"auc": "AUC", "rmse": "RMSE", "mae": "MAE", "r2": "R2"}.get(metric, metric.replace("_", " "))


def metric_value(measure: Mapping[str, Any]) -> str:
    """A measured value with its interval."""
    value, low, high = (measure.get(k) for k in ("value", "low", "high"))
    if value is None:
        return "too few to say"
    return f"{value:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else "")


def percent(share: float) -> str:
    """A share in percent, to one decimal; below one percent to two, from a thousand percent on to none.

    >>> percent(0.046), percent(0.5), percent(1.316), percent(0.0025), percent(146.52)
    ('4.6 %', '50 %', '131.6 %', '0.25 %', '14,652 %')
    """
    if abs(share) >= 10:
        return f"{100 * share:,.0f} %"
    digits = 2 if abs(share) < 0.01 else 1
    return f"{round(100 * share, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".") + " %"


def change(share: float) -> str:
    """A share above (+) or below (-) something.

    >>> change(-0.046), change(0.003), change(-0.00001)
    ('-4.6 %', '+0.3 %', '0 %')
    """
    written = percent(abs(share))
    return written if written == "0 %" else f"{'-' if share < 0 else '+'}{written}"


def label_rate(task: str, value: float) -> str:
    """The mean of a label as its task has it: the share of positives, or a number.

    >>> label_rate("binary", 0.25), label_rate("regression", 12.5)
    ('25 %', '12.5')
    """
    return percent(value) if task == "binary" else f"{value:.4g}"


def label_rates(task: str, ends: Sequence[float]) -> str:
    """The lowest and the highest of several.

    >>> label_rates("binary", (0.2, 0.25)), label_rates("regression", (3.0, 3.0))
    ('20 % to 25 %', '3')
    """
    low, high = (label_rate(task, end) for end in ends)
    return low if low == high else f"{low} to {high}"


def side(share: float) -> str:
    """A share above or below something, in words.

    >>> side(-0.031), side(0.0)
    ('3.1 % below', 'level with')
    """
    return f"{percent(abs(share))} {'above' if share > 0 else 'below'}" if share else "level with"


def count(number: int, noun: str, verb: str = "") -> str:
    """How many there are of something, and what they do: ``verb`` in the plural.

    >>> count(1, "row"), count(1200, "row"), count(2, "batch"), count(2, "copy")
    ('1 row', '1,200 rows', '2 batches', '2 copies')
    >>> count(1, "row", "have"), count(2, "row", "have"), count(1, "event", "wait")
    ('1 row has', '2 rows have', '1 event waits')
    """
    if number == 1:
        return f"1 {noun} {SINGULAR.get(verb, f'{verb}s')}" if verb else f"1 {noun}"
    many = f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}{'es' if noun.endswith('ch') else 's'}"
    return f"{number:,} {many} {verb}".rstrip()


def typed_time(time: datetime) -> str:
    """A time as it is typed in a command.

    >>> typed_time(datetime(2024, 3, 1, 5)), typed_time(datetime(2024, 3, 1, 5, 0, 7))
    ('2024-03-01T05:00', '2024-03-01T05:00:07')
    """
    return time.isoformat(timespec="seconds" if time.second else "minutes")


def span(length: timedelta) -> str:
    """A length of time in its largest unit.

    >>> span(timedelta(hours=36)), span(timedelta(minutes=5)), span(timedelta(days=8))
    ('36 h', '5 min', '8 days')
    """
    hours = length.total_seconds() / 3600
    if hours >= 72:
        return f"{hours / 24:.3g} days"
    return f"{hours:.3g} h" if hours >= 1 else f"{60 * hours:.3g} min"


def confidence_interval(interval: tuple[float, float, float] | None, write: Callable[[float], str]) -> str:
    """An interval (low, high, confidence) in brackets, each end written by ``write``; nothing for none.

    >>> confidence_interval((-0.05, -0.01, 0.95), change)
    ' (95 % CI -5 % to -1 %)'
    """
    if interval is None:
        return ""
    low, high, confidence = interval
    return f" ({percent(confidence)} CI {write(low)} to {write(high)})"


def printable(text: str) -> str:
    """The text with every character that would steer a terminal, or turn the direction of writing, spelled out.

    Data, names and reasons come from elsewhere: an escape sequence in one of them could clear the screen and print
    something false. Line ends and tabs stay.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or not _steers(c) else c.encode("unicode_escape").decode() for c in text)


def _steers(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
