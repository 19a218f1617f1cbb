"""The tutorial's table: parcels sent every half hour, in CSV; which weeks, and from which week on heavy ones go first.

python parcels.py FIRST LAST
"""

import csv
import sys
from datetime import datetime, timedelta
from random import Random

COLUMNS = ("sent at", "depot", "weight (kg)", "late?", "refund")
SLOWER = {"north": -0.1, "south": 0.0, "west": 0.1}
TURNED = 4  # the first week in which heavy parcels go by express, and the light ones wait


def parcel(n: int) -> tuple[str, str, float, str, str]:
    """The ``n``-th row, by itself: more weeks may be added to a file later."""
    chance = Random(f"parcel {n}")
    depot, weight = chance.choice(list(SLOWER)), round(chance.gammavariate(2, 3), 1)
    slow = (weight > 5) == (n < TURNED * 336)
    late = chance.random() < (0.8 if slow else 0.2) + SLOWER[depot]
    sent = datetime(2024, 1, 15) + timedelta(minutes=30 * n)
    return f"{sent:%d.%m.%Y %H:%M}", depot, weight, "yes" if late else "no", "5" if late else ""


first, last = int(sys.argv[1]), int(sys.argv[2])
out = csv.writer(sys.stdout)
if first == 0:
    out.writerow(COLUMNS)
out.writerows(parcel(n) for n in range(first * 336, last * 336))
