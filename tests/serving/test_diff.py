"""Two releases side by side."""

from __future__ import annotations

import asked

from homeostat.project.layout import Project
from homeostat.releases.diff import lines
from homeostat.releases.registry import Registry


def test_it_says_what_differs_and_what_does_not(project: Project) -> None:
    asked.release(project, 1, after=1)
    bundles = [Registry.open(project).load(version) for version in ("v0.1.0", "v0.2.0")]
    printed = list(lines(bundles[0], bundles[1], ("v0.1.0", "v0.2.0")))
    text = "\n".join(printed)
    assert printed[0] == "high:"
    assert "v0.2.0  linear on 283 events" in text
    assert "log loss           0.487 (" in text
    assert "features.sql: the same" in text
    assert printed[-2:] == ["  -    weight: 2", "  +    weight: 3"]
    assert "significant" not in text
