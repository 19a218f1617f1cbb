"""Apprise: messages to people by mail, chat or webhook, at addresses that only the environment holds."""

from __future__ import annotations

import logging
import re

MORE = re.compile(r"[\s,]+(?=[a-z][a-z0-9+.-]*://)", re.IGNORECASE)  # between two addresses


def send(addresses: str, title: str, body: str) -> str:
    """Send a message to every address of the text; what went wrong in a line, empty where nothing did.

    Addresses are in Apprise's form, apart by blanks or commas. They hold secrets, so the line names their kind alone.
    """
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its log may show an address
    failed = []
    for number, address in enumerate(filter(None, MORE.split(addresses.strip())), 1):
        notifier = apprise.Apprise()
        kind = address.partition("://")[0]
        if not notifier.add(address):
            failed.append(f"address {number} is none that Apprise knows")
        elif not notifier.notify(body, title, body_format=apprise.NotifyFormat.TEXT):
            failed.append(f"address {number} ({kind}) took nothing")
    return "; ".join(failed)
