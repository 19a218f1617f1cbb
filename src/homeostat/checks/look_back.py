"""The look-back test: features made again from tables that reach further both ways must be the same.

A table of features is made from the rows of ``features.history`` before its batch. Where a feature depends on rows
beside these, its value depends on what else happens to be at hand: the service, a batch made alone and a batch made
with others would disagree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from homeostat.checks.equality import same_bits
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.text import count
from homeostat.features.lookback import widened
from homeostat.project.value_types import format_duration

if TYPE_CHECKING:
    import polars as pl

    from homeostat.features.build import FeatureTables

BATCHES = 12  # that are made again: what depends on the table's reach shows in nearly every batch


def look_back_findings(
    tables: FeatureTables, labels: Sequence[str], leaking: Collection[str], report: Callable[[str, int, int], None]
) -> list[Finding]:
    """One finding a feature that depends on rows outside its look-back, or one that none does.

    Features that are ``leaking`` anyway are left out. The batches are spread over ``labels``.
    """
    scope, history = tables.workspace.scope, format_duration(tables.workspace.scope.features.history)
    many = min(BATCHES, len(labels))
    spread = [labels[(2 * n + 1) * len(labels) // (2 * many)] for n in range(many)]
    differ: Counter[str] = Counter()
    examples: dict[str, str] = {}
    events = 0
    for done, label in enumerate(spread, 1):
        look = tables.point.look_back(label)
        (own,) = tables.tables([look])
        (wide,) = tables.tables([widened(scope, tables.workspace.verdicts, look)])
        events += own.height
        for name in own.columns:
            _compare(name, own, wide, scope.key, differ, examples)
        report("batches made from wider tables", done, many)
    for name in leaking:
        del differ[name]
    if not differ:
        text = (
            f"{count(events, 'event')} of {count(many, 'batch', 'were')} made again from tables that reach {history} "
            "further back and ahead: every feature is the same, bit for bit"
        )
        return [Finding(Rule.LOOK_BACK, "", "pass", 0.0, 0.0, text=text)]
    return [
        Finding(
            Rule.LOOK_BACK, name, "fail", float(unequal), 0.0, text=(
                f"{name} depends on rows outside its look-back of {history}: it differs for {unequal:,} of "
                f"{count(events, 'event')} when the tables reach as much further back and ahead; {examples[name]}; "
                "bound its rows by e.predict_at in features.sql, within features.history of params.yaml"
            ),
        )
        for name, unequal in differ.most_common()
    ]  # fmt: skip


def _compare(
    name: str, own: pl.DataFrame, wide: pl.DataFrame, key: Sequence[str], differ: Counter[str], examples: dict[str, str]
) -> None:
    same = same_bits(own[name], wide[name])
    if same.all():
        return
    row = (~same).arg_true()[0]
    differ[name] += int((~same).sum())
    event = ", ".join(f"{c} {own[c][row]}" for c in key)
    examples.setdefault(name, f"for the event {event} it is {own[name][row]!r}, and {wide[name][row]!r} with more rows")
