"""The service's description as one page of HTML, which loads nothing from elsewhere: it reads well without network."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from homeostat.serving.description import SCHEMAS

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f5f5f2;padding:1rem;overflow:auto}h2{margin-top:3rem;border-top:1px solid #ddd;padding-top:1rem}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}code{background:#f5f5f2}"
)


def page(spec: dict[str, Any]) -> str:
    """The OpenAPI description ``spec`` as one page of HTML."""
    info = spec["info"]
    parts = [_operation(spec, path, *next(iter(methods.items()))) for path, methods in spec["paths"].items()]
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        "<p>Every request but to /live and /ready carries the header <code>Authorization: Bearer TOKEN</code>, the "
        'token of <code>.homeostat/token</code>. For programs: <a href="openapi.json">openapi.json</a>.</p>'
        f"{''.join(parts)}</html>\n"
    )


def _operation(spec: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    about = f"{escape(operation['summary'])}. {escape(operation.get('description', ''))}"
    text = f"<h2>{method.upper()} {escape(path)}</h2><p>{about}</p>"
    request = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if request:
        text += _fields(spec, request["schema"]) + f"<p>Request:</p><pre>{_pretty(request['example'])}</pre>"
    responses = operation["responses"]
    answer = next(iter(responses["200"]["content"].values()))
    if "example" in answer:
        text += f"<p>Response:</p><pre>{_pretty(answer['example'])}</pre>"
    refusals = [f"<tr><td>{code}<td>{escape(r['description'])}" for code, r in responses.items() if code != "200"]
    return text + (f"<table>{''.join(refusals)}</table>" if refusals else "")


def _fields(spec: dict[str, Any], schema: dict[str, Any]) -> str:
    """The fields of the items of the list in the body."""
    body = spec["components"]["schemas"][schema["$ref"].removeprefix(SCHEMAS)]
    (items,) = (p["items"] for p in body["properties"].values())
    fields = spec["components"]["schemas"][items["$ref"].removeprefix(SCHEMAS)]
    rows = [
        f"<tr><td><code>{escape(name)}</code><td>{escape(_kind(field))}<td>{escape(field.get('description', ''))}"
        for name, field in fields["properties"].items()
    ]
    return f"<table>{''.join(rows)}</table>"


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(option) for option in field["anyOf"])
    return str(field.get("format") or field.get("type") or field.get("$ref", "").rpartition("/")[2])


def _pretty(example: Any) -> str:
    return escape(json.dumps(example, indent=1, ensure_ascii=False))
