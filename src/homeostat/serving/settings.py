"""What the parent process passes to the workers: names in the environment."""

from __future__ import annotations

PROJECT = "HOMEOSTAT_PROJECT"  # the project's folder
FRESH = "HOMEOSTAT_FRESH"  # maximum age of a precomputed answer, seconds
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # folder of the workers' shared metrics; prometheus_client's own name
