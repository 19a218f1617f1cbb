"""Stage validate: split every landed batch into rows that are accepted and rows that are held, with the reason."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters import gx, parquet
from homeostat.adapters.import_graph import work_hash
from homeostat.core import batch_rules
from homeostat.core.batch_rules import Verdict
from homeostat.core.errors import DataError
from homeostat.core.findings import Finding
from homeostat.core.periods import period_of
from homeostat.data import amendments, casts, sources
from homeostat.data.ingest import periods, remove_stray

if TYPE_CHECKING:
    from homeostat.core.periods import Period
    from homeostat.data.amendments import Amendment
    from homeostat.project.layout import Project
    from homeostat.project.scope import Source

TYPES = "types"  # the rule that a row breaks whose value does not fit its column
UNTIL = "accepted until "  # of a verdict's files: the version before an amendment that became known then
_verdicts: dict[str, tuple[int, Verdict]] = {}


@dataclass(frozen=True)
class Judgement:
    """Both sides of a batch: ``accepted`` is None when it is held whole; ``held`` has a column ``reason``."""

    accepted: pl.DataFrame | None
    held: pl.DataFrame
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Case:
    """All that a verdict follows from."""

    name: str
    label: str
    landed: bytes
    source: Source
    span: tuple[datetime, datetime] | None
    contract: bytes
    history: tuple[int, ...]
    others: Mapping[str, str]
    changed: Mapping[str, str]  # what of the schema already failed in the batch before, and since which batch
    amendments: tuple[Amendment, ...]

    @property
    def correction(self) -> Amendment | None:
        """The correction in force: the last one."""
        return next((a for a in reversed(self.amendments) if a.kind == "correct"), None)

    @property
    def content(self) -> str:
        """The hash of the rows that are judged."""
        return self.correction.sha256 if self.correction else parquet.digest(self.landed)

    @property
    def key(self) -> str:
        twin = batch_rules.came_once(self.content, self.others).sentence
        said = [self.name, self.label, self.source.model_dump_json(), str(self.span), str(self.history), twin,
                str(self.changed)]  # fmt: skip
        code = work_hash("homeostat.data.validate")
        parts = [parquet.digest(self.landed), parquet.digest(self.contract), code, *said, str(self.amendments)]
        return parquet.digest("\n".join(parts).encode())


def validate(
    project: Project,
    source_name: str,
    label: str,
    landed: Path | None = None,
    now: datetime | None = None,
    verdicts: Mapping[str, Verdict] | None = None,
) -> Verdict:
    """Decide on one landed batch and write both sides; a verdict that still holds is read, not made again.

    ``landed`` is the batch's file where it is not the project's own; ``now`` hides amendments known later;
    ``verdicts`` are those of the source on record, where the caller has them at hand.

    Raises:
        DataError: the landed file is missing or damaged.
        ScopeError: the contract cannot be used.
    """
    case = case_of(project, source_name, label, landed, now, verdicts)
    recorded = read_verdict(project, source_name, label)
    if recorded is not None and recorded.key == case.key and _files_match(project, source_name, label, recorded):
        return recorded
    return _write(project, case, judge(project, case), earlier_versions(project, case))


def validate_many(
    project: Project, source_name: str, labels: Iterable[str], now: datetime | None = None
) -> list[Verdict]:
    """Decide on batches in order of time, since volume is held against the batches before."""
    return [validate(project, source_name, label, now=now) for label in sorted(labels)]


def missing(project: Project, source_name: str, period: Period, now: datetime | None = None) -> Verdict | None:
    """Record that the batch of a period has not come; None while it is not yet late at ``now`` (None: it is late)."""
    late_after = project.scope.sources[source_name].late_after
    finding = batch_rules.overdue(period.end, late_after, period.end + late_after if now is None else now)
    if not finding.failed:
        return None
    if now is not None:  # the record says when it was due, not when somebody looked
        finding = batch_rules.overdue(period.end, late_after, period.end + late_after)
    _remove(project, source_name, period.label)
    verdict = Verdict("missing", "", 0, 0, (finding,))
    _record(project, source_name, period.label, verdict)
    return verdict


def read_verdict(project: Project, source_name: str, label: str) -> Verdict | None:
    """The verdict on record, or None."""
    path = os.path.join(project.accepted, source_name, f"{label}.json")
    try:
        return _kept(path, os.stat(path).st_mtime_ns)
    except FileNotFoundError:
        return None


def recorded_verdicts(project: Project, source_name: str) -> dict[str, Verdict]:
    """Every verdict on record of one source, by label, in order of time."""
    folder = project.accepted / source_name
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as found:
        entries = sorted((e.name, e.path, e.stat().st_mtime_ns) for e in found if e.name.endswith(".json"))
    return {name.removesuffix(".json"): _kept(path, changed) for name, path, changed in entries}


def _kept(path: str, changed: int) -> Verdict:
    """A verdict, read again only where its file has changed: a year of them is asked for at every batch."""
    if path not in _verdicts or _verdicts[path][0] != changed:
        with open(path, encoding="utf-8") as text:
            _verdicts[path] = changed, Verdict.from_dict(json.load(text))
    return _verdicts[path][1]


def case_of(
    project: Project,
    name: str,
    label: str,
    landed: Path | None = None,
    now: datetime | None = None,
    verdicts: Mapping[str, Verdict] | None = None,
) -> Case:
    """Gather what decides on a batch; ``verdicts`` are those of the source on record, unless others are supposed.

    Raises:
        DataError: the landed file is missing.
    """
    source = project.scope.sources[name]
    path = landed or project.landed / name / f"{label}.parquet"
    if not path.is_file():
        raise DataError(f"{name} {label}: {path} is not there; land the batch first")
    known = recorded_verdicts(project, name) if verdicts is None else verdicts
    earlier = {k: v for k, v in known.items() if k < label}
    contract = project.contracts / f"{name}.json"
    span = None
    if source.period != "once":
        period = period_of(label, source.period, project.scope.rhythm.offset)
        span = (period.start, period.end)
    found = Case(
        name=name, label=label, landed=path.read_bytes(), source=source, span=span,
        contract=contract.read_bytes() if contract.is_file() else b"",
        history=tuple(v.rows for v in earlier.values() if v.status == "accepted")[-batch_rules.HISTORY :],
        others={k: v.batch for k, v in earlier.items() if v.batch},
        changed=_changed_before(earlier),
        amendments=tuple(
            a for a in amendments.read_amendments(project, now) if (a.source, a.batch) == (name, label)
        ),
    )  # fmt: skip
    if found.correction is not None:
        amendments.corrected_rows(project, found.correction)  # a changed file is told even when a verdict is kept
    return found


def judge(project: Project, case: Case) -> Judgement:
    """Decide on one batch and write nothing."""
    correction = case.correction
    landed = _read(case) if correction is None else amendments.corrected_rows(project, correction)
    since = 0 if correction is None else correction.number  # what was released before is no longer there
    releases = [a for a in case.amendments if a.kind == "release" and a.number > since]
    shape = schema(case, landed)
    if any(f.failed for f in shape):
        reason = "; ".join(f.sentence for f in shape if f.failed)
        return Judgement(None, _with_reason(landed, [reason] * len(landed)), tuple(shape))
    rows = landed.select(list(case.source.columns))
    unfit = _unfit(case.source, landed)
    whole = [*shape, *_whole_findings(case, rows), *_unfit_finding(case.source, unfit)]
    repeated, twice = _repeated(case.source, rows)
    failures = gx.check(rows, case.contract, f"expectations/{case.name}.json")
    findings = [*whole, twice, *(_finding(f) for f in failures)]
    fatal = [f.sentence for f in whole if f.failed and f.rule != TYPES]
    fatal += [_say(f) for f in failures if f.severity == "critical"]
    reasons: list[list[str]] = [list(fatal) for _ in range(len(rows))]
    for failure in failures:
        for row in failure.rows if failure.severity == "warning" else ():
            reasons[row].append(failure.reason)
    for row, reason in unfit.items():
        reasons[row].append(reason)
    for row in _released(case.source, rows, releases):
        reasons[row].clear()
    for row, reason in repeated.items():  # never released: the key would name two rows
        reasons[row].append(reason)
    findings += [_release_finding(a) for a in releases]
    return _split(rows, reasons, findings)


def earlier_versions(project: Project, case: Case) -> dict[datetime, pl.DataFrame | None]:
    """What was accepted of a batch until each of its amendments became known; None: nothing was."""
    times = sorted({a.known for a in case.amendments})
    before = [replace(case, amendments=tuple(a for a in case.amendments if a.known < time)) for time in times]
    return {time: judge(project, b).accepted for time, b in zip(times, before, strict=True)}


def version_path(project: Project, name: str, label: str, sha256: str) -> Path:
    """Where an earlier version of an accepted batch lies."""
    return project.accepted / name / label / f"{sha256[:32]}.parquet"


def _read(case: Case) -> pl.DataFrame:
    try:
        return pl.read_parquet(case.landed)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{case.name} {case.label}: the landed file is damaged; remove it and land it again") from error


def _split(rows: pl.DataFrame, reasons: list[list[str]], findings: list[Finding]) -> Judgement:
    held = [bool(r) for r in reasons]
    texts = ["; ".join(dict.fromkeys(r)) for r in reasons]
    kept = None if len(rows) and all(held) else rows.filter(~pl.Series(held, dtype=pl.Boolean))
    return Judgement(kept, _with_reason(rows, texts).filter(pl.Series(held, dtype=pl.Boolean)), tuple(findings))


def _with_reason(rows: pl.DataFrame, texts: list[str]) -> pl.DataFrame:
    return rows.with_columns(pl.Series("reason", texts, dtype=pl.String))


def _whole_findings(case: Case, rows: pl.DataFrame) -> list[Finding]:
    """What concerns the batch as a whole, contract aside."""
    found = [batch_rules.came_once(case.content, case.others)]
    if case.span is not None:
        times = sources.event_times(case.name, case.source, rows)
        first, last = times.min(), times.max()
        found.append(batch_rules.within_period(*case.span, first, last))  # type: ignore[arg-type]
    if case.source.volume is not None and case.source.timed:
        found.append(batch_rules.volume(len(rows), case.history, case.source.volume))
    return found


def schema(case: Case, rows: pl.DataFrame) -> list[Finding]:
    """Whether the declared columns are there, in their types but for a few values; one finding a column that is not."""
    source = case.source
    besides = [c for c in rows.columns if c not in source.columns and not c.startswith(casts.WRITTEN)]
    found = []
    for column, kind in source.columns.items():
        unfit = rows[casts.WRITTEN + column].drop_nulls() if casts.WRITTEN + column in rows.columns else None
        if column not in rows.columns:
            found.append(batch_rules.column_gone(case.name, case.label, column, besides, case.changed))
        elif rows.schema[column] != sources.TYPES[kind]:
            said = f"column {column} is {rows.schema[column]}, declared {kind}"
            found.append(Finding("schema", "fail", None, None, said))
        elif unfit is not None and len(unfit) > batch_rules.CHANGED * rows.height:
            few = len(unfit), rows.height, str(unfit[0])
            found.append(batch_rules.column_changed(case.name, case.label, column, kind, few, case.changed))
    many = len(source.columns)
    as_declared = Finding("schema", "pass", float(many), float(many), f"all {many} columns are there, as declared")
    return found or [as_declared]


def _changed_before(earlier: Mapping[str, Verdict]) -> dict[str, str]:
    """What of the schema had failed in the last batch that came, and since which."""
    came = [earlier[label] for label in sorted(earlier) if earlier[label].status != "missing"]
    failed = [f.sentence for f in came[-1].findings if f.rule == "schema" and f.failed] if came else []
    return batch_rules.since_when(failed)


def _unfit(source: Source, rows: pl.DataFrame) -> dict[int, str]:
    """Rows with a value that does not fit its type, and which; they are few."""
    reasons: dict[int, str] = {}
    for column in casts.misfitting(rows):
        for row, value in enumerate(rows[casts.WRITTEN + column]):
            if value is not None:
                reasons.setdefault(row, casts.not_of(column, value, source.columns[column]))
    return reasons


def _unfit_finding(source: Source, unfit: Mapping[int, str]) -> list[Finding]:
    if not unfit:
        return []
    said = f"{len(unfit)} rows: {next(iter(unfit.values()))}"
    return [Finding(TYPES, "fail", float(len(unfit)), 0.0, said, "warning")]


def _repeated(source: Source, rows: pl.DataFrame) -> tuple[dict[int, str], Finding]:
    """Rows that repeat a key: an exact copy after the first is held; of rows that differ, all, since none is surer."""
    key = ", ".join(source.key)
    known = rows.select(source.key).is_duplicated()
    if not known.any():
        return {}, Finding("unique key", "pass", 0.0, 0.0, f"{key} names each row once")
    copies = (~rows.to_struct("row").is_first_distinct()).to_list()
    distinct = rows.select(*source.key, pl.struct(rows.columns).n_unique().over(source.key).alias("__n"))["__n"]
    reasons = {}
    for row in known.arg_true().to_list():
        if distinct[row] > 1:
            reasons[row] = f"other rows have the same key ({key}) and differ; none is surer than the other"
        elif copies[row]:
            reasons[row] = f"an exact copy of another row (same {key})"
    said = f"{len(reasons)} rows repeat the key ({key}) of another"
    return reasons, Finding("unique key", "fail", float(len(reasons)), 0.0, said, "warning")


def _released(source: Source, rows: pl.DataFrame, releases: list[Amendment]) -> list[int]:
    if any(a.rows is None for a in releases):
        return list(range(len(rows)))
    wanted = {key for a in releases for key in a.rows or ()}
    return [i for i, key in enumerate(rows.select(source.key).iter_rows()) if key in wanted] if wanted else []


def _say(failure: gx.Failure) -> str:
    return f"{failure.reason} (saw {failure.observed})"


def _finding(failure: gx.Failure) -> Finding:
    count = f"{len(failure.rows)} rows: " if failure.rows else ""
    value = float(len(failure.rows)) if failure.rows else None
    return Finding(
        failure.expectation, "fail", value, 0.0 if failure.rows else None, count + _say(failure), failure.severity
    )


def _release_finding(amendment: Amendment) -> Finding:
    many = "all rows" if amendment.rows is None else f"{len(amendment.rows)} rows"
    said = f"{many} released by {amendment.who}: {amendment.why}"
    return Finding("amendment", "pass", float(amendment.number), None, said)


# ---- what is written


def _write(
    project: Project, case: Case, judgement: Judgement, earlier: Mapping[datetime, pl.DataFrame | None]
) -> Verdict:
    """Both sides first, the verdict last: a kill in between leaves no verdict that does not hold."""
    _remove(project, case.name, case.label)
    files = {f"{UNTIL}{time.isoformat()}": _keep(project, case, rows) for time, rows in earlier.items()}
    accepted, held = judgement.accepted, judgement.held
    if accepted is not None:
        path = parquet.write_table(accepted, project.accepted / case.name / f"{case.label}.parquet")
        files["accepted"] = parquet.digest(path.read_bytes())
    if len(held):
        path = parquet.write_table(held, project.quarantine / case.name / f"{case.label}.parquet")
        files["quarantine"] = parquet.digest(path.read_bytes())
    verdict = Verdict(
        status="quarantined" if accepted is None else "accepted", key=case.key,
        rows_accepted=0 if accepted is None else len(accepted), rows_quarantined=len(held),
        findings=judgement.findings, batch=case.content,
        contract=parquet.digest(case.contract), files=files,
    )  # fmt: skip
    _record(project, case.name, case.label, verdict)
    return verdict


def _keep(project: Project, case: Case, rows: pl.DataFrame | None) -> str:
    """Write an earlier version under its own hash, which is the answer; empty where nothing was accepted."""
    if rows is None:
        return ""
    folder = project.accepted / case.name / case.label
    path = parquet.write_table(rows, folder / "version.parquet")
    sha256 = parquet.digest(path.read_bytes())
    path.replace(version_path(project, case.name, case.label, sha256))
    return sha256


def _record(project: Project, name: str, label: str, verdict: Verdict) -> None:
    text = json.dumps(verdict.to_dict(), indent=1, sort_keys=True) + "\n"
    parquet.write_text(text, project.accepted / name / f"{label}.json")


def _remove(project: Project, name: str, label: str) -> None:
    for path in (
        project.accepted / name / f"{label}.json",
        project.accepted / name / f"{label}.parquet",
        project.quarantine / name / f"{label}.parquet",
    ):
        path.unlink(missing_ok=True)
    shutil.rmtree(project.accepted / name / label, ignore_errors=True)


def _files_match(project: Project, name: str, label: str, verdict: Verdict) -> bool:
    for side, folder in (("accepted", project.accepted), ("quarantine", project.quarantine)):
        path = folder / name / f"{label}.parquet"
        have = parquet.digest(path.read_bytes()) if path.is_file() else None
        if have != verdict.files.get(side):
            return False
    kept = [version_path(project, name, label, v) for k, v in verdict.files.items() if k.startswith(UNTIL) and v]
    return all(p.is_file() and parquet.digest(p.read_bytes()).startswith(p.stem) for p in kept)


def validate_window(project: Project) -> Iterator[str]:
    """Decide on every landed batch of the window and note those that never came; a line on each source."""
    _, as_of = project.window
    called = {name: periods(project, name) for name in project.scope.sources}
    wanted = {name: {p.label for p in found} for name, found in called.items()}
    for folder in (project.accepted, project.quarantine):
        folder.mkdir(parents=True, exist_ok=True)
        remove_stray(folder, wanted)
    for name, found in called.items():
        made: dict[str, Verdict] = {}
        for period in found:  # in order of time: each is held against those before it
            if (verdict := _decide(project, name, period, as_of, made)) is not None:
                made[period.label] = verdict
        yield _tell(name, list(made.values()))


def _decide(
    project: Project, name: str, period: Period, as_of: datetime, before: Mapping[str, Verdict]
) -> Verdict | None:
    if (project.landed / name / f"{period.label}.parquet").is_file():
        return validate(project, name, period.label, now=as_of, verdicts=before)
    verdict = missing(project, name, period, as_of)
    if verdict is None:
        _remove(project, name, period.label)
    return verdict


def _tell(name: str, verdicts: list[Verdict]) -> str:
    count: Callable[[str], int] = lambda status: sum(v.status == status for v in verdicts)  # noqa: E731
    rows = sum(v.rows_quarantined for v in verdicts)
    parts = [f"{count(s)} {s}" for s in ("accepted", "quarantined", "missing")]
    return f"{name}: batches {', '.join(parts)}; {sum(v.rows_accepted for v in verdicts)} rows accepted, {rows} held"
