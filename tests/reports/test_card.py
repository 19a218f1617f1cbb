"""The model card: every figure from the release's own bundle and the ledger, and no value that steers a reader."""

from __future__ import annotations

import json
import re
from pathlib import Path

import hourly
import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from parsed_html import parsed
from readings import START
from recorded import HOUR, empty
from sealed import FULL, fill

from homeostat.adapters import git
from homeostat.cli import main
from homeostat.core.errors import UsageError
from homeostat.core.evaluation import Scored
from homeostat.core.ledger import Register, ReleaseEvent, event_tag, release_tag
from homeostat.project.layout import Project
from homeostat.project.machine import project_id
from homeostat.releases.registry import Registry
from homeostat.reports.card import Grid, Picture
from homeostat.reports.card_page import card_of, html, markdown
from homeostat.reports.html import write_report
from homeostat.scheduling.pages import serving_pages
from homeostat.training import bundle
from homeostat.training.evaluate import compare, evaluate, settings

ODD = 'm1|<img src=x onerror="a()">\x1b[2J[x](javascript:a())'
WHY = "on <b>trust</b> | `rm` \u202e"
GOAL = "know the <script>a()</script> next hour's load"


def scored(score: np.ndarray, y: np.ndarray) -> Scored:
    meters = np.array([ODD, "m2"] * (len(y) // 2))
    return Scored(y, score, np.arange(len(y)) // 10, np.full(len(y), "2024-03"), {"meter": meters})


def evaluation() -> dict[str, object]:
    """Of scores that know the label a little, against a baseline that does not; worse than it on m2."""
    rng = np.random.default_rng(1)
    y = (rng.random(400) < 0.3).astype(float)
    score = np.clip(0.3 + 0.4 * (y - 0.3) * np.where(np.arange(400) % 2, -1, 1.4), 0.01, 0.99)
    flat, how = np.full(400, 0.3), settings(FULL)
    ours, theirs = (evaluate("high", "binary", ("log_loss", "auc"), scored(s, y), how) for s in (score, flat))
    slices = scored(score, y)
    against = compare("binary", "log_loss", y, score, flat, slices.block, slices.slices, how)
    trial = {"candidate": ours.to_dict(), "baseline": theirs.to_dict(), "against_baseline": against.to_dict()}
    money = {"rows": 400, "alerts": 9, "needless": 4, "missed": {"high": 7}, "silence": 80.0,
             "cost": {"value": 18.0, "low": 9.0, "high": 30.0}}  # fmt: skip
    rate = {"value": 0.25, "low": 0.2, "high": 0.3}
    group = {"rows": 200, "alerted": rate, "caught": rate, "disturbed": {"value": None, "low": None, "high": None}}
    return {"as_of": START.isoformat(), "objectives": {"high": trial}, "money": {"candidate": money, "baseline": money},
            "fairness": {"meter": {ODD: group, "m2": group}}}


def released(project: Project) -> None:
    """Two releases with bundles made by hand; the second is in service."""
    commit = git.head(project.home)
    training = {"kind": "linear", "rows": 1234, "from": "2024-03-01T00:00:00", "to": "2024-03-01T20:00:00",
                "holdout": {"from": "2024-03-01T15:00:00", "to": "2024-03-01T20:00:00", "rows": 400},
                "features": ["hour", "phase"]}  # fmt: skip
    earlier = training | {"to": "2024-03-01T10:00:00", "holdout": training["holdout"] | {"from": "2024-03-01T05:00:00"}}
    for number, (version, of) in enumerate({"v0.1.0": earlier, "v0.2.0": training}.items(), 1):
        folder = fill(project.releases / version)
        params = hourly.PARAMS.replace("know the next hour's load", GOAL)
        (folder / "params.yaml").write_text(bundle.sealed_text(params))
        (folder / "evaluation.json").write_text(json.dumps(evaluation()))
        (folder / "training.json").write_text(
            json.dumps({"as_of": "2024-03-01T20:00:00", "objectives": {"high": of}, "note": version})
        )
        (folder / "expectations" / "readings.json").write_text(
            json.dumps({"expectations": [{"severity": "critical", "meta": {"reason": "a load is < 100 | kW"}}]})
        )
        made = bundle.seal(folder, "meters", {"note": version})
        folder.rename(project.releases / made)
        at = START + 6 * number * HOUR
        tag = Register(version, commit, "ann", WHY, at, made)
        git.create_tag(project.home, release_tag("meters", version), commit, tag.message(), at)
        event = ReleaseEvent(number, version, "promote", commit, "ann", WHY, at, made)
        git.create_tag(project.home, event_tag("meters", number), commit, event.message(), at)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    of = empty(tmp_path_factory.mktemp("card") / "meters")
    released(of)
    return of


def registered(project: Project) -> bundle.Bundle:
    return Registry.open(project).load("v0.2.0")


def grids(project: Project, version: str) -> dict[str, Grid]:
    """By the first heading."""
    parts = [part for section in card_of(project, version).sections for part in section.parts]
    return {part.headings[0]: part for part in parts if isinstance(part, Grid)}


def test_its_figures_are_those_of_the_bundle(project: Project) -> None:
    table = grids(project, "v0.2.0")
    measured = evaluation()["objectives"]["high"]  # type: ignore[index]
    loss = measured["candidate"]["overall"]["metrics"]["log_loss"]
    row = next(row for row in table["high"].rows if row[0] == "log loss")
    assert row[1] == f"{loss['value']:.3f} ({loss['low']:.3f} to {loss['high']:.3f})"
    assert row[2].startswith(f"{measured['baseline']['overall']['metrics']['log_loss']['value']:.3f}")
    assert table["objective"].rows[0][:2] == ("high", "1,234 events")
    assert table["cost"].rows[0][:2] == ("v0.2.0", "18 (9 to 30)")
    assert {row[0] for row in table["meter"].rows} == {ODD, "m2"}
    assert table["when"].rows == ((f"{START + 12 * HOUR:%Y-%m-%d %H:%M}", "promote", "ann", WHY),)


def test_it_says_what_it_rests_on_and_whether_that_moves(project: Project) -> None:
    grid = grids(project, "v0.2.0")["high: feature, rank in"]
    strongest = registered(project).models["high"].strongest(9)
    assert tuple(row[0] for row in grid.rows) == strongest != ()
    assert [row[1:] for row in grid.rows] == [(*[str(n)] * 4, "0") for n in range(1, len(strongest) + 1)]  # equal fits
    assert [fit.partition(", to ")[0] for fit in grid.headings[1:-1]] == [
        "v0.2.0", "v0.2.0 as judged", "v0.1.0", "v0.1.0 as judged"
    ]  # fmt: skip
    older = grids(project, "v0.1.0")["high: feature, rank in"]
    assert len(older.headings) == 4, "no fit that came after it"


def test_it_says_who_is_given_alerts(project: Project) -> None:
    (section,) = [one for one in card_of(project, "v0.2.0").sections if one.title == "Fairness"]
    (grid,) = section.parts
    assert isinstance(grid, Grid) and grid.headings[:2] == ("meter", "events")
    assert grid.rows[1] == ("m2", "200", "25 % (20 % to 30 %)", "25 % (20 % to 30 %)", "–")


def test_it_says_what_it_must_not_be_used_for_and_how_to_go_back(project: Project) -> None:
    texts = {section.title: "\n".join(text for part in section.parts if isinstance(part, str | tuple)
                                      for text in ([part] if isinstance(part, str) else part))
             for section in card_of(project, "v0.2.0").sections}  # fmt: skip
    assert "do not rely on it where meter is m2" in texts["Limits"] and ODD not in texts["Limits"]
    assert "Labels are mature 1 h after an event" in texts["Limits"]
    assert "less than a year" in texts["Limits"]
    assert "goes back to v0.1.0" in texts["How to go back"]
    assert "critical: a load is < 100 | kW" in texts["Contracts"]
    older = card_of(project, "v0.1.0").sections[-1].parts[0]
    assert isinstance(older, str) and older.startswith("It is not in service")


def test_no_value_of_the_data_steers_the_page_or_the_markdown(project: Project) -> None:
    card = card_of(project, "v0.2.0")
    page = html(card)
    tags = parsed(page)
    assert not re.search(r"<(script|img|b>trust)", page) and "\x1b" not in page and "\u202e" not in page
    assert GOAL in "".join(tags.texts)
    assert [link for link in tags.links if "//" in link or link.startswith("javascript")] == []
    text = markdown(card)
    assert "\x1b" not in text and "\u202e" not in text and not re.search(r"(?<!\\)<(script|img|b>)", text)
    cells = re.compile(r"(?<!\\)\|")
    for table in re.findall(r"(?m)(?:^\|.*\n)+", text):
        assert len({len(cells.findall(line)) for line in table.splitlines()}) == 1


def test_every_picture_has_its_numbers_in_the_markdown(project: Project) -> None:
    card = card_of(project, "v0.2.0")
    pictures = [part for section in card.sections for part in section.parts if isinstance(part, Picture)]
    assert pictures and all(part.drawing.startswith("<svg") for part in pictures)
    assert all(f"| {part.numbers.rows[-1][0]} |" in markdown(card) for part in pictures)


def test_the_command_writes_it_and_the_report_links_to_it(project: Project) -> None:
    done = CliRunner().invoke(main, ["releases", "card", "0.2.0", "-C", str(project.home)])
    assert done.exit_code == 0, done.output
    path = Path(done.output.removeprefix("card  ").strip())
    assert path == project.home / "reports" / "releases" / "v0.2.0.html"
    assert path.read_text() == html(card_of(project, "v0.2.0"))
    done = CliRunner().invoke(main, ["releases", "card", "v0.2.0", "--markdown", "-C", str(project.home)])
    assert path.with_suffix(".md").read_text() == markdown(card_of(project, "v0.2.0"))
    path.unlink()
    report = write_report(project, project.report_page)
    assert 'href="releases/v0.2.0.html"' in report.read_text() and path.is_file()
    with pytest.raises(UsageError, match=r"v9\.0\.0: no such release"):
        card_of(project, "v9.0.0")


def test_up_serves_it_as_it_is_now(project: Project) -> None:
    with serving_pages(project) as address:
        token = (project.state / "token").read_text().strip()
        base = f"{address}/{project_id(project.home)}/releases"
        with httpx.Client(auth=("", token), trust_env=False, timeout=60) as client:
            assert client.get(f"{base}/v0.1.0.html").text == html(card_of(project, "v0.1.0"))
            assert client.get(f"{base}/v7.0.0.html").status_code == 404
        assert httpx.get(f"{base}/v0.1.0.html", trust_env=False).status_code == 401
