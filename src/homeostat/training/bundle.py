"""The sealed bundle: everything a release needs to score, in one folder named by its content.

``manifest.json`` names every file by its hash, and the bundle's hash is the manifest's. Nothing in a bundle can run
code: text formats and Parquet only, each verified before it is read.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from homeostat.adapters.parquet import digest, read_table
from homeostat.core.errors import DataError
from homeostat.project import scope as scopes
from homeostat.project.layout import MANIFEST
from homeostat.project.whole_files import write_text

if TYPE_CHECKING:
    import polars as pl

    from homeostat.core.calibrators import Calibrator
    from homeostat.models import Model
    from homeostat.project.scope import Scope

FORMAT = 1
CALIBRATION = "calibration.json"
KINDS = frozenset({".json", ".txt", ".parquet", ".sql", ".yaml"})
# What params.yaml says of a release; the rest (threads, clock, branch, rhythm but its offset) is the running project's.
SECTIONS = (
    "project", "goal", "seed", "sources", "events", "features", "objectives", "costs", "windows", "training",
    "evaluation", "release", "monitoring",
)  # fmt: skip
FIX = "remove the folder and it is unpacked again, or run dvc repro"


@dataclass(frozen=True)
class Bundle:
    """A release, verified; each part is read when it is first needed, once."""

    folder: Path
    hash: str
    manifest: Mapping[str, Any]

    @cached_property
    def scope(self) -> Scope:
        """The scope as it was sealed; threads, scale, clock, branch and rhythm are placeholders, not the project's."""
        return sealed_scope((self.folder / "params.yaml").read_text(), f"{self.folder}/params.yaml")

    @property
    def rung(self) -> str:
        """The rung of the ladder whose recipe it was made by; empty where it was made by the scope's own."""
        return str(self.training.get("rung", ""))

    @property
    def recipe(self) -> Scope:
        """The scope with the recipe that its models were made by."""
        return self.scope.on_rung(self.rung)

    @cached_property
    def calibrators(self) -> Mapping[str, Calibrator]:
        """By objective what its scores pass through; none of one whose scores count as the model gives them."""
        path = self.folder / CALIBRATION
        raw = json.loads(path.read_text()) if path.is_file() else {}
        from homeostat.core.calibrators import Calibrator  # with numpy, which a rollback does without

        return {name: Calibrator.from_dict(one) for name, one in raw.items()}

    @cached_property
    def models(self) -> Mapping[str, Model]:
        """The model of each objective, calibrated."""
        return self._calibrated(self.uncalibrated)

    @cached_property
    def uncalibrated(self) -> Mapping[str, Model]:
        """The model of each objective as it was trained."""
        return self._load("models")

    @cached_property
    def judged(self) -> Mapping[str, Model]:
        """The model of each objective that the holdout judged, calibrated; none in a bundle that holds none."""
        return self._calibrated(self._load("judged")) if (self.folder / "judged").is_dir() else {}

    @cached_property
    def baseline(self) -> Mapping[str, Model]:
        """The baseline of each objective."""
        return self._load("baseline")

    @cached_property
    def sql(self) -> str:
        """``features.sql``."""
        return (self.folder / "features.sql").read_text()

    @cached_property
    def evaluation(self) -> Mapping[str, Any]:
        """``evaluation.json``, what the release promised."""
        return self._json("evaluation.json")

    @cached_property
    def training(self) -> Mapping[str, Any]:
        """``training.json``: from when to when each model was trained, on how many rows."""
        return self._json("training.json")

    @cached_property
    def contracts(self) -> Mapping[str, bytes]:
        """The text of each contract, by file name."""
        return {p.name: p.read_bytes() for p in sorted((self.folder / "expectations").glob("*.json"))}

    @cached_property
    def reference(self) -> pl.DataFrame:
        """Feature rows that drift is held against; ``score__<objective>`` is null but in the holdout."""
        return read_table(self.folder / "reference.parquet")

    @cached_property
    def golden(self) -> pl.DataFrame:
        """A handful of feature rows with the scores and decisions that the bundle gave them when it was sealed."""
        return read_table(self.folder / "golden.parquet")

    def _json(self, name: str) -> Mapping[str, Any]:
        body: Mapping[str, Any] = json.loads((self.folder / name).read_text())
        return body

    def _calibrated(self, fitted: Mapping[str, Model]) -> Mapping[str, Model]:
        from homeostat.models.calibrated import Calibrated

        each = self.calibrators
        return {name: Calibrated(model, each[name]) if name in each else model for name, model in fitted.items()}

    def _load(self, kind: str) -> Mapping[str, Model]:
        from homeostat import models

        return {name: models.load(self.folder / kind / name) for name in self.scope.objectives}


def is_baseline(training: Mapping[str, Any]) -> bool:
    """Whether all that was trained is the baseline itself."""
    return all(o["kind"] == "heuristic" for o in training["objectives"].values())


def carried_objectives(training: Mapping[str, Any]) -> dict[str, str]:
    """By objective whose models were taken over from an earlier release, the time as of which they were made."""
    return {name: str(part["as_of"]) for name, part in training["objectives"].items() if "as_of" in part}


def lacks_model(bundle: Bundle) -> bool:
    """Whether the baseline stands in for a model, and was not chosen as a rung of the ladder."""
    return is_baseline(bundle.training) and not bundle.rung


def seal(folder: Path, project: str, inputs: Mapping[str, str]) -> str:
    """Write ``manifest.json``, last, over every file of ``folder``; the bundle's hash.

    ``inputs`` are hashes of what the bundle was made from, by content.

    Raises:
        DataError: a file of a kind that no bundle holds.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    files = {name: digest((folder / name).read_bytes()) for name in _names(folder)}
    _refuse_kinds(folder, files)
    body = {"format": FORMAT, "project": project, "inputs": dict(inputs), "files": files}
    text = json.dumps(body, indent=1, sort_keys=True) + "\n"
    write_text(text, folder / MANIFEST)
    return digest(text.encode())


def load(folder: Path, expected_hash: str | None = None) -> Bundle:
    """The bundle in ``folder``, every file of it verified.

    Raises:
        DataError: it is missing, damaged, not the one expected, or holds what its manifest does not name.
    """
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{folder}: no bundle here, {MANIFEST} is missing; {FIX}") from error
    actual = digest(data)
    if expected_hash is not None and actual != expected_hash:
        raise DataError(f"{folder}: is bundle {actual[:12]}, not {expected_hash[:12]} as the ledger says; {FIX}")
    manifest = _manifest(path, data)
    files: Mapping[str, str] = manifest["files"]
    _refuse_kinds(folder, files)
    present = set(_names(folder))
    for name in sorted(present - files.keys()):
        raise DataError(f"{folder}: {name} is not in its manifest; {FIX}")
    for name, expected in files.items():
        if name not in present:
            raise DataError(f"{folder}: {name} is missing; {FIX}")
        if digest((folder / name).read_bytes()) != expected:
            raise DataError(f"{folder}: {name} is damaged, its hash differs from the manifest's; {FIX}")
    return Bundle(folder, actual, manifest)


def score(bundle: Bundle, table: pl.DataFrame, baselines: bool = True) -> pl.DataFrame:
    """The scores of feature rows: key, event_time, predict_at, then score__<o>, baseline__<o> and risk, as Float64.

    Rows that were held to filters carry the one that holds.
    """
    import polars as pl

    from homeostat import models
    from homeostat.core.costs import risk
    from homeostat.features.filters import FILTERED

    scope = bundle.scope
    scores = models.predict_each(bundle.models, table)
    theirs = models.predict_each(bundle.baseline, table) if baselines else {}
    total = risk(scores, {name: objective.weight for name, objective in scope.objectives.items()})
    return table.select(*scope.key, "event_time", "predict_at", f"^{FILTERED}$").with_columns(
        *(pl.Series(f"score__{name}", values) for name, values in scores.items()),
        *(pl.Series(f"baseline__{name}", values) for name, values in theirs.items()),
        pl.Series("risk", total),
    )


def sealed_text(params: str) -> str:
    """The part of ``params.yaml`` that a release stands for, in order, without comments."""
    raw = YAML(typ="safe", pure=True).load(params)
    kept = {name: raw[name] for name in SECTIONS if name in raw}
    kept["objectives"] = {name: _without_schedule(part) for name, part in raw["objectives"].items()}
    return _written(kept | {"rhythm": {"offset": raw["rhythm"]["offset"]}})


def sealed_scope(text: str, where: str = "params.yaml") -> Scope:
    """Read what ``sealed_text`` wrote.

    Raises:
        ScopeError: it is no scope of this version.
    """
    raw = YAML(typ="safe", pure=True).load(text)
    every = raw["sources"][raw["events"]["source"]]["period"]
    rhythm = raw["rhythm"] | {"tick": every, "decide": every, "retrain": every}
    own = {"branch": "none", "threads": 1, "rhythm": rhythm}
    if distribute := raw["training"].get("distribute"):
        own["scale"] = {"workers": distribute["ranks"]}
    return scopes.parse(_written(raw | own), where)


def _without_schedule(objective: Mapping[str, Any]) -> dict[str, Any]:
    return {entry: value for entry, value in objective.items() if entry != "retrain"}


def _written(body: Mapping[str, Any]) -> str:
    out = io.StringIO()
    writer = YAML(pure=True)
    writer.default_flow_style = False
    writer.width = 4096  # a long line stays one, whatever it holds
    writer.dump(body, out)
    return out.getvalue()


def _names(folder: Path) -> list[str]:
    """Every file below ``folder`` but the manifest, in order.

    Raises:
        DataError: a link, which may lead out of the bundle.
    """
    paths = sorted(folder.rglob("*"))
    for path in paths:
        if path.is_symlink():
            raise DataError(f"{folder}: {path.relative_to(folder)} is a link; {FIX}")
    names = sorted(p.relative_to(folder).as_posix() for p in paths if not p.is_dir())
    return [name for name in names if name != MANIFEST]


def _refuse_kinds(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        path = Path(name)
        if path.suffix not in KINDS or path.is_absolute() or ".." in path.parts:
            kinds = ", ".join(sorted(KINDS))
            raise DataError(f"{folder}: {name} has no place in a bundle, which holds {kinds} alone; {FIX}")


def _manifest(path: Path, data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
        version, files = body["format"], body["files"]
        whole = isinstance(body["inputs"], dict) and all(isinstance(v, str) for v in files.values())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: is damaged; {FIX}") from error
    if version != FORMAT:
        raise DataError(f"{path}: is of format {version}, this version reads {FORMAT}; run the version that made it")
    if not whole:
        raise DataError(f"{path}: is damaged; {FIX}")
    return dict(body)
