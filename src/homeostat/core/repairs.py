"""Changes of a column's values after which they look like those of before: a unit, or a sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNITS: tuple[tuple[str, float, float], ...] = (  # name, factor and constant that lead from the usual to what came
    ("Celsius for Fahrenheit", 1 / 1.8, -32 / 1.8), ("Fahrenheit for Celsius", 1.8, 32.0),
    ("Kelvin for Celsius", 1.0, 273.15), ("Celsius for Kelvin", 1.0, -273.15),
    ("seconds for minutes", 60.0, 0.0), ("minutes for seconds", 1 / 60, 0.0),
    ("seconds for hours", 3600.0, 0.0), ("hours for seconds", 1 / 3600, 0.0),
    ("hours for days", 24.0, 0.0), ("days for hours", 1 / 24, 0.0),
    ("thousandths", 1000.0, 0.0), ("thousands", 1 / 1000, 0.0),
    ("hundredths", 100.0, 0.0), ("hundreds", 1 / 100, 0.0), ("tenths", 10.0, 0.0), ("tens", 1 / 10, 0.0),
    ("millionths", 1e6, 0.0), ("millions", 1e-6, 0.0),
    ("kilometres for miles", 1.609344, 0.0), ("miles for kilometres", 1 / 1.609344, 0.0),
    ("feet for metres", 1 / 0.3048, 0.0), ("metres for feet", 0.3048, 0.0),
    ("centimetres for inches", 2.54, 0.0), ("inches for centimetres", 1 / 2.54, 0.0),
    ("millimetres for inches", 25.4, 0.0), ("inches for millimetres", 1 / 25.4, 0.0),
    ("pounds for kilograms", 1 / 0.45359237, 0.0), ("kilograms for pounds", 0.45359237, 0.0),
    ("kilometres an hour for metres a second", 3.6, 0.0), ("metres a second for kilometres an hour", 1 / 3.6, 0.0),
    ("metres a second for miles an hour", 0.44704, 0.0), ("miles an hour for metres a second", 1 / 0.44704, 0.0),
    ("inches of mercury for millibars", 1 / 33.8639, 0.0), ("millibars for inches of mercury", 33.8639, 0.0),
)  # fmt: skip
INNER = slice(1, -1)  # of the quantiles: the least and the greatest are single values
CLOSE = 0.5  # how far outside the history's range, in its widths, quantiles may lie and still fit
LEFT = 0.34  # of the distance to the usual quantiles, that may remain after a repair which explains it
NEAR = 0.6  # distance from the usual up to which a known unit comes before a factor that has no name
SPREAD = 0.2  # weight of the logarithm of the spread within a batch, beside the place of its quantiles
MOST = 0.5  # share of the quantiles
LEFT_OF_NAMED = 0.2  # the same where nothing but the repair tells that anything is wrong


@dataclass(frozen=True)
class Repair:
    """``sql`` makes the usual value of ``{c}``; ``unit`` says in which unit it came, where it is a known one."""

    kind: str
    sql: str
    unit: str = ""
    factor: float = 1.0  # with ``constant``, what leads from the usual value to what came
    constant: float = 0.0

    def fix(self, quantiles: Array) -> Array:
        """The quantiles of the usual values."""
        fixed = (quantiles - self.constant) / self.factor
        return fixed if self.factor > 0 else fixed[::-1]

    @property
    def named(self) -> bool:
        return bool(self.unit) or self.kind == "sign flip"


@dataclass(frozen=True)
class Band:
    """Where the quantiles of a column lay: the least, the greatest and the usual of each, and a width to measure by."""

    low: Array
    high: Array
    usual: Array
    width: Array
    spread: float  # within a batch, usually

    @classmethod
    def of(cls, before: Sequence[Array]) -> Band:
        """Of the quantiles of earlier batches."""
        table = np.array(before)[:, INNER]
        low, high = table.min(axis=0), table.max(axis=0)
        whole = float(np.median(table[:, -1] - table[:, 0]))
        return cls(low, high, np.median(table, axis=0), np.maximum(high - low, 0.05 * whole + 1e-9), whole)

    def misfit(self, quantiles: Array) -> float:
        """How far quantiles lie outside, in widths; the worst of them."""
        inner = quantiles[INNER]
        return float((np.maximum(np.maximum(self.low - inner, inner - self.high), 0) / self.width).max())

    def tells(self, repair: Repair) -> bool:
        """Whether the fault that a repair undoes would move most quantiles out of where they ever were.

        Where it would not, what looks like it may be an unusual batch.
        """
        one, other = (repair.factor * q + repair.constant for q in (self.low, self.high))
        if repair.factor < 0:
            one, other = other[::-1], one[::-1]
        return float(np.mean((one > self.high) | (other < self.low))) >= MOST

    def misfits(self, quantiles: Array) -> float:
        """How far most quantiles lie outside, in widths."""
        inner = quantiles[INNER]
        return float(np.median(np.maximum(np.maximum(self.low - inner, inner - self.high), 0) / self.width))

    def distance(self, quantiles: Array) -> float:
        """How far they lie from the usual, in widths, on average, and how far their spread is from the usual one."""
        away = np.abs(quantiles[INNER] - self.usual) / self.width
        return float(away.mean()) + SPREAD * self.unlike(quantiles)

    def unlike(self, quantiles: Array) -> float:
        """How far their spread is from the usual one, as a logarithm: a unit stretches it, a shift leaves it."""
        spread = float(quantiles[INNER][-1] - quantiles[INNER][0])
        return abs(log(spread / self.spread)) if spread > 0 and self.spread > 0 else 0.0


def best_repair(quantiles: Array, band: Band) -> tuple[Repair, Array] | None:
    """The change that leads quantiles back to the usual ones, where one does, and the quantiles that it makes.

    A sign comes before a known unit, and a known unit before a factor that has no name.
    """
    repairs = [(repair, repair.fix(quantiles)) for repair in _repairs(quantiles, band)]
    fitting = [(band.distance(fixed), place, repair, fixed)
               for place, (repair, fixed) in enumerate(repairs) if band.misfit(fixed) <= CLOSE
               and (repair.named or band.unlike(fixed) <= band.unlike(quantiles))]  # fmt: skip
    if not fitting:
        return None
    left, _, repair, fixed = min(
        fitting, key=lambda f: (f[2].kind != "sign flip", not f[2].named or f[0] > NEAR, f[0], f[1])
    )
    return (repair, fixed) if left <= LEFT * band.distance(quantiles) else None


def named_repair(quantiles: Array, band: Band) -> Repair | None:
    """A sign or a known unit that leads quantiles right back to the usual."""
    best = best_repair(quantiles, band)
    if best is None or not best[0].named or not band.tells(best[0]):
        return None
    repair, fixed = best
    near = band.distance(fixed) <= LEFT_OF_NAMED * band.distance(quantiles)
    return repair if near and band.misfit(fixed) <= CLOSE / 2 else None


def _repairs(now: Array, band: Band) -> Iterator[Repair]:
    yield Repair("sign flip", "-{c}", factor=-1.0)
    yield from UNIT.values()
    usual, size = float(np.abs(band.usual).mean()), float(np.abs(now[INNER]).mean())
    if usual > 0 and size > 0 and not 0.7 < usual / size < 1.4:
        yield Repair("unit change", _affine(usual / size, 0.0), factor=size / usual)


def _affine(factor: float, constant: float) -> str:
    """SQL that makes the usual value of what came.

    >>> _affine(1.8, 32.0), _affine(1 / 60, 0.0)
    ('{c} * 1.8 + 32', '{c} / 60')
    """
    scale = "" if factor == 1 else f" * {factor:.6g}" if factor > 1 else f" / {1 / factor:.6g}"
    shift = "" if not constant else f" + {constant:.6g}" if constant > 0 else f" - {-constant:.6g}"
    return f"{{c}}{scale}{shift}"


UNIT = {
    name: Repair("unit change", _affine(1 / factor, -constant / factor), name, factor, constant)
    for name, factor, constant in UNITS
}
