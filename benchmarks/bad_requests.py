"""Bad requests, made by schemathesis from the service's own OpenAPI: no 500, no crash, no growth in memory."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import httpx
from environments import environment
from service_load import resident, worker_processes

VERSION = "4.32.5"
EXAMPLES = 400  # of each operation in one run
SETTLED = 2_000  # requests until the memory of a worker has settled


def answered(address: str, headers: dict[str, str]) -> Counter[str]:
    """How many requests the service has answered, by status."""
    text = httpx.get(address + "/metrics", headers=headers, timeout=60, trust_env=False).text
    counts: Counter[str] = Counter()
    for status, many in re.findall(r'^homeostat_requests_total\{.*status="(\d+)".*\} (\S+)$', text, re.MULTILINE):
        counts[status] += int(float(many))
    return counts


def send(address: str, headers: dict[str, str], service: int, many: int, environments: Path) -> str:
    """Send at least so many requests; a line on the results.

    Raises:
        AssertionError: an answer is a server error, or a worker was replaced.
    """
    bin = environment(environments, "schemathesis", f"schemathesis=={VERSION}")
    workers, before, seed = worker_processes(service), answered(address, headers), 0
    settled: dict[int, float] = {}
    while (done := answered(address, headers) - before).total() < many:
        if not settled and done.total() >= SETTLED:
            settled = {worker: resident(worker) for worker in workers}
        seed += 1
        _round(bin, address, headers, seed)
    faults = {status: n for status, n in done.items() if status >= "500"}
    assert not faults, f"server errors: {faults}"
    assert worker_processes(service) == workers, "a worker has ended"
    memory = ", ".join(f"{settled[worker]:.0f} to {resident(worker):.0f} MB" for worker in workers)
    statuses = ", ".join(f"{n:,} of {status}" for status, n in sorted(done.items()))
    return (
        f"{done.total():,} requests by schemathesis {VERSION}: {statuses}; no 500, no worker ended; memory of a worker "
        f"after {SETTLED:,} and at the end: {memory}"
    )


def _round(bin: Path, address: str, headers: dict[str, str], seed: int) -> None:
    """One run: bad requests derived from the description, and good ones among them."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            bin / "schemathesis", "run", address + "/openapi.json", "--mode", "all", "--max-examples", str(EXAMPLES),
            "--phases", "examples,coverage,fuzzing", "--checks", "not_a_server_error", "--seed", str(seed),
            "--suppress-health-check", "all", "--request-timeout", "60", "--continue-on-failure",
            "--generation-database", "none", "--no-color",
            "-H", f"authorization: {headers['authorization']}",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
