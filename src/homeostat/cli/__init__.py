"""The command line: few verbs; everything else is an option or a noun of one of these.

A heavy package is imported in the verb that needs it, so that help and status answer at once.
"""

from __future__ import annotations

import click

from homeostat import __version__
from homeostat.cli import changing_data, checking, looking, releasing, running, serving, starting
from homeostat.cli.verbs import Verbs


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
        context.invoke(looking.status)


for verb in (
    starting.new, running.run, running.up, serving.serve, looking.status, running.replay, releasing.releases,
    releasing.promote,
    releasing.rollback, checking.check, changing_data.data,
):  # fmt: skip
    main.add_command(verb)
