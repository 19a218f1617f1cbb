"""``homeostat new``: a whole project from one time-stamped table: profiled, audited and drafted for a person to edit.

Imports from below it are free; ``draft`` may import ``audit`` and ``profile``, ``audit`` may import ``profile``.
"""
