"""The project's folder: its file catalogue, its scope, its clock and its lock. Imports ``core`` alone."""
