"""Data from source to verdict: land, validate, amend. Imports ``adapters``, ``project`` and ``core``."""
