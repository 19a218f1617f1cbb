"""The command line: few verbs; everything else is an option or a noun of one of these.

A heavy package is imported in the verb that needs it, so that help and status answer at once.
"""

from __future__ import annotations

import click

from homeostat import __version__
from homeostat.cli import approve, check, data, new, releases, run, serve, status
from homeostat.cli.app import Verbs


@click.group(
    "homeostat", cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, message="homeostat %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Keep a model in production healthy: manage its data, train, evaluate, deploy, monitor, decide.

    Without a verb: the status.

    Example: homeostat -C my-project
    """
    if context.invoked_subcommand is None:
        context.invoke(status.status)


for verb in (
    new.new, run.run, run.up, serve.serve, status.status, run.replay, releases.releases,
    releases.promote,
    releases.rollback, approve.approve, check.check, data.data,
):  # fmt: skip
    main.add_command(verb)
