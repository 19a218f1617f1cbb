"""One module for each outside tool, named for its role."""
