"""The text of a first ``features.sql``, from groups of features with the relations and joins that they need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby

from homeostat.scaffold.profile.batch_period import DAY, HOUR
from homeostat.scaffold.profile.identifiers import PREFIXES, quoted
from homeostat.scaffold.profile.profile_table import Profile

HEAD = """\
-- Every feature of the project, once: one row an event, each from what was known before its predict_at.
-- `events` are the rows of {source} as they were known then; `outcome_known_at` says when a label became known.
-- Sums are over whole numbers and decimals, so that they are the same in any order.
-- MATERIALIZED: the service keeps it from one request to the next.
"""
COMMENTS = 64  # widest column that comments stand in


@dataclass(frozen=True)
class Feature:
    """One line of the SELECT, under the heading of its ``section``."""

    name: str
    sql: str
    comment: str
    section: str


@dataclass(frozen=True)
class FeatureGroup:
    """Features with the common tables (``name AS ...``) and joins that they need."""

    features: tuple[Feature, ...]
    relations: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()


@dataclass(frozen=True)
class FeatureQuery:
    """All groups in order; ``history`` is how far back the query looks."""

    features: tuple[Feature, ...]
    relations: tuple[str, ...]
    joins: tuple[str, ...]
    history: timedelta

    @classmethod
    def of(cls, groups: Sequence[FeatureGroup], history: timedelta) -> FeatureQuery:
        features = tuple(f for g in groups for f in g.features)
        return cls(features, tuple(r for g in groups for r in g.relations), tuple(j for g in groups for j in g.joins),
                   history)  # fmt: skip

    def with_features(self, features: Iterable[Feature]) -> FeatureQuery:
        return replace(self, features=tuple(features))


class FreeNames:
    """Names that no other feature and no column has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {name.lower() for name in taken}

    def take(self, wanted: str) -> str:
        """The name, or the nearest one that is free."""
        name = f"the_{wanted}" if wanted.lower().startswith(PREFIXES) else wanted
        while name.lower() in self._taken:
            name += "_"
        self._taken.add(name.lower())
        return name


def features_sql(profile: Profile, query: FeatureQuery) -> str:
    """The whole file."""
    keys = ", ".join(f"e.{quoted(k)}" for k in profile.key.columns)
    lines = [(f"    {keys},", "")]
    for section, features in groupby(query.features, key=lambda f: f.section):
        lines.append((f"    -- {section}", ""))
        for feature in features:
            plain = feature.sql.split(".", 1)[-1] == quoted(feature.name)
            lines.append((f"    {feature.sql}{'' if plain else f' AS {quoted(feature.name)}'},", feature.comment))
    last = max(n for n, (code, _) in enumerate(lines) if not code.lstrip().startswith("--"))
    lines[last] = (lines[last][0].rstrip(","), lines[last][1])
    wide = min(COMMENTS, max(len(code) for code, _ in lines))
    body = "\n".join(f"{code:<{wide}}  -- {comment}" if comment else code for code, comment in lines)
    common = "WITH\n" + ",\n".join(query.relations) + "\n" if query.relations else ""
    joins = "".join(f"{join}\n" for join in query.joins)
    return f"{HEAD.format(source=profile.table.name)}{common}SELECT\n{body}\nFROM events e\n{joins}"


def short_length(length: timedelta) -> str:
    """A length as part of a name.

    >>> short_length(timedelta(days=7)), short_length(timedelta(hours=6))
    ('7d', '6h')
    """
    return f"{length // DAY}d" if length >= DAY else f"{length // HOUR}h"
