"""In every Python process of a command: SIGKILL for all of them at the n-th file that one of them begins to write.

Python imports this by its name when it starts. ``KILL_BELOW`` is the folder whose files count, ``KILL_COUNT`` a file
that the processes count in, a byte a write; ``KILL_AT`` is the number of the write, 0 for none; with ``KILL_TORN`` the
file is opened, and so emptied, before the end comes: the moment between ``open`` and ``write``.
"""

import os
import signal
import sys
import threading

BELOW, COUNT = os.environ["KILL_BELOW"], os.environ["KILL_COUNT"]
AT, TORN = int(os.environ.get("KILL_AT", "0")), os.environ.get("KILL_TORN") == "1"
BEGINS = os.O_CREAT | os.O_TRUNC
_inside = threading.local()


def _counted() -> int:
    handle = os.open(COUNT, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, b".")
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def _hook(event, args):  # type: ignore[no-untyped-def]
    if event not in ("open", "os.rename") or getattr(_inside, "busy", False):
        return
    writes = event == "os.rename" or (isinstance(args[2], int) and args[2] & BEGINS)
    path = args[1] if event == "os.rename" else args[0]
    if not writes or not isinstance(path, (str, bytes)) or not os.fsdecode(path).startswith(BELOW):
        return
    _inside.busy = True
    try:
        if _counted() == AT:
            if TORN and event == "open":
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
            os.killpg(0, signal.SIGKILL)
    finally:
        _inside.busy = False


sys.addaudithook(_hook)
