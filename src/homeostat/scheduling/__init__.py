"""Scheduled work: ``homeostat up``, and what a flow publishes to Prefect. Imports ``loop`` and below."""
