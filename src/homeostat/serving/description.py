"""The service's own description, OpenAPI 3.1, with examples that are real answers of the release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeostat import __version__
from homeostat.core.event_decision import EventDecision
from homeostat.serving.examples import label_example, prediction_example

if TYPE_CHECKING:
    from homeostat.serving.state import State

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
    events, answer = prediction_example(state)
    request = {"events": events}
    ranked = dict(answer, predictions=sorted(answer["predictions"], key=lambda p: -p["risk"]))
    labels, statuses = label_example(state)
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
        "key": {"type": "object", "description": "The event's key, as it was sent."},
        "event_time": time | {"description": "When the event is, UTC."},
        "predict_at": time | {"description": "When the prediction is needed."},
        "as_of": time | {"description": "Only data that were known by then are used."},
        "scores": {"type": "object", "properties": scores, "description": "What is predicted, by objective: for a "
                   "binary one the probability of its label, for a regression the expected value, for a ranking a "
                   "number to order by."},
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
