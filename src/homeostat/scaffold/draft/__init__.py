"""The files of a new project: scope, contracts, features, tests, README. May import ``audit`` and ``profile``."""
