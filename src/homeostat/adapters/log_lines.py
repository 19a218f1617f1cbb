"""How the console shows a flow's log: a line with time and flow for what the loop logs, nothing twice."""

from __future__ import annotations

import logging

from homeostat.core.errors import HomeostatError
from homeostat.core.text import printable

# Prefect's own bookkeeping, which its pages show better.
HIDDEN = (
    "Beginning flow run", "Beginning subflow run", "Finished in state", "View at", "Created task run",
    "Still processing items", "Running hook", "Hook '",
)  # fmt: skip


class NoBookkeeping(logging.Filter):
    """Leave out Prefect's bookkeeping, and everything of libraries below a warning."""

    def filter(self, record: logging.LogRecord) -> bool:
        wanted = record.levelno >= logging.WARNING or record.name.startswith("prefect")
        return wanted and not record.getMessage().startswith(HIDDEN)


class LineFormatter(logging.Formatter):
    """``12:00:05 lifecycle: the line``; a traceback only where a flow was stopped by a bug."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(self._line(record))

    def _line(self, record: logging.LogRecord) -> str:
        where = getattr(record, "flow_name", record.name)
        head = f"{self.formatTime(record, '%H:%M:%S')} {where}: "
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HomeostatError):
            return head + str(error)
        if error is None or isinstance(error, KeyboardInterrupt):
            return head + record.getMessage()
        if hasattr(record, "flow_run_id"):
            return f"{head}{record.getMessage()}\n{self.formatException(record.exc_info)}"  # type: ignore[arg-type]
        return f"{head}{record.getMessage()} ({error!r})"


def has_fix(record: logging.LogRecord) -> bool:
    """Whether the record is of an error of ours, whose message names the fix."""
    return record.exc_info is not None and isinstance(record.exc_info[1], HomeostatError)
