"""The results of the loop so far: the figures of the final table and of the report page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeostat.core.text import count, metric_name
from homeostat.decisions import history
from homeostat.decisions.history import Batch, Decided

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger
    from homeostat.project.layout import Project

MODELS = {"served": "served", "never": "never retrained", "baseline": "baseline"}
DIGITS = 4  # of a metric
SHARED = 0.9  # share of the served events that another model must have scored too, for a month to compare
NOTE = "of the months in which all three models have scored nearly all events"
WIDTHS = (10, 17, 10)  # of a figure of each model
Figures = Mapping[tuple[str, str, str, str], float]  # (objective, model, month, metric)


@dataclass(frozen=True)
class Results:
    """``figures`` are by objective, model, month and metric; ``money`` by model and month, all objectives together."""

    ledger: Ledger
    batches: tuple[Batch, ...]
    decisions: tuple[Decided, ...]
    metrics: Mapping[str, tuple[str, ...]]  # by objective: the loss, then the metric that is not one, if any
    months: tuple[str, ...]
    figures: Figures
    money: Mapping[tuple[str, str], float]
    rows: Mapping[tuple[str, str, str], int]  # by objective, model and month: events with an outcome

    @property
    def counts(self) -> dict[str, int]:
        """How often each thing happened."""
        states = Counter(b.verdict.status for b in self.batches)
        doubted = sum(bool(b.verdict.suspect_columns) for b in self.batches if b.verdict.status == "accepted")
        return {
            "rows accepted": sum(b.verdict.rows_accepted for b in self.batches),
            "rows quarantined": sum(b.verdict.rows_quarantined for b in self.batches),
            "batches quarantined": states["quarantined"],
            "batches missing": states["missing"],
            "batches in doubt": doubted,
            "decisions": len(self.decisions),
            "candidates judged": sum(d.candidate for d in self.decisions),
            "releases": len(self.ledger.releases),
            "retrains": sum(d.decision.action == "retrain" for d in self.decisions),
            "rollbacks": sum(e.action == "rollback" for e in self.ledger.events),
        }

    def mean(self, objective: str, model: str, metric: str) -> float | None:
        """The mean of the months that every model has scored, so that models compare."""
        values = [self.figures.get((objective, model, month, metric)) for month in self.shared(objective)]
        present = [value for value in values if value is not None]
        return sum(present) / len(present) if present and len(present) == len(values) else None

    def total(self, model: str) -> float | None:
        """The money of the months that every model has scored."""
        shared = [m for m in self.months if all(m in self.shared(name) for name in self.metrics)]
        return sum(self.money[model, m] for m in shared) if shared else None

    def shared(self, objective: str) -> list[str]:
        """The months of which every model has scored nearly all events: the first learned model begins within one."""
        rows = self.rows
        return [
            month
            for month in self.months
            if (served := rows.get((objective, "served", month)))
            and all(rows.get((objective, model, month), 0) >= SHARED * served for model in MODELS)
        ]


def results(project: Project) -> Results:
    """Read predictions, labels, verdicts, decisions and the ledger."""
    from homeostat.adapters.git import read_ledger
    from homeostat.monitoring.outcomes import labelled, monthly

    scope, table = project.scope, monthly(project)
    figures: dict[tuple[str, str, str, str], float] = {}
    money: dict[tuple[str, str], float] = {}
    rows: dict[tuple[str, str, str], int] = {}
    for row in table.iter_rows(named=True):
        objective, model, month = row["objective"], row["model"], row["month"]
        values = {m: row[m] for m in getattr(scope.evaluation.metrics, scope.objectives[objective].task)}
        figures |= {(objective, model, month, m): value for m, value in values.items() if value is not None}
        if row["money"] is not None:
            money[model, month] = row["money"]
        rows[objective, model, month] = row["rows"]
    tree, taken = labelled(project), history.with_outcomes(project, history.decisions(project))
    return Results(
        read_ledger(project.home, scope.project), tuple(history.batches(tree)), tuple(taken),
        {name: _shown(getattr(scope.evaluation.metrics, o.task)) for name, o in scope.objectives.items()},
        tuple(sorted({month for _, _, month, _ in figures})), figures, money, rows,
    )  # fmt: skip


def _shown(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """The loss, and what says how well the scores order where that is measured."""
    return tuple(dict.fromkeys([metrics[0], *[m for m in metrics if m in ("auc", "r2", "ndcg")]]))


def table(outcome: Results) -> Iterator[str]:
    """The final table, a line each: how often each thing happened, then each month's figures for the three models."""
    counts = outcome.counts
    yield f"data       {count(counts['rows accepted'], 'row')} accepted, {counts['rows quarantined']:,} quarantined"
    whole = count(counts["batches quarantined"], "batch")
    yield f"           {whole} quarantined whole, {counts['batches missing']} missing"
    if counts["batches in doubt"]:
        yield f"           {count(counts['batches in doubt'], 'batch')} in doubt: the figures leave their events out"
    yield (
        f"releases   {count(counts['releases'], 'release')}, {counts['retrains']} of them a retrain, of "
        f"{count(counts['candidates judged'], 'candidate')} judged; {count(counts['rollbacks'], 'rollback')}"
    )
    if not outcome.months:
        yield "figures    none yet: no predicted event is mature"
        return
    for objective, metrics in outcome.metrics.items():
        yield ""
        yield from _block(f"{objective}: {' | '.join(metric_name(m) for m in metrics)}", outcome, objective, metrics)
    yield ""
    yield "cost, all objectives together: of false alerts and missed events"
    yield _line("", [""] + [_row(list(MODELS.values()))])
    for month in outcome.months:
        yield _line(month, ["", _row([_amount(outcome.money.get((model, month))) for model in MODELS])])
    yield _line("all*", ["", _row([_amount(outcome.total(model)) for model in MODELS])])
    yield f"* {NOTE}"


def _block(title: str, outcome: Results, objective: str, metrics: tuple[str, ...]) -> Iterator[str]:
    yield title
    yield _line("", ["events", *[_row(list(MODELS.values())) for _ in metrics]])
    for month in outcome.months:
        if (objective, "served", month) in outcome.rows:
            cells = [_row([_value(outcome.figures.get((objective, o, month, m))) for o in MODELS]) for m in metrics]
            yield _line(month, [f"{outcome.rows[objective, 'served', month]:,}", *cells])
    means = [_row([_value(outcome.mean(objective, o, m)) for o in MODELS]) for m in metrics]
    yield _line("mean*", ["", *means])


def _line(month: str, cells: list[str]) -> str:
    return f"  {month:8}{cells[0]:>8}  " + "  |".join(cells[1:])


def _row(cells: list[str]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.{DIGITS}f}"


def _amount(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
