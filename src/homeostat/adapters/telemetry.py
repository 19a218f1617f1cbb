"""The telemetry of the tools, off by default: nothing leaves the machine."""

import os

QUIET = {
    "DO_NOT_TRACK": "1",  # Prefect's client, Evidently
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
}


def quiet_environment() -> None:
    """Turn telemetry off for this process and its children; variables that are set already stay.

    To be called before a tool is imported: some read the environment then.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
