"""Write a release into a folder that predicts by itself, and try it before it is handed over.

The folder: ``<objective>.onnx``, ``predict.py`` (onnxruntime and NumPy), ``index.html`` (any browser), golden rows,
stored answers for the commonest requests, and ``manifest.json``, which says what the device does not know.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat import models
from homeostat.adapters.parquet import digest
from homeostat.core.calibration import LEAST
from homeostat.core.costs import worth
from homeostat.core.errors import DataError, UsageError
from homeostat.core.evaluation import Compared
from homeostat.device.blind import Blindness, as_json, blindness
from homeostat.device.flat_trees import flat_trees
from homeostat.device.onnx_models import as_onnx, runnable
from homeostat.features.tables import listed
from homeostat.models.lightgbm import Trees
from homeostat.models.linear import FAR, Linear, Number
from homeostat.project.layout import working_tree

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.operation_scope import Device
    from homeostat.training.bundle import Bundle

HERE = Path(__file__).parent
MANIFEST = "manifest.json"
MEGABYTE = 1_000_000
TRIAL = """
import json, statistics, sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from predict import Device
def peak():  # MB; what the system counts for a process includes, on Linux, what started it, and its status does not
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
device, times = Device(Path(sys.argv[1])), []
requests = [row["features"] for row in json.loads(Path(sys.argv[1], "golden.json").read_text("utf-8"))]
for n in range(300):
    began = time.perf_counter()
    device.computed([requests[n % len(requests)]])
    times.append(1000 * (time.perf_counter() - began))
print(json.dumps([statistics.median(times), peak()]))
"""


@dataclass(frozen=True)
class Export:
    """What was written, and what it measured when it was tried: one answer and the whole process."""

    version: str
    folder: Path
    known: tuple[str, ...]
    needed: int  # features in all
    cost: Mapping[str, Compared]
    golden: int
    megabytes: float
    milliseconds: float
    memory: float  # MB
    expires: datetime


def export(project: Project, bundle: Bundle, version: str, folder: Path, limits: Device) -> Export:
    """Write the release ``bundle`` to ``folder``, whole or not at all; an earlier export there is replaced.

    Raises:
        UsageError: the folder holds something else, or a model is of a kind that no device runs.
        DataError: the holdout's batches are not there, the export is over a limit of the scope, or answers otherwise.
    """
    _refuse_other(folder)
    as_models = {name: as_onnx(model, name) for name, model in bundle.uncalibrated.items()}
    blind = blindness(working_tree(project), bundle)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as made:
        place = Path(made) / folder.name
        place.mkdir()
        for name, data in as_models.items():
            (place / f"{name}.onnx").write_bytes(data)
        manifest = _write(place, bundle, version, blind, limits)
        milliseconds, memory = _tried(place)
        size = sum(path.stat().st_size for path in place.iterdir()) / MEGABYTE
        _hold_to_budget(limits, size, milliseconds, memory)
        shutil.rmtree(folder, ignore_errors=True)
        place.rename(folder)
    return Export(
        version, folder, tuple(manifest["known"]), len(listed(bundle.scope)), blind.cost, bundle.golden.height, size,
        milliseconds, memory, datetime.fromisoformat(manifest["expires"]),
    )  # fmt: skip


def _refuse_other(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / "predict.py").is_file())):
        raise UsageError(f"{folder}: is there and is no export; name another folder, or remove it")


# ---- what is written


def _write(place: Path, bundle: Bundle, version: str, blind: Blindness, limits: Device) -> dict[str, Any]:
    """Everything but the models, which are there; the manifest."""
    scope, ours = bundle.scope, bundle.uncalibrated
    known = [name for name in listed(scope) if name not in blind.defaults]
    golden, stored = _golden(bundle), _stored(bundle, known, blind, limits.answers)
    _write_json(place / "golden.json", golden)
    _write_json(place / "answers.json", stored)
    names = [*(f"{name}.onnx" for name in ours), "golden.json", "answers.json"]
    manifest = {
        "project": scope.project, "goal": scope.goal, "release": version, "bundle": bundle.hash,
        **_times(limits),
        "alert_cost": scope.costs.alert,
        "objectives": {name: _part(bundle, name, blind) for name in ours},
        "known": known, "defaults": dict(blind.defaults),
        "privacy": {
            "stored": ["the models", f"{len(golden)} golden requests of the past", f"{len(stored)} stored answers"],
            "sent": "nothing, unless HOMEOSTAT_SERVICE names a service; then events of which this export has expired",
        },
        "files": {name: digest((place / name).read_bytes()) for name in names},
    }  # fmt: skip
    _write_json(place / MANIFEST, manifest, indent=1)
    shutil.copyfile(HERE / "runner.py", place / "predict.py")
    walked = {name: _walked(runnable(model, name)) for name, model in ours.items()} | {"far": FAR}
    body = {"manifest": manifest, "models": walked, "golden": golden, "stored": stored}
    embedded = json.dumps(body, separators=(",", ":")).replace("<", "\\u003c")
    page = (HERE / "page.html").read_text("utf-8").replace("/*EXPORT*/", embedded)
    (place / "index.html").write_text(page, "utf-8")
    return manifest


def _write_json(path: Path, body: Any, indent: int | None = None) -> None:
    path.write_text(json.dumps(body, indent=indent) + "\n", "utf-8")


def _times(limits: Device) -> dict[str, str]:
    """Until when it answers, by the device's own clock: the wall's, whatever clock the project has."""
    now = datetime.now(UTC)
    return {
        "made": now.isoformat(), "answers_until": (now + limits.fresh).isoformat(),
        "expires": (now + limits.expires).isoformat(),
    }  # fmt: skip


def _part(bundle: Bundle, name: str, blind: Blindness) -> dict[str, Any]:
    """An objective in the manifest."""
    model, objective = bundle.uncalibrated[name], bundle.scope.objectives[name]
    part: dict[str, Any] = {
        "file": f"{name}.onnx", "task": objective.task, "weight": objective.weight, "kind": model.kind,
        "features": [feature.to_dict() for feature in runnable(model, name).encoded],
        "on_device": as_json(blind.cost[name]),
    }  # fmt: skip
    if (calibrator := bundle.calibrators.get(name)) is not None:
        raw = calibrator.to_dict()
        if raw["kind"] != "platt":
            fix = "set training.calibrate to platt and recalibrate"
            raise UsageError(f"objective {name}: its calibrator is {raw['kind']}, which a device cannot run; {fix}")
        part["calibrator"] = {"slope": raw["slope"], "intercept": raw["intercept"], "least": LEAST}
    return part


def _golden(bundle: Bundle) -> list[dict[str, Any]]:
    """The golden rows that the bundle was sealed with: features, raw scores, and whether an alert is worth it.

    A device knows neither filters nor a band in which it abstains, which the sealed decisions heed.
    """
    rows, scope = bundle.golden, bundle.scope
    raw = {name: runnable(model, name).raw(rows).tolist() for name, model in bundle.uncalibrated.items()}
    alerts = worth(models.predict_each(bundle.models, rows), scope.objectives, scope.costs.alert).tolist()
    return [
        {"features": given, "raw": {name: raw[name][n] for name in raw}, "alert": alerts[n]}
        for n, given in enumerate(rows.select(listed(scope)).to_dicts())
    ]


def _stored(bundle: Bundle, known: list[str], blind: Blindness, many: int) -> list[list[Any]]:
    """The scores of the commonest requests, by what a device knows of them; ties in the order of their values."""
    if not known or not many:
        return []
    reference = bundle.reference
    common = reference.select(known).group_by(known).len().sort("len", *known, descending=[True, *[False] * len(known)])
    rows = common.head(many).select(known)
    others = [pl.lit(value, dtype=reference.schema[name]).alias(name) for name, value in blind.defaults.items()]
    scores = models.predict_each(bundle.models, rows.with_columns(others))
    return [
        [list(given), {name: float(scores[name][n]) for name in scores}] for n, given in enumerate(rows.iter_rows())
    ]


def _walked(model: Trees | Linear) -> Any:
    """A model as the page walks it."""
    if isinstance(model, Trees):
        return {"trees": [asdict(tree) for tree in flat_trees(model)]}
    terms = [asdict(term) if isinstance(term, Number) else list(term) for term in model.terms]
    return {"intercept": model.intercept, "terms": terms}


# ---- how it is tried


def _tried(place: Path) -> tuple[float, float]:
    """Milliseconds of an answer, the median, and megabytes of a process that answers by ``predict.py`` alone.

    Raises:
        DataError: it does not answer.
    """
    run = subprocess.run([sys.executable, "-I", "-c", TRIAL, str(place)], capture_output=True, text=True, check=False)
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or ["no word"])[-1]
        raise DataError(f"the export does not answer: {reason}")
    milliseconds, memory = json.loads(run.stdout)
    shutil.rmtree(place / "__pycache__", ignore_errors=True)
    return milliseconds, memory


def _hold_to_budget(limits: Device, size: float, milliseconds: float, memory: float) -> None:
    measured = (
        ("megabytes", limits.megabytes, size, "MB on disk"),
        ("milliseconds", limits.milliseconds, milliseconds, "ms an answer"),
        ("memory", limits.memory, memory, "MB of memory"),
    )
    over = [
        f"{value:,.1f} {unit}, over device.{name} {limit:g}"
        for name, limit, value, unit in measured
        if limit is not None and value > limit
    ]
    if over:
        raise DataError(f"not exported: {'; '.join(over)}; raise it in params.yaml, or train fewer or smaller trees")


def lines(made: Export) -> list[str]:
    """What a person wants to know of an export."""
    costs = [f"{name} {_cost(one)}" for name, one in made.cost.items()]
    return [
        f"exported   {made.version} to {made.folder}: {made.megabytes:.1f} MB",
        f"known      {len(made.known)} of {made.needed} features from the request alone: {', '.join(made.known)}",
        f"unknown    the others take defaults, which costs: {'; '.join(costs)}",
        f"tried      {made.golden} golden rows as they were sealed; {made.milliseconds:.2f} ms an answer, "
        f"{made.memory:.0f} MB of memory",
        f"expires    {made.expires:%Y-%m-%d}; what it holds and what it would send: {made.folder / MANIFEST}",
        f"next       python {made.folder / 'predict.py'} '{{}}', or open {made.folder / 'index.html'}",
    ]


def _cost(one: Compared) -> str:
    if one.share.value is None or one.loss is None:
        return "too little to say"
    return f"{one.loss:.4f} for {one.other_loss:.4f} ({one.share.value:+.1%})"
