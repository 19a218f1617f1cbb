"""What a person reads: results, pages, charts, the status. Imports ``decisions`` and below."""
