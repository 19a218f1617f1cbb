"""Approve: a person's yes, or no, to what an incident or a decision waits for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from homeostat.cli.app import Moment, Verb, my_turn, who, why, working
from homeostat.cli.completion import approvable
from homeostat.cli.releases import authorship
from homeostat.cli.terminal import say
from homeostat.core.errors import UsageError

if TYPE_CHECKING:
    from homeostat.decisions.proposals import Proposal
    from homeostat.project.layout import Project


@click.command(cls=Verb, short_help="Approve what an incident or a decision waits for.")
@click.argument("what", metavar="INCIDENT|DECISION", shell_complete=approvable)
@click.option("--decline", is_flag=True, help="Say no: what waits is not done, and the champion stays.")
@why
@who
def approve(what: str, decline: bool, why: str, who: str | None) -> None:
    """Approve what waits for a person: an incident by its number, or a decision by its time.

    A decision that waits (`approval` in the scope) is done by the next tick. A batch in doubt or quarantined is
    accepted; a candidate that was judged and not released is released.

    Example: homeostat approve 7 --why "the storm was real"
    """
    from homeostat.decisions import approvals

    with my_turn() as (of, now):
        proposal = _proposal(of, what)
        if proposal is None:
            raise UsageError(f"{what}: nothing of it waits for approval; see `homeostat status --incident`")
        by = authorship(of, who, why, now)
        if decline:
            if proposal.waits is None:
                raise UsageError(f"{what}: waits for no answer, so there is nothing to decline; it stays as it is")
            done = approvals.answer_waiting(of, proposal.about, proposal.waits, "decline", by)
            say(f"declined: {proposal.waits.action}")
        else:
            done = approvals.approve(of, working(of), proposal, by)
            say(f"approved: {proposal.sentence}")
        say(done)


def _proposal(of: Project, what: str) -> Proposal | None:
    from homeostat.decisions import proposals
    from homeostat.decisions.history import decided_at, decisions
    from homeostat.monitoring.alerts import read_incidents
    from homeostat.reports.incident import number_of

    if re.fullmatch(r"\d{1,4}", what):
        number = number_of(of, what)
        return proposals.of_incident(of, number, read_incidents(of)[number], decisions(of))
    time = Moment().convert(what, None, click.get_current_context())
    decided = decided_at(of, time, whole_day=len(what) == len("2013-01-14"))
    return next((p for d in reversed(decided) if (p := proposals.of_decision(of, d)) is not None), None)
