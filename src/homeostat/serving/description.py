"""The service's own description, OpenAPI 3.1, with examples that are real answers of the release."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from homeostat import __version__
from homeostat.adapters.parquet import read_table
from homeostat.core.event_decision import EventDecision
from homeostat.serving.precomputed import answers
from homeostat.serving.prediction_log import entry, prediction_id
from homeostat.training import golden

if TYPE_CHECKING:
    from homeostat.serving.answer import Answer
    from homeostat.serving.state import State

EXAMPLES = 2
SCHEMAS = "#/components/schemas/"
HOW = {
    "name": "how", "in": "query", "required": False, "schema": {"type": "string", "enum": ["computed"]},
    "description": "computed: use no answer that is already there. Left out: one that is there and fits is used.",
}  # fmt: skip
REFUSALS = {
    "401": "No token, or a wrong one.", "413": "The body is too large.", "415": "The body is not application/json.",
    "422": "The body does not fit; each problem names its field and the fix.",
    "503": "No release is in service, or something is in the way; the problem says what.",
}  # fmt: skip


def openapi(state: State) -> dict[str, Any]:
    """The description for the release in service."""
    shapes, scope = state.shapes, state.context.scope
    ref = SCHEMAS + "{model}"
    schemas: dict[str, Any] = {"Problems": _problems(), "Predictions": _predictions(state)}
    for kind in (shapes.predict, shapes.labels):
        schema = kind.json_schema(ref_template=ref)
        schemas |= schema.pop("$defs", {})
        schemas[schema["title"]] = schema
    events, answer = examples(state)
    request = {"events": events}
    ranked = dict(answer, predictions=sorted(answer["predictions"], key=lambda p: -p["risk"]))
    labels, statuses = label_examples(state)
    ranking = "Combined risk: the scores by their weights. The riskiest first."
    paths = {
        "/predict": _post("Predict events", "In their order.", "Events", request, "Predictions", answer, [HOW]),
        "/rank": _post("Rank events by combined risk", ranking, "Events", request, "Predictions", ranked, [HOW]),
        "/labels": _post("Send labels back", _LABELS, "Labels", {"labels": labels}, None, {"labels": statuses}, []),
        "/release": _get("The release in service, and one that should be and is not"),
        "/metrics": _get("Metrics for Prometheus", "text/plain"),
        "/live": _get("Whether the process answers", token=False),
        "/ready": _get("Whether a release is loaded, with the data it needs, and answers can be kept", token=False),
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
    """Upcoming events as the source has them, or else golden ones of the release; and exactly the answer to them."""
    columns = [state.shapes.columns[n] for n in state.shapes.visible_at]
    pairs = _upcoming(state) or _golden(state, columns)
    events = [dict(zip(columns, values, strict=True)) for _, values in pairs]
    given = state.shapes.events(to_json({"events": events})) if events else []
    event, key, objectives = state.live.event, state.context.scope.key, list(state.live.bundle.scope.objectives)
    predictions = [
        {
            "id": prediction_id(entry(event, answer, columns_sent)), "key": dict(zip(key, answer.key, strict=True)),
            "event_time": answer.event_time, "predict_at": answer.predict_at, "as_of": answer.as_of,
            "scores": dict(zip(objectives, answer.scores, strict=True)), "risk": answer.risk, "alert": answer.alert,
            "decision": answer.decision, "reason": answer.reason, "how": answer.how,
        }
        for (answer, _), columns_sent in zip(pairs, given, strict=True)
    ]  # fmt: skip
    body = {"release": event.version, "bundle": event.bundle, "event": event.number, "worker": 1}
    return from_json(to_json(events)), from_json(to_json(body | {"predictions": predictions}))


def label_examples(state: State) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Labels of recent events, or else of golden ones; and the answer where they are new."""
    scope, now = state.context.scope, state.context.now
    golden_events = state.live.bundle.golden.head(EXAMPLES).select(*scope.key, "event_time").iter_rows()
    past = [(a.event_time, a.key) for a in state.precomputed.answers.values() if a.event_time <= now]
    recent = sorted(past, key=itemgetter(0))[-EXAMPLES:]
    events = recent or [(row[-1], row[:-1]) for row in golden_events]
    objective = next(iter(scope.objectives))
    labels = [{"event": dict(zip(scope.key, k, strict=True)), "objective": objective, "value": 0} for _, k in events]
    late = [now > time + scope.events.label_horizon for time, _ in events]
    return from_json(to_json(labels)), [{"status": "kept", "late": one} for one in late]


def _upcoming(state: State) -> list[tuple[Answer, tuple[Any, ...]]]:
    """Precomputed answers with the visible columns of their events, those of future events first."""
    precomputed, now = state.precomputed, state.context.now
    pairs = [
        (answer, precomputed.visible[key])
        for key, answer in precomputed.answers.items()
        if precomputed.find(key, precomputed.visible[key], now) is answer
    ]
    return sorted(pairs, key=lambda one: (one[0].predict_at < now, abs(one[0].predict_at - now)))[:EXAMPLES]


def _golden(state: State, columns: list[str]) -> list[tuple[Answer, tuple[Any, ...]]]:
    """The golden requests of the release, with the answers that were sealed with them."""
    bundle, key = state.live.bundle, list(state.context.scope.key)
    path = bundle.folder / golden.REQUESTS
    if not path.is_file():
        return []
    requests = read_table(path).join(bundle.golden, on=key, how="inner", nulls_equal=True, suffix="__feature")
    requests = requests.head(EXAMPLES)
    as_of = requests["predict_at"].to_list()
    sealed = answers(bundle, requests, as_of, "computed", [""] * requests.height)
    return list(zip(sealed, requests.select(columns).iter_rows(), strict=True))


_LABELS = (
    "Each is on the disk before it is confirmed. kept: new; repeated: on record with this value already, nothing "
    "added; changed: on record with another value, both are kept and the last counts. late: it arrived after the "
    "label horizon. The loop learns from them, and the example is kept like any other: send true values."
)


def _post(
    title: str, text: str, body: str, example: Any, result: str | None, answer: Any, query: list[dict[str, Any]]
) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": SCHEMAS + result} if result else {"type": "object"}}
    if answer:
        content["example"] = answer
    request = {"schema": {"$ref": SCHEMAS + body}, "example": example}
    operation = {
        "summary": title, "description": text, "parameters": query,
        "requestBody": {"required": True, "content": {"application/json": request}},
        "responses": {"200": {"description": "The answer.", "content": {"application/json": content}}} | _refusals(),
    }  # fmt: skip
    return {"post": operation}


def _get(title: str, kind: str = "application/json", token: bool = True) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object" if kind == "application/json" else "string"}
    answers = {"200": {"description": "The answer.", "content": {kind: {"schema": schema}}}}
    refusals = {code: text for code, text in _refusals().items() if code in (("401", "503") if token else ("503",))}
    return {"get": {"summary": title, "responses": answers | refusals} | ({} if token else {"security": []})}


def _refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": SCHEMAS + "Problems"}}}
    return {code: {"description": text, "content": content} for code, text in REFUSALS.items()}


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
        "as_of": time | {"description": "Only data that were known by then are used."},
        "scores": {"type": "object", "properties": scores},
        "risk": number | {"description": "The scores by their weights: the expected cost of no alert."},
        "alert": {"type": "boolean", "description": "No alert is expected to cost more than an alert; from /rank also: "
                  f"among the {scope.costs.capacity} of its period that can be acted on."},
        "decision": {"type": "string", "enum": [str(one) for one in EventDecision],
                     "description": "What is to be done about the event, by the costs of the release."},
        "reason": text | {"description": "Why, with the expected costs of not acting and of acting."},
        "how": {"type": "string", "enum": ["prediction", "features", "ahead", "computed"], "description":
                "prediction: the loop's; features: from a feature row of the batch; "
                "ahead: by the service in advance, when the data last changed; computed: on request."},
    }  # fmt: skip
    return {
        "type": "object",
        "properties": {
            "release": text, "bundle": text | {"description": "The hash of everything in the release."},
            "event": {"type": "integer", "description": "Of the ledger: it put the release in service."},
            "worker": {"type": "integer"},
            "predictions": {"type": "array", "items": {"type": "object", "properties": one}},
        },
    }  # fmt: skip
