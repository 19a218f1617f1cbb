"""Stage evaluate: judge the candidate and the baseline on the holdout that neither was fitted to."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat import models
from homeostat.adapters.parquet import read_table, write_table
from homeostat.core import costs, oracle_share
from homeostat.core.abstention import Coverage
from homeostat.core.behaviour import Behaviour
from homeostat.core.costs import Money
from homeostat.core.errors import DataError
from homeostat.core.evaluation import Comparison, Evaluation, Scored, Settings, compare, evaluate
from homeostat.core.fairness import Group, groups_of
from homeostat.core.intervals import tidy
from homeostat.core.oracle_share import Saved
from homeostat.core.periods import EPOCH
from homeostat.features.filters import FILTERED
from homeostat.features.tables import mature, not_left_out, read_features
from homeostat.models.heuristic import GIVEN
from homeostat.project.scope import Scope
from homeostat.project.whole_files import write_text
from homeostat.training.behaviour import read_tests, run_tests
from homeostat.training.event_decisions import filtered, open_events, undecided

if TYPE_CHECKING:
    from homeostat.project.layout import Project

Scores = Mapping[str, np.ndarray]
DECILES = 10
CALIBRATION = ("objective", "model", "decile", "rows", "mean_score", "label_rate")
MONTHS = ("objective", "model", "month", "rows", "metric", "value", "low", "high")


@dataclass(frozen=True)
class Trial:
    """One objective's candidate and baseline on the same held-out rows."""

    candidate: Evaluation
    baseline: Evaluation
    against_baseline: Comparison


@dataclass(frozen=True)
class Report:
    """What a candidate promises: ``evaluation.json``. Money is of all objectives together, by model.

    ``saved`` is what the candidate's scores save, by way to decide, as a share of what an oracle would; ``coverage``
    how many events they decide, where the scope has filters or abstains; ``behaviour`` are the project's tests, if any;
    ``fairness`` is by column and group, of columns that the scope names.
    """

    as_of: datetime
    trials: Mapping[str, Trial]
    money: Mapping[str, Money]
    saved: Mapping[str, Saved] = field(default_factory=dict)
    coverage: Coverage | None = None
    behaviour: tuple[Behaviour, ...] = ()
    fairness: Mapping[str, Mapping[str, Group]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        trials = {
            name: {part: getattr(trial, part).to_dict() for part in ("candidate", "baseline", "against_baseline")}
            for name, trial in self.trials.items()
        }
        money = {model: found.to_dict() for model, found in self.money.items()}
        saved = {way: one.to_dict() for way, one in self.saved.items()}
        body = {"as_of": self.as_of.isoformat(), "objectives": trials, "money": money, "saved": saved}
        body |= {"coverage": self.coverage.to_dict()} if self.coverage else {}
        if self.fairness:
            columns = self.fairness.items()
            body["fairness"] = {column: {v: one.to_dict() for v, one in groups.items()} for column, groups in columns}
        return body | ({"behaviour": [one.to_dict() for one in self.behaviour]} if self.behaviour else {})

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Report:
        trials = {
            name: Trial(
                Evaluation.from_dict(parts["candidate"]),
                Evaluation.from_dict(parts["baseline"]),
                Comparison.from_dict(parts["against_baseline"]),
            )
            for name, parts in raw["objectives"].items()
        }
        money = {model: Money.from_dict(found) for model, found in raw["money"].items()}
        saved = {way: Saved.from_dict(one) for way, one in raw.get("saved", {}).items()}  # older ones have none
        coverage = Coverage.from_dict(raw["coverage"]) if "coverage" in raw else None
        behaviour = tuple(Behaviour.from_dict(one) for one in raw.get("behaviour", ()))
        columns = raw.get("fairness", {}).items()
        fairness = {column: {v: Group.from_dict(one) for v, one in groups.items()} for column, groups in columns}
        return cls(datetime.fromisoformat(raw["as_of"]), trials, money, saved, coverage, behaviour, fairness)


def read_report(path: Path) -> Report:
    """Read ``evaluation.json``.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return Report.from_dict(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not there or damaged; run dvc repro") from error


def read_training(project: Project) -> dict[str, Any]:
    """Read ``training.json`` of the candidate.

    Raises:
        DataError: it is missing or damaged.
    """
    path = project.candidate / "training.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{path}: not there or damaged; run dvc repro") from error
    return found


def read_holdout_scores(project: Project) -> pl.DataFrame:
    """What the judged models scored the held-out events: the event's key and score__<objective>.

    Raises:
        DataError: it is missing or damaged.
    """
    path = project.holdout_scores
    if not path.is_file():
        raise DataError(f"{path}: not there; run dvc repro")
    return read_table(path)


# ---- any scores of feature rows, as the scope judges them


def settings(scope: Scope) -> Settings:
    """The scope's own way to judge."""
    found = scope.evaluation
    return Settings(found.resamples, found.confidence, scope.seed, found.min_slice)


def metrics_of(scope: Scope, objective: str) -> tuple[str, ...]:
    """What is measured of an objective; its loss first."""
    found: tuple[str, ...] = getattr(scope.evaluation.metrics, scope.objectives[objective].task)
    return found


def blocks(scope: Scope, table: pl.DataFrame) -> np.ndarray:
    """The id of each row's block: rows of one ``evaluation.block`` of event time are resampled together.

    With ``evaluation.runs``, each of those is as many blocks: neighbours in the order of the key, about equally many.
    A release's reference keeps no key, but the order.
    """
    numbers, runs = _numbered(table, scope, int(scope.evaluation.block.total_seconds())), scope.evaluation.runs
    if runs == 1:
        return numbers
    key = [column for column in scope.key if column in table.columns]
    keyed = table.select(pl.Series("block__", numbers), *key).with_row_index("row__")
    run = pl.int_range(pl.len()).over("block__") * runs // pl.len().over("block__")
    numbered = keyed.sort("block__", *key, maintain_order=True).with_columns(id__=pl.col("block__") * runs + run)
    return np.asarray(numbered.sort("row__")["id__"].to_numpy())


def periods(scope: Scope, table: pl.DataFrame) -> np.ndarray:
    """The id of each row's period of the event source: the one that capacity is for."""
    return _numbered(table, scope, int(scope.events_period.total_seconds()))


def months(scope: Scope, table: pl.DataFrame) -> np.ndarray:
    """The month of each row as YYYY-MM, where days start as the rhythm has them."""
    local = table["event_time"] - scope.rhythm.offset
    return np.asarray(local.dt.strftime("%Y-%m").to_numpy())


def groups(rows: pl.DataFrame, objective: str) -> np.ndarray:
    """The group of each row, for ranking; those without one are a group together."""
    return np.asarray(rows[f"group__{objective}"].fill_null("").to_numpy())


def scored(scope: Scope, objective: str, rows: pl.DataFrame, score: np.ndarray) -> Scored:
    """Rows that are mature for ``objective``, with their scores, ready for ``core.evaluation``."""
    grouped = scope.objectives[objective].task == "ranking"
    return Scored(
        y=rows[f"label__{objective}"].to_numpy(),
        score=score,
        block=blocks(scope, rows),
        month=months(scope, rows),
        slices={column: rows[GIVEN + column].to_numpy() for column in scope.evaluation.slices},
        group=groups(rows, objective) if grouped else None,
    )


def evaluate_model(scope: Scope, table: pl.DataFrame, scores: Scores, now: datetime) -> dict[str, Evaluation]:
    """Each objective's scores (n,) of the feature rows, on those that are mature by ``now``."""

    def of(name: str) -> Evaluation:
        return _evaluate(scope, name, *_mature(scope, name, table, now, scores[name]))

    with ThreadPoolExecutor(min(len(scores), os.cpu_count() or 1)) as pool:  # NumPy leaves Python's lock alone
        return dict(zip(scores, pool.map(of, scores), strict=True))


def compare_models(
    scope: Scope, table: pl.DataFrame, scores: Scores, other: Scores, now: datetime
) -> dict[str, Comparison]:
    """By objective that both score: ``scores`` against those of another model, on the rows mature by ``now``."""
    return {
        name: _compare(scope, name, *_mature(scope, name, table, now, scores[name], other[name]))
        for name in scores
        if name in other
    }


def money_of(scope: Scope, table: pl.DataFrame, scores: Scores, now: datetime) -> Money:
    """What the scope's policy of alerts would have come to with these scores, on the labels mature by ``now``."""
    return realised(scope, table, alerts_of(scope, table, scores), now)


def alerts_of(scope: Scope, table: pl.DataFrame, scores: Scores) -> np.ndarray:
    """Which events the scope's policy warns of."""
    price, may = scope.costs, open_events(scope, table, scores)
    return costs.alerts(scores, scope.objectives, periods(scope, table), price.capacity, price.alert, may)


def saved_of(
    scope: Scope, table: pl.DataFrame, scores: Scores, now: datetime, more: Mapping[str, np.ndarray] | None = None
) -> dict[str, Saved]:
    """What decisions by these scores save of what an oracle would; ``more`` are further ways to decide, (n,) each."""
    price, period, may = scope.costs, periods(scope, table), open_events(scope, table, scores)
    ways = oracle_share.ways(scores, scope.objectives, period, price.capacity, price.alert, may) | dict(more or {})
    return oracle_share.saved(
        mature_labels(scope, table, now), ways, scope.objectives, period, price.capacity, price.alert,
        blocks(scope, table), settings(scope),
    )  # fmt: skip


def coverage_of(
    scope: Scope, table: pl.DataFrame, scores: Scores, alert: np.ndarray, now: datetime
) -> Coverage | None:
    """How many events the scores decide, and what ``alert`` came to on those; None where the scope decides on all."""
    if scope.costs.abstain is None and not scope.events.filters:
        return None
    labels, left = mature_labels(scope, table, now), undecided(scope, scores)
    rest = {name: np.where(left, np.nan, label) for name, label in labels.items()}
    counts = table[FILTERED].value_counts().drop_nulls().sort(FILTERED).rows() if FILTERED in table.columns else []
    money = costs.money(rest, alert, scope.objectives, scope.costs.alert, blocks(scope, table), settings(scope))
    labelled, then = costs.is_labelled(labels), scope.costs.abstain.then if scope.costs.abstain else ""
    return Coverage(int(labelled.sum()), dict(counts), int((left & labelled).sum()), then, money)


def fairness_of(scope: Scope, table: pl.DataFrame, alert: np.ndarray, now: datetime) -> dict[str, dict[str, Group]]:
    """By column of ``evaluation.fairness`` and by group, who is given ``alert`` (n,) of the mature events."""
    if not scope.evaluation.fairness:
        return {}
    labels = mature_labels(scope, table, now)
    here = costs.is_labelled(labels)
    happened, block = costs.happened(labels)[here], blocks(scope, table)[here]
    return {
        column: groups_of(alert[here], happened, table[GIVEN + column].to_numpy()[here], block, settings(scope))
        for column in scope.evaluation.fairness
    }


def realised(scope: Scope, table: pl.DataFrame, alert: np.ndarray, now: datetime) -> Money:
    """What alerts (n,) came to on the feature rows; a label that is not mature by ``now`` counts for nothing."""
    labels = mature_labels(scope, table, now)
    return costs.money(labels, alert, scope.objectives, scope.costs.alert, blocks(scope, table), settings(scope))


def mature_labels(scope: Scope, table: pl.DataFrame, now: datetime) -> dict[str, np.ndarray]:
    """By objective the labels (n,) that are mature by ``now``; NaN elsewhere, and where nobody may act on the event."""
    labels, barred = {}, filtered(table)
    for name in scope.objectives:
        rows, places = _mature(scope, name, table, now, np.arange(len(table)))
        labels[name] = np.full(len(table), np.nan)
        labels[name][places] = rows[f"label__{name}"].to_numpy()
        labels[name][barred] = np.nan
    return labels


def _mature(scope: Scope, objective: str, table: pl.DataFrame, now: datetime, *arrays: np.ndarray) -> tuple[Any, ...]:
    """The mature rows, and of each array their part."""
    rows = mature(table.with_row_index("row__"), objective, scope, now)
    places = rows["row__"].to_numpy()
    return (rows.drop("row__"), *(array[places] for array in arrays))


def _evaluate(scope: Scope, name: str, rows: pl.DataFrame, score: np.ndarray) -> Evaluation:
    task = scope.objectives[name].task
    return evaluate(name, task, metrics_of(scope, name), scored(scope, name, rows, score), settings(scope))


def _compare(scope: Scope, name: str, rows: pl.DataFrame, score: np.ndarray, other: np.ndarray) -> Comparison:
    found = scored(scope, name, rows, score)
    return compare(
        scope.objectives[name].task, metrics_of(scope, name)[0], found.y, score, other, found.block, found.slices,
        settings(scope), found.group,
    )  # fmt: skip


def _numbered(table: pl.DataFrame, scope: Scope, seconds: int) -> np.ndarray:
    since = (table["event_time"] - EPOCH - scope.rhythm.offset).dt.total_microseconds()
    return np.asarray((since // (seconds * 1_000_000)).to_numpy())


# ---- the stage


def judge(project: Project) -> Report:
    """Judge candidate and baseline, both fitted before the holdout, on the holdout; write ``reports/evaluation``.

    The candidate's scores are kept in ``models/holdout_scores.parquet``, since they are compared with other releases'.

    Raises:
        DataError: the candidate or the feature rows are missing or damaged.
    """
    scope, training = project.scope, read_training(project)
    now = datetime.fromisoformat(training["as_of"])
    table = judged_rows(project, training)
    fitted = {
        part: {name: models.load(project.candidate / name / part, scope.threads) for name in scope.objectives}
        for part in ("judged", "baseline")
    }
    ours, theirs = (models.predict_each(of_part, table) for of_part in fitted.values())
    scores = table.select(*scope.key, *(pl.Series(f"score__{name}", values) for name, values in ours.items()))
    write_table(scores, project.holdout_scores)
    candidate, baseline = evaluate_model(scope, table, ours, now), evaluate_model(scope, table, theirs, now)
    against = compare_models(scope, table, ours, theirs, now)
    money = {"candidate": money_of(scope, table, ours, now), "baseline": money_of(scope, table, theirs, now)}
    trials = {name: Trial(candidate[name], baseline[name], against[name]) for name in candidate}
    alert = alerts_of(scope, table, ours)
    coverage = coverage_of(scope, table, ours, alert, now)
    tested = run_tests(read_tests(project), fitted["judged"], table)
    fairness = fairness_of(scope, table, alert, now)
    report = Report(now, trials, money, saved_of(scope, table, ours, now), coverage, tested, fairness)
    folder = project.evaluation
    write_text(json.dumps(report.to_dict(), indent=1) + "\n", folder / "evaluation.json")
    write_text(json.dumps(headline(report), indent=1) + "\n", folder / "metrics.json")
    deciles = _deciles(scope, table, {"candidate": ours, "baseline": theirs}, now)
    write_text(_csv(deciles, CALIBRATION), folder / "calibration.csv")
    write_text(_csv(_by_month(report), MONTHS), folder / "months.csv")
    return report


def judged_rows(project: Project, training: Mapping[str, Any]) -> pl.DataFrame:
    """The feature rows that judge the candidate, in the order of its held-out scores."""
    return held_out(training, read_features(project, where=_judged_rows(training)))


def held_out(training: Mapping[str, Any], table: pl.DataFrame) -> pl.DataFrame:
    """The rows in any objective's holdout; a label outside its own objective's holdout is nothing to judge by."""
    inside = {name: _between(told["holdout"]) for name, told in training["objectives"].items()}
    return table.filter(_in_a_holdout(training)).with_columns(
        pl.when(held).then(pl.col(f"label__{name}")).alias(f"label__{name}") for name, held in inside.items()
    )


def headline(report: Report) -> dict[str, Any]:
    """Numbers for ``dvc metrics``: by objective, then by metric; what cannot be said is left out."""
    found: dict[str, Any] = {}
    for name, trial in report.trials.items():
        loss = trial.candidate.loss
        numbers = {metric: measure.value for metric, measure in trial.candidate.overall.metrics.items()}
        numbers |= {f"baseline_{loss}": trial.baseline.metric(loss).value}
        numbers |= {f"{loss}_against_baseline": trial.against_baseline.overall.share.value}
        found[name] = {"rows": trial.candidate.overall.rows, "base_rate": trial.candidate.overall.base_rate} | numbers
    found["money"] = {model: money.cost.value for model, money in report.money.items()}
    return {name: {k: v for k, v in numbers.items() if v is not None} for name, numbers in found.items()}


def _in_a_holdout(training: Mapping[str, Any]) -> pl.Expr:
    return pl.any_horizontal(_between(part["holdout"]) for part in training["objectives"].values())


def _judged_rows(training: Mapping[str, Any]) -> pl.Expr:
    spans = [(datetime.fromisoformat(since), datetime.fromisoformat(to)) for since, to in training.get("left_out", ())]
    trusted = not_left_out(spans)
    return _in_a_holdout(training) if trusted is None else _in_a_holdout(training) & trusted


def _between(holdout: Mapping[str, str]) -> pl.Expr:
    start, end = (datetime.fromisoformat(holdout[side]) for side in ("from", "to"))
    return (pl.col("event_time") >= start) & (pl.col("event_time") < end)


def _deciles(
    scope: Scope, table: pl.DataFrame, scores: Mapping[str, Scores], now: datetime
) -> Iterator[dict[str, Any]]:
    """Mean score and label of each tenth of the rows in order of score; none for ranking, whose scores only order."""
    for name, objective in scope.objectives.items():
        for model in scores if objective.task != "ranking" else ():
            rows, score = _mature(scope, name, table, now, scores[model][name])
            y = rows[f"label__{name}"].to_numpy()
            for tenth, places in enumerate(np.array_split(np.argsort(score, kind="stable"), DECILES), 1):
                if len(places):
                    yield {
                        "objective": name, "model": model, "decile": tenth, "rows": len(places),
                        "mean_score": tidy(score[places].mean()), "label_rate": tidy(y[places].mean()),
                    }  # fmt: skip


def _by_month(report: Report) -> Iterator[dict[str, Any]]:
    """A line a metric, so that objectives of different tasks share the columns."""
    for name, trial in report.trials.items():
        for model in ("candidate", "baseline"):
            evaluation: Evaluation = getattr(trial, model)
            for month, judged in evaluation.months.items():
                for metric, found in judged.metrics.items():
                    yield {
                        "objective": name, "model": model, "month": month, "rows": judged.rows, "metric": metric,
                        "value": found.value, "low": found.low, "high": found.high,
                    }  # fmt: skip


def _csv(lines: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def trial_line(name: str, trial: Trial) -> str:
    overall, loss = trial.candidate.overall, trial.candidate.loss
    if not overall.metrics:
        return f"{name}: too few events held out to say: {overall.rows} of {trial.candidate.min_rows} needed"
    ours, theirs = overall.metrics[loss], trial.baseline.metric(loss)
    within = f" ({ours.low:.4g} to {ours.high:.4g})" if ours.low is not None else ""
    return f"{name}: {loss} {ours.value:.4g}{within} (events held out: {overall.rows:,}); baseline {theirs.value:.4g}"
