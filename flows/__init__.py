"""When the loop runs: Prefect flows, thin, and one table of schedules."""
