"""The HTTP application of one worker: its routes, request bodies as JSON, and errors as answers with a fix."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from homeostat.core.errors import HomeostatError
from homeostat.project.layout import Project
from homeostat.serving import metrics
from homeostat.serving.auth import MAX_BODY, TokenAuth, read_or_make_token
from homeostat.serving.description import HOW
from homeostat.serving.description_page import page
from homeostat.serving.endpoints import Endpoints
from homeostat.serving.requests import Refused, refusal
from homeostat.serving.settings import FRESH, PROJECT
from homeostat.serving.worker import Worker

OPEN = ("/live", "/ready")  # answered without the token
FIXES = {404: "see /docs for the paths", 405: "see /docs for the method"}
PARAMETERS: dict[str, dict[str, Any]] = {"/predict": HOW, "/rank": HOW}  # the one of the query that a path takes
Answered = Callable[[Request], Awaitable[Response]]
log = logging.getLogger("homeostat.serving")


def make() -> TokenAuth:
    """The application of one worker, for the project that the environment names."""
    fresh = os.environ.get(FRESH)
    return application(
        Project.find(Path(os.environ[PROJECT])), None if fresh is None else timedelta(seconds=float(fresh))
    )


def application(project: Project, fresh: timedelta | None = None) -> TokenAuth:
    """The service of a project; ``fresh`` is the maximum age of a precomputed answer, a tick if not given."""
    endpoints = Endpoints(Worker(project, fresh))
    routes = [
        Route("/predict", _on_events(endpoints.predict), methods=["POST"]),
        Route("/rank", _on_events(endpoints.rank), methods=["POST"]),
        Route("/labels", _on_body(endpoints.labels), methods=["POST"]),
        Route("/release", _on_nothing(endpoints.release), methods=["GET"]),
        Route("/metrics", _metrics(endpoints), methods=["GET"]),
        Route("/live", _on_nothing(endpoints.live), methods=["GET"]),
        Route("/ready", _on_nothing(endpoints.ready), methods=["GET"]),
        Route("/openapi.json", _on_nothing(endpoints.openapi), methods=["GET"]),
        Route("/docs", _answered(_docs(endpoints)), methods=["GET"]),
        Route("/", _answered(_to_docs), methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=endpoints.lifespan, exception_handlers={HTTPException: _no_such_path})
    app.router.redirect_slashes = False  # a redirect would send the client to whatever its Host header says
    app.state.endpoints = endpoints
    return TokenAuth(app, read_or_make_token(project), OPEN)


def _on_events(handler: Callable[[bytes, bool], Awaitable[dict[str, Any]]]) -> Answered:
    async def respond(request: Request) -> Response:
        precomputed = request.query_params.get("how") != "computed"
        return _json(await handler(await _body(request), precomputed))

    return _answered(respond)


def _on_body(handler: Callable[[bytes], Awaitable[dict[str, Any]]]) -> Answered:
    async def respond(request: Request) -> Response:
        return _json(await handler(await _body(request)))

    return _answered(respond)


def _on_nothing(handler: Callable[[], dict[str, Any]]) -> Answered:
    async def respond(request: Request) -> Response:
        return _json(handler())

    return _answered(respond)


def _metrics(endpoints: Endpoints) -> Answered:
    async def respond(request: Request) -> Response:
        return Response(endpoints.metrics(), media_type=metrics.CONTENT_TYPE)

    return respond


def _docs(endpoints: Endpoints) -> Answered:
    async def respond(request: Request) -> Response:
        host, port = request.scope["server"]  # where it was reached, whatever the Host header says
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return HTMLResponse(page(endpoints.openapi(), address))

    return respond


async def _to_docs(request: Request) -> Response:
    return RedirectResponse("/docs")


def _answered(handler: Answered) -> Answered:
    """The handler, with its errors turned into answers that name the fix, and its requests counted and timed."""

    async def endpoint(request: Request) -> Response:
        began = time.perf_counter()
        try:
            _require_parameters(request)
            response = await handler(request)
        except Refused as refused:
            response = _refused(refused)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it
        except HomeostatError as error:
            log.error("%s", error)
            response = _refused(refusal("service", str(error), "fix that and send it again", 503))
        path = request.url.path
        metrics.REQUESTS.labels(path, response.status_code).inc()
        metrics.SECONDS.labels(path).observe(time.perf_counter() - began)
        return response

    return endpoint


def _json(body: dict[str, Any]) -> Response:
    return Response(to_json(body), media_type="application/json")


def _require_parameters(request: Request) -> None:
    """
    Raises:
        Refused: the query has a parameter or a value that the path does not take, or one twice.
    """
    if request.url.path in OPEN:  # balancers add parameters of their own
        return
    takes = PARAMETERS.get(request.url.path)
    for name, value in request.query_params.multi_items():
        if takes is None or name != takes["name"]:
            fix = f"leave it out, or send {takes['name']}" if takes else "leave it out"
            raise refusal(f"query.{name}", f"query.{name}: {request.url.path} has no such parameter", fix)
        if value not in takes["schema"]["enum"]:
            fix = f"send {' or '.join(takes['schema']['enum'])}, or leave it out"
            raise refusal(f"query.{name}", f"query.{name}: has the value {value!r}", fix)
        if len(request.query_params.getlist(name)) > 1:
            raise refusal(f"query.{name}", f"query.{name}: is given more than once", "send it once")


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise refusal("content-type", f"is {kind or 'missing'}", "send application/json", 415)
    body = bytearray()
    async for part in request.stream():  # whose length the header may not have given
        body += part
        if len(body) > MAX_BODY:
            raise refusal("body", f"is larger than {MAX_BODY} bytes", "send fewer events in one request", 413)
    return bytes(body)


def _refused(refused: Refused) -> Response:
    headers = {"retry-after": "1"} if refused.status == 503 else None
    return Response(to_json({"problems": refused.problems}), refused.status, headers, "application/json")


async def _no_such_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    fix = FIXES.get(error.status_code, "correct it")
    response = _refused(refusal("path", f"{request.url.path}: {error.detail}", fix, error.status_code))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response
