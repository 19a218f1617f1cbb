"""What can go wrong, by who fixes it.

HomeostatError
 ├─ ScopeError       the scope, features.sql or a contract says something impossible: its author fixes it
 ├─ DataError        a source cannot be read, or a batch cannot be used: the owner of the data fixes it
 ├─ EnvironmentFault git, disk, a server or another run stands in the way: the operator fixes it
 └─ UsageError       the command was given something it cannot take

Each carries one line: what, where, and the fix. Anything else that is raised is a bug.
"""


class HomeostatError(Exception):
    """One clear line for a person."""


class ScopeError(HomeostatError):
    """The author of the project has to fix it."""


class DataError(HomeostatError):
    """The owner of the data has to fix it."""


class EnvironmentFault(HomeostatError):
    """The operator has to fix it."""


class UsageError(HomeostatError):
    """The caller has to fix the command."""
