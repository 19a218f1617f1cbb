from dataclasses import dataclass
from typing import Any

import pytest

from homeostat.core.drift import chance_score, column_outcome, drift_findings
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence

PATH = "reports/drift/2024-03-01T000000.json"


@dataclass(frozen=True)
class Limits:
    drift_share: float = 0.5
    score_drift: float = 1.0
    missing_rise: float = 0.2


def column(
    score: float | None = 0.01, state: str = "compared", missing: tuple[float, float] = (0, 0), **more: Any
) -> dict:
    return {
        "state": state,
        "method": "psi",
        "score": score,
        "chance": 0.01,
        "limit": 0.25,
        "missing": list(missing),
        **more,
    }


def record(**columns: dict) -> dict:
    return {"method": "psi", "rows": {"current": 1000, "reference": 1000}, "columns": columns}


def failed(**columns: dict) -> list[str]:
    """What is over its limit, whether it fails or explains."""
    return [f.name for f in drift_findings(record(**columns), Limits(), PATH) if f.outcome in ("fail", "explains")]


GONE = column(None, "gone", (1.0, 0.0), chance=None, method=None)
EMPTY = column(None, "empty", (1.0, 0.1), chance=None, method=None)


@pytest.mark.parametrize(
    ("columns", "rules"),
    [
        ({"a": column(), "b": column()}, []),
        ({"a": column(0.3), "b": column()}, ["a: column drift"]),  # half of them: not more than the limit
        ({"a": column(0.3), "b": column(9.0)}, ["drift share", "b: column drift", "a: column drift"]),
        ({"a": column(missing=(0.3, 0.2)), "b": column()}, []),
        ({"a": column(missing=(0.5, 0.2)), "b": column()}, ["a: missing values"]),
        ({"a": column(missing=(0.2, 0.9)), "b": column()}, []),  # more values than there were
        ({"a": GONE, "b": column(), "c": column()}, ["a: missing values"]),
        ({"a": EMPTY, "b": column(), "c": column()}, ["a: missing values"]),
        ({"a": GONE, "b": EMPTY, "c": column()}, ["a: missing values", "b: missing values", "drift share"]),
        ({"a": column(None, "new"), "b": column(None, "was empty")}, []),
        ({"score__high": column(0.9), "a": column()}, []),  # a limit of its own
        ({"score__high": column(1.1), "a": column()}, ["high: score drift"]),
        ({"score__high": column(1.1, chance=0.6), "a": column()}, []),
        ({"score__high": EMPTY, "a": column()}, []),
        ({"a": column(0.3, chance=0.2)}, []),  # too few values
        ({"a": column(0.001, method="ks", limit=0.05, chance=None)}, ["drift share", "a: column drift"]),
        ({"a": column(0.5, method="ks", limit=0.05, chance=None)}, []),
        ({}, []),
    ],
)
def test_what_fails(columns: dict[str, dict], rules: list[str]) -> None:
    assert failed(**columns) == rules


def test_the_fields_of_each_finding() -> None:
    findings = drift_findings(record(a=column(0.3), b=GONE, score__high=column(2.0)), Limits(), PATH)
    assert [(f.rule, f.subject, f.outcome, f.value, f.limit) for f in findings] == [
        (Rule.SCORE_DRIFT, "high", "fail", 2.0, 1.0),
        (Rule.MISSING, "b", "fail", 1.0, 0.2),
        (Rule.DRIFT_SHARE, "", "fail", 1.0, 0.5),
        (Rule.COLUMN_DRIFT, "a", "explains", 0.3, 0.25),
    ]
    assert all(f.evidence == (PATH,) for f in findings)


def test_the_findings_in_words() -> None:
    columns = {"a": column(0.3), "b": GONE, "c": column(missing=(0.6, 0.1)), "score__high": column(2.0)}
    assert [sentence(f) for f in drift_findings(record(**columns), Limits(), PATH)] == [
        "the scores lie 2.00 (psi) from the release's (limit 1)",
        "gone from the features; check the source that it comes from",
        "60 % is missing, 10 % in the reference of the release; check the source that it comes from",
        "2 of 3 features drifted (66.7 %, limit 50 %), furthest b, a",
        "0.30 (psi) from the reference of the release (limit 0.25)",
    ]
    assert [sentence(f) for f in drift_findings(record(a=column(0.3, chance=0.2)), Limits(), PATH)] == [
        "no feature has lost its values; the share missing rose by 0 % at most",
        "too few values to say whether any of 1 feature drifts",
    ]


def test_the_share_names_the_furthest_first() -> None:
    found = drift_findings(record(a=column(0.3), b=column(9.0), c=column()), Limits(), PATH)
    share = next(f for f in found if f.rule == Rule.DRIFT_SHARE)
    assert share.facts == {"drifted": 2, "judged": 3, "furthest": ["b", "a"]}
    assert share.value == pytest.approx(2 / 3, abs=1e-6)


def test_too_few_to_say_is_an_answer_of_its_own() -> None:
    found = drift_findings(record(a=column(0.3, chance=0.2), score__high=column(1, chance=0.6)), Limits(), PATH)
    assert {f.name: f.outcome for f in found} == {
        "high: score drift": "too few to say",
        "missing values": "pass",
        "drift share": "too few to say",
    }


@pytest.mark.parametrize(
    ("method", "rows", "outcome"),
    [("psi", 100, "too few to say"), ("psi", 1000, "fail"), ("jensenshannon", 20, "too few to say"), ("ks", 2, "pass")],
)
def test_the_size_of_the_table_decides_whether_anything_can_be_said(method: str, rows: int, outcome: str) -> None:
    found = column(0.3, method=method, chance=chance_score(method, 11, rows, rows))
    assert column_outcome(found, 0.25) == outcome
