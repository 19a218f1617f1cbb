"""Messages about incidents, sent by Apprise to a webhook on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hourly
import pytest
from at_work import looped, output, start
from click.testing import CliRunner
from recorded import recorded

from homeostat.cli import main
from homeostat.monitoring.alerts import read_incidents
from homeostat.monitoring.notices import send_due, unsent
from homeostat.project.layout import Project

NOW, HOUR = datetime(2024, 3, 2), timedelta(hours=1)


class Hook:
    """A webhook: what it was sent, and whether it takes anything."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.open = True
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200 if hook.open else 500)
                self.end_headers()
                if hook.open:
                    hook.taken.append(json.loads(body))

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def titles(self) -> list[str]:
        return [str(message["title"]) for message in self.taken]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    hook = Hook()
    monkeypatch.setenv("MY_TEAM", f"json://127.0.0.1:{hook.server.server_port}/secret")
    yield hook
    hook.server.shutdown()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    of = recorded(tmp_path / "meters")
    params = (of.home / "params.yaml").read_text()
    (of.home / "params.yaml").write_text(f"{params}\nalerts: {{notify: MY_TEAM}}\n")
    return of


def become(project: Project, **fields: Any) -> None:
    """Have the incident become that."""
    path = project.incidents / "0001.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_one_message_for_its_beginning_its_escalation_and_its_end(project: Project, hook: Hook) -> None:
    for hour, fields in enumerate([{}, {}, {"escalated": NOW.isoformat()}, {}, {"closed": NOW.isoformat()}, {}]):
        become(project, **fields)
        send_due(project, NOW + hour * HOUR)
    kinds = ("began", "nobody has answered", "is over")
    assert hook.titles == [f"meters: readings: batch: {kind}" for kind in kinds]
    first = hook.taken[0]["message"]
    assert "2024-03-01T20 is missing" in first
    assert first.endswith(f"homeostat -C {project.home} status --incident 1")
    assert unsent(project) is None


def test_what_is_noted_sends_nothing_until_it_is_certain(project: Project, hook: Hook) -> None:
    become(project, noted=True)
    send_due(project, NOW)
    assert hook.titles == []
    become(project, noted=False)
    send_due(project, NOW + HOUR)
    assert hook.titles == ["meters: readings: batch: began"]


def test_a_message_that_fails_is_tried_again_and_seen_on_the_status(project: Project, hook: Hook) -> None:
    hook.open = False
    send_due(project, NOW)
    shown = " ".join(CliRunner().invoke(main, ["-C", str(project.home), "status"]).stdout.split())
    assert "messages: the one of 2024-03-02 00:00 was not sent: address 1 (json) took nothing" in shown
    assert "secret" not in shown + project.notices.read_text()
    hook.open = True
    send_due(project, NOW + HOUR)
    assert hook.titles == ["meters: readings: batch: began"]
    assert "was not sent" not in CliRunner().invoke(main, ["-C", str(project.home), "status"]).stdout


@pytest.mark.parametrize(
    ("addresses", "problem"),
    [
        (None, "MY_TEAM is not set"),
        ("carrier-pigeon://roof", "address 1 is none that Apprise knows"),
        ("json://127.0.0.1:1/a, json://127.0.0.1:1/b", "address 1 (json) took nothing; address 2 (json) took nothing"),
    ],
)
def test_what_is_wrong_is_named_without_the_address(
    project: Project, monkeypatch: pytest.MonkeyPatch, addresses: str | None, problem: str
) -> None:
    monkeypatch.delenv("MY_TEAM", raising=False)
    if addresses is not None:
        monkeypatch.setenv("MY_TEAM", addresses)
    send_due(project, NOW)
    failed = unsent(project)
    assert failed is not None and failed.problem == problem


def test_an_incident_that_ended_before_anybody_heard_of_it_is_not_sent(project: Project, hook: Hook) -> None:
    become(project, closed=NOW.isoformat())
    send_due(project, NOW)
    assert hook.titles == [] and len(read_incidents(project)) == 1


def test_nothing_is_sent_where_nobody_is_named(tmp_path: Path, hook: Hook) -> None:
    quiet = recorded(tmp_path / "quiet")
    send_due(quiet, NOW)
    assert hook.titles == [] and not quiet.notices.exists()


def test_an_address_in_the_scope_is_refused_and_not_repeated(project: Project) -> None:
    params = project.home / "params.yaml"
    params.write_text(params.read_text().replace("MY_TEAM", '"slack://token"'))
    refused = CliRunner().invoke(main, ["-C", str(project.home), "status"])
    assert refused.exit_code == 1 and "alerts.notify: is no name of an environment variable" in refused.stderr
    assert "slack" not in refused.stderr


@pytest.mark.slow
def test_a_run_that_fails_sends_its_message_too(hook: Hook, tmp_path: Path) -> None:
    """As ``homeostat run`` and ``homeostat up`` run it."""
    of = looped(tmp_path / "meters")
    params = of.home / "params.yaml"
    text = params.read_text().replace("path: readings.csv", "path: gone.csv")
    params.write_text(f"{text}\nalerts: {{notify: MY_TEAM}}\n")
    hourly.commit(of.home, "its source is gone")
    output(start(of, "run", "data"))
    assert hook.titles == ["meters: run: began"]
