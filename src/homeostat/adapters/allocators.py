"""The allocators of compiled libraries, told to give back to the system what was freed.

By default each keeps it, so that in a process that works for long the most of every step stays, one on top of another.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

# Of Polars, which reads it when it is imported: by default the system takes back what was freed when it runs short, and
# until then it counts as held. Half a second later is soon enough; at once costs a twentieth of the time of a step.
POLARS = {"_RJEM_MALLOC_CONF": "dirty_decay_ms:500,muzzy_decay_ms:0"}
# All threads allocate from one place: what is freed in a thread's own place is of no use to the next thread.
ONE_PLACE = {"MALLOC_ARENA_MAX": "1"}
ARENA_MAX, TRIM_THRESHOLD = -8, -1  # the same as glibc's malloc.h names it, for a process that has begun

FOR_FRAMES = POLARS | ONE_PLACE  # the environment of a process of few large tables
END_FREE = 131_072  # bytes free at the end of the heap, from which they go back whenever
# Of one of many small objects.
FOR_OBJECTS = ONE_PLACE | {"MALLOC_TRIM_THRESHOLD_": str(END_FREE)}


def hold_few_frames() -> None:
    """What ``FOR_FRAMES`` does, for this process: before Polars is imported and before there are threads."""
    os.environ.update(POLARS)
    _set({ARENA_MAX: 1})


def hold_few_objects() -> None:
    """What ``FOR_OBJECTS`` does, for this process: before there are threads."""
    _set({ARENA_MAX: 1, TRIM_THRESHOLD: END_FREE})


def _set(values: Mapping[int, int]) -> None:
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have no such settings
    if mallopt is not None:
        for name, value in values.items():
            mallopt(name, value)
