"""Issues of rows: repeated, nearly repeated, with equal keys, or of entities that come with one label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from homeostat.core.text import count
from homeostat.scaffold.audit.column_roles import Roles
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.time_bins import TimeBins
from homeostat.scaffold.profile.identifiers import is_identifier_name, quoted_list
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import ROW_ID
from homeostat.scaffold.profile.workspace import Workspace

NEAR = 0.01  # share of rows that repeat another but for one column, from which it is an issue
COMPARED = 40_000  # rows that are searched for near duplicates


def row_issues(work: Workspace, profile: Profile, roles: Roles, bins: TimeBins) -> Iterator[Issue]:
    yield from _duplicates(work, profile)
    yield from _near_duplicates(profile, roles, bins)
    yield from _equal_keys(work, profile)
    yield from _versions(work, profile)
    yield from _memorized_entities(profile, roles, bins)


def _duplicates(work: Workspace, profile: Profile) -> Iterator[Issue]:
    """Rows that are equal but for a key of their own."""
    own = set(profile.key.columns) if len(profile.key.columns) == 1 else set()
    own -= {profile.time.column}
    names = quoted_list(name for name in profile.table.names if name != ROW_ID and name not in own)
    groups, rows = work.row(
        f"SELECT count(*), sum(n) FROM (SELECT count(*) AS n FROM {profile.table.sql} "
        f"GROUP BY hash(row({names})) HAVING n > 1)"
    )
    if not groups or rows < max(2, 0.0005 * profile.table.rows):
        return
    but = f" but for {', '.join(own)}" if own else ""
    text = f"{rows:,} rows are in groups of equal rows{but} ({count(rows - groups, 'copy')} of another)"
    fix = "kept, each as a row of its own; if copies are errors, remove them in the table or name the --key"
    yield Issue("duplicate rows", "", text, fix, 0.9 if rows > 0.05 * profile.table.rows else 0.7, 65)


def _near_duplicates(profile: Profile, roles: Roles, bins: TimeBins) -> Iterator[Issue]:
    """Rows of one time that are equal in all but one column."""
    aside = {*profile.key.columns, *roles.identifiers, profile.time.column}
    names = [n for n in profile.table.names if n in bins.rows.columns and n not in aside]
    if len(names) < 5 or profile.time.column in profile.key.columns:
        return
    rows = bins.rows.head(COMPARED)
    hashes = np.stack([rows[name].hash(seed=n).to_numpy() for n, name in enumerate(names)])
    whole = hashes.sum(axis=0, dtype=np.uint64) + rows["__t"].hash(seed=len(names)).to_numpy()
    copies = pl.Series(whole).is_duplicated().to_numpy()
    share, name = max(
        (float((pl.Series(whole - own).is_duplicated().to_numpy() & ~copies).mean()), name)
        for own, name in zip(hashes, names, strict=True)
    )
    if share >= NEAR:
        text = f"{share:.1%} of the rows repeat another but for {profile.table.column(name).raw}"
        if name == profile.label.column:
            text += ": the same row has two labels"
        fix = "look at some of them: if they are corrections of one another, keep the last, or name the --key"
        yield Issue("near-duplicate rows", name, text, fix, 0.6, 64 if name == profile.label.column else 42)


def _equal_keys(work: Workspace, profile: Profile) -> Iterator[Issue]:
    """Rows that share their key with another: all are quarantined, but for one of those that are whole copies."""
    if profile.key.generated:
        return
    (rows,) = work.row(
        "SELECT coalesce(sum(CASE WHEN k = 1 THEN m - 1 ELSE m END), 0) FROM (SELECT count(*) AS m, "
        f"count(DISTINCT hash(row({quoted_list(profile.table.names)}))) AS k FROM {profile.table.sql} "
        f"WHERE __t IS NOT NULL GROUP BY {quoted_list(profile.key.columns)}) WHERE m > 1"
    )
    if rows:
        text = f"{count(int(rows), 'row', 'share')} the key ({', '.join(profile.key.columns)}) of another: quarantined"
        severity, fix = 83, "name a further --key column"
        if not profile.request.key:
            zone = f"sources.{profile.table.name}.written.{profile.time.column}.zone"
            severity, fix = 51, f"remove copies in the table; where clocks show an hour twice, say {zone}; or {fix}"
        yield Issue("duplicate keys", profile.key.columns[0], text, fix, 1.0, severity)


def _versions(work: Workspace, profile: Profile) -> Iterator[Issue]:
    """Rows without a key of which several have one identifier and one time: earlier and later states of one event."""
    named = [c for c in profile.table.columns if is_identifier_name(c.raw) and c.name != ROW_ID]
    for column in named if profile.key.generated else ():
        names, later, times = work.row(
            f"SELECT count(*), coalesce(sum(n - 1), 0), count(*) FILTER (times > 1) FROM (SELECT count(*) AS n, "
            f"count(DISTINCT __t) AS times FROM {profile.table.sql} "
            f"WHERE __t IS NOT NULL AND {column.sql} IS NOT NULL GROUP BY {column.sql})"
        )
        if later >= max(2, NEAR * profile.table.rows) and names >= 0.3 * profile.table.rows and not times:
            text = f"{count(int(later), 'row', 'have')} the {column.raw} and the time of another: one event comes "
            text += "several times, each as a row of its own"
            fix = "if they are its earlier and later states, keep the last in the table (or export only that) and name "
            fix += f"--key {column.raw!r}"
            yield Issue("several rows of one event", column.name, text, fix, 0.8, 84)


def _memorized_entities(profile: Profile, roles: Roles, bins: TimeBins) -> Iterator[Issue]:
    """Entities that recur with the same label: a model memorizes them."""
    rows = bins.rows
    cut = rows.height * 2 // 3
    most = float(rows["__y"].value_counts()["count"].max() or 0) / rows.height  # type: ignore[arg-type]
    whole = [n for n in roles.numbers if profile.table.column(n).kind == "integer"]
    for name in (*roles.words, *roles.codes, *roles.wordy, *whole):
        column = profile.table.column(name)
        if not 50 < column.distinct < 0.5 * column.rows:
            continue
        groups = rows.select(name, "__y").drop_nulls().group_by(name).agg(pl.len(), spread=pl.col("__y").std())
        several = groups.filter(pl.col("len") > 1)
        if several.height < 30 or several["len"].sum() < 0.3 * rows.height:
            continue
        same = float(several.filter(pl.col("spread") == 0)["len"].sum()) / float(several["len"].sum())
        later = rows[name][cut:].drop_nulls()
        earlier = float(later.is_in(rows[name][:cut].unique().to_list()).mean() or 0.0)  # type: ignore[arg-type]
        if same > max(0.8, most + 0.1) and earlier > 0.5:
            text = (
                f"each {column.raw} nearly always has one label, and {earlier:.0%} of the later rows are of one that "
                "came before: a model memorizes them"
            )
            fix = f"evaluate it on new ones: drop {column.raw!r} from features, or make it a slice"
            yield Issue("entities on both sides of the split", name, text, fix, 0.7, 63)
