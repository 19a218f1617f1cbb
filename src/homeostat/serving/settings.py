"""What the workers are told by their parent: names in the environment."""

from __future__ import annotations

PROJECT = "HOMEOSTAT_PROJECT"  # the project's folder
FRESH = "HOMEOSTAT_FRESH"  # seconds that a precomputed answer may be old
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where the workers' figures are; prometheus_client's own name
