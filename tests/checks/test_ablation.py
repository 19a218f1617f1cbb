"""Each feature is left out in turn: one that decides earns its place, noise does not, and a price can be too high."""

from __future__ import annotations

from pathlib import Path

import pytest
import tides

from homeostat.checks.ablation import ablation, parts_of, verdict
from homeostat.core.evaluation import Compared
from homeostat.core.intervals import Measure
from homeostat.core.paired_losses import Paired
from homeostat.features.worth import read_worth
from homeostat.project.layout import Project


def project(folder: Path, groups: dict[str, object] | None = None) -> Project:
    made = tides.tides(folder, 30, **tides.only("flood"))
    text = made.root.joinpath("params.yaml").read_text()
    if groups:
        text = text.replace("features:\n  history: 1d", f"features:\n  history: 1d\n  groups: {groups}", 1)
        made.root.joinpath("params.yaml").write_text(text)
    return Project(made.root, made.root)


def test_what_decides_earns_its_place_and_noise_does_not(tmp_path: Path) -> None:
    of = project(tmp_path)
    assert read_worth(of) is None
    head, *lines = list(ablation(of))
    assert head.startswith("without it, on 336 held-out events")
    assert [line.split()[0] for line in lines] == ["wind", "moon", "bay"]
    assert lines[0].endswith("earns its place") and "flood +" in lines[0]
    assert not lines[2].endswith("earns its place")
    worth = read_worth(of)
    assert worth is not None and [line.endswith(worth[line.split()[0]]) for line in lines] == [True] * 3
    params = of.root / "params.yaml"
    params.write_text(params.read_text().replace("flood", "flooded"))
    assert read_worth(Project(of.root, of.root)) is None, "of another recipe"


def test_a_group_is_left_out_as_a_whole_and_has_to_pay(tmp_path: Path) -> None:
    of = project(tmp_path, {"sky": {"of": ["wind", "moon"], "cost": 1000000}})
    assert [(part.name, sorted(part.features)) for part in parts_of(of.scope)] == [
        ("sky", ["moon", "wind"]), ("bay", ["bay"]),
    ]  # fmt: skip
    lines = list(ablation(of))
    assert "does not pay: it saves" in lines[1] and lines[1].endswith("costs 1,000,000.0")


def compared(share: float, low: float, high: float) -> Compared:
    return Compared(900, 1 + share, 1.0, Measure(share, low, high))


@pytest.mark.parametrize(
    ("one", "cost", "words"),
    [
        (compared(0.1, 0.05, 0.2), 0.0, "earns its place"),
        (compared(0.1, 0.05, 0.2), 9.0, "earns its place"),
        (compared(0.1, 0.05, 0.2), 11.0, "does not pay: it saves 10.0 and costs 11.0"),
        (compared(0.1, -0.05, 0.2), 0.0, "not shown to help"),
        (compared(-0.1, -0.2, -0.05), 0.0, "harms: the loss is lower without it"),
    ],
)
def test_a_verdict_follows_from_interval_and_price(one: Compared, cost: float, words: str) -> None:
    assert verdict([one], Paired(900, 110.0, 100.0, 0.1), cost) == words
