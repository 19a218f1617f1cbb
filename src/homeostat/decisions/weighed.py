"""What was decided, and on what, before anything is done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.decisions.evidence import Candidate
from homeostat.releases.derived import Derived


@dataclass(frozen=True)
class Weighed:
    """What was decided, and on what, before anything is done about it.

    ``previous`` is the version to go back to from ``release``; ``started`` the kind of findings that started it: drift,
    quality, or none; ``made`` what was made of the champion's models with new calibrators, if that is done.
    """

    decision: Decision
    candidate: Candidate | None = None
    release: str = ""
    previous: str = ""
    quality: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    made: Derived | None = None

    @property
    def bundle(self) -> str:
        """The hash of the bundle that would be released; empty where none was made."""
        if self.made is not None:
            return self.made.bundle.hash
        return self.candidate.bundle if self.candidate else ""

    def to_dict(self, now: datetime) -> dict[str, Any]:
        """The record that is kept of it."""
        decision = {"headline": headline(self.decision), **self.decision.to_dict()}
        body = {"at": now.isoformat(), **decision, "release": self.release, "quality": self.quality}
        candidate = {"bundle": self.candidate.bundle} if self.candidate else None
        made = {"made": {"commit": self.made.commit, "bundle": self.made.bundle.hash}} if self.made else {}
        return body | {"previous": self.previous, "started": self.started, "candidate": candidate} | made
