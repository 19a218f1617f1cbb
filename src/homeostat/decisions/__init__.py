"""Decisions: the evidence gathered for one, and those on record. Imports ``monitoring`` and below."""
