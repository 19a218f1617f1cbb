"""The pages, live on loopback beside Prefect's: they read the project's files at each request, and need its token.

A button runs the command that the page shows, as that person would type it: there is one way to act.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from homeostat.adapters.prefect_server import HOST, port_of
from homeostat.core.errors import HomeostatError, UsageError
from homeostat.project.layout import Project
from homeostat.project.machine import known_projects, note_project, project_id
from homeostat.reports import incident
from homeostat.reports.card_page import card_of, html
from homeostat.reports.document import document
from homeostat.reports.forms import forms
from homeostat.reports.html import report_page
from homeostat.reports.incident_page import incident_page
from homeostat.reports.machine_page import machine_page
from homeostat.serving.auth import TokenAuth, read_or_make_token
from homeostat.serving.connections import Connection

if TYPE_CHECKING:
    from starlette.types import ASGIApp

TYPED = (sys.executable, "-P", "-c", "from homeostat.cli import main; main()")  # the command line
PATIENCE = 120.0  # seconds that a command may take, of which most is waiting for a run at work
MAX_FORM = 10_000  # bytes
SUFFIXES = frozenset({".html", ".json", ".svg"})  # of the files below reports/ that are served
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


@contextmanager
def serving_pages(project: Project) -> Iterator[str]:
    """Serve the pages of the project, and of the others that this machine knows, meanwhile; their address.

    Raises:
        EnvironmentFault: the token cannot be used.
    """
    with suppress(OSError, RuntimeError):  # a user without a state folder has a page of this project alone
        note_project(project)
    with _listening(project) as listening:
        config = uvicorn.Config(
            application(project), log_level="warning", access_log=False, lifespan="off", server_header=False,
            http=Connection, ws="none", proxy_headers=False, timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), name="pages", daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(5)


def _listening(project: Project) -> socket.socket:
    """On the project's own port, the same at every start, or where that is taken on any."""
    try:
        return socket.create_server((HOST, port_of(project.home / "pages")))
    except OSError:
        return socket.create_server((HOST, 0))


def application(project: Project) -> ASGIApp:
    """The pages as an application that lets nobody in without the project's token."""
    token = read_or_make_token(project)
    pages = Pages(project, hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest())
    routes = [
        Route("/", _shown(pages.machine)),
        Route("/{project}/", _shown(pages.report)),
        Route("/{project}/index.html", _shown(pages.report)),
        Route(r"/{project}/incidents/{number}.html", _shown(pages.incident)),
        Route(r"/{project}/incidents/{number}.html", pages.act, methods=["POST"]),
        Route(r"/{project}/releases/{version}.html", _shown(pages.card)),
        Route("/{project}/{path:path}", _shown(pages.file)),
    ]
    return TokenAuth(Starlette(routes=routes), token, ())


class Pages:
    """What is answered; ``seal`` is on every form, so that no other site's form is taken for one of these."""

    def __init__(self, project: Project, seal: str) -> None:
        self.own, self.seal = project, seal

    def machine(self, request: Request) -> Response:
        """Every project that this machine knows, this one among them."""
        return _html(machine_page({project_id(self.own.home): self.own.home, **known_projects()}))

    def report(self, request: Request) -> Response:
        """The report page of a project."""
        project = self._project(request)
        return _html(report_page(project, project.report_page))

    def incident(self, request: Request) -> Response:
        """The page of an incident, with its form where the project is the one of this token."""
        return _html(self._incident(self._project(request), _number(request)))

    def card(self, request: Request) -> Response:
        """The model card of a release."""
        return _html(html(card_of(self._project(request), request.path_params["version"])))

    def file(self, request: Request) -> Response:
        """A record or a page below the project's reports."""
        reports = self._project(request).report_page.parent.resolve()
        path = (reports / request.path_params["path"]).resolve()
        if not path.is_relative_to(reports) or path.suffix not in SUFFIXES or not path.is_file():
            raise UsageError(f"{request.url.path}: no such page; begin at /")
        return FileResponse(path, headers=HEADERS)

    async def act(self, request: Request) -> Response:
        """Do what the form asks by the command that it stands for, and show the incident again; or say why not."""
        back = f'<p><a href="{escape(request.url.path)}">Back to the incident</a></p>'
        try:
            number, given = _number(request), await self._form(request)
            done = await run_in_threadpool(_type, self._project(request), number, given)
        except UsageError as error:
            return _problem(str(error), 403, back)
        except subprocess.TimeoutExpired:
            return _problem("another run is at work; try again when it has ended, or type the command", 503, back)
        return RedirectResponse(request.url.path, 303, HEADERS) if done == "" else _problem(done, 409, back)

    def _project(self, request: Request) -> Project:
        name = request.path_params["project"]
        folder = {**known_projects(), project_id(self.own.home): self.own.home}.get(name)
        if folder is None:
            raise UsageError(f"{name}: no project of this machine; begin at /")
        return Project.find(folder)

    def _incident(self, project: Project, number: str) -> str:
        screen = incident.read(project, number)
        assert screen is not None, "a number names an incident or is refused"
        mine = project.home == self.own.home
        return incident_page(project, number, forms(screen, f"{number}.html", self.seal) if mine else "")

    async def _form(self, request: Request) -> Mapping[str, str]:
        """The fields of a form of these pages.

        Raises:
            UsageError: it comes from elsewhere, is about another project, or is too large.
        """
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_FORM:
                raise UsageError("the form is too large; say it in fewer words")
        fields = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
        here = f"http://{request.headers.get('host', '')}/"
        sealed = hmac.compare_digest(fields.get("seal", "").encode(), self.seal.encode())
        if not sealed or not request.headers.get("referer", here).startswith(here):
            raise UsageError("this form is not of these pages; open the incident again")
        if request.path_params["project"] != project_id(self.own.home):
            raise UsageError("this address acts for one project alone; run homeostat up in the other")
        return fields


def _type(project: Project, number: str, given: Mapping[str, str]) -> str:
    """Type the command that a button stands for; empty if it was done, else its line on what went wrong."""
    who, why = given.get("who", "").strip(), given.get("why", "").strip()
    if not who:
        return "say who you are: the name is kept with what you do"
    verbs = {
        "snooze": ["status", f"--incident={number}", f"--snooze={given.get('for', '')}", f"--why={why}"],
        "owner": ["status", f"--incident={number}", f"--owner={who}", f"--why={why}"],
        "approve": ["approve", f"--why={why}", "--", number],
        "decline": ["approve", "--decline", f"--why={why}", "--", number],
        "rollback": ["rollback", f"--why={why}"],
    }
    verb = verbs.get(given.get("action", ""))
    if verb is None:
        return "no such action; open the incident again"
    first, *rest = verb
    command = [*TYPED, first, "-C", str(project.home), f"--who={who}", *rest]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it failed"])[-1]


def _number(request: Request) -> str:
    number: str = request.path_params["number"]
    if re.fullmatch(r"\d{4}", number) is None:
        raise UsageError(f"{number}: no number of an incident; begin at /")
    return number


def _shown(page: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """The page, in a thread of its own; what cannot be shown is a page that says why."""

    def answer(request: Request) -> Response:
        try:
            return page(request)
        except UsageError as error:
            return _problem(str(error), 404)
        except HomeostatError as error:
            return _problem(str(error), 503)

    return answer


def _html(page: str, status: int = 200) -> Response:
    return HTMLResponse(page, status, HEADERS)


def _problem(line: str, status: int, more: str = "") -> Response:
    return _html(document("Homeostat", [f'<p class="bad">{escape(line)}</p>', more]), status)
