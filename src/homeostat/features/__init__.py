"""Features and labels of each event, as of when it is predicted. Imports ``data`` and what that imports."""
