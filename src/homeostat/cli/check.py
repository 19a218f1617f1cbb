"""Check: the scope, the features and the contracts, before they are committed."""

from __future__ import annotations

import sys

import click

from homeostat.cli.app import Values, Verbs, project
from homeostat.cli.terminal import say
from homeostat.core.errors import HomeostatError, ScopeError
from homeostat.core.text import count

BEFORE_COMMIT = ("scope", "leakage", "contracts")  # what a bare `check` runs
CLEAR = "\r\x1b[K"  # the line of progress


@click.group(cls=Verbs, invoke_without_command=True, short_help="Check scope, contracts, alarms... before a commit.")
@click.pass_context
def check(context: click.Context) -> None:
    """Check the project as it is in the folder, uncommitted edits included.

    Without a name: scope, leakage and contracts.

    Example: homeostat check scope
    """
    if context.invoked_subcommand is not None:
        return
    project()  # what is no project is refused once, not by each of them
    failed = []
    for name in BEFORE_COMMIT:
        verb = check.commands[name]
        say(f"== {name}", bold=True)
        try:
            context.invoke(verb)
        except HomeostatError as error:
            say(str(error))
            failed.append(name)
    if failed:
        raise ScopeError(f"check {' and '.join(failed)} found problems to fix: see above")


@check.command()
@click.option("--since", metavar="COMMIT", help="Print what changed since a commit, and which gates that touches.")
def scope(since: str | None = None) -> None:
    """Print the scope as a page for a scoping meeting: each gate, how the release in service stands, and what is wrong.

    Example: homeostat check scope --since HEAD
    """
    from homeostat.checks.scope_diff import changes_since
    from homeostat.checks.scope_page import scope_page
    from homeostat.checks.worktree_view import worktree_view
    from homeostat.decisions.history import margins
    from homeostat.reports.gates import gate_lines
    from homeostat.reports.questions import question_lines

    of = project()
    if since is not None:
        for line in changes_since(of, since):
            say(line)
        return
    page = scope_page(worktree_view(of), gate_lines(of), margins(of), question_lines(of))
    say(page.text)
    if page.problems:
        raise ScopeError(f"{count(len(page.problems), 'problem')} in the scope: see the end of the page")


@check.command()
@click.option("--events", type=click.IntRange(min=1), default=2000, show_default=True, help="Events to recompute.")
def leakage(events: int) -> None:
    """Recompute features from only what was known at predict-at, and search for columns that give the label away.

    Example: homeostat check leakage --events 5000
    """
    from homeostat.checks.leakage import check as check_leakage
    from homeostat.checks.worktree_view import worktree_view

    somebody = sys.stderr.isatty()
    report = check_leakage(worktree_view(project()), events, _progress if somebody else None)
    say(CLEAR if somebody else "", nl=False, err=True)
    say(report.text)
    if report.failed:
        raise ScopeError("features.sql or the data give the label away; fix it, or allow it in the scope's features")


def _progress(what: str, done: int, of: int) -> None:
    say(f"{CLEAR}{what}: {done} of {of}", nl=False, err=True)


@check.command()
@click.option("--histories", type=click.IntRange(min=1), default=40, show_default=True,
              help="Histories to simulate, without any change.")  # fmt: skip
@click.option("--beside", type=click.IntRange(min=0), default=1, show_default=True,
              help="How many of them to run other rules on, for comparison.")  # fmt: skip
def alarms(histories: int, beside: int) -> None:
    """Try the alarm budget (`alarms` of params.yaml) on the project's own history.

    Prints how often it pages without a change, which changes it detects, and after how many evaluations.

    Example: homeostat check alarms --histories 100
    """
    from homeostat.adapters.dask import executor_of
    from homeostat.checks.alarms import check_alarms
    from homeostat.checks.worktree_view import worktree_view
    from homeostat.monitoring.change import Units
    from homeostat.releases.registry import Registry

    view = worktree_view(project())
    with executor_of(view.scope.scale) as executor:
        for line in check_alarms(Units(view, Registry.open(view)), histories, beside, executor):
            say(line)


@check.command()
def contracts() -> None:
    """What the contracts, as edited in this folder, would have quarantined in the history.

    Example: homeostat check contracts
    """
    from homeostat.checks.contracts import what_if
    from homeostat.checks.worktree_view import worktree_view

    say(what_if(worktree_view(project())))


@check.command()
def features() -> None:
    """Whether each feature earns its place: losses and money without it, or without its group, and what it costs.

    It fits a model for each feature, or group of `features.groups`, and objective.

    Example: homeostat check features
    """
    from homeostat.checks.ablation import ablation
    from homeostat.checks.worktree_view import worktree_view

    for line in ablation(worktree_view(project())):
        say(line)


@check.command()
def learning() -> None:
    """The learning curve: the loss of models fitted on an eighth, a quarter, half and all of the events.

    Says whether more data would help. It fits four models an objective.

    Example: homeostat check learning
    """
    from homeostat.checks.learning import learning_curve
    from homeostat.checks.worktree_view import worktree_view

    for line in learning_curve(worktree_view(project())):
        say(line)


@check.command()
def ladder() -> None:
    """How the rungs of the ladder stood when they were last judged, and what more complexity buys in money.

    Example: homeostat check ladder
    """
    from homeostat.reports.ladder import ladder_lines

    for line in ladder_lines(project()):
        say(line)


@check.command()
def business() -> None:
    """Rank correlation of the business's own figure with each metric of the models, by block and by release.

    Example: homeostat check business
    """
    from homeostat.reports.business import business_lines

    for line in business_lines(project()):
        say(line)


@check.command()
@click.option("--least", type=click.FloatRange(0, 7), default=0.0, help="Fail if a section scores less than this.")
def score(least: float) -> None:
    """The ML Test Score: 28 tests of data, model, infrastructure and monitoring, each from evidence of this project.

    Example: homeostat check score --least 4
    """
    from homeostat.core.ml_test_score import score as score_tests
    from homeostat.core.ml_test_score import total
    from homeostat.project.clock import clock_now
    from homeostat.reports.ml_test_score import evidence, lines

    of = project()
    sections = score_tests(evidence(of, clock_now(of)))
    for line in lines(sections):
        say(line)
    below = [name for name, tests in sections.items() if total(tests) < least]
    if below:
        raise ScopeError(f"{' and '.join(below)}: less than {least:g} of 7 points; see what is to do above")


@check.command()
@click.option("--write", "values", type=Values(), metavar="NAME=VALUE,...",
              help="Set these weights and costs in params.yaml (late=3,costs.alert=2); show the change.")  # fmt: skip
def weights(values: dict[str, float] | None) -> None:
    """Alerts, share of events reached, cost and worst slice with other weights, on held-out events of the champion.

    Example: homeostat check weights
    """
    from homeostat.checks import weights as checked
    from homeostat.reports.weight_picture import write_front

    of = project()
    if values:
        for line in checked.write(of, values):
            say(line)
        return
    swept = checked.swept(of)
    for line in checked.page(of, swept):
        say(line)
    drawn = write_front(of, swept.points, swept.marked)
    if drawn is not None:
        say(f"drawn: {of.cited(drawn)}, and on the page that `homeostat status --page` writes")
