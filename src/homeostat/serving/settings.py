"""What the parent process passes to the workers: names in the environment; and what it reads of their metrics."""

from __future__ import annotations

PROJECT = "HOMEOSTAT_PROJECT"  # the project's folder
FRESH = "HOMEOSTAT_FRESH"  # maximum age of a precomputed answer, seconds
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # folder of the workers' shared metrics; prometheus_client's own name
SLOT = "HOMEOSTAT_SLOT"  # number of the worker's files there: one that comes continues those of one that has ended
IN_PROGRESS = "homeostat_requests_in_progress"
ANSWER_SECONDS = "homeostat_answer_seconds"
