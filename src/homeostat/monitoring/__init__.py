"""The champion watched: outcomes, drift, quality. Imports ``releases`` and below."""
