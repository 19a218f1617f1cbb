"""Times from text of a given form, such as ``%d.%m.%Y %H:%M``; the same function reads for the loop and for ``new``.

A form is written with the codes of ``strptime`` and a few more. Blanks in it stand for any blanks, a narrow one among
them. ``%S`` takes a fraction of any length after it, ``%H`` takes 24 as the midnight that follows, ``%k`` the hours 1
to 24 that end where they are named, ``%b`` a month's name or its abbreviation in any of the languages below, ``%a`` a
weekday's name, ``%h`` a half of the year, ``%j`` a day of the year in three digits (two are a month), ``%p`` a marker
of the half of the day, ``%z`` an offset, a zone's abbreviation or its name, ``%e`` the end of an interval, which is
left aside, ``%E`` milliseconds from 1970, ``%K`` minutes since midnight, in a zone also of a day of 23 or 25 hours,
``%r`` a letter that says that the hour is the second of two with its name: B, X or ``*``. Whole forms of numbers are
those of ``COUNTS``.
"""

from __future__ import annotations

import re
from functools import cache
from zoneinfo import available_timezones

import polars as pl

TYPE = pl.Datetime("us")
ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
DAY = 86_400_000_000  # microseconds
COUNTS = {  # of a number: its unit in microseconds, and its zero in days from 1970
    "epoch s": (1e6, 0.0), "epoch ms": (1e3, 0.0), "epoch us": (1.0, 0.0), "epoch ns": (1e-3, 0.0),
    "epoch days": (DAY, 0.0), "excel days": (DAY, -25569.0), "excel days from 1904": (DAY, -24107.0),
    "julian days": (DAY, -2440587.5), "days of the era": (DAY, -719163.0), "matlab days": (DAY, -719529.0),
    "sas days": (DAY, -3653.0), "sas s": (1e6, -3653.0), "spss s": (1e6, -141428.0),
    "windows ticks": (0.1, -134774.0), "windows us": (1.0, -134774.0), ".net ticks": (0.1, -719162.0),
}  # fmt: skip
MONTHS = (
    "jan january januar janvier janv enero ene janeiro gennaio gen januari styczeń stycznia sty leden ledna led "
    "jän jänner янв января january. jaanuar 1月 tammikuuta ocak ianuarie ιανουαρίου ιαν يناير січня január ian oca "
    "ינואר בינואר януари januára sausio janvāris gener januarie "
    "janúar xaneiro јануари јануар",
    "feb february februar février févr fév fevr febrero fevereiro fev febbraio februari luty lutego lut únor "
    "února úno фев февраля 2月 helmikuuta şubat februarie φεβρουαρίου φεβ فبراير февр лютого február febr şub "
    "פברואר בפברואר февруари februára vasario februāris veebruar febrer "
    "febrúar febreiro фебруари фебруар",
    "mar march märz mrz mär maerz mars marzo março marco maart mrt marzec marca brezen března bře мар марта "
    "march. 3月 maaliskuuta mart marts martie μαρτίου μαρ مارس березня március márc maret מרץ במרץ март marec kovo "
    "märts març mac",
    "apr april avril avr abril abr aprile kwiecień kwietnia kwi duben dubna dub апр апреля 4月 huhtikuuta nisan "
    "aprilie απριλίου απρ أبريل ابريل إبريل квітня április ápr nis אפריל באפריל април apríla balandžio aprīlis "
    "aprill apríl",
    "may mai mayo maio maggio mag mei maj maja květen května kvě май мая 5月 toukokuuta mayıs μαΐου μαι مايو "
    "травня május máj מאי במאי mája gegužės maijs μαΐ maig maí "
    "мај",
    "jun june juni juin junio junho giugno giu czerwiec czerwca cze červen června čvn июн июня 6月 kesäkuuta "
    "haziran iunie ιουνίου ιουν يونيو червня június jún iun haz יוני ביוני юни júna junij birželio jūnijs juuni "
    "juny junie júní xuño јуни јун",
    "jul july juli juillet juil julio julho luglio lug lipiec lipca lip červenec července čvc июл июля 7月 "
    "heinäkuuta temmuz iulie ιουλίου ιουλ يوليو липня július júl iul tem יולי ביולי юли júla julij liepos jūlijs "
    "juuli juliol julie júlí julai xullo јули јул",
    "aug august août aout agosto ago augustus augusti sierpień sierpnia sie srpen srpna srp авг августа 8月 "
    "elokuuta ağustos αυγούστου αυγ أغسطس اغسطس серпня augusztus ağu agustus agu אוגוסט באוגוסט август augusta "
    "avgust rugpjūčio augusts agost ágúst ogos",
    "sep sept september septembre septiembre set setembro settembre wrzesień września wrz září zář сен сентября "
    "9月 syyskuuta eylül septembrie σεπτεμβρίου σεπ سبتمبر сент вересня szeptember szept eyl ספטמבר בספטמבר "
    "септември septembra rugsėjo septembris setembre septembar септембар",
    "oct okt october oktober octobre octubre outubro out ottobre ott październik października paź říjen října říj "
    "окт октября 10月 lokakuuta ekim octombrie οκτωβρίου οκτ أكتوبر اكتوبر жовтня október eki אוקטובר באוקטובר "
    "октомври októbra spalio oktobris oktoober oktobar октобар",
    "nov november novembre noviembre novembro listopad listopada lis listopadu ноя ноября 11月 marraskuuta kasım "
    "noiembrie νοεμβρίου νοε نوفمبر нояб листопада kas נובמבר בנובמבר ноември novembra lapkričio novembris "
    "nóvember novembar новембар",
    "dec dez december dezember décembre déc decembre diciembre dic dezembro dicembre grudzień grudnia gru "
    "prosinec prosince pro дек декабря 12月 joulukuuta aralık desember decembrie δεκεμβρίου δεκ ديسمبر грудня ara "
    "des דצמבר בדצמבר декември decembra gruodžio decembris detsember desembre "
    "decembar disember декембар",
)
MONTH_OF = {word: number for number, words in enumerate(MONTHS, 1) for word in words.split()}
AFTERNOON = ("pm", "p", "下午", "午後", "오후", "μμ", "م")
MORNING = ("am", "a", "上午", "午前", "오전", "πμ", "ص")
HOURS = {  # of zones' abbreviations: hours from UTC
    "z": 0.0, "utc": 0.0, "gmt": 0.0, "ut": 0.0, "wet": 0.0, "west": 1.0, "bst": 1.0, "cet": 1.0, "mez": 1.0,
    "cest": 2.0, "mesz": 2.0, "eet": 2.0, "eest": 3.0, "msk": 3.0, "sast": 2.0, "ist": 5.5, "pkt": 5.0, "hkt": 8.0,
    "sgt": 8.0, "awst": 8.0, "jst": 9.0, "kst": 9.0, "acst": 9.5, "acdt": 10.5, "aest": 10.0, "aedt": 11.0,
    "nzst": 12.0, "nzdt": 13.0, "brt": -3.0, "art": -3.0, "ast": -4.0, "adt": -3.0, "est": -5.0, "edt": -4.0,
    "cst": -6.0, "cdt": -5.0, "mst": -7.0, "mdt": -6.0, "pst": -8.0, "pdt": -7.0, "akst": -9.0, "akdt": -8.0,
    "hst": -10.0,
}  # fmt: skip
BLANK = r"[\s\x{a0}\x{202f}\x{2009}]"
OFFSET = r"[+\-\x{2212}](?:\d\d(?::?\d\d)?(?::?\d\d)?|\d(?::\d\d)?)"
ZONE = rf"(?:(?:UTC|GMT|UT)?{BLANK}?(?P<offset>{OFFSET})|(?P<zone>[A-Za-z][A-Za-z_]*(?:/[A-Za-z_][A-Za-z_+\-0-9]*)*))"
AFTER_ZONE = rf"(?:{BLANK}*(?:\([^)]*\)|\[[^\]]*\]|[A-Z]{{2,5}}|[+-]\d\d(?:\d\d)?))?(?:{BLANK}m=[+-][\d.]+)?"
CODES = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d\d)", "b": r"(?P<b>(?:\d\d?月|[^\W\d_]{3,})\.?)", "a": r"[^\W\d_]+\.?",
    "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})(?:st|nd|rd|th|er|º)?", "H": r"(?P<H>\d{1,2})", "k": r"(?P<k>\d{1,2})",
    "I": r"(?P<I>\d{1,2})", "M": r"(?P<M>\d{1,2})", "S": r"(?P<S>\d{1,2})(?:[.,:](?P<f>\d{1,9}))?",
    "p": rf"(?P<p>[AaPp](?:\.?{BLANK}?[Mm])?\.?|上午|下午|午前|午後|오전|오후|[صم]|[πμ]\.?μ\.?)",
    "z": ZONE + AFTER_ZONE, "j": r"(?P<j>\d{3})", "G": r"(?P<G>\d{4})", "V": r"(?P<V>\d{1,2})", "u": r"(?P<u>[1-7])",
    "q": r"(?P<q>[1-4])", "h": r"(?P<h>[12])", "f": r"(?P<f>\d{1,9})", "E": r"(?P<E>-?\d+)(?:[+-]\d{4})?",
    "K": r"(?P<K>\d{1,4})", "r": r"(?P<r>[ABXabx*]?)",
    "e": rf"{BLANK}*(?:-|–|—|/|~|to|bis){BLANK}*\d(?:[^,;]*:\d\d|\d{{0,3}}[./-]\d\d?[./-]\d).*",
}  # fmt: skip


def read_times(values: pl.Series, forms: tuple[str, ...] = (), zone: str | None = None) -> pl.Series:
    """Text or numbers as naive UTC times, by the first form that fits; without forms, ISO text. Null where none does.

    ``zone`` is that of times which say none; of an hour that comes twice the first is meant.

    >>> read_times(pl.Series(["31.12.2024 24:00", "1.1.2025"]), ("%d.%m.%Y %H:%M", "%d.%m.%Y")).to_list()
    [datetime.datetime(2025, 1, 1, 0, 0), datetime.datetime(2025, 1, 1, 0, 0)]
    >>> read_times(pl.Series(["2024-01-01 06:00:00.5+02"])).to_list()
    [datetime.datetime(2024, 1, 1, 4, 0, 0, 500000)]
    """
    text = values if values.dtype == pl.String else _digits(values)
    result = pl.Series(values.name, [None] * len(values), dtype=TYPE)
    if not forms and zone is None:
        result = _plain_iso(text)
    for form in forms or tuple(f + z for z in ("", "%z", " %z") for f in ISO if not z or "%M" in f):
        left = (result.is_null() & values.is_not_null()).arg_true()
        if not len(left):
            break
        rest = values.gather(left) if form in COUNTS else text.gather(left)
        result = result.scatter(left, _of_form(rest, form, zone))
    return result


def _of_form(values: pl.Series, form: str, zone: str | None) -> pl.Series:
    if form in COUNTS:
        return count_times(values, form)
    if re.fullmatch(r"(\d?%\w)+", form):  # a whole number, which pandas writes with a point where some are missing
        values = values.str.replace(r"\.0+$", "")
    return parse_times(values, form, zone)


def _digits(values: pl.Series) -> pl.Series:
    """Numbers as text, whole ones without a point."""
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        return whole.cast(pl.String).set((whole.cast(pl.Float64) != values).fill_null(False), None)
    return values.cast(pl.String, strict=False)


def _plain_iso(text: pl.Series) -> pl.Series:
    """Times from ISO text, by the engine's own parser; one without an offset is in UTC."""
    plain = text.str.strip_suffix("Z").str.replace(" ", "T", literal=True)
    dated = plain.str.contains(r"^\d{4}-\d\d-\d\d$")
    plain = (plain + pl.select(pl.when(dated).then(pl.lit("T00:00:00")).otherwise(pl.lit("")))[:, 0]).alias(text.name)
    naive = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    if naive.null_count() > text.null_count():
        naive = naive.fill_null(plain.str.to_datetime("%Y-%m-%dT%H:%M", time_unit="us", strict=False))
    if naive.null_count() > text.null_count():
        for form in ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z"):
            offset = plain.str.to_datetime(form, time_unit="us", strict=False)
            naive = naive.fill_null(offset.dt.replace_time_zone(None))
    return naive


def count_times(values: pl.Series, form: str) -> pl.Series:
    """Times from numbers, or text of them, that count from an epoch."""
    unit, zero = COUNTS[form]
    if unit >= 1 and unit == int(unit):  # whole numbers keep every digit
        whole = values.cast(pl.Int64, strict=False)
        exact = whole * int(unit) + int(zero * DAY)
    else:
        exact = values.cast(pl.Int64, strict=False) // round(1 / unit) + int(zero * DAY)
    real = values.cast(pl.Float64, strict=False)
    inexact = (real * unit + zero * DAY).round()
    sound = exact.is_not_null() & (exact.cast(pl.Float64) - inexact).abs().le(2048).fill_null(False)
    counted = pl.select(pl.when(sound).then(exact).otherwise(_bounded(inexact)))[:, 0]
    return counted.cast(TYPE).alias(values.name)


def _bounded(microseconds: pl.Series) -> pl.Series:
    """Whole microseconds of the years 1 to 9999; null outside them."""
    inside = (microseconds > -719163 * DAY) & (microseconds < 2932897 * DAY)
    return microseconds.set(~inside.fill_null(False), None).cast(pl.Int64, strict=False)


def parse_times(text: pl.Series, form: str, zone: str | None = None) -> pl.Series:
    """Times from text of one form; null where it is not of the form, or no such time is."""
    pattern = pattern_of(form)
    names = group_names(pattern)
    parts = text.str.extract_groups(pattern).struct.unnest()
    part = {n: parts[n] for n in names}
    if "E" in part:
        return count_times(part["E"], "epoch ms").alias(text.name)
    days = _days(part)
    seconds, fraction = _seconds(part)
    local = days * DAY + seconds * 1_000_000 + fraction
    if "offset" in part:
        return _zoned(local, part["offset"], part["zone"]).alias(text.name)
    times = local.cast(TYPE)
    if zone is not None:
        times = _in_zone(times, part, zone)
    return times.alias(text.name)


def _in_zone(times: pl.Series, part: dict[str, pl.Series], zone: str) -> pl.Series:
    """UTC times from a zone's own, with what the form says of days on which its clocks change."""
    if "K" in part:
        since = part["K"].cast(pl.Int64) * 60_000_000
        return (of_zone((times.cast(pl.Int64) - since).cast(TYPE), zone).cast(pl.Int64) + since).cast(TYPE)
    first = of_zone(times, zone)
    if "r" not in part:
        return first
    again = part["r"].str.to_uppercase().is_in(["B", "X", "*"]).fill_null(False)
    return first.zip_with(~again, second_time(first, zone))


@cache
def pattern_of(form: str) -> str:
    """The regular expression of a form, over a whole value.

    Raises:
        ValueError: the form has a code that there is not.
    """
    pieces = re.findall(r"%.|\s+|[^%\s]+", form)
    out = []
    for n, piece in enumerate(pieces):
        if not piece.startswith("%"):
            out.append(f"{BLANK}+" if piece.isspace() else re.escape(piece))
            continue
        if piece[1] not in CODES:
            raise ValueError(
                f"{form!r} has {piece}, which is no code of a time; use {', '.join('%' + c for c in CODES)}"
            )
        near = [pieces[m] for m in (n - 1, n + 1) if 0 <= m < len(pieces)]
        packed = any(p[0] == "%" and p[1] not in "bapzer" for p in near) and piece[1] not in "bapzer"
        code = r"(?P<S>\d{1,2})" if piece == "%S" and "%f" in near else CODES[piece[1]]
        out.append(code.replace(r"\d{1,2}", r"\d{2}", 1).replace(r"\d{1,3}", r"\d{3}", 1) if packed else code)
    return rf"^{BLANK}*{''.join(out)}{BLANK}*$"


def group_names(pattern: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\?P<(\w+)>", pattern))


def check_form(form: str) -> None:
    """Raise ValueError where a form has a code that there is not, or does not say a day."""
    if form in COUNTS:
        return
    names = group_names(pattern_of(form))
    if not {"Y", "y", "G", "E"} & set(names):
        raise ValueError(f"{form!r} says no year; write a form such as '%d.%m.%Y %H:%M', or one of {', '.join(COUNTS)}")


def _whole(part: dict[str, pl.Series], name: str, otherwise: int) -> pl.Series:
    like = next(iter(part.values()))
    if name not in part:
        return pl.Series(name, [otherwise], dtype=pl.Int64).new_from_index(0, len(like)).set(like.is_null(), None)
    return part[name].cast(pl.Int64, strict=False)


def _days(part: dict[str, pl.Series]) -> pl.Series:
    """Days from 1970; null where there is no such day."""
    if "G" in part:
        return _days_of_week(part)
    year = _whole(part, "Y", 0)
    if "y" in part:
        short = _whole(part, "y", 0)
        year = short + pl.select(pl.when(short < 69).then(2000).otherwise(1900))[:, 0]
    if "j" in part:
        day = _whole(part, "j", 1)
        leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
        sound = (day >= 1) & (day <= leap.cast(pl.Int64) + 365)
        return (_civil(year, year * 0 + 1, year * 0 + 1) + day - 1).set(~sound.fill_null(False), None)
    month, day = _whole(part, "m", 1), _whole(part, "d", 1)
    for code, months in (("q", 3), ("h", 6)):
        if code in part:
            month = (_whole(part, code, 1) - 1) * months + 1
    if "b" in part:
        words = part["b"].str.to_lowercase().str.strip_suffix(".")
        month = words.replace_strict(MONTH_OF, default=None, return_dtype=pl.Int64)
    return _civil(year, month, day)


def _civil(year: pl.Series, month: pl.Series, day: pl.Series) -> pl.Series:
    """Days from 1970 of a date of the Gregorian calendar; null where there is none.

    Source: H. Hinnant, "chrono-compatible low-level date algorithms".
    """
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = {1: 31, 2: 28, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
    length = month.replace_strict(lengths, default=None, return_dtype=pl.Int64)
    sound = (day >= 1) & (day <= length + ((month == 2) & leap).cast(pl.Int64)) & (year >= 1)
    y = year - (month <= 2).cast(pl.Int64)
    era, shifted = y // 400, (month + 9) % 12
    of_era = y - era * 400
    of_year = (153 * shifted + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return days.set(~sound.fill_null(False), None)


def _days_of_week(part: dict[str, pl.Series]) -> pl.Series:
    """The day of an ISO week, its Monday where none is named."""
    year, week, day = _whole(part, "G", 0), _whole(part, "V", 1), _whole(part, "u", 1)
    first = _civil(year, year * 0 + 1, year * 0 + 4)  # 4 January is in week 1
    monday = first - (first + 3) % 7
    last = _civil(year, year * 0 + 12, year * 0 + 28)  # and 28 December in the last
    weeks = (last - (last + 3) % 7 - monday) // 7 + 1
    days = monday + (week - 1) * 7 + day - 1
    return days.set(~((week >= 1) & (week <= weeks)).fill_null(False), None)


def _seconds(part: dict[str, pl.Series]) -> tuple[pl.Series, pl.Series]:
    """Seconds of the day, and microseconds; null where there is no such moment."""
    hour, minute, second = _whole(part, "H", 0), _whole(part, "M", 0), _whole(part, "S", 0)
    sound = (hour <= 24) & (minute <= 59) & (second <= 60)
    if "k" in part:
        hour = _whole(part, "k", 1) - 1
        sound = (hour >= 0) & (hour <= 23) & (minute <= 59) & (second <= 60)
    if "K" in part:
        hour, minute = _whole(part, "K", 0) // 60, _whole(part, "K", 0) % 60
        return hour * 3600 + minute * 60, hour * 0
    if "I" in part:
        hour = _whole(part, "I", 12)
        sound = (hour >= 1) & (hour <= 12) & (minute <= 59) & (second <= 60)
        hour = hour % 12
    elif "p" in part:
        sound &= hour <= 23
        hour = hour % 12
    if "p" in part:
        marker = part["p"].str.to_lowercase().str.replace_all(r"[\s\x{a0}\x{202f}\x{2009}.]", "")
        halves = dict.fromkeys(MORNING, 0) | dict.fromkeys(AFTERNOON, 12)
        hour = hour + marker.replace_strict(halves, default=None, return_dtype=pl.Int64)
    seconds = hour * 3600 + minute * 60 + second
    sound &= (hour < 24) | (seconds == 86400)  # 24:00 is the next midnight
    fraction = seconds * 0
    if "f" in part:
        digits = part["f"].fill_null("0").str.pad_end(6, "0").str.slice(0, 6)
        fraction = digits.cast(pl.Int64, strict=False)
    return seconds.set(~sound.fill_null(False), None), fraction


def _zoned(local: pl.Series, offset: pl.Series, zone: pl.Series) -> pl.Series:
    """UTC times from local microseconds with an offset, or else a zone's abbreviation or name."""
    signs = offset.str.replace_all(r"[\x{2212}]", "-").str.replace(r"^([+-])(\d)(:|$)", "${1}0${2}")
    signs = signs.str.replace_all(":", "")
    sign = pl.select(pl.when(signs.str.starts_with("-")).then(-1).otherwise(1))[:, 0]
    digits = signs.str.slice(1).str.pad_end(6, "0")
    size = [digits.str.slice(n, 2).cast(pl.Int64, strict=False) for n in (0, 2, 4)]
    away = sign * (size[0] * 3600 + size[1] * 60 + size[2])
    names = zone.str.to_lowercase()
    hours = names.replace_strict(HOURS, default=None, return_dtype=pl.Float64)
    away = away.fill_null((hours * 3600).cast(pl.Int64))
    result = (local - away * 1_000_000).cast(TYPE)
    for name in zone.filter(away.is_null()).drop_nulls().unique().to_list():
        region = _regions().get(name.lower())
        if region is not None:
            rows = (zone == name).fill_null(False).arg_true()
            result = result.scatter(rows, of_zone(local.gather(rows).cast(TYPE), region))
    return result


def second_time(times: pl.Series, zone: str) -> pl.Series:
    """UTC times as the zone's clocks showed them when they did so for the second time; where once only, the same."""
    shown = times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return shown.dt.replace_time_zone(zone, ambiguous="latest").dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def of_zone(times: pl.Series, zone: str) -> pl.Series:
    """Local times of a zone in UTC; null where clocks skipped the hour."""
    local = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


@cache
def _regions() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() if "/" in name}
