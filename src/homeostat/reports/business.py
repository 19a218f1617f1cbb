"""The business metric beside the model's, in lines: which metric moves with it, and how releases rank by each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from homeostat.core.business import Block, Moves, correlations, goodness, means
from homeostat.core.errors import UsageError
from homeostat.core.text import count, metric_name
from homeostat.monitoring.business import business_blocks
from homeostat.project.clock import clock_now

if TYPE_CHECKING:
    from homeostat.core.intervals import Measure
    from homeostat.project.layout import Project


def business_lines(project: Project) -> Iterator[str]:
    """How far each metric moves with the business, then the releases in the order that each would have ranked them.

    Raises:
        UsageError: the scope names no business metric.
    """
    scope = project.scope
    if scope.business is None:
        fix = "add business: {source: NAME, value: EXPRESSION, better: higher}"
        raise UsageError(f"params.yaml: no business metric; {fix}")
    blocks = business_blocks(project, clock_now(project))
    releases = list(dict.fromkeys(block.release for block in blocks))
    if not blocks:
        yield "no stretch of time has both figures yet; wait for a decision"
        return
    yield f"business   {scope.business.value} of {scope.business.source}, {scope.business.better} is better"
    yield f"           {count(len(blocks), 'block')} under {count(len(releases), 'release')}"
    moves = correlations(blocks, scope.business.better == "higher", scope.evaluation.confidence)
    for one in moves:
        name = f"{one.metric[0]}: {metric_name(one.metric[1])}"
        yield f"{name:28}  by block {_shown(one.blocks):24}  by release {_shown(one.releases)}"
    yield ""
    yield from _ranked(blocks, releases, moves, scope.business.better == "higher")


def _shown(measure: Measure) -> str:
    if measure.value is None:
        return "too few to say"
    return f"{measure.value:+.2f} ({measure.low:+.2f} to {measure.high:+.2f})"


def _ranked(blocks: Sequence[Block], releases: Sequence[str], moves: Sequence[Moves], higher: bool) -> Iterator[str]:
    """The releases from best to worst, by the business and by each metric."""
    own = {r: [b.business for b in blocks if b.release == r] for r in releases}
    mean = {r: sum(values) / len(values) for r, values in own.items()}
    best = sorted(releases, key=lambda r: -mean[r] if higher else mean[r])
    yield f"{'by the business':28}  {', '.join(f'{r} {mean[r]:.4g}' for r in best)}"
    for one in moves:
        value = {r: pair[0] for r, pair in means(blocks, one.metric).items()}
        order = sorted(value, key=lambda r, v=value, m=one.metric[1]: -goodness(m, v[r]))  # type: ignore[misc]
        name = f"by {one.metric[0]}: {metric_name(one.metric[1])}"
        yield f"{name:28}  {', '.join(f'{r} {value[r]:.4g}' for r in order)}"
