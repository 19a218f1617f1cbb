"""Small tables as people bring them: odd names, odd formats, every task."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

START = datetime(2022, 1, 3)


def orders(rows: int = 1500, seed: int = 1) -> pl.DataFrame:
    """Orders of a shop, about twelve a day: text in German clothes, a late label, a column that gives it away."""
    chance = random.Random(seed)
    table = []
    for n in range(rows):
        at = START + timedelta(minutes=120 * n + chance.randrange(100))
        price = round(chance.lognormvariate(3, 1), 2)
        kind = chance.choice(["Buch", "Kleid", "Möbel"])
        back = chance.random() < {"Buch": 0.1, "Kleid": 0.6, "Möbel": 0.25}[kind]
        table.append({
            "Bestell-Nr": f"B{n:06d}",
            "Datum & Zeit": at.strftime("%d.%m.%Y %H:%M") if n % 3 else at.strftime("%Y-%m-%d %H:%M"),
            "Preis (€)": f"{price:,.2f}".replace(",", "_").replace(".", ",").replace("_", "."),
            'Art "neu"': kind,
            "Stammkunde": chance.choice(["ja", "nein"]),
            "PLZ": f"{chance.choice([1067, 10115, 80331, 50667]):05d}",
            "Zurück?": "ja" if back else "nein",
            "Erstattung": f"{price:.2f}".replace(".", ",") if back else "",
            "bekannt am": (at + timedelta(days=chance.randrange(2, 9))).strftime("%d.%m.%Y"),
        })  # fmt: skip
    return pl.DataFrame(table)


def loads(hours: int = 24 * 60, sites: int = 2) -> pl.DataFrame:
    """Hourly loads of two sites: a series, an amount."""
    import math

    chance = random.Random(2)
    rows = []
    for hour in range(hours):
        for site in range(sites):
            warm = 10 + 8 * math.sin(hour / 24 * 2 * math.pi) + chance.gauss(0, 1)
            base = 40 + 20 * math.sin((hour % 24) / 24 * 2 * math.pi) + 10 * site
            rows.append(
                (
                    START + timedelta(hours=hour),
                    f"site {site}",
                    round(warm, 2),
                    round(base + warm + chance.gauss(0, 2), 3),
                )
            )
    return pl.DataFrame(rows, schema=["timestamp", "site", "warm", "load"], orient="row")


def write(table: pl.DataFrame, path: Path, separator: str = ",") -> Path:
    """As CSV."""
    table.write_csv(path, separator=separator)
    return path
