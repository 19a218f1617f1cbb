"""What the allocators keep of freed memory, in processes of their own: the settings hold from a process's start."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from homeostat.adapters import allocators

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="another C library")

START = """
import ctypes, os, sys, tempfile, threading, time
from homeostat.adapters import allocators
if sys.argv[1] == "this process":
    allocators.hold_few_frames()
if sys.argv[1] == "this process, of objects":
    allocators.hold_few_objects()
import polars as pl

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
"""
PLACES = """
library = ctypes.CDLL(None)
library.malloc.restype, library.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
threads = [threading.Thread(target=library.malloc, args=(1000,)) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
path = tempfile.mktemp().encode()
stream = library.fopen(path, b"w")
library.malloc_info(0, ctypes.c_void_p(stream)), library.fclose(ctypes.c_void_p(stream))
print(open(path).read().count("<heap nr="))
"""
FREED = """
many = [pl.Series([float(n)] * 20_000) for n in range(1_000)]
most = resident()
del many
time.sleep(1)
few = [pl.Series([float(n)] * 10) for n in range(5_000)]  # what is due is given back as the allocator is called
print(int(most - resident()))
"""


ENVIRONMENTS = {"of frames": allocators.FOR_FRAMES, "of objects": allocators.FOR_OBJECTS}


def printed(code: str, how: str) -> int:
    """What a process prints that was told to hold little, or was not."""
    command, settings = [sys.executable, "-c", START + code, how], ENVIRONMENTS.get(how, {})
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | settings)
    return int(done.stdout)


@pytest.mark.parametrize("how", ["this process", "this process, of objects", "of frames", "of objects"])
def test_all_threads_allocate_from_one_place(how: str) -> None:
    assert printed(PLACES, how) == 1


def test_they_do_not_by_default() -> None:
    assert printed(PLACES, "default") > 1


@pytest.mark.parametrize("how", ["this process", "of frames"])
def test_freed_frames_are_given_back_soon(how: str) -> None:
    assert printed(FREED, how) > 155  # of 160 MB; by default some 120
