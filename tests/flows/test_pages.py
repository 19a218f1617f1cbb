"""The pages that ``homeostat up`` serves: who may read and act, and an incident from first sight to its end."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import hourly
import httpx
import polars as pl
import pytest
from at_work import ask, events, looped, until, up
from browser import needs_browser, tab
from click.testing import CliRunner
from recorded import recorded

from homeostat import loop
from homeostat.cli import main
from homeostat.decisions.session import Session
from homeostat.project.layout import Project
from homeostat.project.machine import known_projects, note_project, project_id
from homeostat.reports.html import write_report
from homeostat.scheduling.pages import serving_pages

HOUR = timedelta(hours=1)


@contextmanager
def served(project: Project) -> Iterator[tuple[str, str]]:
    """The address of the project's own pages while they are served, and the token."""
    with serving_pages(project) as address:
        token = (project.state / "token").read_text().strip()
        yield f"{address}/{project_id(project.home)}", token


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return recorded(tmp_path_factory.mktemp("pages") / "meters")


@pytest.fixture(scope="module")
def pages(project: Project) -> Iterator[tuple[str, str]]:
    with served(project) as both:
        yield both


@pytest.fixture
def client(pages: tuple[str, str]) -> Iterator[httpx.Client]:
    address, token = pages
    with httpx.Client(base_url=address, auth=("", token), trust_env=False, timeout=60) as client:
        yield client


def form(client: httpx.Client, number: str = "0001", **changed: str) -> dict[str, str]:
    """The fields that the page of an incident would send."""
    seal = re.search(r'name="seal" value="(\w+)"', client.get(f"/incidents/{number}.html").text)
    assert seal is not None
    return {"seal": seal[1], "action": "owner", "who": "ann", "why": "mine", **changed}


@pytest.mark.parametrize("path", ["", "/", "/index.html", "/incidents/0001.html", "/decisions/x.json"])
def test_nobody_reads_without_the_token(pages: tuple[str, str], path: str) -> None:
    answer = httpx.get(pages[0] + path, trust_env=False)
    assert answer.status_code == 401 and "meters" not in answer.text
    assert answer.headers.get_list("www-authenticate")[1].startswith("Basic ")  # which a browser asks for


def test_the_pages_are_those_of_the_files(project: Project, client: httpx.Client) -> None:
    write_report(project, project.report_page)
    for name in ("index.html", "incidents/0001.html"):
        live = re.sub(r"<form.*?</form>\n", "", client.get(f"/{name}").text, flags=re.S)
        assert live == (project.home / "reports" / name).read_text()
    assert client.get("/decisions/2024-03-01T180000.json").json()["action"] == "roll back"


def test_they_are_live(project: Project, client: httpx.Client) -> None:
    path = project.incidents / "0001.json"
    before = path.read_text()
    path.write_text(json.dumps({**json.loads(before), "passes": 1}))
    try:
        assert "closes after 1 more passing check" in client.get("/incidents/0001.html").text
    finally:
        path.write_text(before)


@pytest.mark.parametrize(
    "path", ["/../.homeostat/token", "/..%2f.homeostat%2ftoken", "/quality/labels.parquet", "/incidents/9999.html",
             "/incidents/x.html", "/answers.jsonl", "/nothing.html"],
)  # fmt: skip
def test_nothing_but_reports_is_given_out(pages: tuple[str, str], client: httpx.Client, path: str) -> None:
    answer = client.get(httpx.URL(pages[0] + path))
    assert answer.status_code == 404
    assert pages[1] not in answer.text


def test_a_page_allows_no_script_and_no_frame(client: httpx.Client) -> None:
    policy = client.get("/incidents/0001.html").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("changed", "headers", "status"),
    [
        ({"seal": "0" * 64}, {}, 403),
        ({"seal": ""}, {}, 403),
        ({}, {"referer": "http://127.0.0.1:1/"}, 403),  # another server of this machine
        ({"who": " "}, {}, 409),
        ({"action": "sudo"}, {}, 409),
        ({"action": "snooze", "for": "--help"}, {}, 409),
        ({"why": "x" * 20_000}, {}, 403),
    ],
)
def test_no_other_page_and_no_odd_form_acts(
    project: Project, client: httpx.Client, changed: dict[str, str], headers: dict[str, str], status: int
) -> None:
    answer = client.post("/incidents/0001.html", data=form(client, **changed), headers=headers)
    assert answer.status_code == status
    assert not project.answers.exists()


def test_a_form_about_no_incident_says_why(project: Project, client: httpx.Client) -> None:
    answer = client.post("/incidents/x.html", data=form(client))
    assert answer.status_code == 403 and "x: no number of an incident; begin at /" in answer.text
    assert not project.answers.exists()


def test_nobody_acts_without_the_token(project: Project, pages: tuple[str, str], client: httpx.Client) -> None:
    answer = httpx.post(f"{pages[0]}/incidents/0001.html", data=form(client), trust_env=False)
    assert answer.status_code == 401 and not project.answers.exists()


def test_another_project_of_this_machine_is_read_and_not_acted_on(
    project: Project, client: httpx.Client, tmp_path: Path
) -> None:
    other = recorded(tmp_path / "other")
    note_project(other)
    torn = Path(os.environ["XDG_STATE_HOME"]) / "homeostat" / "projects" / "torn.json"
    torn.write_text('{"pa')
    assert known_projects()[project_id(other.home)] == other.home
    machine = client.get(client.base_url.copy_with(path="/")).text
    assert str(other.home) in machine and str(project.home) in machine
    theirs = client.base_url.copy_with(path=f"/{project_id(other.home)}/incidents/0001.html")
    shown = client.get(theirs)
    assert shown.status_code == 200 and "<form" not in shown.text
    assert client.post(theirs, data=form(client)).status_code == 403 and not other.answers.exists()


@needs_browser
@pytest.mark.slow
def test_an_incident_from_first_sight_to_its_end_in_a_browser(tmp_path: Path) -> None:
    """A batch is missing. A person opens the page, types its first command, snoozes it, and sees it close."""
    params = hourly.PARAMS.replace("decide: 2h", "decide: 24h").replace("retrain: 4h", "retrain: 24h")
    clock = f'threads: 1\nclock: {{start: "{hourly.START.isoformat()}"}}\n'
    project = hourly.make(tmp_path / "meters", params=params.replace("threads: 1\n", clock))
    rows = hourly.readings()
    late = pl.col("at").dt.truncate("1h") == hourly.START + 3 * HOUR
    hourly.write(rows.filter(~late), project.home / "readings.csv")
    hourly.commit(project.home, "an hour is late")
    loop.begin(Session.open(project), hourly.START)
    for hours in (2, 4, 7):
        loop.tick(Session.open(project), hourly.START + hours * HOUR)
    with served(project) as (address, token), tab(tmp_path / "browser") as page:
        page.open(address.replace("http://", f"http://:{token}@") + "/")
        assert "readings: batch" in page.text
        page.press("td a[href='incidents/0001.html']")
        assert page.run("document.querySelector('.badge').innerText") == "open"
        assert "2024-03-01T03 is missing" in page.text
        command = str(page.run("document.querySelector('table.type code').innerText"))
        typed = CliRunner().invoke(main, [*command.split()[1:], "-C", str(project.home)])
        assert typed.exit_code == 0 and "readings 2024-03-01T03 missing" in typed.stdout
        page.fill("who", "ann")
        page.fill("why", "the feed is <late>")
        page.press("button[value=snooze]")
        assert page.run("document.querySelector('.badge').innerText") == "snoozed"
        assert "ann snoozed it until 2024-03-01 12:00: the feed is <late>" in page.text
        assert "1 note below" in CliRunner().invoke(main, ["status", "-C", str(project.home)]).stdout
        hourly.write(rows, project.home / "readings.csv")
        hourly.commit(project.home, "it has come")
        for hours in (8, 9):
            loop.tick(Session.open(project), hourly.START + hours * HOUR)
        page.open(page.run("location.href"))
        assert page.run("document.querySelector('.badge').innerText") == "closed"
        assert page.run("document.querySelector('form')") is None


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_new_incident_has_its_page_and_is_an_artifact_and_an_event(tmp_path: Path) -> None:
    project = looped(tmp_path / "meters")
    late = pl.col("at").dt.truncate("1h") == hourly.START + 3 * HOUR
    hourly.write(hourly.readings().filter(~late), project.home / "readings.csv")
    hourly.commit(project.home, "an hour is missing")
    with up(project) as running:
        wanted = {"artifacts": {"key": {"any_": ["meters-incident"]}}}
        artifacts = until(lambda: ask(running.api, "artifacts", **wanted), 90, "the artifact")
        assert artifacts[0]["data"].startswith("# meters: readings: batch\n")
        assert "| type | homeostat data review" in artifacts[0]["data"]
        until(lambda: events(running.api, "homeostat.incident"), 30, "its event")
        printed = next(line.split()[1].rstrip(";") for line in running.log.splitlines() if line.startswith("  pages "))
        assert f"pages      {printed}" in CliRunner().invoke(main, ["status", "-C", str(project.home)]).stdout
    assert "2024-03-01T03 is missing" in (project.incidents / "0001.html").read_text()


@needs_browser
def test_the_file_opens_with_the_network_cut(project: Project, tmp_path: Path) -> None:
    write_report(project, project.report_page)
    with tab(tmp_path / "browser") as page:
        page.open(project.report_page.as_uri())
        page.press("td a[href='incidents/0001.html']")
        assert "readings: batch" in page.text and "homeostat data review" in page.text
        page.press("nav a")
        assert "Releases in service" in page.text
        assert page.run("performance.getEntriesByType('resource').length") == 0
