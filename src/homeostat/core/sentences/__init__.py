"""The sentence of a finding, made from its fields; to be read after the finding's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.sentences import batches, candidates, champion, change, drift, history, labels, rollouts, runs

SENTENCES: Mapping[Rule, Callable[[Finding], str]] = {
    **batches.SENTENCES,
    **history.SENTENCES,
    **champion.SENTENCES,
    **drift.SENTENCES,
    **labels.SENTENCES,
    **change.SENTENCES,
    **candidates.SENTENCES,
    **rollouts.SENTENCES,
    **runs.SENTENCES,
}


def sentence(finding: Finding) -> str:
    """What was measured, in words.

    >>> missing = Finding(Rule.MISSING, "load", "fail", 0.5, 0.2, facts={"state": "compared", "missing": [0.6, 0.1]})
    >>> f"{missing.name}: {sentence(missing)}"
    'load: missing values: 60 % is missing, 10 % in the reference of the release; check the source that it comes from'
    """
    return finding.text or SENTENCES[finding.rule](finding)
