"""In every Python process of a command: SIGKILL for all of them at the n-th write that one of them begins.

Python imports this by its name when it starts. A write is a file that is opened for writing or renamed, text that is
appended, or a call of git. ``KILL_BELOW`` is the folder whose files count, ``KILL_COUNT`` a file that the processes
count in, a byte a write; ``KILL_AT`` is the number of the write, 0 for none. With ``KILL_TORN`` the end comes in the
midst of it: a file is open, and so emptied, half of a text is appended, git has just begun.
"""

import os
import signal
import sys
import threading
import time

BELOW, COUNT = os.environ["KILL_BELOW"], os.environ["KILL_COUNT"]
AT, TORN = int(os.environ.get("KILL_AT", "0")), os.environ.get("KILL_TORN") == "1"
BEGINS = os.O_CREAT | os.O_TRUNC
PAUSE = 0.004  # seconds that git has had
_inside = threading.local()
_write = os.write


def _is_due() -> bool:
    handle = os.open(COUNT, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        _write(handle, b".")
        return os.fstat(handle).st_size == AT
    finally:
        os.close(handle)


def _kill(pause: float = 0.0) -> None:
    time.sleep(pause)
    os.killpg(0, signal.SIGKILL)


def _counts(path: object) -> bool:
    return isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).startswith(BELOW)


def _hook(event, args):  # type: ignore[no-untyped-def]
    if event not in ("open", "os.rename", "subprocess.Popen") or getattr(_inside, "busy", False):
        return
    if event == "open":
        counts = isinstance(args[2], int) and bool(args[2] & BEGINS) and _counts(args[0])
    elif event == "os.rename":
        counts = _counts(args[1])
    else:
        counts = os.path.basename(os.fsdecode(args[0])) == "git" and _counts(args[2])
    if not counts:
        return
    _inside.busy = True
    try:
        if _is_due():
            if TORN and event == "subprocess.Popen":
                threading.Thread(target=_kill, args=(PAUSE,), daemon=True).start()
                return
            if TORN and event == "open":
                os.close(os.open(args[0], os.O_WRONLY | (args[2] & BEGINS), 0o600))
            _kill()
    finally:
        _inside.busy = False


def _appended(handle: int, data: bytes) -> int:
    try:
        counts = _counts(os.readlink(f"/proc/self/fd/{handle}"))
    except OSError:
        counts = False
    if counts and _is_due():
        if TORN:
            _write(handle, bytes(data)[: len(data) // 2])
        _kill()
    return _write(handle, data)


os.write = _appended
sys.addaudithook(_hook)
