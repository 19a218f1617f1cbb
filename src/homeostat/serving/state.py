"""Everything that an answer depends on beside the request and the time, in one frozen value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from homeostat.core.rollout import in_canary

if TYPE_CHECKING:
    from homeostat.core.ledger import ReleaseEvent
    from homeostat.serving.answer import Precomputed
    from homeostat.serving.context import Context
    from homeostat.serving.requests import Shapes
    from homeostat.training.bundle import Bundle


@dataclass(frozen=True)
class Live:
    """A release in service: the event that put it there, and its bundle."""

    event: ReleaseEvent
    bundle: Bundle


@dataclass(frozen=True)
class State:
    """One release with the data it answers from; a request takes a state once and is answered by it throughout."""

    live: Live
    context: Context
    precomputed: Precomputed
    shapes: Shapes
    challenger: State | None = None

    def answering(self, keys: Sequence[Sequence[Any]]) -> State:
        """The state that answers a request for these keys: the challenger's for its share of a canary.

        A single event is assigned by its key. Several in one request are assigned together, by all their keys in any
        order, for no answer mixes two versions.
        """
        other = self.challenger
        if other is None or (share := other.live.event.share) is None:
            return self
        unit = keys[0] if len(keys) == 1 else sorted(to_json(key).decode() for key in keys)
        return other if in_canary(unit, other.live.event.bundle, share) else self


@dataclass(frozen=True)
class Failure:
    """A release that should be in service and is not, and why."""

    event: ReleaseEvent
    why: str
