"""A source that lies elsewhere than at the last tick: whether its batches are the same there."""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.core.text import count
from homeostat.data.ingest import Landing


def source_moved(name: str, before: str, after: str, landed: Mapping[str, Landing]) -> str:
    """What came of reading the look-back of a source again from another place; ``landed`` by label.

    >>> source_moved("meters", "a.csv", "b.csv", {})
    'the path of source meters changed from a.csv to b.csv: no batch had landed yet'
    """
    old = {label: landing.before for label, landing in landed.items() if landing.before != "none"}
    other = [label for label, state in old.items() if state == "other"]
    gone = [label for label, state in old.items() if state == "gone"]
    parts = []
    if other:
        parts.append(f"other rows in {len(other)} of {count(len(old), 'batch')}, {other[0]} the first")
    if gone:
        parts.append(f"{count(len(gone), 'batch')} not there, {gone[0]} the first, which stay as they landed")
    same = f"the same rows in {count(len(old), 'batch')}" if old else "no batch had landed yet"
    return f"the path of source {name} changed from {before} to {after}: {'; '.join(parts) or same}"
