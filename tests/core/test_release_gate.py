from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.evaluation import Compared, Comparison, Evaluation, Judged, Scored, Settings, compare, evaluate
from homeostat.core.evidence_table import evidence_table
from homeostat.core.findings import Decision, Finding, Interval, Outcome, Versions, Versus, objections
from homeostat.core.headlines import headline, summary
from homeostat.core.intervals import Measure
from homeostat.core.margins import Margin
from homeostat.core.paired_losses import Losses, Paired, pair_costs, pair_losses
from homeostat.core.release_gate import (
    MONEY,
    WEIGHTED_LOSS,
    BesideChampion,
    Endpoint,
    PairedObjective,
    beats_baseline,
    better,
    calibrated,
    decide_release,
    enough_rows,
    no_slice_gets_worse,
    not_worse_than_champion,
    too_good,
    unjudged,
)
from homeostat.core.rules import Reason, Rule
from homeostat.core.sentences import sentence

LIMITS = SimpleNamespace(beats_baseline=0.02, slice_not_worse=0.10, calibration=0.35)
RIGHT = Measure(1.0, 0.9, 1.1)
DAY = datetime(2024, 3, 1)
WEEK = timedelta(days=7)
MARGIN = Margin(0.03, 12)


def evaluation(rows: int = 1000, calibration: Measure = RIGHT, task: str = "binary", **metrics: Measure) -> Evaluation:
    return Evaluation("o", task, "log_loss", 200, Judged(rows, 0.2, {"calibration": calibration, **metrics}))


def versus(share: float | None) -> Comparison:
    """Against the baseline."""
    loss = None if share is None else 0.4 * (1 + share)
    return Comparison("log_loss", 200, Compared(1000, loss, 0.4, Measure(share)))


def paired(share: float | None, low: float | None = None, high: float | None = None, groups: int = 8) -> Paired:
    """By the champion; groups that all have the share, unless it is not known."""
    if share is None:
        return Paired(9)
    return Paired(900, 0.4 * (1 + share), 0.4, share, (share,) * groups, low, high)


def sure(share: float, by: float = 0.01, groups: int = 8) -> Paired:
    return paired(share, share - by, share + by, groups)


def beside(
    overall: Paired, margin: Margin = MARGIN, endpoint: Endpoint | None = None, since: datetime = DAY,
    slices: dict[str, Paired] | None = None, calibration: float | None = 1.0,
) -> BesideChampion:  # fmt: skip
    objective = PairedObjective("log_loss", overall, {"kind": slices or {}}, calibration)
    return BesideChampion("v0.1.0", since, since + WEEK, {"o": objective}, {"o": margin}, endpoint, "a a")


def judged(given: BesideChampion, *earlier: Finding) -> Finding:
    return not_worse_than_champion("o", given.objectives["o"], given, 0.95, earlier)


@pytest.mark.parametrize(("rows", "outcome"), [(200, "pass"), (199, "cannot judge"), (0, "cannot judge")])
def test_enough_rows(rows: int, outcome: str) -> None:
    found = enough_rows(evaluation(rows))
    assert (found.rule, found.subject, found.outcome) == (Rule.ENOUGH_ROWS, "o", outcome)
    assert (found.value, found.limit) == (rows, 200)


@pytest.mark.parametrize(
    ("share", "outcome", "text"),
    [
        (-0.05, "pass", "log loss 0.38 is 5 % below the baseline's 0.4 on 1,000 rows (2 % below is needed)"),
        (-0.02, "pass", "2 % below the baseline's"),
        (-0.019, "fail", "1.9 % below the baseline's 0.4 on 1,000 rows (2 % below is needed)"),
        (0.0, "fail", "level with the baseline's"),
        (0.3, "fail", "30 % above"),
        (None, "cannot judge", "too few"),
    ],
)
def test_beats_baseline(share: float | None, outcome: str, text: str) -> None:
    found = beats_baseline("o", versus(share), LIMITS, 0.95)
    assert (found.rule, found.subject, found.outcome) == (Rule.BEATS_BASELINE, "o", outcome)
    assert found.limit == 0.02
    assert found.value == (None if share is None else pytest.approx(-share))
    assert text in sentence(found)


@pytest.mark.parametrize(
    ("measured", "outcome", "text"),
    [
        # below the margin for certain
        (sure(-0.05), "pass", "log loss 0.38 is 5 % below the champion's 0.4 on 900 rows (90 % CI -6 % to -4 %)"),
        (sure(0.0), "pass", "the upper end lies below the margin of 3 %, half of what 12 past windows differ by"),
        (sure(0.015), "pass", "below the margin"),  # worse, and so little that it does not matter
        # worse for certain, and not for certain below the margin
        (sure(0.025), "fail", "2.5 % above the champion's 0.4 on 900 rows (90 % CI +1.5 % to +3.5 %): worse, and"),
        (sure(0.3), "fail", "the upper end does not lie below the margin of 3 %"),
        # neither: no proof, on whichever side it lies
        (sure(0.02, 0.03), "cannot judge", "cannot be judged: the upper end does not lie below the margin of 3 %"),
        (sure(-0.04, 0.08), "cannot judge", "cannot be judged"),
        (sure(0.0, 0.03), "cannot judge", "cannot be judged"),
        # too few groups, or rows
        (paired(-0.05, groups=3), "cannot judge", "cannot be judged: 3 groups of contiguous blocks, of 4 needed"),
        (paired(None), "cannot judge", "cannot be judged: 9 rows are too few to compare with the champion"),
    ],
)
def test_not_worse_than_champion(measured: Paired, outcome: str, text: str) -> None:
    found = judged(beside(measured))
    assert (found.rule, found.outcome, found.value, found.limit) == (Rule.NOT_WORSE, outcome, measured.share, 0.03)
    assert text in sentence(found)
    assert found.interval == (None if measured.low is None else Interval(measured.low, measured.high or 0.0, 0.9))


def test_a_margin_of_the_scope_is_shown_as_its_own() -> None:
    assert "of the margin" not in sentence(judged(beside(sure(0.0), Margin(0.03))))
    assert sentence(judged(beside(sure(0.0), Margin(0.03)))).endswith("the upper end lies below the margin of 3 %")


def few(share: float, since: datetime, recipes: str = "a a", rule: Rule = Rule.NOT_WORSE) -> Finding:
    """The finding of a gate that had two groups."""
    earlier = replace(beside(paired(share, groups=2), since=since), recipes=recipes)
    return replace(judged(earlier), rule=rule)


@pytest.mark.parametrize(
    ("share", "earlier", "outcome", "pooled"),
    [
        (-0.02, [few(-0.02, DAY - WEEK)], "pass", 2),
        (-0.02, [few(-0.02, DAY - 2 * WEEK), few(-0.02, DAY - WEEK)], "pass", 4),
        (-0.02, [], "cannot judge", 0),
        (-0.02, [few(-0.02, DAY - timedelta(days=6))], "cannot judge", 0),  # on rows of its own
        (-0.02, [few(-0.02, DAY - 1.5 * WEEK), few(-0.02, DAY - WEEK)], "pass", 2),  # of two that overlap the newer
        (-0.02, [few(-0.02, DAY - WEEK, "b a")], "cannot judge", 0),  # another recipe
        (-0.02, [few(-0.02, DAY - WEEK, rule=Rule.BETTER)], "cannot judge", 0),  # another rule
        (0.04, [few(-0.03, DAY - 2 * WEEK), few(-0.03, DAY - WEEK)], "cannot judge", 4),  # its own are above the margin
        (0.2, [few(0.2, DAY - WEEK)], "fail", 2),
    ],
)
def test_too_few_groups_are_pooled_with_earlier_comparisons_of_the_same_two_recipes(
    share: float, earlier: list[Finding], outcome: str, pooled: int
) -> None:
    found = judged(beside(paired(share, groups=2)), *earlier)
    assert (found.outcome, found.facts["pooled"]) == (outcome, pooled)
    shown = f"pooled with {pooled} groups of earlier comparisons" in sentence(found)
    assert shown == bool(pooled and outcome != "fail")


def test_enough_groups_stand_for_themselves() -> None:
    found = judged(beside(sure(0.02, 0.03)), few(-0.5, DAY - WEEK))
    assert (found.outcome, found.facts["pooled"]) == ("cannot judge", 0)


def refits(*shares: float, recipes: str = "a a") -> list[Finding]:
    """The findings of gates on weeks before, of refits of the same recipe that were unsure."""
    weeks = [DAY - (len(shares) - n) * WEEK for n in range(len(shares))]
    return [judged(replace(beside(sure(s, 0.2), since=week), recipes=recipes))
            for s, week in zip(shares, weeks, strict=True)]  # fmt: skip


@pytest.mark.parametrize(
    ("share", "by", "earlier", "outcome"),
    [
        (-0.10, 0.19, refits(-0.05, -0.02, 0.01, -0.03), "pass"),
        (-0.10, 0.19, refits(-0.05, -0.02, 0.01), "cannot judge"),  # too few
        (-0.10, 0.19, refits(-0.05, -0.02, 0.01, -0.03, recipes="b a"), "cannot judge"),  # of another recipe
        (-0.10, 0.19, refits(0.08, 0.05, 0.06, 0.09), "cannot judge"),  # refits did harm
        (-0.10, 0.19, refits(-0.30, 0.25, 0.20, -0.10), "cannot judge"),  # refits say little
        (0.04, 0.19, refits(-0.05, -0.02, 0.01, -0.03), "cannot judge"),  # above the margin by itself
        (0.30, 0.10, refits(-0.05, -0.02, 0.01, -0.03), "fail"),
    ],
)
def test_an_unsure_refit_is_drawn_towards_earlier_ones(
    share: float, by: float, earlier: list[Finding], outcome: str
) -> None:
    found = judged(beside(sure(share, by)), *earlier)
    assert (found.outcome, found.facts["refits"]) == (outcome, len(earlier) if outcome == "pass" else 0)
    assert ("drawn towards 4 earlier refits of the same recipe" in sentence(found)) == (outcome == "pass")


@pytest.mark.parametrize(
    ("endpoint", "outcome", "text"),
    [
        (Endpoint(MONEY, sure(-0.05)), "pass", "cost of 1,000 events 0.38 is 5 % below the champion's 0.4"),
        (Endpoint(WEIGHTED_LOSS, sure(-0.05)), "pass", "weighted loss 0.38 is 5 % below"),
        (Endpoint(MONEY, sure(-0.05, 0.06)), "cannot judge", "cannot be judged: not significantly better"),
        (Endpoint(MONEY, sure(0.0, 0.0)), "cannot judge", "not significantly better"),  # the very same
        (Endpoint(MONEY, sure(0.01, 0.02)), "cannot judge", "not significantly better"),
        (Endpoint(MONEY, sure(0.05)), "fail", "worse, where another recipe has to be better"),
        (Endpoint(MONEY, paired(-0.05, groups=3)), "cannot judge", "3 groups of contiguous blocks, of 4 needed"),
        (Endpoint(MONEY, paired(None)), "cannot judge", "9 rows are too few"),
        # beside what the champion's own refit changes, where neither was trained
        (Endpoint(MONEY, sure(-0.05), refit=-0.02, share=-0.05), "pass", "better, as another recipe has to be"),
        (Endpoint(MONEY, sure(-0.05), refit=-0.06, share=-0.05), "fail", "but no gain"),
        (Endpoint(MONEY, sure(-0.05), refit=0.06, share=-0.05), "fail", "by -5 %, and its own refit by +6 %"),
        (Endpoint(MONEY, sure(-0.05), refit=None, share=-0.05), "pass", "better"),  # where it cannot be said it is not
        (Endpoint(MONEY, sure(-0.05, 0.06), refit=-0.06, share=-0.05), "cannot judge", "not significantly better"),
    ],
)
def test_another_recipe_has_to_be_better(endpoint: Endpoint, outcome: str, text: str) -> None:
    found = better(beside(sure(0.0)), endpoint, 0.95, ())
    assert (found.rule, found.name, found.outcome) == (Rule.BETTER, "better than champion", outcome)
    assert (found.value, found.limit) == (endpoint.paired.share, 0.0)
    assert text in sentence(found)


WIDE = 0.05  # chance leaves more than a third of the limit


@pytest.mark.parametrize(
    ("slices", "outcome", "worst", "text"),
    [
        ({"x": sure(-0.1), "y": sure(0.05)}, "pass", "y", "the worst of 2 slices judged: log loss in kind y is 5 %"),
        ({"x": sure(0.095), "y": sure(0.02)}, "fail", "x", "9.5 % above the champion's on 900 rows (90 % CI +8.5 %"),
        ({"x": sure(0.2), "y": sure(0.3)}, "fail", "y", "not within 10 % of it; 2 such slices"),
        # too wide to be judged: no guard rail, unless it is worse for certain
        ({"x": sure(0.09, WIDE), "y": sure(0.0)}, "pass", "y", "the worst of 1 slice judged"),
        ({"x": sure(0.09, WIDE)}, "too few to say", None, "the CI is too wide in each of 1 slice to judge it"),
        ({"x": sure(0.2, WIDE), "y": sure(0.0)}, "fail", "x", "kind x is 20 % above"),  # all eight groups are
        ({"x": paired(0.3, groups=3), "y": sure(0.0)}, "pass", "y", "the worst of 1 slice judged"),
        ({"x": paired(None)}, "too few to say", None, "1 slice to judge it"),
        ({}, "too few to say", None, "0 slices to judge it"),
    ],
)
def test_no_slice_gets_worse(slices: dict[str, Paired], outcome: str, worst: str | None, text: str) -> None:
    found = no_slice_gets_worse("o", beside(sure(0.0), slices=slices).objectives["o"], LIMITS, 0.95)
    assert (found.rule, found.outcome, found.facts.get("slice")) == (Rule.SLICES, outcome, worst)
    assert found.value == (slices[worst].share if worst else None)
    assert text in sentence(found)


def test_a_slice_that_chance_explains_is_no_objection_however_far_off() -> None:
    uneven = Paired(300, 0.5, 0.4, 0.25, (1.4, -0.6, 0.9, -0.7), -0.5, 1.0)
    slices = {"x": uneven, "y": sure(0.0)}
    assert no_slice_gets_worse("o", beside(sure(0.0), slices=slices).objectives["o"], LIMITS, 0.95).outcome == "pass"


@pytest.mark.parametrize(
    ("calibration", "champions", "outcome", "text"),
    [
        (Measure(1.3, 1.2, 1.4), None, "pass", "predicted/observed ratio 1.30 on 1,000 held-out events"),
        (Measure(0.5, 0.4, 0.6), None, "fail", "ratio 0.50"),
        (Measure(1.6, 1.5, 1.7), None, "fail", "(95 % CI 1.50 to 1.70), 60 % off (limit 35 %)"),
        (Measure(1.6, 1.2, 2.0), None, "pass", "not significant"),
        (Measure(1.6, 0.8, 2.0), None, "pass", "not significant"),
        (Measure(1.6, 1.5, 1.7), 1.7, "pass", "no further off than the champion's 1.70"),
        (Measure(1.6, 1.5, 1.7), 0.3, "pass", "no further off than the champion's 0.30"),
        (Measure(1.6, 1.5, 1.7), 1.5, "fail", "ratio 1.60"),
        (Measure(1.6), None, "too few to say", "in too few blocks"),
        (Measure(None), None, "too few to say", "1,000 held-out events are too few"),
    ],
)
def test_calibration(calibration: Measure, champions: float | None, outcome: str, text: str) -> None:
    found = calibrated(evaluation(calibration=calibration), champions, LIMITS, 0.95)
    assert (found.rule, found.subject, found.outcome, found.limit) == (Rule.HELD_OUT_CALIBRATION, "o", outcome, 0.35)
    assert (found.value is None) == (outcome == "too few to say")
    assert text in sentence(found)


def decide(**change: Any) -> Decision:
    given: dict[str, Any] = {
        "candidate": {"o": evaluation()},
        "baseline": {"o": versus(-0.1)},
        "beside": beside(sure(-0.01), slices={"x": sure(0.01)}),
        "is_baseline": False,
        "confidence": 0.95,
    }
    return decide_release(**(given | change), limits=LIMITS)


def against(decision: Decision) -> list[str]:
    return [f.name for f in objections(decision.findings)]


def test_a_candidate_that_passes_is_released() -> None:
    found = decide()
    assert (found.action, found.reason, against(found)) == ("release", Reason.PASSED, [])
    assert [f.name for f in found.findings] == [
        "o: enough rows", "o: beats baseline", "o: not worse than champion", "o: no slice gets worse",
        "o: held-out calibration",
    ]  # fmt: skip
    assert headline(found) == "Release: the candidate passes its gate (loss: o -1 % against the champion)."


BETTER = Endpoint(MONEY, sure(-0.05))
LEVEL = Endpoint(MONEY, sure(0.0, 0.02))
WORSE = Endpoint(MONEY, sure(0.05))


@pytest.mark.parametrize(
    ("change", "reason", "objection", "measured"),
    [
        ({"baseline": {"o": versus(-0.01)}}, Reason.FAILED, "o: beats baseline", "-1 % (limit -2 %)"),
        ({"beside": beside(sure(0.05))}, Reason.FAILED, "o: not worse than champion", "+5 % (limit +3 %)"),
        (
            {"beside": beside(sure(0.0), slices={"x": sure(0.3)})},
            Reason.FAILED, "o: no slice gets worse", "+30 % (limit +10 %)",
        ),
        (
            {"candidate": {"o": evaluation(calibration=Measure(2.0, 1.9, 2.1))}},
            Reason.FAILED, "o: held-out calibration", "2.00 (limit 0.65 to 1.35)",
        ),
        ({"beside": beside(sure(0.0), endpoint=WORSE)}, Reason.FAILED, "better than champion", "+5 %"),
        # missing evidence is no proof
        ({"candidate": {"o": evaluation(rows=20)}}, Reason.CANNOT_JUDGE, "o: enough rows", "20 (limit 200)"),
        ({"baseline": {"o": versus(None)}}, Reason.CANNOT_JUDGE, "o: beats baseline", "(limit -2 %)"),
        (
            {"beside": beside(sure(0.0, 0.04))},
            Reason.CANNOT_JUDGE, "o: not worse than champion", "0 % (-4 % to +4 %; limit +3 %)",
        ),
        ({"beside": beside(paired(None))}, Reason.CANNOT_JUDGE, "o: not worse than champion", "(limit +3 %)"),
        (
            {"beside": beside(sure(0.0), endpoint=LEVEL)},
            Reason.CANNOT_JUDGE, "better than champion", "0 % (-2 % to +2 %; limit 0 %)",
        ),
    ],
)  # fmt: skip
def test_a_candidate_that_loses_is_kept_back_by_what_it_loses_on(
    change: dict[str, Any], reason: Reason, objection: str, measured: str
) -> None:
    found = decide(**change)
    assert (found.action, found.reason, against(found)) == ("keep", reason, [objection])
    assert f"`{objection}` {measured}" in summary(found)
    assert ("cannot be judged" in summary(found)) == (reason == Reason.CANNOT_JUDGE)


def test_the_page_of_a_candidate_has_each_rule_of_the_gate() -> None:
    page = (Path(__file__).parents[2] / "docs" / "candidate.md").read_text()
    same = BesideChampion("v0.1.0", DAY, DAY + WEEK, same_models=True)
    decisions = [decide(beside=one) for one in (beside(sure(0.0), endpoint=BETTER), same)]
    rules = {f.rule for decision in decisions for f in decision.findings}
    assert len(rules) == 7 and {rule for rule in rules if f"\n| {rule} | " not in page} == set()


def test_every_objection_is_named_what_failed_first() -> None:
    found = decide(baseline={"o": versus(0.5)}, beside=beside(sure(0.0, 0.04), endpoint=LEVEL))
    assert found.reason == Reason.FAILED
    assert against(found) == ["o: beats baseline", "better than champion", "o: not worse than champion"]
    assert summary(found).startswith("the candidate fails its gate: `o: beats baseline` +50 %")


def test_another_recipe_that_is_better_and_worse_nowhere_is_released() -> None:
    found = decide(beside=beside(sure(0.0), endpoint=BETTER))
    assert found.action == "release"
    assert [f.name for f in found.findings][2:4] == ["better than champion", "o: not worse than champion"]
    assert decide(beside=beside(sure(0.05), endpoint=BETTER)).action == "keep"  # better on money alone


def test_the_same_model_cannot_be_judged() -> None:
    same = BesideChampion("v0.1.0", DAY, DAY + WEEK, same_models=True)
    found = decide(beside=same)
    assert (found.action, found.reason, against(found)) == ("keep", Reason.CANNOT_JUDGE, ["same model"])
    (finding,) = objections(found.findings)
    assert sentence(finding).startswith("cannot be judged: the model that the holdout judged is v0.1.0's own")
    assert headline(found) == "Nothing in service: the candidate cannot be judged: `same model`."


def test_without_a_champion_the_baseline_alone_is_to_beat() -> None:
    assert decide(beside=None).action == "release"
    assert decide(beside=None, baseline={"o": versus(0.0)}).action == "keep"


def test_one_objective_that_loses_stops_the_release() -> None:
    both = {"o": evaluation(), "p": evaluation()}
    found = decide(candidate=both, baseline={"o": versus(-0.1), "p": versus(0.1)}, beside=None)
    assert (found.action, against(found)) == ("keep", ["p: beats baseline"])


def test_each_objective_is_a_guard_rail_by_itself() -> None:
    one = beside(sure(-0.2))
    worse = replace(one.objectives["o"], overall=sure(0.05))
    both = replace(one, objectives={"o": one.objectives["o"], "p": worse}, margins={"o": MARGIN, "p": MARGIN})
    found = decide(beside=both)
    assert (found.action, against(found)) == ("keep", ["p: not worse than champion"])
    wide = replace(both, margins={"o": MARGIN, "p": Margin(0.07)})
    assert decide(beside=wide).action == "release"


def test_an_objective_that_is_new_has_no_champion_to_beat() -> None:
    both = {"o": evaluation(), "p": evaluation()}
    found = decide(candidate=both, baseline={"o": versus(-0.1), "p": versus(-0.1)})
    assert found.action == "release"
    assert [f.subject for f in found.findings if f.rule == Rule.NOT_WORSE] == ["o"]


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from(["log_loss", "brier"]),
    st.sampled_from([MONEY, WEIGHTED_LOSS]),
)  # fmt: skip
def test_a_candidate_that_is_the_champion_never_passes_as_better(
    seed: int, blocks: int, loss: str, endpoint: str
) -> None:
    """Whatever the rows: scores that are equal gain nothing, under another recipe's name too."""
    rng = np.random.default_rng(seed)
    score, block, settings = rng.random(400), np.sort(rng.integers(0, blocks, 400)), Settings(50, 0.95, seed, 20)
    y = (rng.random(400) < score).astype(float)
    level = pair_losses([Losses("binary", loss, y, score, score.copy(), np.arange(400))], block, settings)
    cost = y * (score < 0.5)
    money = pair_costs(cost, cost.copy(), block, settings)
    itself = beside(level, endpoint=Endpoint(endpoint, money if endpoint == MONEY else level))
    found = decide(beside=itself)
    assert (found.action, found.reason) == ("keep", Reason.CANNOT_JUDGE)
    assert "better than champion" in against(found)


def kept(reason: Reason, outcome: Outcome = "cannot judge") -> Decision:
    return Decision("nothing", reason, gate=(Finding(Rule.NOT_WORSE, "o", outcome, 0.01, 0.005),))


@pytest.mark.parametrize(
    ("reasons", "row", "asked"),
    [
        ([], 0, False),
        ([Reason.CANNOT_JUDGE], 1, False),
        ([Reason.CANNOT_JUDGE] * 2, 2, False),
        ([Reason.CANNOT_JUDGE] * 3, 3, True),
        ([Reason.CANNOT_JUDGE] * 5, 5, True),
        ([Reason.CANNOT_JUDGE] * 3 + [Reason.FAILED], 0, False),
        ([Reason.CANNOT_JUDGE, Reason.PASSED, Reason.CANNOT_JUDGE], 1, False),
    ],
)
def test_a_person_is_asked_after_several_candidates_in_a_row(reasons: list[Reason], row: int, asked: bool) -> None:
    finding = unjudged([kept(reason) for reason in reasons], 3)
    assert (finding.rule, finding.value, finding.limit, finding.failed) == (Rule.UNJUDGED, row, 3, asked)
    assert ("`homeostat promote candidate --why TEXT`" in sentence(finding)) == asked
    assert ("the last for `o: not worse than champion`" in sentence(finding)) == asked


@pytest.mark.parametrize("rows", [0, 1000])
def test_the_first_release_need_not_beat_itself(rows: int) -> None:
    found = decide(candidate={"o": evaluation(rows)}, baseline={"o": versus(0.0)}, beside=None, is_baseline=True)
    assert (found.action, found.reason) == ("release", Reason.FIRST)
    assert Rule.BEATS_BASELINE not in {f.rule for f in found.findings}
    first = replace(found, versions=Versions(candidate="v0.1.0"))
    assert headline(first) == "Release: v0.1.0, the baseline, is the first in service."


def test_ranking_scores_need_no_calibration() -> None:
    found = decide(candidate={"o": evaluation(task="ranking")})
    assert Rule.HELD_OUT_CALIBRATION not in {f.rule for f in found.findings}


def test_real_scores_from_end_to_end() -> None:
    """A champion that knows the chances, a candidate that knows them, and one whose signs are turned round."""
    rng = np.random.default_rng(5)
    chance = rng.beta(1, 4, 6000)
    y, day = (rng.random(6000) < chance).astype(float), np.arange(6000) // 300
    kind = rng.integers(0, 4, 6000).astype(str).astype(object)
    settings = Settings(resamples=100, confidence=0.95, seed=1, min_slice=200)
    flat = np.full(6000, y.mean())

    def of(score: np.ndarray, part: np.ndarray) -> Paired:
        losses = Losses("binary", "log_loss", y[part], score[part], chance[part], np.arange(len(part)))
        return pair_losses([losses], day[part], settings)

    def decision(score: np.ndarray) -> Any:
        found = evaluate("o", "binary", ("log_loss",), Scored(y, score, day, day // 7, {"kind": kind}), settings)
        baseline = {"o": compare("binary", "log_loss", y, score, flat, day, {"kind": kind}, settings)}
        slices = {value: of(score, np.flatnonzero(kind == value)) for value in "0123"}
        pairing = beside(of(score, np.arange(6000)), slices=slices)
        return decide_release({"o": found}, baseline, pairing, LIMITS, False, 0.95)

    assert decision(chance).action == "release"
    flipped = decision(1 - chance)
    assert flipped.action == "keep"
    assert {f.name for f in flipped.findings if f.failed} == {
        "o: beats baseline", "o: not worse than champion", "o: no slice gets worse", "o: held-out calibration",
    }  # fmt: skip


def test_a_baseline_made_again_is_compared_with_the_champion_alone() -> None:
    level = decide(baseline={"o": versus(0.0)}, beside=beside(sure(-0.02)), is_baseline=True)
    worse = decide(baseline={"o": versus(0.0)}, beside=beside(sure(0.5)), is_baseline=True)
    assert (level.action, worse.action) == ("release", "keep")
    assert Rule.BEATS_BASELINE not in {f.rule for f in (*level.findings, *worse.findings)}


def test_an_evaluation_says_that_the_candidate_would_be_released() -> None:
    evaluated = replace(decide(), action="keep", reason=Reason.WOULD_PASS)
    command = "`homeostat promote candidate --why TEXT` releases it now"
    passes = f"the candidate passes its gate (loss: o -1 % against the champion) and would be released; {command}."
    assert headline(evaluated) == f"Nothing in service: {passes}"
    assert headline(replace(evaluated, versions=Versions("v0.2.0"))) == f"Keep v0.2.0: {passes}"
    itself = replace(evaluated, versions=Versions("v0.2.0", candidate="v0.2.0"))
    assert headline(itself) == "Keep v0.2.0: the candidate is v0.2.0 itself, byte for byte."


def test_a_candidate_has_a_version_once_it_is_released() -> None:
    compared = (Versus("o", "", "v0.1.0", 0.3, 0.4, -0.25, 9), Versus("o", "v0.1.0", "v0.2.0", 0.3, 0.4, -0.25, 9))
    won = Finding(Rule.NOT_WORSE, "o", "pass", -0.25, 0.01, facts={"share": -0.25})
    decision = Decision("retrain", Reason.PASSED, Versions("v0.1.0"), comparisons=compared, gate=(won,))
    released = decision.with_candidate("v0.3.0")
    assert headline(released) == "Retrain: v0.3.0 replaces v0.1.0 (loss: o -25 %)."
    assert [c.version for c in released.comparisons] == ["v0.3.0", "v0.1.0"]


def test_drift_that_explains_is_no_rule_that_failed() -> None:
    passed = Finding(Rule.MISSING, "", "pass", 0.0, 0.2)
    unsure = Finding(Rule.QUALITY, "o", "too few to say", None, 0.1)
    drifted = Finding(Rule.COLUMN_DRIFT, "load", "explains", 0.5, 0.2, facts={"method": "psi"})
    quiet = Decision("nothing", Reason.NOTHING_DUE, Versions("v0.1.0"), (passed, unsure, drifted))
    assert headline(quiet) == "Keep v0.1.0: none of 2 rules failed, 1 had too few events; 1 feature drifted."
    assert not drifted.failed and [row.outcome for row in evidence_table(quiet).rows] == [
        "explains", "too few to say", "pass",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("auc", "share", "text"),
    [
        (0.985, -0.3, "AUC 0.985 on held-out events is too good to trust: it rests on closed_by, refund"),
        (0.9, -0.95, "95 % below on held-out events is too good to trust"),
        (0.97, -0.85, ""),
    ],
)
def test_a_candidate_that_is_too_good_is_a_finding_and_stops_nothing(auc: float, share: float, text: str) -> None:
    finding = too_good(evaluation(auc=Measure(auc)), versus(share))
    if not text:
        assert finding is None
        return
    assert finding is not None and not objections([finding])
    named = replace(finding, facts={**finding.facts, "features": ["closed_by", "refund"]})
    assert text in sentence(named)
    first = Decision("release", Reason.PASSED, Versions("", "", "v0.1.0"), (named,))
    assert headline(first).endswith("o is too good to trust, resting on closed_by, refund.")
