"""``dvc.lock`` as it is written here and as DVC writes it: the same bytes, also where DVC changes what it wrote."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from dvc import dvcfile
from dvc.utils.serialize import dumps_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.adapters.dvc_lock import SAFE, quick_lock_file

LONG = "at + to_minutes(coalesce(delay, 0) + coalesce(time, 0) + 45) + to_minutes(coalesce(delay, 0) + 4)"
WORD = st.text(alphabet="abcXYZ019_()+/<>=.,;?%'\"$:*-eE", min_size=1, max_size=12)
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.datetimes(), st.text(max_size=40),
    st.lists(WORD, min_size=1, max_size=20).map(" ".join), st.lists(WORD, min_size=1, max_size=20).map("  ".join),
)  # fmt: skip
PARAMS = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3), max_leaves=8
)
STAGES = st.lists(st.tuples(st.sampled_from(["ingest", "train", "pack-2"]), PARAMS), min_size=2, max_size=5)


def written(stages: list[tuple[str, Any]], quick: bool, before: str = "") -> list[str]:
    """The lock file after each stage; an error's name where it cannot be written, after which there is none."""
    texts = []
    with tempfile.TemporaryDirectory() as folder, quick_lock_file() if quick else nullcontext():
        path = Path(folder) / "dvc.lock"
        if before:
            path.write_text(before)
        for name, params in stages:
            try:
                with dvcfile.modify_yaml(str(path)) as data:
                    if not data:
                        data.update({"schema": "2.0"})
                    data["stages"] = data.get("stages", {})
                    data["stages"].update({name: {"cmd": "python -m x", "params": {"params.yaml": params}}})
                texts.append(path.read_text())
            except Exception as error:  # of what no scope holds, DVC cannot read all that it writes
                path.unlink(missing_ok=True)
                texts.append(type(error).__name__)
    return texts


@settings(max_examples=150, deadline=None)
@given(STAGES)
def test_any_stages_are_written_as_dvc_writes_them(stages: list[tuple[str, Any]]) -> None:
    assert written(stages, quick=True) == written(stages, quick=False)


@pytest.mark.parametrize(
    "params",
    [
        {"at": LONG, "time": '"at"', "volume": 0.5, "none": None, "goal": "it's late", "allowed": []},
        {"at": LONG.replace(" ", "  ")},
        [6.214685095424271e16, 1.1e-73],  # rounded anew each time
        {"shared": [1, 2], "note": "a # b", "star": "*a"},
    ],
)
def test_params_as_scopes_have_them(params: Any) -> None:
    stages = [(name, params) for name in ("ingest", "train", "ingest", "pack", "train")]
    assert written(stages, quick=True) == written(stages, quick=False)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: "# by hand\n" + text,
        lambda text: text + "datasets:\n- name: a\n",
        lambda text: text.replace("cmd: b", "cmd: &it b"),
        lambda text: text.replace("schema: '2.0'", 'schema: "2.0"'),
        lambda text: text.replace("  ingest:", "  'ingest':"),
        lambda text: text.replace("  ingest:\n", "  ingest:\n\n"),
        lambda text: text.replace("    cmd: python -m x", "    cmd:   python -m   x"),
        lambda text: "stages: {}\n",
    ],
)
def test_a_file_that_people_have_edited(edit: Any) -> None:
    before = edit(dumps_yaml({"schema": "2.0", "stages": {"ingest": {"cmd": "python -m x"}, "a": {"cmd": "b"}}}))
    stages = [("train", {"seed": 1}), ("ingest", {"seed": 1}), ("pack", LONG)]
    assert written(stages, quick=True, before=before) == written(stages, quick=False, before=before)


def test_a_long_text_is_looked_through_once() -> None:
    """A pattern that can match a line in two ways would try all of them before it says no."""
    lines = "".join(f"      path{n}: a b: c d: e\n" for n in range(5000))
    assert SAFE.fullmatch(lines) and not SAFE.fullmatch(lines + "      odd: \\\n")
