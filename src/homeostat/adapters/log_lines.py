"""How the console shows a flow's log: what the loop says, the time and the flow it comes from, nothing twice."""

from __future__ import annotations

import logging

from homeostat.core.errors import HomeostatError

# Prefect's own bookkeeping: its pages show it better.
HIDDEN = (
    "Beginning flow run", "Beginning subflow run", "Finished in state", "View at", "Created task run",
    "Still processing items",
)  # fmt: skip


class LoopsOwn(logging.Filter):
    """Leave Prefect's bookkeeping out, and what libraries say that is no warning."""

    def filter(self, record: logging.LogRecord) -> bool:
        ours = record.levelno >= logging.WARNING or record.name.startswith("prefect")
        return ours and not record.getMessage().startswith(HIDDEN)


class OneLine(logging.Formatter):
    """``12:00:05 lifecycle: the line``; an error that says how to mend it needs no traceback."""

    def format(self, record: logging.LogRecord) -> str:
        where = getattr(record, "flow_name", record.name)
        head = f"{self.formatTime(record, '%H:%M:%S')} {where}: "
        error = told(record)
        if error is not None:
            return head + str(error)
        text = record.getMessage()
        return head + (f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text)


def told(record: logging.LogRecord) -> HomeostatError | None:
    """The error of a record that carries its own mend."""
    error = record.exc_info[1] if record.exc_info else None
    return error if isinstance(error, HomeostatError) else None
