"""Stage pack: seal the candidate, with everything it needs to serve and to be watched, in one bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.adapters.import_graph import code_hash
from homeostat.adapters.parquet import digest, read_table, write_table
from homeostat.core.errors import DataError
from homeostat.data import ingest, validate
from homeostat.features import build
from homeostat.project.whole_files import write_text
from homeostat.training import bundle, evaluate, golden, reference, train
from homeostat.training.parent import LEARN, PARENT

if TYPE_CHECKING:
    from homeostat.project.layout import Project

MAKING = (ingest, validate, build, train, evaluate, reference)  # the manifest names their code too


def pack(project: Project) -> str:
    """Rewrite ``models/bundle`` from the candidate, its evaluation and the feature rows; the bundle's hash.

    Raises:
        DataError: the candidate, its evaluation or the feature rows are missing or damaged.
    """
    folder = project.bundle
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    training = evaluate.read_training(project)
    _copy(project, folder)
    unsealed = bundle.Bundle(folder, "", {})
    rows = with_judged(project, training, read_table(project.reference / reference.ROWS))
    write_table(_calibrated(unsealed, rows), folder / "reference.parquet")
    golden.write_answers(unsealed)
    return bundle.seal(folder, project.scope.project, inputs(project, training))


def with_judged(project: Project, training: Mapping[str, Any], rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in order of time, with score__<objective> by the judged model where it did not train: its holdout."""
    key, scores = list(project.scope.key), evaluate.read_holdout_scores(project)
    rows = rows.sort("event_time", *key).join(scores, on=key, how="left", nulls_equal=True, maintain_order="left")
    for name, trained in training["objectives"].items():
        _, begins, ends = reference.span(trained)
        held_out = pl.col("event_time").is_between(begins, ends, closed="left")
        rows = rows.with_columns(pl.when(held_out).then(pl.col(f"score__{name}")).alias(f"score__{name}"))
    return rows


def _calibrated(unsealed: bundle.Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Reference rows with their scores as the release would give them."""
    return rows.with_columns(
        pl.Series(f"score__{name}", one.apply(rows[f"score__{name}"].to_numpy()), nan_to_null=True)
        for name, one in unsealed.calibrators.items()
    )


def inputs(project: Project, training: Mapping[str, Any]) -> dict[str, str]:
    """What the bundle was made from, by content: feature rows; all code, SQL and contracts; scope, rung and how models
    are continued; the models of each objective that was carried over, and the bundle that is continued.
    """
    rows = [f"{p.name} {digest(p.read_bytes())}" for p in sorted(project.features.glob("*.parquet"))]
    if not rows:
        raise DataError(f"{project.features}: holds no features; run dvc repro")
    written = [project.features_sql, *sorted(project.contracts.glob("*.json"))]
    code = [code_hash("homeostat.stages.pack", *(stage.__name__ for stage in MAKING))]
    code += [f"{p.name} {digest(p.read_bytes())}" for p in written]
    carried = {f"carried.{name}": _digest_of(project.candidate / name) for name in bundle.carried_objectives(training)}
    parent = {PARENT: training[PARENT]} if PARENT in training else {}
    recipe = str(training.get("rung", "")) + (json.dumps(training[LEARN], sort_keys=True) if parent else "")
    return {
        "data": digest("\n".join(rows).encode()),
        "code": digest("\n".join(code).encode()),
        "scope": digest((project.bundle / "params.yaml").read_bytes() + recipe.encode()),
        **carried,
        **parent,
    }


def _digest_of(folder: Path) -> str:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return digest("\n".join(f"{p.relative_to(folder).as_posix()} {digest(p.read_bytes())}" for p in paths).encode())


def _copy(project: Project, folder: Path) -> None:
    """Everything that is in the bundle as it is elsewhere."""
    write_text(bundle.sealed_text((project.root / "params.yaml").read_text()), folder / "params.yaml")
    _take(project.features_sql, folder / "features.sql")
    _take(project.evaluation / "evaluation.json", folder / "evaluation.json")
    _take(project.candidate / "training.json", folder / "training.json")
    for path in sorted((project.reference / "golden").rglob("*.parquet")):
        _take(path, folder / path.relative_to(project.reference))
    if project.calibration.is_file():
        _take(project.calibration, folder / bundle.CALIBRATION)
    for contract in sorted(project.contracts.glob("*.json")):
        _take(contract, folder / "expectations" / contract.name)
    for name in project.scope.objectives:
        for part, kept in (("final", "models"), ("judged", "judged"), ("baseline-final", "baseline")):
            model = project.candidate / name / part
            if not model.is_dir():
                raise DataError(f"{model}: not there; run dvc repro")
            for path in sorted(model.iterdir()):
                _take(path, folder / kept / name / path.name)


def _take(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_bytes(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: not there; run dvc repro") from error
