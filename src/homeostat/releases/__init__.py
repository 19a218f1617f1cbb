"""Releases: registry, rollout, verification. Git tags are the ledger. Imports ``training`` and below."""
