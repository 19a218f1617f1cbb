"""The service's own description, OpenAPI 3.1, with examples of what the release really said; and a page of it.

The page needs nothing from elsewhere, so it reads well where there is no network.
"""

from __future__ import annotations

import json
from html import escape
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from homeostat import __version__
from homeostat.adapters.parquet import read_table
from homeostat.serving.precomputed import answers
from homeostat.serving.prediction_log import entry, name_of
from homeostat.training import golden

if TYPE_CHECKING:
    from homeostat.serving.precomputed import Answer
    from homeostat.serving.worker import State

EXAMPLES = 2
NAMED = "#/components/schemas/"
HOW = {
    "name": "how", "in": "query", "required": False, "schema": {"type": "string", "enum": ["computed"]},
    "description": "computed: use no answer that is there already.",
}  # fmt: skip
WORDS = {
    "401": "No token, or another.", "413": "The body is too large.", "415": "The body is not application/json.",
    "422": "The body does not fit; each problem names its field and the fix.",
    "503": "Nothing serves yet, or something stands in the way; the problem says what.",
}  # fmt: skip


def openapi(state: State) -> dict[str, Any]:
    """The description for what serves now."""
    shapes, scope = state.shapes, state.context.scope
    ref = NAMED + "{model}"
    schemas: dict[str, Any] = {"Problems": _problems(), "Predictions": _predictions(state)}
    for kind in (shapes.predict, shapes.labels):
        schema = kind.json_schema(ref_template=ref)
        schemas |= schema.pop("$defs", {})
        schemas[schema["title"]] = schema
    events, said = examples(state)
    asked = {"events": events}
    ranked = dict(said, predictions=sorted(said["predictions"], key=lambda p: -p["risk"])) if said else None
    told, kept = label_examples(state)
    ranking = "Combined risk: the scores by their weights. The riskiest first."
    paths = {
        "/predict": _post("Predict events", "In their order.", "Events", asked, "Predictions", said, [HOW]),
        "/rank": _post("Rank events by combined risk", ranking, "Events", asked, "Predictions", ranked, [HOW]),
        "/labels": _post("Send labels back", _LABELS, "Labels", {"labels": told}, None, {"labels": kept}, []),
        "/release": _get("What serves, and what should and does not"),
        "/metrics": _get("Figures for Prometheus", "text/plain"),
        "/live": _get("Whether the process answers", token=False),
        "/ready": _get("Whether a release is loaded, with the data it needs", token=False),
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": scope.project, "version": state.live.event.version, "description": scope.goal},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": ".homeostat/token"}},
        },
        "security": [{"token": []}],
        "x-homeostat": __version__,
    }


def examples(state: State) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Events at hand, as the source tells them, and just the answer they get; the release's golden ones without any."""
    columns = [state.shapes.columns[n] for n in state.shapes.visible_at]
    found = _at_hand(state) or _golden(state, columns)
    events = [dict(zip(columns, told, strict=True)) for _, told in found]
    given = state.shapes.events(to_json({"events": events})) if events else []
    event, key, objectives = state.live.event, state.context.scope.key, list(state.live.bundle.scope.objectives)
    said = [
        {
            "id": name_of(entry(event, answer, asked)), "key": dict(zip(key, answer.key, strict=True)),
            "event_time": answer.event_time, "predict_at": answer.predict_at, "as_of": answer.as_of,
            "scores": dict(zip(objectives, answer.scores, strict=True)), "risk": answer.risk, "alert": answer.alert,
            "how": answer.how,
        }
        for (answer, _), asked in zip(found, given, strict=True)
    ]  # fmt: skip
    answer = {"release": event.version, "bundle": event.bundle, "event": event.number, "worker": 1, "predictions": said}
    return from_json(to_json(events)), from_json(to_json(answer))


def label_examples(state: State) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Labels of events at hand that have happened, or else of golden ones; and what is answered when they are new."""
    scope, now = state.context.scope, state.context.now
    golden_ones = state.live.bundle.golden.head(EXAMPLES).select(*scope.key, "event_time").iter_rows()
    met = [(a.event_time, a.key) for a in state.ready.answers.values() if a.event_time <= now]
    past = sorted(met, key=itemgetter(0))
    found = past[-EXAMPLES:] or [(row[-1], row[:-1]) for row in golden_ones]
    objective = next(iter(scope.objectives))
    told = [{"event": dict(zip(scope.key, k, strict=True)), "objective": objective, "value": 0} for _, k in found]
    late = [now > time + scope.events.label_horizon for time, _ in found]
    return from_json(to_json(told)), [{"status": "kept", "late": one} for one in late]


def _at_hand(state: State) -> list[tuple[Answer, tuple[Any, ...]]]:
    """Answers that are there, those to what is ahead first."""
    ready, now = state.ready, state.context.now
    found = [
        (answer, ready.told[key])
        for key, answer in ready.answers.items()
        if ready.find(key, ready.told[key], now) is answer
    ]
    return sorted(found, key=lambda one: (one[0].predict_at < now, abs(one[0].predict_at - now)))[:EXAMPLES]


def _golden(state: State, columns: list[str]) -> list[tuple[Answer, tuple[Any, ...]]]:
    """Golden requests that the release travels with, and what was sealed with them."""
    bundle, key = state.live.bundle, list(state.context.scope.key)
    path = bundle.folder / golden.REQUESTS
    if not path.is_file():
        return []
    requests = read_table(path).join(bundle.golden, on=key, how="inner", nulls_equal=True, suffix="__feature")
    requests = requests.head(EXAMPLES)
    as_of = requests["predict_at"].to_list()
    found = answers(bundle, requests, as_of, "computed", [""] * requests.height)
    return list(zip(found, requests.select(columns).iter_rows(), strict=True))


_LABELS = (
    "Each is on the disk before it is confirmed. kept: new; repeated: on record with this value already, nothing "
    "added; changed: on record with another, both are kept and the last counts. late: it came after the label horizon."
)


def _post(
    title: str, told: str, asks: str, example: Any, gives: str | None, answer: Any, query: list[dict[str, Any]]
) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": NAMED + gives} if gives else {"type": "object"}}
    if answer:
        content["example"] = answer
    asked: dict[str, Any] = {"schema": {"$ref": NAMED + asks}}
    asked["example"] = example
    operation = {
        "summary": title, "description": told, "parameters": query,
        "requestBody": {"required": True, "content": {"application/json": asked}},
        "responses": {"200": {"description": "The answer.", "content": {"application/json": content}}} | _refusals(),
    }  # fmt: skip
    return {"post": operation}


def _get(title: str, kind: str = "application/json", token: bool = True) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object" if kind == "application/json" else "string"}
    answers = {"200": {"description": "The answer.", "content": {kind: {"schema": schema}}}}
    refused = {code: said for code, said in _refusals().items() if code in (("401", "503") if token else ("503",))}
    return {"get": {"summary": title, "responses": answers | refused} | ({} if token else {"security": []})}


def _refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": NAMED + "Problems"}}}
    return {code: {"description": said, "content": content} for code, said in WORDS.items()}


def _problems() -> dict[str, Any]:
    text = {"type": "string"}
    problem = {
        "type": "object", "required": ["field", "problem", "fix"],
        "properties": {"field": text, "problem": text, "fix": text},
    }  # fmt: skip
    return {"type": "object", "required": ["problems"], "properties": {"problems": {"type": "array", "items": problem}}}


def _predictions(state: State) -> dict[str, Any]:
    scope = state.live.bundle.scope
    number, text, time = {"type": "number"}, {"type": "string"}, {"type": "string", "format": "date-time"}
    scores = {
        name: {"type": "number", "description": f"{o.label} ({o.task}), weight {o.weight:g}"}
        for name, o in scope.objectives.items()
    }
    one = {
        "id": text | {"description": "For `homeostat releases explain`."},
        "key": {"type": "object"}, "event_time": time,
        "predict_at": time | {"description": "When the prediction is needed."},
        "as_of": time | {"description": "What was known by then is in it, nothing later."},
        "scores": {"type": "object", "properties": scores},
        "risk": number | {"description": "The scores by their weights: the expected cost of silence."},
        "alert": {"type": "boolean", "description": "Silence is expected to cost more than an alert; from /rank also: "
                  f"among the {scope.costs.capacity} of its period that can be acted on."},
        "how": {"type": "string", "enum": ["prediction", "features", "ahead", "computed"], "description":
                "prediction: the loop's; features: from a feature row of the batch; "
                "ahead: by the service, when the data last changed; computed: on request."},
    }  # fmt: skip
    return {
        "type": "object",
        "properties": {
            "release": text, "bundle": text | {"description": "The hash of all that answered."},
            "event": {"type": "integer", "description": "Of the ledger."}, "worker": {"type": "integer"},
            "predictions": {"type": "array", "items": {"type": "object", "properties": one}},
        },
    }  # fmt: skip


# ---- the page

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f5f5f2;padding:1rem;overflow:auto}h2{margin-top:3rem;border-top:1px solid #ddd;padding-top:1rem}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}code{background:#f5f5f2}"
)


def page(said: dict[str, Any]) -> str:
    """The description as one page of HTML."""
    info = said["info"]
    parts = [_operation(said, path, *next(iter(ways.items()))) for path, ways in said["paths"].items()]
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        "<p>Every request but to /live and /ready carries the header <code>Authorization: Bearer TOKEN</code>, the "
        'token of <code>.homeostat/token</code>. For programs: <a href="openapi.json">openapi.json</a>.</p>'
        f"{''.join(parts)}</html>\n"
    )


def _operation(said: dict[str, Any], path: str, way: str, told: dict[str, Any]) -> str:
    text = (
        f"<h2>{way.upper()} {escape(path)}</h2><p>{escape(told['summary'])}. {escape(told.get('description', ''))}</p>"
    )
    asked = told.get("requestBody", {}).get("content", {}).get("application/json")
    if asked:
        text += _fields(said, asked["schema"]) + f"<p>Asked:</p><pre>{_pretty(asked['example'])}</pre>"
    given = next(iter(told["responses"]["200"]["content"].values()))
    if "example" in given:
        text += f"<p>Answered:</p><pre>{_pretty(given['example'])}</pre>"
    refused = [
        f"<tr><td>{code}<td>{escape(r['description'])}" for code, r in told["responses"].items() if code != "200"
    ]
    return text + (f"<table>{''.join(refused)}</table>" if refused else "")


def _fields(said: dict[str, Any], schema: dict[str, Any]) -> str:
    """The fields of what a list in the body holds."""
    whole = said["components"]["schemas"][schema["$ref"].removeprefix(NAMED)]
    (items,) = (p["items"] for p in whole["properties"].values())
    fields = said["components"]["schemas"][items["$ref"].removeprefix(NAMED)]
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
