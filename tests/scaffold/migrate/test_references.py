"""Names that have moved are rewritten in every form of import and use; nothing else is."""

from __future__ import annotations

import pytest

from homeostat.scaffold.migrate.package_names import PackageNames, moved_names
from homeostat.scaffold.migrate.references import rewrite, unknown

NAMES = PackageNames()
CASES = [
    ("from homeostat.turn import turn", "from homeostat.api import run_context as turn"),
    ("from homeostat.turn import turn as mine", "from homeostat.api import run_context as mine"),
    ("from homeostat.adapters import dag", "from homeostat.adapters import dvc_yaml as dag"),
    ("from homeostat.adapters import dag, git", "from homeostat.adapters import dvc_yaml as dag, git"),
    ("from homeostat import loop, up", "from homeostat import loop\nfrom homeostat.scheduling import up"),
    ("from homeostat.project import Project", "from homeostat.project.layout import Project"),
    ("from homeostat.scope import (\n    Scope,\n    parse,\n)", "from homeostat.project.scope import Scope, parse"),
    ("def f():\n    from homeostat.up import up\n", "def f():\n    from homeostat.scheduling.up import up\n"),
    ("import homeostat.up\nhomeostat.up.up()", "import homeostat.scheduling.up\nhomeostat.scheduling.up.up()"),
    ("import homeostat.up as u\nu.schedules", "import homeostat.scheduling.up as u\nu.schedules"),
    ('é = "é"; import homeostat.up; ü = 1', 'é = "é"; import homeostat.scheduling.up; ü = 1'),
]
KEPT = [
    "from homeostat import loop\nloop.tick",
    "from homeostat.core.errors import UsageError",
    "from homeostat.project.layout import Project",
    "from homeostat.project import layout as project\nproject.Project",
    "import homeostat\nhomeostat.__version__",
    "from flows.data import take_in",
    "homeostat.up is a name in a text that is no Python",
    "from homeostat.turn import (",
    'TEXT = "homeostat.up"',
]


@pytest.mark.parametrize(("before", "after"), CASES)
def test_a_moved_name_is_rewritten(before: str, after: str) -> None:
    assert rewrite(before, True, NAMES) == after
    assert rewrite(after, True, NAMES) == after
    assert unknown(after, NAMES) == []


@pytest.mark.parametrize("text", KEPT)
def test_other_code_is_left_as_it_is(text: str) -> None:
    assert rewrite(text, True, NAMES) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("run:\n\tpython -m homeostat.adapters.dag # all\n", "run:\n\tpython -m homeostat.adapters.dvc_yaml # all\n"),
        ("- homeostat.up.watch_runs: {}", "- homeostat.api.end_dead_runs: {}"),
        ("python -m homeostat.stages.ingest", "python -m homeostat.stages.ingest"),
        ("see homeostat.example.org", "see homeostat.example.org"),
    ],
)
def test_in_other_texts_dotted_names_are_rewritten(before: str, after: str) -> None:
    assert rewrite(before, False, NAMES) == after


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("\nfrom homeostat.loop import nothing", "homeostat.loop.nothing", 2),
        ("from homeostat.nowhere import nothing", "homeostat.nowhere.nothing", 1),
        ("from homeostat import loop\n\nloop.nothing(1)", "homeostat.loop.nothing", 3),
    ],
)
def test_a_name_that_is_gone_is_reported(text: str, name: str, line: int) -> None:
    assert [(r.name, r.line) for r in unknown(text, NAMES)] == [(name, line)]


def test_every_moved_name_is_there() -> None:
    """Where this fails: give the name in ``moved_names.json`` that it has now."""
    assert [new for new in moved_names().values() if not NAMES.exists(new)] == []
