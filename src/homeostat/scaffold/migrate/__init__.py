"""``homeostat new --migrate``: a project of an earlier version, brought to this one. May import the other rooms."""
