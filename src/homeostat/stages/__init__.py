"""One module for each stage of dvc.yaml, of the same name, and where they come in."""
