"""The verdict on one batch: which rows are accepted and which are quarantined, with the reasons. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters import gx
from homeostat.core import batch_rules
from homeostat.core.errors import DataError
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.data import amendments, casts
from homeostat.data.examination import contract_failures
from homeostat.data.history import history_findings
from homeostat.data.selection import event_times

if TYPE_CHECKING:
    from homeostat.data.amendments import Amendment
    from homeostat.data.case import Case
    from homeostat.data.workspace import Workspace
    from homeostat.project.scope import Source

REASONS = {"row": pl.UInt32(), "reason": pl.String()}  # why a row is quarantined; a row may have several


@dataclass(frozen=True)
class Judgement:
    """Both sides of a batch: ``accepted`` is None when it is quarantined whole; ``held`` has a column ``reason``."""

    accepted: pl.DataFrame | None
    held: pl.DataFrame
    findings: tuple[Finding, ...]


def judge(workspace: Workspace, case: Case) -> Judgement:
    """Decide on one batch.

    Raises:
        DataError: the landed file is damaged, or an amendment's was changed.
        ScopeError: the contract cannot be used.
    """
    correction = case.correction
    landed = _read(case) if correction is None else amendments.corrected_rows(workspace.project, correction)
    since = 0 if correction is None else correction.number  # what was released before is no longer there
    releases = [a for a in case.amendments if a.kind == "release" and a.number > since]
    shape = schema(case, landed)
    if any(f.failed for f in shape):
        reason = "; ".join(sentence(f) for f in shape if f.failed)
        return Judgement(None, landed.with_columns(pl.lit(reason).alias("reason")), tuple(shape))
    rows = landed.select(list(case.source.columns))
    unfit = _unfit(case.source, landed)
    times = event_times(case.name, case.source, rows)
    unlike = history_findings(workspace, case, rows, times, _released_at(releases))
    whole = [*shape, *_whole_findings(case, rows, times), *_unfit_finding(unfit)]
    repeated, unique = _repeated(case.source, rows)
    failures = contract_failures(workspace, case, rows)
    fatal = [sentence(f) for f in whole if f.failed and f.rule != Rule.TYPES]
    fatal += [sentence(f) for f in unlike if f.failed and f.facts["quarantine"]]
    fatal += [f"{f.reason} (observed: {f.observed})" for f in failures if f.severity == "critical"]
    of_rows = pl.concat([pl.DataFrame(schema=REASONS), *_of_warnings(failures), unfit])
    released = _released(case.source, rows, releases).implode()
    failing = batch_rules.failing_rows(of_rows.filter(~pl.col("row").is_in(released))["row"].n_unique(), len(rows))
    fatal += [sentence(failing)] if failing.failed else []
    reasons = pl.concat([_of_every_row(fatal, len(rows)), of_rows]).filter(~pl.col("row").is_in(released))
    reasons = pl.concat([reasons, repeated])  # never released: the key would name two rows
    findings = [*whole, unique, failing, *unlike, *map(_finding, failures), *map(_release_finding, releases)]
    return _split(rows, reasons, findings)


def earlier_versions(workspace: Workspace, case: Case) -> dict[datetime, pl.DataFrame | None]:
    """What was accepted of a batch until each of its amendments became known; None: nothing was."""
    times = sorted({a.known for a in case.amendments})
    before = [replace(case, amendments=tuple(a for a in case.amendments if a.known < time)) for time in times]
    return {time: judge(workspace, b).accepted for time, b in zip(times, before, strict=True)}


def _read(case: Case) -> pl.DataFrame:
    try:
        return pl.read_parquet(case.landed)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{case.name} {case.label}: the landed file is damaged; remove it and land it again") from error


def _split(rows: pl.DataFrame, reasons: pl.DataFrame, findings: Iterable[Finding]) -> Judgement:
    """Rows with a reason on one side, each with its reasons in the order in which they came; the rest on the other."""
    by_row = reasons.unique(maintain_order=True).group_by("row", maintain_order=True)
    texts = by_row.agg(pl.col("reason").str.join("; ").alias("__reason"))
    both = rows.with_row_index("__row").join(
        texts, left_on="__row", right_on="row", how="left", maintain_order="left"
    ).drop("__row")  # fmt: skip
    good = pl.col("__reason").is_null()
    held = both.filter(~good).with_columns(pl.col("__reason").alias("reason")).drop("__reason")
    accepted = None if len(rows) and len(held) == len(rows) else both.filter(good).drop("__reason")
    return Judgement(accepted, held, tuple(findings))


# ---- the batch as a whole


def schema(case: Case, rows: pl.DataFrame) -> list[Finding]:
    """Whether the declared columns are there, in their types but for a few values; one finding a column that is not."""
    source = case.source
    undeclared = [c for c in rows.columns if c not in source.columns and not c.startswith(casts.WRITTEN)]
    findings = []
    for column, kind in source.columns.items():
        unfit = rows[casts.WRITTEN + column].drop_nulls() if casts.WRITTEN + column in rows.columns else None
        if column not in rows.columns:
            findings.append(batch_rules.column_gone(case.name, case.label, column, undeclared, case.changed))
        elif rows.schema[column] != casts.TYPES[kind]:
            facts = {"dtype": str(rows.schema[column]), "type": kind}
            findings.append(Finding(Rule.SCHEMA, column, "fail", facts=facts))
        elif unfit is not None and len(unfit) > batch_rules.CHANGED * rows.height:
            few = len(unfit), rows.height, str(unfit[0])
            findings.append(batch_rules.column_changed(case.name, case.label, column, kind, few, case.changed))
    many = len(source.columns)
    return findings or [Finding(Rule.SCHEMA, "", "pass", float(many), float(many), facts={"columns": many})]


def _whole_findings(case: Case, rows: pl.DataFrame, times: pl.Series) -> list[Finding]:
    """What concerns the batch as a whole, contract aside."""
    findings = [batch_rules.delivered_once(case.content, {case.twin: case.content} if case.twin else {})]
    if case.span is not None:
        first, last = times.min(), times.max()
        findings.append(batch_rules.within_period(*case.span, first, last))  # type: ignore[arg-type]
    if case.source.volume is not None and case.source.timed:
        findings.append(batch_rules.volume(len(rows), case.history, case.source.volume))
    return findings


# ---- its rows: frames of ``REASONS``


def _reasons(rows: Sequence[int] | pl.Series, reason: str) -> pl.DataFrame:
    """One reason for many rows."""
    return pl.DataFrame({"row": pl.Series(rows, dtype=pl.UInt32)}).with_columns(pl.lit(reason).alias("reason"))


def _of_every_row(reasons: Sequence[str], height: int) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=REASONS), *(_reasons(range(height), reason) for reason in reasons)])


def _of_warnings(failures: Sequence[gx.Failure]) -> list[pl.DataFrame]:
    return [_reasons(f.rows, f.reason) for f in failures if f.severity == "warning"]


def _unfit(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with a value that does not fit its type, and the first such value of each; they are few."""
    written = [(column, rows[casts.WRITTEN + column]) for column in casts.misfitting(rows)]
    parts = [
        pl.DataFrame({
            "row": values.is_not_null().arg_true(),
            "reason": [casts.not_of(column, value, source.columns[column]) for value in values.drop_nulls()],
        }, schema=REASONS)
        for column, values in written
    ]  # fmt: skip
    return pl.concat([pl.DataFrame(schema=REASONS), *parts]).unique("row", keep="first", maintain_order=True)


def _unfit_finding(unfit: pl.DataFrame) -> list[Finding]:
    if unfit.is_empty():
        return []
    facts = {"severity": "warning", "first": unfit["reason"][0]}
    return [Finding(Rule.TYPES, "", "fail", float(len(unfit)), 0.0, rows=len(unfit), facts=facts)]


def _repeated(source: Source, rows: pl.DataFrame) -> tuple[pl.DataFrame, Finding]:
    """Rows that repeat a key: an exact copy after the first; of rows that differ, all, since none is surer."""
    key = ", ".join(source.key)
    repeats = rows.select(source.key).is_duplicated()
    if not repeats.any():
        return pl.DataFrame(schema=REASONS), Finding(Rule.UNIQUE_KEY, "", "pass", 0.0, 0.0, facts={"key": key})
    differ = rows.select(pl.struct(rows.columns).n_unique().over(source.key) > 1).to_series()
    copy = ~rows.to_struct("row").is_first_distinct()
    conflict = f"other rows have the same key ({key}) and differ; none is surer than the other"
    reasons = pl.concat([
        _reasons((repeats & differ).arg_true(), conflict),
        _reasons((repeats & ~differ & copy).arg_true(), f"an exact copy of another row (same {key})"),
    ])  # fmt: skip
    facts, many = {"severity": "warning", "key": key}, len(reasons)
    return reasons, Finding(Rule.UNIQUE_KEY, "", "fail", float(many), 0.0, rows=many, facts=facts)


def _released_at(releases: Sequence[Amendment]) -> str:
    """When all of the batch was first released, if it was."""
    return next((a.known.isoformat() for a in releases if a.rows is None), "")


def _released(source: Source, rows: pl.DataFrame, releases: Sequence[Amendment]) -> pl.Series:
    """The rows that people released."""
    if any(a.rows is None for a in releases):
        return pl.Series(range(len(rows)), dtype=pl.UInt32)
    keys = {key for a in releases for key in a.rows or ()}
    released = [i for i, key in enumerate(rows.select(source.key).iter_rows()) if key in keys] if keys else []
    return pl.Series(released, dtype=pl.UInt32)


# ---- as findings


def _finding(failure: gx.Failure) -> Finding:
    many = len(failure.rows) or None
    value, limit = (None, None) if many is None else (float(many), 0.0)
    facts = {"severity": failure.severity, "reason": failure.reason, "observed": failure.observed}
    return Finding(Rule.CONTRACT, failure.expectation, "fail", value, limit, rows=many, facts=facts)


def _release_finding(amendment: Amendment) -> Finding:
    many = None if amendment.rows is None else len(amendment.rows)
    facts = {"who": amendment.who, "why": amendment.why}
    return Finding(Rule.AMENDMENT, "", "pass", float(amendment.number), rows=many, facts=facts)
