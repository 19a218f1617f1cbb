"""Prometheus metrics of the service; the workers share files, so any of them reports all."""

from __future__ import annotations

import os
import tempfile

from homeostat.core.elasticity import SLOW
from homeostat.serving import settings
from homeostat.serving.settings import SHARED, SLOT

if SHARED not in os.environ:  # a single worker without a parent, as in a test
    os.environ[SHARED] = tempfile.mkdtemp(prefix="homeostat-metrics-")

import prometheus_client  # reads the folder when it is imported
from prometheus_client import multiprocess, values

if values.ValueClass._multiprocess and SLOT in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda slot=os.environ[SLOT]: slot)

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, SLOW, 0.5, 1.0, 2.5)

REQUESTS = prometheus_client.Counter("homeostat_requests_total", "Requests answered.", ["path", "status"])
SECONDS = prometheus_client.Histogram("homeostat_request_seconds", "Time to an answer.", ["path"], buckets=_FAST)
PREDICTIONS = prometheus_client.Counter(
    "homeostat_predictions_total", "Events predicted, by release and by how they were answered.", ["release", "how"]
)
ANSWER_SECONDS = prometheus_client.Histogram(
    settings.ANSWER_SECONDS, "Time of the answers of one request, by release.", ["release"], buckets=_FAST
)
IN_PROGRESS = prometheus_client.Gauge(
    settings.IN_PROGRESS, "Requests that are being answered.", multiprocess_mode="livesum"
)
WORKERS = prometheus_client.Gauge("homeostat_workers", "Worker processes.", multiprocess_mode="livesum")
CHALLENGER_FAILURES = prometheus_client.Counter(
    "homeostat_challenger_failures_total", "Requests that a challenger could not answer.", ["release"]
)
SHADOW_EVENTS = prometheus_client.Counter(
    "homeostat_shadow_events_total", "Events for a challenger in shadow: scored, failed, or skipped for load.",
    ["release", "outcome"],
)  # fmt: skip
LABELS = prometheus_client.Counter("homeostat_labels_total", "Labels received: kept, repeated or changed.", ["status"])
COMPUTE_SECONDS = prometheus_client.Histogram(
    "homeostat_compute_seconds", "Time of one computation, which requests share.", buckets=_FAST
)
COMPUTE_EVENTS = prometheus_client.Histogram(
    "homeostat_compute_events", "Events of one computation.", buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 5000)
)
SERVING = prometheus_client.Gauge(
    "homeostat_serving_event",
    "Number of the ledger event that put the worker's release in service; 0: none.",
    multiprocess_mode="liveall",
)
CHALLENGER = prometheus_client.Gauge(
    "homeostat_challenger_event", "Number of the ledger event of the worker's challenger; 0: none.",
    multiprocess_mode="liveall",
)  # fmt: skip
SWITCH_FAILED = prometheus_client.Gauge(
    "homeostat_switch_failed",
    "1 where a release should be in service and is not; see /release.",
    multiprocess_mode="liveall",
)
DATA_STALE = prometheus_client.Gauge(
    "homeostat_data_stale", "1 where the data could not be read again; see /release.", multiprocess_mode="liveall"
)
REMOTE_FAILED = prometheus_client.Gauge(
    "homeostat_remote_failed",
    "1 where releases of other hosts do not arrive; see /release.",
    multiprocess_mode="liveall",
)


def text() -> bytes:
    """The metrics of all workers in Prometheus' text format; of a worker that has died its counters alone.

    Where Prometheus' client was imported before this module, the metrics are those of this process, in memory.
    """
    if not values.ValueClass._multiprocess:
        return prometheus_client.generate_latest()
    registry = prometheus_client.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return prometheus_client.generate_latest(registry)
