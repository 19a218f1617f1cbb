"""The service's description as one page of HTML, which loads nothing from elsewhere: it reads well without network."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from html import escape
from typing import Any

from homeostat.serving.description import SCHEMAS

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f5f5f2;padding:1rem;overflow:auto}h2{margin-top:3rem;border-top:1px solid #ddd;padding-top:1rem}"
    "h3{font-size:1rem}.curl{white-space:pre-wrap;overflow-wrap:anywhere}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}code{background:#f5f5f2}"
)


def page(spec: dict[str, Any], address: str) -> str:
    """The OpenAPI description ``spec`` of the service at ``address`` as one page of HTML."""
    info = spec["info"]
    parts = [_operation(spec, address, path, *next(iter(one.items()))) for path, one in spec["paths"].items()]
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style>"
        f"<h1>{title} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        "<p>Every request but to /live and /ready carries the header <code>Authorization: Bearer TOKEN</code>, the "
        "token of <code>.homeostat/token</code>; the lines below are typed in the project's folder. For programs: "
        '<a href="openapi.json">openapi.json</a>.</p>'
        f"{''.join(parts)}</html>\n"
    )


def _operation(spec: dict[str, Any], address: str, path: str, method: str, operation: dict[str, Any]) -> str:
    about = f"{escape(operation['summary'])}. {escape(operation.get('description', ''))}"
    text = f"<h2>{method.upper()} {escape(path)}</h2><p>{about}</p>"
    text += _table((f"?{p['name']}={'|'.join(p['schema']['enum'])}", "", p) for p in operation.get("parameters", ()))
    request = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if request:
        text += f"<h3>Request</h3>{_fields(spec, request['schema'])}<pre>{_pretty(request['example'])}</pre>"
    text += f"<pre class=curl>{escape(_curl(address + path, operation, request))}</pre>"
    responses = operation["responses"]
    answer = next(iter(responses["200"]["content"].values()))
    if "example" in answer:
        text += f"<h3>Response</h3>{_fields(spec, answer['schema'])}<pre>{_pretty(answer['example'])}</pre>"
    return text + _table((code, "", response) for code, response in responses.items() if code != "200")


def _curl(address: str, operation: dict[str, Any], request: dict[str, Any] | None) -> str:
    """The example as a command for a shell in the project's folder, in one line."""
    parts = ["curl", "-s"]
    if operation.get("security") != []:
        parts += ["-H", '"Authorization: Bearer $(cat .homeostat/token)"']
    if request:
        body = json.dumps(request["example"], ensure_ascii=False)
        parts += ["-H", '"Content-Type: application/json"', "--data", shlex.quote(body)]
    return " ".join([*parts, shlex.quote(address)])


def _fields(spec: dict[str, Any], schema: dict[str, Any]) -> str:
    """The fields of the items of the list in the body; nothing where the body is described by its example alone."""
    if "$ref" not in schema:
        return ""
    body = _resolved(spec, schema)
    (items,) = (p["items"] for p in body["properties"].values() if p.get("type") == "array")
    fields = _resolved(spec, items)["properties"]
    return _table((name, _kind(field), field) for name, field in fields.items())


def _resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    return dict(spec["components"]["schemas"][schema["$ref"].removeprefix(SCHEMAS)])


def _table(rows: Iterable[tuple[str, str, dict[str, Any]]]) -> str:
    """A line each: a name, its kind, and its description."""
    lines = [
        f"<tr><td><code>{escape(name)}</code><td>{escape(kind)}<td>{escape(described.get('description', ''))}"
        for name, kind, described in rows
    ]
    return f"<table>{''.join(lines)}</table>" if lines else ""


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(option) for option in field["anyOf"])
    return str(field.get("format") or field.get("type") or field.get("$ref", "").rpartition("/")[2])


def _pretty(example: Any) -> str:
    return escape(json.dumps(example, indent=1, ensure_ascii=False))
