"""Checks before a change is committed: scope, contracts, leakage. May import `monitoring` and the rooms below."""
