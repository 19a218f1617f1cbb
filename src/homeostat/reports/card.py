"""The model card of a release: what it is for, what it rests on, how good it is, and what it must not be used for.

Everything on it is read from the release's own bundle, from the ledger, and from the records that these cite.
Mitchell et al., 2019, "Model cards for model reporting", FAT*.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from homeostat.adapters import git
from homeostat.core.behaviour import EXPECTED, Behaviour
from homeostat.core.evidence_table import evidence_table
from homeostat.core.fairness import ODDS, PARITY
from homeostat.core.rank_correlation import rank_correlation
from homeostat.core.text import change, count, metric_name, metric_value, percent, span
from homeostat.decisions import history
from homeostat.project.layout import working_tree
from homeostat.project.source_scope import ONCE
from homeostat.reports import charts
from homeostat.reports.charts import Line
from homeostat.reports.status import when
from homeostat.training.bundle import Bundle, carried_objectives

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger, Register, ReleaseEvent
    from homeostat.data.batch import Batch
    from homeostat.decisions.history import Decided
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

TASKS = {"binary": "whether", "regression": "the amount of", "ranking": "the order by"}
PHASES = {  # of adopting machine learning, by the kind of a model
    "heuristic": "before machine learning: rates in a table, or a score that exists already",
    "linear": "the simplest model: a linear one",
    "online": "the simplest model: a linear one, which learns each event once",
    "lightgbm": "a complex model: gradient-boosted trees",
    "combined": "a complex model: gradient-boosted trees of all objectives together",
}
SEASONS = timedelta(days=365)  # a model that has learned from less has not seen every season
BARS = 12  # slices of a column that are drawn
STRONGEST = 10  # features whose rank is shown


@dataclass(frozen=True)
class Facts:
    """Names and values, side by side."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Grid:
    """A table of text: the first cell of a row names it."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A drawing, and the same in numbers for where nothing can be drawn."""

    title: str
    drawing: str
    numbers: Grid


Part = str | Facts | Grid | Picture | tuple[str, ...]  # a tuple is a list of sentences


@dataclass(frozen=True)
class Section:
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Card:
    project: str
    version: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Records:
    """What the card of any release rests on, read once for all of them."""

    ledger: Ledger
    batches: Sequence[Batch]
    decisions: Sequence[Decided]

    @classmethod
    def read(cls, project: Project, ledger: Ledger) -> Records:
        """Raises: EnvironmentFault, where a record is damaged."""
        return cls(ledger, history.batches(working_tree(project)), history.decisions(project))


def model_card(project: Project, records: Records, release: Register, bundle: Bundle) -> Card:
    """The card of a registered release with that bundle."""
    scope = bundle.scope
    sections = (
        ("Purpose", _purpose(scope)),
        ("This release", _release(records.ledger, release, bundle)),
        ("Data", _data(records, bundle)),
        ("What it rests on", _importance(bundle)),
        ("How good it is", _quality(project, release, bundle)),
        ("Slices", _slices(scope, bundle.evaluation)),
        ("Fairness", _fairness(bundle.evaluation)),
        ("In service", _observed(records, release)),
        ("Limits", [tuple(_limits(scope, bundle))]),
        ("Contracts", _contracts(bundle)),
        ("Decisions and approvals", _decided(project, records.ledger, release)),
        ("How to go back", _back(records.ledger, release)),
    )
    kept = tuple(Section(title, tuple(p for p in parts if p)) for title, parts in sections)
    return Card(scope.project, release.version, tuple(section for section in kept if section.parts))


# ---- what it is


def _purpose(scope: Scope) -> Iterator[Part | None]:
    yield scope.goal
    yield tuple(
        f"{name}: predicts {TASKS[objective.task]} `{objective.label}`"
        f"{'' if objective.where == 'true' else f' among rows with `{objective.where}`'}; a missed one costs "
        f"{objective.weight:g}, in false alerts of {scope.costs.alert:g}."
        for name, objective in scope.objectives.items()
    )
    yield (
        f"Every row of {scope.events.source} is an event; its prediction is made at `{scope.events.predict_at}`. At "
        f"most {count(scope.costs.capacity, 'alert')} are given in a period, for the riskiest."
    )


def _release(ledger: Ledger, release: Register, bundle: Bundle) -> Iterator[Part | None]:
    kinds = dict.fromkeys(part["kind"] for part in bundle.training["objectives"].values())
    yield Facts((
        ("state", ledger.state(release.version)),
        ("made", f"{when(release.at)} UTC by {release.who}"),
        ("phase", "; ".join(PHASES.get(kind, kind) for kind in kinds)),
        *([("rung", bundle.rung)] if bundle.rung else []),
        ("commit", release.commit),
        ("bundle", release.bundle),
    ))  # fmt: skip
    calibrated = ", ".join(bundle.calibrators)
    yield f"Its scores were calibrated again after training: {calibrated}." if calibrated else ""


# ---- what it rests on


def _data(records: Records, bundle: Bundle) -> Iterator[Part | None]:
    training = bundle.training["objectives"]
    yield Grid(
        ("objective", "learned from", "first event", "last event", "features", "held out to judge it"),
        tuple(
            (name, count(part["rows"], "event"), _day(part["from"]), _day(part["to"]), str(len(part["features"])),
             _holdout(part["holdout"]))
            for name, part in training.items()
        ),
    )  # fmt: skip
    yield tuple(
        f"{name}: made as of {_day(time)} and carried over byte for byte: its own schedule did not ask for a fresh fit."
        for name, time in carried_objectives(bundle.training).items()
    )
    since, until = (_edge(training, side) for side in ("from", "to"))
    sources = bundle.scope.sources.items()
    yield Grid(
        ("source", "place", "accepted whole", "rows quarantined", "quarantined whole", "in doubt", "missing"),
        tuple(_source(name, source.place, records.batches, since, until) for name, source in sources),
    )
    yield (
        "Batches of the time that it learned from, as their verdicts stand now. What is quarantined or in doubt has "
        "taught it nothing, unless a person released it before."
    )
    left_out = bundle.training.get("left_out", ())
    yield tuple(f"Left out: events from {_day(start)} to {_day(end)}." for start, end in left_out)


def _source(name: str, place: str, batches: Iterable[Batch], since: str, until: str) -> tuple[str, ...]:
    own = [b for b in batches if b.source == name and (b.label == ONCE or since[: len(b.label)] <= b.label <= until)]
    status = Counter(batch.verdict.status for batch in own)
    doubted = sum(batch.outcome == "in doubt" for batch in own)
    rows = sum(batch.verdict.rows_quarantined for batch in own)
    accepted = f"{sum(batch.accepted_whole for batch in own):,} of {len(own):,}"
    return name, place, accepted, f"{rows:,}", str(status["quarantined"]), str(doubted), str(status["missing"])


def _edge(training: Mapping[str, Any], side: str) -> str:
    times = [part[side] for part in training.values()]
    return str(min(times) if side == "from" else max(times))


def _holdout(holdout: Mapping[str, Any]) -> str:
    if not holdout["rows"]:
        return "nothing"
    return f"{count(holdout['rows'], 'event')}, {_day(holdout['from'])} to {_day(holdout['to'])}"


def _importance(bundle: Bundle) -> Iterator[Part | None]:
    """The features that count most in both of its fits: little can be read into one whose rank moves between them."""
    for name, model in bundle.models.items():
        judged = bundle.judged.get(name)
        if judged is None or model.kind == "heuristic":
            continue
        now, before = (list(one.strongest(len(one.features))) for one in (model, judged))
        rows = tuple(
            (feature, str(place), str(before.index(feature) + 1) if feature in before else "–")
            for place, feature in enumerate(now[:STRONGEST], 1)
        )
        yield Grid((f"{name}: feature", "rank in service", "rank as judged"), rows)
        both = [feature for feature in now if feature in before]
        ours, theirs = ([float(of.index(feature)) for feature in both] for of in (now, before))
        stable = rank_correlation(ours, theirs, bundle.scope.evaluation.confidence)
        if stable.value is not None:
            apart = f"{name}: over the cut-offs of its two fits, a holdout apart, the ranks of"
            yield f"{apart} {count(len(both), 'feature')} have a correlation of {stable.value:.2f}."


# ---- how good it is


def _quality(project: Project, release: Register, bundle: Bundle) -> Iterator[Part | None]:
    evaluation = bundle.evaluation
    confidence = percent(bundle.scope.evaluation.confidence)
    yield (
        "Measured on the events held out, which taught the judged model nothing, beside the baseline on the same rows; "
        f"in brackets {confidence} CI."
    )
    for name, trial in evaluation["objectives"].items():
        overall, other = trial["candidate"]["overall"], trial["baseline"]["overall"]["metrics"]
        if not overall["metrics"]:
            yield f"{name}: no figure, since too few events were held out ({count(overall['rows'], 'event')})."
            continue
        metrics = overall["metrics"].items()
        rows = tuple((metric_name(m), metric_value(one), metric_value(other.get(m, {}))) for m, one in metrics)
        yield Grid((name, release.version, "baseline"), rows)
        yield _against(name, trial)
    yield from _money(evaluation.get("money", {}), release.version)
    yield _behaviour(evaluation.get("behaviour", ()))
    yield from _calibration(project, release, evaluation)


def _against(name: str, trial: Mapping[str, Any]) -> str:
    overall = trial["candidate"]["overall"]
    share = trial["against_baseline"]["overall"]["share"]
    rate = "" if overall["base_rate"] is None else f"; mean label {overall['base_rate']:.4g}"
    loss = metric_name(trial["candidate"]["loss"])
    against = "" if share["value"] is None else f"; {loss} {_share(share)} against the baseline"
    return f"{name}: {count(overall['rows'], 'event')}{rate}{against}."


def _behaviour(results: Iterable[Mapping[str, Any]]) -> Grid | None:
    rows = tuple(
        (one.test, one.objective, EXPECTED[one.expected].format(one.bound), f"{one.broken:,} of {one.rows:,}",
         "holds" if one.holds else f"does not hold ({one.severity})", one.reason)
        for one in map(Behaviour.from_dict, results)
    )  # fmt: skip
    return Grid(("behaviour", "objective", "the score", "rows that break it", "outcome", "why"), rows) if rows else None


def _money(money: Mapping[str, Any], version: str) -> Iterator[Part | None]:
    rows = tuple(
        ({"candidate": version}.get(model, model), _cost(one["cost"]), f"{one['alerts']:,}", f"{one['needless']:,}",
         ", ".join(f"{name} {number:,}" for name, number in one["missed"].items()), f"{one['silence']:,.0f}")
        for model, one in money.items() if one["cost"]["value"] is not None
    )  # fmt: skip
    if rows:
        yield Grid(("cost", "of all alerts", "alerts", "false", "missed", "cost of no alerts at all"), rows)


def _cost(measure: Mapping[str, Any]) -> str:
    low, high = measure["low"], measure["high"]
    return f"{measure['value']:,.0f}" + ("" if low is None else f" ({low:,.0f} to {high:,.0f})")


def _calibration(project: Project, release: Register, evaluation: Mapping[str, Any]) -> Iterator[Part | None]:
    """Predicted and observed by tenths, where the release's commit has them of this evaluation."""
    there = git.file_at(project.home, release.commit, "reports/evaluation/evaluation.json")
    table = git.file_at(project.home, release.commit, "reports/evaluation/calibration.csv")
    if there is None or table is None or json.loads(there) != evaluation:
        return
    rows = list(csv.DictReader(io.StringIO(table)))
    for name in dict.fromkeys(row["objective"] for row in rows):
        tenths = [row for row in rows if (row["objective"], row["model"]) == (name, "candidate")]
        mean, rate = ([float(row[column]) for row in tenths] for column in ("mean_score", "label_rate"))
        lines = [Line("predicted", "baseline", mean), Line("observed", "served", rate)]
        drawn = charts.lines([f"{value:.3g}" for value in mean], lines, 3)
        numbers = tuple((row["decile"], f"{int(row['rows']):,}", f"{p:.4f}", f"{o:.4f}")
                        for row, p, o in zip(tenths, mean, rate, strict=True))  # fmt: skip
        title = f"{name}: predicted and observed, a tenth of the held-out events at a time"
        yield Picture(title, drawn, Grid(("tenth", "events", "predicted", "observed"), numbers))


def _slices(scope: Scope, evaluation: Mapping[str, Any]) -> Iterator[Part | None]:
    for name, trial in evaluation["objectives"].items():
        loss, least = metric_name(trial["candidate"]["loss"]), trial["candidate"]["min_rows"]
        for column, values in trial["against_baseline"]["slices"].items():
            judged = {value: one for value, one in values.items() if one["share"]["value"] is not None}
            rows = tuple(
                (value, f"{one['rows']:,}", f"{one['loss']:.4f}", f"{one['other_loss']:.4f}", _share(one["share"]))
                for value, one in judged.items()
            )
            most = sorted(judged, key=lambda value: -judged[value]["rows"])[:BARS]
            drawing = charts.bars(most, [100 * judged[value]["share"]["value"] for value in most], 1)
            grid = Grid((column, "events", loss, "baseline's", "against the baseline"), rows)
            title = f"{name}: {loss} by {column} against the baseline, %; below zero is better"
            if rows:
                yield Picture(title, drawing, grid)
                yield grid
            if few := [value for value in values if value not in judged]:
                yield f"{name}: not judged, with fewer than {count(least, 'event')}: {column} {', '.join(few)}."


def _fairness(evaluation: Mapping[str, Any]) -> Iterator[Part | None]:
    """Who is given alerts, by group of each column that the scope names."""
    for column, groups in evaluation.get("fairness", {}).items():
        rates = (*PARITY, *ODDS)
        rows = tuple((v, f"{one['rows']:,}", *(_rate(one[rate]) for rate in rates)) for v, one in groups.items())
        yield Grid((column, "events", "with an alert", "of those that happened", "of those that did not"), rows)


def _rate(measure: Mapping[str, Any]) -> str:
    if measure["value"] is None:
        return "–"
    within = "" if measure["low"] is None else f" ({percent(measure['low'])} to {percent(measure['high'])})"
    return percent(measure["value"]) + within


def _observed(records: Records, release: Register) -> Iterator[Part | None]:
    """The loss as the decisions about this release measured it, on events that it had predicted."""
    own = [d for d in records.decisions if d.release == release.version and d.quality]
    for name in dict.fromkeys(name for d in own for name in d.quality if name != "money"):
        measured = [(d.at, d.quality[name]) for d in own if d.quality.get(name, {}).get("metrics")]
        if not measured:
            continue
        loss = next(iter(measured[-1][1]["metrics"]))
        values = [(at, one["metrics"].get(loss, {}), one["rows"]) for at, one in measured]
        lines = [Line("observed", "served", [one.get("realised") for _, one, _ in values]),
                 Line("promised", "baseline", [one.get("promised") for _, one, _ in values])]  # fmt: skip
        drawing = charts.lines([f"{at:%Y-%m-%d}" for at, _, _ in values], lines, 3)
        rows = tuple((when(at), f"{events:,}", _number(one.get("realised")), _number(one.get("promised")))
                     for at, one, events in values)  # fmt: skip
        title = f"{name}: {metric_name(loss)} of the mature events before each decision"
        yield Picture(title, drawing, Grid(("decision", "events", "observed", "promised"), rows))


# ---- what it must not be used for


def _limits(scope: Scope, bundle: Bundle) -> Iterator[str]:
    yield "It is for the purpose above and for nothing else: no other use of its scores has been judged."
    yield f"A score holds for the moment `{scope.events.predict_at}`: it uses only what was known by then."
    if scope.features.barred:
        yield f"It must not be given features from barred columns: {', '.join(scope.features.barred)}."
    if scope.features.allowed:
        yield f"People have allowed columns that may give the label away: {', '.join(scope.features.allowed)}."
    horizon = span(scope.events.label_horizon)
    yield f"Labels are mature {horizon} after an event: of anything newer its quality is an estimate."
    if scope.events.labels_until is not None:
        yield f"Labels of events from {scope.events.labels_until} on are not trusted, and judged nothing."
    if scope.events.acted_on:
        yield "Acting on a prediction changes the label: events that were acted on are no proof for or against it."
    for name, part in bundle.training["objectives"].items():
        length = datetime.fromisoformat(part["to"]) - datetime.fromisoformat(part["from"])
        if length < SEASONS:
            yield f"{name}: it has learned from {span(length)}, less than a year, and has not seen every season."
    for name, trial in bundle.evaluation["objectives"].items():
        yield from _weak(name, trial)


def _weak(name: str, trial: Mapping[str, Any]) -> Iterator[str]:
    """Slices in which it was significantly worse than the baseline, and a promise that rests on nothing."""
    if not trial["candidate"]["overall"]["metrics"]:
        yield f"{name}: nothing was held out to judge it by, so it promises nothing."
    for column, values in trial["against_baseline"]["slices"].items():
        for value, one in values.items():
            if (one["share"]["low"] or 0.0) > 0:
                loss = f"{metric_name(trial['candidate']['loss'])} {_share(one['share'])} against the baseline"
                yield f"{name}: do not rely on it where {column} is {value}: {loss}."


# ---- who stands behind it


def _contracts(bundle: Bundle) -> Iterator[Part | None]:
    for file, data in bundle.contracts.items():
        rules = json.loads(data).get("expectations", [])
        many = Counter(rule.get("severity", "critical") for rule in rules)
        yield f"{file}: {', '.join(f'{number} {severity}' for severity, number in many.items()) or 'no rules'}."
        reasons = ((rule.get("severity"), rule.get("meta", {}).get("reason")) for rule in rules)
        yield tuple(f"{severity}: {reason}" for severity, reason in reasons if reason)


def _decided(project: Project, ledger: Ledger, release: Register) -> Iterator[Part | None]:
    yield f"{release.who}: {release.why}"
    decided = history.decision_of(project, release)
    if decided is not None:
        table = evidence_table(decided.decision)
        yield Grid(table.headings, tuple(row.cells for row in table.rows))
        yield f"`{decided.command}`"
    events = [e for e in ledger.events if e.version == release.version]
    rows = [_event(event) for event in events]
    yank = ledger.yanked(release.version)
    rows += [(when(yank.at), "yank", yank.who, yank.why)] if yank else []
    if rows:
        yield Grid(("when", "event", "by", "why"), tuple(rows))
    yield tuple(release.evidence)


def _event(event: ReleaseEvent) -> tuple[str, ...]:
    return when(event.at), event.what, event.who, event.why


def _back(ledger: Ledger, release: Register) -> Iterator[Part | None]:
    champion = ledger.champion
    if champion is None or champion.version != release.version:
        yield f"It is not in service. `homeostat promote {release.version} --why TEXT` puts it there."
        return
    previous = ledger.previous_healthy()
    if previous is None:
        yield "There is no earlier release to go back to that was neither yanked nor rolled back from."
        return
    yield f"`homeostat rollback --why TEXT` goes back to {previous}, and `--to VERSION` to another one."
    yield "Models, features, calibration, weights, contracts and drift reference go back together."


# ---- words


def _day(time: str) -> str:
    return when(datetime.fromisoformat(time))


def _share(share: Mapping[str, Any]) -> str:
    text = change(share["value"])
    return text if share["low"] is None else f"{text} ({change(share['low'])} to {change(share['high'])})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
