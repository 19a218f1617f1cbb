"""The file catalogue: one line an artefact, with its grain, its key and its owner.

Versioned paths resolve in ``root``, the tree that DVC runs in; operational ones in ``home``, the main checkout, also
from a worktree of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from homeostat.core.errors import ScopeError
from homeostat.project import scope as scopes
from homeostat.project.scope import Scope

WORKTREE = Path(".homeostat") / "ledger"  # of scheduled work; projects of earlier versions have it by that name
BUNDLE = "models/bundle"  # below the top of any tree of the project
MANIFEST = "manifest.json"  # of a bundle
BEHAVIOUR = "expectations/behaviour"  # likewise; there where a project has such tests
CALIBRATION = "data/calibration.json"  # likewise


@dataclass(frozen=True)
class Project:
    """One project: ``root`` holds what is versioned, ``home`` what is operational."""

    root: Path
    home: Path

    @classmethod
    def find(cls, folder: Path) -> Project:
        """The project that ``folder`` is the top of; a worktree below ``.homeostat`` belongs to its main checkout.

        Raises:
            ScopeError: there is no ``params.yaml`` here.
        """
        root = folder.resolve()
        if not (root / "params.yaml").is_file():
            raise ScopeError(f"{root}: no params.yaml here; run in a project folder or name one with -C DIR")
        home = root.parents[1] if root.parts[-2:] == WORKTREE.parts else root
        return cls(root, home)

    @cached_property
    def scope(self) -> Scope:
        """What ``params.yaml`` of this tree says, read once."""
        return scopes.read(self.root / "params.yaml")

    @property
    def worktree(self) -> Project:
        """The worktree of scheduled work, whether it is there or not."""
        return Project(self.home / WORKTREE, self.home)

    # ---- versioned: git
    @property
    def contracts(self) -> Path:  # <source>.json, one suite a source; people
        return self.root / "expectations"

    @property
    def behaviour(self) -> Path:  # *.yaml, what must hold of the scores of a model; people
        return self.root / BEHAVIOUR

    @property
    def features_sql(self) -> Path:  # every feature, once; people
        return self.root / "features.sql"

    @property
    def window_file(self) -> Path:  # from and as_of; the loop
        return self.root / "data" / "window.yaml"

    @property
    def calibration(self) -> Path:  # of a release that was recalibrated: its calibrators, by objective; the loop
        return self.root / CALIBRATION

    @property
    def amendments(self) -> Path:  # NNNN-<kind>-<source>-<batch>.yaml, append-only; people, by command
        return self.root / "data" / "amendments"

    @property
    def evaluation(self) -> Path:  # metrics.json, evaluation.json, plots; stage evaluate
        return self.root / "reports" / "evaluation"

    # ---- versioned: DVC
    @property
    def landed(self) -> Path:  # <source>/<batch>.parquet, rows as they came; stage ingest
        return self.root / "data" / "landed"

    @property
    def accepted(self) -> Path:  # <source>/<batch>.parquet and .json, the verdict; stage validate
        return self.root / "data" / "accepted"

    @property
    def quarantine(self) -> Path:  # <source>/<batch>.parquet, quarantined rows with the reason; stage validate
        return self.root / "data" / "quarantine"

    @property
    def features(self) -> Path:  # <batch>.parquet, one row an event; stage featurize
        return self.root / "data" / "features"

    @property
    def candidate(self) -> Path:  # the models just trained and the baseline; stage train
        return self.root / "models" / "candidate"

    @property
    def holdout_scores(self) -> Path:  # of the judged models, key and score__<objective>; stage evaluate
        return self.root / "models" / "holdout_scores.parquet"

    @property
    def reference(self) -> Path:  # rows.parquet for drift, golden/ requests with their rows; stage reference
        return self.root / "models" / "reference"

    @property
    def bundle(self) -> Path:  # the sealed release; stage pack
        return self.root / BUNDLE

    # ---- operational: never versioned
    @property
    def state(self) -> Path:  # the loop's own: lock, worktree, cache, replays
        return self.home / ".homeostat"

    @property
    def tick_file(self) -> Path:  # the time of the last completed tick; the loop
        return self.state / "tick"

    @property
    def cache(self) -> Path:  # converted source files and notes; may be removed at any time
        return self.state / "cache"

    @property
    def releases(self) -> Path:  # <bundle hash>/, unpacked releases
        return self.state / "releases"

    @property
    def predictions(self) -> Path:  # <batch>.parquet, one row an event, append-only; the loop
        return self.home / "data" / "predictions"

    @property
    def drift(self) -> Path:  # <time>.json, one Evidently report a decision; the loop
        return self.home / "reports" / "drift"

    @property
    def quality(self) -> Path:  # labels.parquet, <time>.json one window a decision, holdouts/<release>.json; the loop
        return self.home / "reports" / "quality"

    @property
    def decisions(self) -> Path:  # <time>.json, one decision each, append-only; the loop
        return self.home / "reports" / "decisions"

    def cited(self, record: Path) -> str:
        """A record as a person cites it: relative to the project."""
        return record.relative_to(self.home).as_posix()

    @property
    def rollouts(self) -> Path:  # <time>.json, one step of a release that is tried, append-only; the loop
        return self.home / "reports" / "rollouts"

    @property
    def weights(self) -> Path:  # <time>.json, a release of the same models with other weights, append-only; the loop
        return self.home / "reports" / "weights"

    @property
    def learning(self) -> Path:  # <time>.json, a continuation of the champion's models, append-only; the loop
        return self.home / "reports" / "learning"

    @property
    def worth(self) -> Path:  # whether each feature earns its place, as last measured; check features
        return self.home / "reports" / "features.json"

    @property
    def candidates(self) -> Path:  # <time>.json, a candidate that was evaluated and not released; the loop
        return self.home / "reports" / "candidates"

    @property
    def approvals(self) -> Path:  # <time of the decision that waited>.json, what became of it, append-only; the loop
        return self.home / "reports" / "approvals"

    @property
    def incidents(self) -> Path:  # <number>.json, one problem each; the loop
        return self.home / "reports" / "incidents"

    @property
    def answers(self) -> Path:  # what people answered alerts, a line each, append-only; people, by command
        return self.home / "reports" / "answers.jsonl"

    @property
    def notices(self) -> Path:  # what was sent to people about incidents, a line each, append-only; flows
        return self.home / "reports" / "notices.jsonl"

    @property
    def cards(self) -> Path:  # <version>.html and .md, the model card of a release; replay, status and releases card
        return self.home / "reports" / "releases"

    @property
    def report_page(self) -> Path:  # what came of all this, for a reader; replay and status
        return self.home / "reports" / "index.html"


def working_tree(project: Project) -> Project:
    """The tree in which the loop keeps its data: the worktree of scheduled work once there is one, else the folder."""
    return project.worktree if project.worktree.window_file.is_file() else project


def stamp(time: datetime) -> str:
    """A time as the name of a file: sorts as time does.

    >>> stamp(datetime(2013, 1, 8, 5))
    '2013-01-08T050000'
    """
    return time.strftime("%Y-%m-%dT%H%M%S")
