"""What can go wrong, told apart by who mends it.

HomeostatError
 ├─ ScopeError       the scope, features.sql or a contract says something impossible: its author mends it
 ├─ DataError        a source cannot be read, or a batch cannot be used: the owner of the data mends it
 ├─ EnvironmentFault git, disk, a server or another run stands in the way: the operator mends it
 └─ UsageError       the command was given something it cannot take

Each carries one line: what, where, and the mend. Anything else that is raised is a bug.
"""


class HomeostatError(Exception):
    """One clear line for a person."""


class ScopeError(HomeostatError):
    """The author of the project has to mend it."""


class DataError(HomeostatError):
    """The owner of the data has to mend it."""


class EnvironmentFault(HomeostatError):
    """The operator has to mend it."""


class UsageError(HomeostatError):
    """The caller has to mend the command."""
