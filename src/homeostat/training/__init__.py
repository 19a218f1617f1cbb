"""Train, evaluate and pack a candidate, and the bundle that comes of it. Imports ``features``, ``models`` and below."""
