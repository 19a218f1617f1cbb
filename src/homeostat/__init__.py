"""Homeostat keeps a model in production healthy."""

__version__ = "0.1.0"
