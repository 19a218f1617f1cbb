"""The session of one run: what a tick, a decision or a whole replay needs, read once and passed down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from homeostat.adapters import worktree
from homeostat.adapters.worktree import Branches
from homeostat.core.errors import ScopeError
from homeostat.core.incidents import Incident
from homeostat.decisions import history
from homeostat.decisions.history import Decided
from homeostat.features.intake import Intake
from homeostat.monitoring.alerts import read_incidents
from homeostat.monitoring.labels import LabelRecord
from homeostat.monitoring.switch import SwitchCheck
from homeostat.project.clock import move_on, stands_at
from homeostat.project.executor import IN_PROCESS, Executor
from homeostat.project.layout import Project, working_tree
from homeostat.project.window import Window, read_window, write_window
from homeostat.releases.registry import Registry

WHO = "homeostat"  # who acts when the loop does


def _whole_tree(project: Project) -> Project:
    """The tree of scheduled work, its code, scope and contracts as committed.

    The worktree is the loop's own: nobody edits there, so that a file which differs was damaged.
    """
    tree = working_tree(project)
    if tree.root != tree.home:
        worktree.restore_followed(tree.root)
    return tree


def _window(tree: Project) -> Window:
    """The window of a tree; one that cannot be read in the worktree, the loop's own, is that of its last commit."""
    try:
        return read_window(tree)
    except ScopeError:
        if tree.root == tree.home:
            raise
        worktree.restore(tree.root, tree.window_file)
        return read_window(tree)


@dataclass
class Session:
    """What is on record in a project as this run knows it; whoever adds to the record adds to this too.

    What others may change meanwhile (tags, branches) is read once a tick.
    """

    project: Project  # the main checkout, with all that is operational
    tree: Project  # the worktree of scheduled work; before the first tick the main checkout
    registry: Registry
    decisions: list[Decided]  # oldest first
    incidents: dict[str, Incident]  # by number
    start: datetime  # from when on history is used
    stands_at: datetime  # the last completed tick
    followed: Branches | None = None  # where the branches were when the worktree was last brought to them
    executor: Executor = IN_PROCESS  # does what is many
    _intake: Intake | None = None
    _labels: LabelRecord | None = None
    _switch: SwitchCheck | None = None

    @property
    def intake(self) -> Intake:
        """Takes in the data of the worktree; what it has read and prepared is kept while the worktree stays."""
        if self._intake is None:
            self._intake = Intake(self.tree, self.executor)
        return self._intake

    @property
    def labels(self) -> LabelRecord:
        """The labels of the batches that have matured, as measured when they had."""
        if self._labels is None:
            self._labels = LabelRecord(self.tree)
        return self._labels

    @property
    def switch(self) -> SwitchCheck:
        """Compares the release that was put in service last with the one before."""
        if self._switch is None:
            self._switch = SwitchCheck(self.tree)
        return self._switch

    @classmethod
    def open(cls, project: Project, executor: Executor = IN_PROCESS) -> Session:
        """Read what is on record.

        Raises:
            HomeostatError: the tags, the scope or a record cannot be read.
        """
        tree = _whole_tree(project)
        return cls(
            project, tree, Registry.open(project), history.decisions(project), read_incidents(project),
            _window(tree).start, stands_at(project), executor=executor,
        )  # fmt: skip

    def note_tree(self) -> None:
        """Read again what the worktree says, after it was brought to another commit: its scope, window and time."""
        self.close()
        self.tree = self.project.worktree
        self._intake = self._labels = self._switch = None
        self.start = read_window(self.tree).start
        self.stands_at = stands_at(self.project)

    def note_commit(self, commit: str) -> None:
        """Add a commit that has just been made in the worktree."""
        if self.followed is not None:
            self.followed = self.followed._replace(own=commit)

    def note_decision(self, record: Path) -> None:
        """Add a decision that has just been put on record, in the place of an earlier one of the same time."""
        others = [decision for decision in self.decisions if decision.path != record]
        self.decisions = sorted([*others, history.read_decision(record)], key=lambda decision: decision.at)

    def close(self) -> None:
        """Stop what is prepared beside the run, if anything is."""
        if self._intake is not None:
            self._intake.close()

    def complete(self, now: datetime) -> None:
        """Note that the tick of ``now`` is completed, which moves the project's time on."""
        write_window(self.tree, self.start, now)
        move_on(self.project, now)
        self.stands_at = now
