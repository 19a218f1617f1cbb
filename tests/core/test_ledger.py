"""The ledger, folded from tags."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.errors import EnvironmentFault
from homeostat.core.ledger import (
    Act,
    Ledger,
    Register,
    ReleaseEvent,
    Yank,
    describe,
    event_tag,
    first_of_line,
    fold,
    release_tag,
    yank_tag,
)

START = datetime(2024, 3, 1)
Tag = tuple[str, str, str]
SIGNS: dict[str, Act] = {"+": "promote", "-": "rollback", "~": "shadow", "%": "canary"}


def tags(*acts: str, project: str = "tides") -> list[Tag]:
    """``+1`` promotes v0.1.0, ``-1`` rolls back to it, ``~1`` tries it in shadow, ``%1`` as a canary with a share more
    each time; ``!1`` yanks it. Event n is n days after the start.
    """
    found: list[Tag] = []
    yanked = [act[1:] for act in acts if act[0] == "!"]
    acts = tuple(act for act in acts if act[0] != "!")
    versions = sorted({int(act[1:]) for act in acts})
    for minor in versions:
        version = f"v0.{minor}.0"
        item = Register(version, f"commit{minor}", "me", "it passed", START, f"hash{minor}")
        found.append((release_tag(project, version), item.commit, item.message()))
    for number, act in enumerate(acts, 1):
        at = START + timedelta(days=number)
        event = ReleaseEvent(
            number, f"v0.{act[1:]}.0", SIGNS[act[0]], f"commit{act[1:]}", "me", "because", at, f"hash{act[1:]}",
            ("report.json",), number / 100 if act[0] == "%" else None,
        )  # fmt: skip
        found.append((event_tag(project, number), event.commit, event.message()))
    for minor in yanked:
        yank = Yank(f"v0.{minor}.0", f"commit{minor}", "me", "poison", START, f"hash{minor}")
        found.append((yank_tag(project, yank.version), yank.commit, yank.message()))
    return found


@pytest.mark.parametrize(
    ("acts", "champion", "previous", "rolled_back"),
    [
        ([], None, None, set()),
        (["+1"], "v0.1.0", None, set()),
        (["+1", "+2"], "v0.2.0", "v0.1.0", set()),
        (["+1", "+2", "-1"], "v0.1.0", None, {"v0.2.0"}),
        (["+1", "+2", "-1", "+3"], "v0.3.0", "v0.1.0", {"v0.2.0"}),
        (["+1", "+2", "+3", "-2"], "v0.2.0", "v0.1.0", {"v0.3.0"}),
        (["+1", "+2", "+3", "-2", "-1"], "v0.1.0", None, {"v0.2.0", "v0.3.0"}),
        (["+1", "+2", "-1", "+2"], "v0.2.0", "v0.1.0", set()),
        (["+1", "+2", "-1", "+2", "+3"], "v0.3.0", "v0.2.0", set()),
        (["+1", "+1"], "v0.1.0", None, set()),
        ([f"+{n}" for n in range(1, 12)], "v0.11.0", "v0.10.0", set()),
    ],
)
def test_what_serves_and_what_to_go_back_to(
    acts: list[str], champion: str | None, previous: str | None, rolled_back: set[str]
) -> None:
    ledger = fold("tides", reversed(tags(*acts)))
    assert (ledger.champion.version if ledger.champion else None) == champion
    assert ledger.previous_healthy() == previous
    assert ledger.rolled_back() == rolled_back


def test_what_is_alike_is_passed_over_on_the_way_back() -> None:
    ledger = fold("tides", tags("+1", "+2", "+3"))
    assert ledger.previous_healthy(lambda version: version == "v0.2.0") == "v0.1.0"
    assert ledger.previous_healthy(lambda version: True) is None


def test_events_are_ordered_by_number_not_by_text_or_clock() -> None:
    found = tags(*[f"+{n}" for n in range(1, 12)])
    event = ReleaseEvent(12, "v0.3.0", "promote", "commit3", "me", "clock is off", START, "hash3")
    ledger = fold("tides", [(event_tag("tides", 12), "commit3", event.message()), *sorted(found)])
    assert [e.number for e in ledger.events] == list(range(1, 13))
    assert ledger.champion == event
    assert ledger.next_number() == 13
    assert ledger.next_version() == "v0.12.0"


def test_an_empty_ledger_starts_at_one() -> None:
    ledger = Ledger("tides")
    assert (ledger.next_version(), ledger.next_number()) == ("v0.1.0", 1)
    assert ledger.served_at(START) is None


@pytest.mark.parametrize(("day", "version"), [(0, None), (1, "v0.1.0"), (1.5, "v0.1.0"), (2, "v0.2.0"), (9, "v0.1.0")])
def test_what_served_at_a_time(day: float, version: str | None) -> None:
    found = fold("tides", tags("+1", "+2", "-1")).served_at(START + timedelta(days=day))
    assert (found.version if found else None) == version


def test_what_is_not_ours_is_left_alone() -> None:
    strange = [("tides@beta", "c", "x"), ("tides#dev#1", "c", "{}"), ("v1.0", "c", "x"), *tags("+9", project="winds")]
    assert fold("tides", [*strange, *tags("+1")]) == fold("tides", tags("+1"))


@pytest.mark.parametrize(
    "tag",
    [
        ("tides#prod#3", "c", "made by hand"),
        ("tides#prod#3", "c", "[]"),
        ("tides#prod#3", "c", "{}"),
        ("tides#prod#3", "c", tags("+1")[1][2].replace("promote", "delete")),
        ("tides#prod#3", "c", tags("+1")[1][2].replace("v0.1.0", "v0.7.0")),
        ("tides@v0.4.0", "c", tags("+1")[0][2]),
    ],
)
def test_a_tag_that_cannot_be_read_stops_with_its_name(tag: Tag) -> None:
    with pytest.raises(EnvironmentFault, match=tag[0]) as caught:
        fold("tides", [*tags("+1"), tag])
    assert "\n" not in str(caught.value)


def test_a_message_reads_back_whole() -> None:
    ledger = fold("tides", tags("+1"))
    assert ledger.events[0].evidence == ("report.json",)
    assert ledger.release("v0.1.0") == ledger.releases[0]
    assert fold("tides", [(release_tag("tides", "v0.1.0"), "commit1", ledger.releases[0].message())]).releases


def test_describe_tells_the_story_in_order() -> None:
    rows = describe(fold("tides", tags("+1", "+2", "-1")))
    assert [(r["what"], r["version"], r["serves"]) for r in rows] == [
        ("register", "v0.1.0", ""),
        ("register", "v0.2.0", ""),
        ("promote", "v0.1.0", ""),
        ("promote", "v0.2.0", ""),
        ("rollback", "v0.1.0", "now"),
    ]
    assert all(r["why"] and r["who"] for r in rows)


ACTS = st.lists(st.builds(lambda sign, minor: f"{sign}{minor}", st.sampled_from("+-"), st.integers(1, 5)), max_size=12)


@given(ACTS, st.randoms(use_true_random=False))
def test_history_stays_and_the_last_event_serves(acts: list[str], random: object) -> None:
    whole = tags(*acts)
    shuffled = list(whole)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ledger = fold("tides", shuffled)
    assert ledger == fold("tides", whole)
    assert ledger.champion == (ledger.events[-1] if acts else None)
    if acts:
        before = fold("tides", [t for t in whole if t[0] != event_tag("tides", len(acts))])
        assert ledger.events[: len(before.events)] == before.events
        assert ledger.events[-1].version == f"v0.{acts[-1][1:]}.0"
    previous = ledger.previous_healthy()
    assert previous is None or previous not in ledger.rolled_back()
    assert previous is None or previous in {e.version for e in ledger.events[:-1]}


@pytest.mark.parametrize(
    ("acts", "champion", "tried", "previous", "rolled_back"),
    [
        (["+1", "%2"], "v0.1.0", "canary 2%", None, set()),
        (["+1", "%2", "%2"], "v0.1.0", "canary 3%", None, set()),
        (["+1", "~2"], "v0.1.0", "shadow", None, set()),
        (["+1", "~2", "%2"], "v0.1.0", "canary 3%", None, set()),
        (["+1", "%2", "+2"], "v0.2.0", None, "v0.1.0", set()),  # the ramp has ended: it is the champion
        (["+1", "%2", "-1"], "v0.1.0", None, None, {"v0.2.0"}),  # aborted: the champion never left
        (["+1", "~2", "-1"], "v0.1.0", None, None, {"v0.2.0"}),
        (["+1", "%2", "-1", "%2"], "v0.1.0", "canary 4%", None, set()),
        (["+1", "%2", "+1"], "v0.1.0", None, None, set()),  # ended, and not for being bad
        (["+1", "%2", "+3"], "v0.3.0", None, "v0.1.0", set()),
        (["+1", "+2", "%3", "-1"], "v0.1.0", None, None, {"v0.2.0", "v0.3.0"}),
        (["+1", "+2", "%3", "-2"], "v0.2.0", None, "v0.1.0", {"v0.3.0"}),
        (["+1", "%2", "!2"], "v0.1.0", None, None, set()),  # yanked on another host while it was tried here
        (["+1", "+2", "!2"], "v0.1.0", None, None, set()),  # and while it served here
        (["+1", "+2", "+3", "-2", "!2"], "v0.1.0", None, None, {"v0.3.0"}),
        (["+1", "!1"], None, None, None, set()),
    ],
)
def test_a_challenger_is_beside_what_serves_until_it_is_promoted_or_taken_back(
    acts: list[str], champion: str | None, tried: str | None, previous: str | None, rolled_back: set[str]
) -> None:
    ledger = fold("tides", reversed(tags(*acts)))
    assert (ledger.champion.version if ledger.champion else None) == champion
    assert (ledger.rollout.what if ledger.rollout else None) == tried
    assert (ledger.previous_healthy(), ledger.rolled_back()) == (previous, rolled_back)
    assert ledger.next_number() == len([act for act in acts if act[0] != "!"]) + 1


def test_spans_are_whole_and_tell_what_served_in_each() -> None:
    found = tags("+1", "%2", "+2", "~3", "-2")
    yank = Yank("v0.2.0", "commit2", "me", "poison", START + timedelta(days=6), "hash2")
    ledger = fold("tides", [*found, (yank_tag("tides", "v0.2.0"), "commit2", yank.message())])
    spans = ledger.spans()
    assert [(s.champion.version, s.rollout and s.rollout.version) for s in spans] == [
        ("v0.1.0", None), ("v0.1.0", "v0.2.0"), ("v0.2.0", None), ("v0.2.0", "v0.3.0"), ("v0.2.0", None),
        ("v0.1.0", None),  # what was yanked serves no longer, and what was rolled back from does not come back
    ]  # fmt: skip
    assert all(one.until == other.since for one, other in zip(spans, spans[1:], strict=False))
    assert (spans[0].since, spans[-1].until) == (START + timedelta(days=1), datetime.max)
    for hours in range(0, 200, 12):
        after = START + timedelta(hours=hours)
        assert ledger.spans(after) == tuple(span for span in spans if span.until > after)


def test_a_continuation_is_the_next_patch_of_its_line_and_no_change_that_is_waited_for() -> None:
    versions = ("v0.1.0", "v0.2.0", "v0.1.1", "v0.1.10", "v0.1.9")
    releases = tuple(Register(version, "commit", "me", "why", START, version) for version in versions)
    acts: list[tuple[str, Act]] = [("v0.1.0", "promote"), ("v0.1.1", "promote"), ("v0.1.9", "promote")]
    events = tuple(
        ReleaseEvent(n, version, act, "commit", "me", "why", START + timedelta(days=n), version)
        for n, (version, act) in enumerate(acts, 1)
    )
    ledger = Ledger("tides", releases, events)
    assert (ledger.next_version("v0.1.0"), ledger.next_version("v0.1.9")) == ("v0.1.11", "v0.1.11")
    assert (ledger.next_version("v0.2.0"), ledger.next_version()) == ("v0.2.1", "v0.3.0")
    assert first_of_line(ledger, "v0.1.9") == "v0.1.0"
    assert ledger.last_change is not None and ledger.last_change.number == 1
    back = replace(events[1], number=4, action="rollback")
    assert replace(ledger, events=(*events, back)).last_change == back


def test_what_was_beside_it_at_a_time() -> None:
    ledger = fold("tides", tags("+1", "%2", "%2", "-1", "~3"))
    days = [START + timedelta(days=n) for n in range(6)]
    assert [e and e.version for e in map(ledger.served_at, days)] == [None, *["v0.1.0"] * 5]
    assert [e and e.what for e in map(ledger.beside_at, days)] == [None, None, "canary 2%", "canary 3%", None, "shadow"]
    assert ledger.rollout_began() == days[5]
    assert fold("tides", tags("+1", "~2", "%2")).rollout_began() == days[2]
    assert [r["what"] for r in describe(ledger) if r["serves"]] == ["rollback", "shadow"]


@pytest.mark.parametrize(("act", "share"), [("canary", None), ("canary", 1.0), ("canary", "0.1"), ("promote", 0.1)])
def test_a_share_belongs_to_a_canary(act: Act, share: float | None) -> None:
    event = ReleaseEvent(2, "v0.1.0", act, "commit1", "me", "because", START, "hash1", share=share)
    with pytest.raises(EnvironmentFault, match="tides#prod#2: its message is no release event; update Homeostat"):
        fold("tides", [*tags("+1"), (event_tag("tides", 2), "commit1", event.message())])


def test_a_release_that_serves_everything_says_nothing_of_shares() -> None:
    """So that the tags of a replay stay the same whatever else tags can say."""
    assert "share" not in tags("+1")[1][2]
