"""What the service tells of itself to Prometheus; the workers share files, so any of them tells of all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from homeostat.serving.settings import SHARED

if SHARED not in os.environ:  # a worker by itself, as in a test
    os.environ[SHARED] = tempfile.mkdtemp(prefix="homeostat-metrics-")

import prometheus_client  # reads the folder when it is imported
from prometheus_client import multiprocess, values

from homeostat.project.clock import alive

TYPE = prometheus_client.CONTENT_TYPE_LATEST
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REQUESTS = prometheus_client.Counter("homeostat_requests_total", "Requests answered.", ["path", "status"])
SECONDS = prometheus_client.Histogram("homeostat_request_seconds", "Time to an answer.", ["path"], buckets=_FAST)
PREDICTIONS = prometheus_client.Counter(
    "homeostat_predictions_total", "Events predicted, by release and how.", ["release", "how"]
)
ANSWER_SECONDS = prometheus_client.Histogram(
    "homeostat_answer_seconds", "Time of the answers of one request, by release.", ["release"], buckets=_FAST
)
CHALLENGER_FAILURES = prometheus_client.Counter(
    "homeostat_challenger_failures_total", "Requests that a challenger could not answer.", ["release"]
)
UNSEEN = prometheus_client.Counter(
    "homeostat_unseen_total", "Events a challenger scored unseen: scored, failed, or skipped for load.",
    ["release", "outcome"],
)  # fmt: skip
LABELS = prometheus_client.Counter("homeostat_labels_total", "Labels received, by what became of them.", ["status"])
ROUND_SECONDS = prometheus_client.Histogram(
    "homeostat_compute_seconds", "Time of one computation, which requests share.", buckets=_FAST
)
ROUND_EVENTS = prometheus_client.Histogram(
    "homeostat_compute_events", "Events of one computation.", buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 5000)
)
SERVING = prometheus_client.Gauge(
    "homeostat_serving_event", "Number of the ledger's event that the worker serves by.", multiprocess_mode="liveall"
)
CHALLENGER = prometheus_client.Gauge(
    "homeostat_challenger_event", "Number of the event of the release that the worker tries beside it; 0: none.",
    multiprocess_mode="liveall",
)  # fmt: skip
FAILED = prometheus_client.Gauge(
    "homeostat_switch_failed", "1 where a release should serve and does not; see /release.", multiprocess_mode="liveall"
)
STALE = prometheus_client.Gauge(
    "homeostat_data_stale", "1 where the data could not be read again; see /release.", multiprocess_mode="liveall"
)
UNHEARD = prometheus_client.Gauge(
    "homeostat_remote_failed", "1 where other hosts are not heard from; see /release.", multiprocess_mode="liveall"
)


def text() -> bytes:
    """The figures of all workers; of one that has died its counts alone.

    Where Prometheus' client was imported before this module, the figures are this process's, in memory.
    """
    if not values.ValueClass._multiprocess:
        return prometheus_client.generate_latest()
    for path in Path(os.environ[SHARED]).glob("gauge_live*.db"):
        process = int(path.stem.rpartition("_")[2])
        if not alive(process):
            multiprocess.mark_process_dead(process)
    registry = prometheus_client.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return prometheus_client.generate_latest(registry)
