"""What the numbers of a column are of: currencies and units by their marks, and whether one column mixes them."""

from __future__ import annotations

import re
from collections.abc import Sequence

CURRENCIES = (
    "USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RUB|TRY|BRL|MXN|ZAR|KRW|SGD|HKD|THB|ILS|AED|SAR|"
    "RON|BGN|PHP|IDR|MYR|VND|UAH|ARS|CLP|COP|PEN|EGP|NGN|KES|PKR|BDT|LKR|TWD|AMD|AOA|AZN|BAM|BHD|BOB|BWP|BYN|CRC|DOP|"
    "DZD|ETB|FJD|GEL|GHS|GTQ|HNL|HRK|IQD|IRR|ISK|JMD|JOD|KGS|KHR|KWD|KZT|LAK|LBP|LYD|MAD|MDL|MKD|MMK|MNT|MOP|MUR|MWK|"
    "MZN|NAD|NIO|NPR|OMR|PAB|PGK|PYG|QAR|RSD|RWF|TND|TTD|TZS|UGX|UYU|UZS|VES|XAF|XOF|YER|ZMW"
)
SYMBOLS = "$¢£¤¥֏؋৲৳૱௹฿៛﷼\u20a0-\u20c0"  # the signs of currencies
# abbreviations that are also the beginnings of codes and names: RM 101 is a room, K35.8 a diagnosis
DOUBTFUL = re.compile(r"RM|Bs|Gs|Q|L|P|K|R|D|MK|ZK|Br|Le|Ar|Tk|DH|DA|DT|TL|UF|UM")
AMOUNT = re.compile(r"\d{3}[.,]\d\d|[1-9]\d{0,2}(?:[., '’]\d{3})+(?:[.,]\d\d)?|\d{1,3}(?:[., '’]\d{3})+[.,]\d\d")
MARKS = re.compile(
    rf"'|~|≈|±|ca\.|Rp\.?(?![a-z])|[A-Z]{{0,3}}[$£¥]|GH₵|:-|[{SYMBOLS}%‰]|Rs\.?(?![a-z])|S?Fr\.(?![a-z])|kr\.?(?![a-z])|"
    r"zł|Kč|Ft(?![a-z])|lei(?![a-z])|руб\.?|грн\.?|лв\.?|円|元|원|人民币|RMB(?![A-Za-z])|S/\.?|B/\.?|[BG]s\.|[KTU][Ss]h\.?(?![a-z])|"
    r"F? ?CFA(?![A-Za-z])|NIS(?![A-Za-z])|Dhs?\.?(?![a-z])|ر\.س\.?|د\.إ\.?|د\.ك\.?|ج\.م\.?|ریال|تومان|"
    rf"(?:{DOUBTFUL.pattern})(?![A-Za-z])|(?:{CURRENCIES})(?![A-Za-z])"
)
UNIT = re.compile(
    r"[^\W\d_]{1,8}\.?|°[CF]?|°? ?[NSEWO]|[\"″′]|[^\W\d_]{1,4}[²³]?|[kc]?m[23]|(?:sq|cu)\.? ?(?:ft|m|mi|in|yd)\.?|"
    r"[^\s\d.,;:()]{1,8}/[^\s\d.,;:()]{1,8}"
)
CURRENCY_OF = {  # of marks that say the same
    "US$": "USD", "$": "USD", "A$": "AUD", "C$": "CAD", "R$": "BRL", "HK$": "HKD", "NZ$": "NZD", "S$": "SGD",
    "€": "EUR", "£": "GBP", "¥": "JPY", "円": "JPY", "元": "CNY", "₹": "INR", "Rs": "INR", "Rs.": "INR", "₽": "RUB",
    "руб": "RUB", "руб.": "RUB", "₩": "KRW", "₺": "TRY", "₪": "ILS", "₫": "VND", "₱": "PHP", "฿": "THB", "₴": "UAH",
    "'": "", "~": "", "≈": "", "±": "", "ca.": "", "Rp": "IDR", "Rp.": "IDR", "zł": "PLN", "Kč": "CZK", "Ft": "HUF",
    "lei": "RON", "Fr": "CHF", "Fr.": "CHF", "SFr.": "CHF", "kr.": "kr", ":-": "kr", "AU$": "AUD", "CA$": "CAD",
    "NT$": "TWD", "CN¥": "CNY", "JP¥": "JPY", "RMB": "CNY", "人民币": "CNY", "S/": "PEN", "S/.": "PEN", "RM": "MYR",
    "원": "KRW",
}  # fmt: skip
UNITS = frozenset({
    "kg", "g", "mg", "µg", "lb", "lbs", "oz", "t", "ton", "tons", "km", "m", "cm", "mm", "mi", "ft", "in", "yd",
    "l", "ml", "dl", "gal", "pt", "d", "day", "days", "h", "hr", "hrs", "hour", "hours", "min", "mins", "s", "sec",
    "secs", "ms", "week", "weeks", "month", "months", "year", "years", "yr", "yrs", "W", "kW", "MW", "GW", "Wh",
    "kWh", "MWh", "GWh", "J", "kJ", "MJ", "kcal", "cal", "V", "mV", "mA", "Hz", "kHz", "MHz", "GHz", "Pa", "hPa",
    "kPa", "mbar", "bar", "psi", "bps", "kbps", "Mbps", "Gbps", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB",
    "kB", "mph", "kmh", "kn", "ppm", "ppb", "pcs", "pc", "rpm", "px", "k", "K", "M", "bn", "mn", "mio", "tsd",
})  # those of which a column may hold several  # fmt: skip
SCALES = frozenset({"k", "K", "M", "bn", "mn", "mio", "tsd"})
BARE_TOO = UNITS - SCALES | {*CURRENCY_OF.values(), *CURRENCIES.split("|")}  # which a number may say or leave out


def measure_of(marks: Sequence[str], unit: str) -> str:
    """The currency and the unit of a number, by one name each; empty for a bare number.

    >>> measure_of(("US$",), ""), measure_of((), "days"), measure_of((), "ms")
    ('USD', 'day', 'ms')
    """
    currencies = [CURRENCY_OF.get(mark, mark) for mark in marks]
    named = [c for c, mark in zip(currencies, marks, strict=True) if mark.isalpha() and mark.isupper()]
    several = len(unit) > 2 and unit.endswith("s") and unit[:-1] in UNITS
    return " ".join(filter(None, [(named or currencies or [""])[0], unit[:-1] if several else unit]))


def are_mixed(measures: set[str]) -> bool:
    """Whether numbers are of several measures, or of one that those without it cannot be of.

    >>> are_mixed({"USD", "EUR"}), are_mixed({"", "%"}), are_mixed({"", "kg"})
    (True, True, False)
    """
    named = measures - {""}
    return len(named) > 1 or "" in measures and not named <= BARE_TOO
