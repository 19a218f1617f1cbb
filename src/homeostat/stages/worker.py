"""The process that runs stages one after another with their tools imported once; ``adapters/stage_process`` starts it.

It knows no stage: each request names a module, which runs as ``python -m`` would run it. Requests come as lines of JSON
on standard input, answers leave as lines of JSON on standard output; a stage sees neither. What a stage changes of the
process is put back after it; what stays are the modules that it imported.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import logging
import os
import runpy
import select
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

READY = "stage worker, protocol 1"  # its first line; the caller runs stages in processes of their own at any other


def main() -> None:
    """Run each request until the caller closes the line."""
    requests, answers = _line_of_its_own()
    gc.set_threshold(50_000)  # as at the command line, since most of a short stage are its imports
    # What one stage imported is there already when the next runs it as its main module, which runpy warns of.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # between stages Ctrl-C is the caller's
    print(READY, file=answers, flush=True)
    for module in sys.argv[1:]:  # stages that will be run, while the caller prepares them
        importlib.import_module(module)
    for line in requests:
        request = json.loads(line)
        with ExitStack() as surroundings:
            surroundings.enter_context(_ending_with_caller(requests.fileno()))
            surroundings.enter_context(_process_as_it_was())
            surroundings.enter_context(_output_to(request["output"]))
            signal.signal(signal.SIGINT, on_interrupt)
            os.environ.update(request.get("run", {}))  # which earlier callers do not send
            code = run(request["module"], request["folder"], request["stage"])
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        _give_memory_back()
        print(json.dumps({"code": code, "memory": memory()}), file=answers, flush=True)


def run(module: str, folder: str, stage: str) -> int:
    """Run a module in a folder as ``python -m`` would; its exit code. Ctrl-C ends this process too, as it would that.

    ``stage`` is the name that DVC has for it.
    """
    os.chdir(folder)
    sys.path[0] = folder
    os.environ["DVC_STAGE"] = stage
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return _exit_code(end)
    except Exception:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _give_memory_back() -> None:
    """Return what the stage no longer uses to the system; else the next one's most comes on top of it."""
    gc.collect()
    gc.freeze()  # what is left are modules, which the next collection need not look through
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc, which keeps what was freed
    if trim is not None:
        trim(0)


def memory() -> int:
    """The bytes of memory that this process holds; where the system does not say, the most that it ever held."""
    try:
        with open("/proc/self/statm", encoding="ascii") as text:
            return int(text.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts it in bytes


def _line_of_its_own() -> tuple[TextIO, TextIO]:
    """What came as standard input and output, out of reach of stages: they read nothing, and write to no caller."""
    requests, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return requests, answers


@contextmanager
def _ending_with_caller(line: int) -> Iterator[None]:
    """Be killed the moment the caller is gone, however it ended and whatever the stage computes.

    While a stage runs the caller sends nothing, so all that can come on its line is the end. Linux kills on that;
    elsewhere the stage is finished first. (The signal of PR_SET_PDEATHSIG would come already when the caller's thread
    ends that started this process.)
    """
    import fcntl

    if not hasattr(fcntl, "F_SETSIG"):
        yield
        return
    plain = fcntl.fcntl(line, fcntl.F_GETFL)
    fcntl.fcntl(line, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(line, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(line, fcntl.F_SETFL, plain | os.O_ASYNC)
    watch = select.poll()
    watch.register(line, 0)
    if watch.poll(0):  # it ended before the kernel was told to report it
        os._exit(1)
    try:
        yield
    finally:
        fcntl.fcntl(line, fcntl.F_SETFL, plain)


@contextmanager
def _process_as_it_was() -> Iterator[None]:
    """Put back what a stage may change of its process: folder, environment, path, arguments, streams, logging."""
    folder, environment, path, arguments = os.getcwd(), dict(os.environ), list(sys.path), list(sys.argv)
    streams = sys.stdin, sys.stdout, sys.stderr
    root = logging.getLogger()
    handlers, level, disabled = list(root.handlers), root.level, root.manager.disable
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:], sys.argv[:] = path, arguments
        sys.stdin, sys.stdout, sys.stderr = streams
        root.handlers[:], root.manager.disable = handlers, disabled
        root.setLevel(level)


@contextmanager
def _output_to(path: str) -> Iterator[None]:
    """Append to the file at ``path`` whatever is written to standard output and error, also by compiled code."""
    before = [os.dup(1), os.dup(2)]
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        for handle, place in zip(before, (1, 2), strict=True):
            os.dup2(handle, place)
            os.close(handle)
        os.close(log)


def _exit_code(end: SystemExit) -> int:
    """As the interpreter has it: a text goes to standard error."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
