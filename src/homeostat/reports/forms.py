"""What a person may do about an incident, as a form on the page that is served."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from homeostat.reports.incident import commands

if TYPE_CHECKING:
    from homeostat.reports.incident import Screen

LENGTHS = {"4h": "4 hours", "1d": "a day", "2d": "two days", "7d": "a week"}  # of a snooze, in project time
ROLLBACK = "homeostat rollback"


def forms(screen: Screen, action: str, seal: str) -> str:
    """The form that posts to ``action``; ``seal`` proves that the page which posts is this one. Empty once it is over.

    Every button does what the command beside it does.
    """
    if screen.incident.closed is not None:
        return ""
    lengths = "".join(f'<option value="{value}">{name}</option>' for value, name in LENGTHS.items())
    buttons = [
        f'<span>{_button("snooze", "Snooze")} <select name="for" aria-label="for how long">{lengths}</select></span>',
        _button("owner", "Take it", "formnovalidate"),
        _button("approve", f"Approve: {screen.proposal.sentence}") if screen.proposal else "",
        _button("decline", "Decline") if screen.proposal and screen.proposal.waits else "",
        _button("rollback", "Roll back", 'class="bad"') if _may_roll_back(screen) else "",
    ]
    who = '<label>Your name <input name="who" autocomplete="name" required></label>'
    why = '<label class="long">Why <input name="why" autocomplete="off" required></label>'
    hidden = f'<input type="hidden" name="seal" value="{escape(seal)}">'
    return f'<form method="post" action="{escape(action)}">{hidden}{who}{why}<p>{"".join(buttons)}</p></form>'


def _may_roll_back(screen: Screen) -> bool:
    return any(command.text.startswith(ROLLBACK) for command in commands(screen))


def _button(action: str, name: str, more: str = "") -> str:
    return f'<button name="action" value="{action}" {more}>{escape(name)}</button>'
