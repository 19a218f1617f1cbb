"""Columns as databases, languages, spreadsheets and people write them, with the values that are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

ROWS = 120
TIMES = [datetime(2024, 1, 1, 6, 0, 5) + timedelta(hours=67 * n, minutes=13 * n) for n in range(ROWS)]
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Case:
    """A column: ``written`` is its text (None: a blank), ``right`` what it means; ``note`` what must be said of it."""

    name: str
    kind: str
    written: Sequence[str | None]
    right: Sequence[object]
    note: str = ""


def _times(name: str, write: Callable[[datetime], str], right: Callable[[datetime], datetime] = lambda t: t,
           note: str = "") -> Case:  # fmt: skip
    return Case(name, "time", [write(t) for t in TIMES], [right(t) for t in TIMES], note)


def _minute(t: datetime) -> datetime:
    return t.replace(second=0)


def _day(t: datetime) -> datetime:
    return datetime(t.year, t.month, t.day)


def _clock(t: datetime, zero: str = "") -> str:
    """The clock of twelve hours, without a leading zero."""
    return f"{t.hour % 12 or 12}:{t:%M:%S}{zero} {'AM' if t.hour < 12 else 'PM'}"


def _half(t: datetime, morning: str, afternoon: str) -> str:
    return morning if t.hour < 12 else afternoon


def _end_of_day(t: datetime) -> str:
    """Midnight as 24:00 of the day before."""
    return f"{t - timedelta(days=1):%Y-%m-%d} 24:00" if t.hour == 0 else f"{t:%Y-%m-%d %H}:00"


HOURS = [datetime(2024, 1, 1) + timedelta(hours=n) for n in range(ROWS)]
PLUS_ONE: Callable[[datetime], datetime] = lambda t: t - timedelta(hours=1)  # noqa: E731
MAI = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
       "Dezember"]  # fmt: skip
ENERO = ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
         "diciembre"]  # fmt: skip
JANV = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]


JANEIRO = ["janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro",
           "novembro", "dezembro"]  # fmt: skip
LUNES = ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"]
WEEKDAYS = ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"]
MONTHLY = [datetime(2014 + n // 12, n % 12 + 1, 1) for n in range(ROWS)]
ARABIC, PERSIAN, HINDI, FULL = (
    str.maketrans("0123456789.,/:-", digits)
    for digits in ("٠١٢٣٤٥٦٧٨٩٫٬/:-", "۰۱۲۳۴۵۶۷۸۹٫٬/:-", "०१२३४५६७८९.,/:-", "０１２３４５６７８９．，／：－")
)


def _quarter(t: datetime) -> int:
    return (t.month + 2) // 3


def _milliseconds(t: datetime) -> int:
    return (t - EPOCH) // timedelta(milliseconds=1)


def _ordinal(day: int) -> str:
    """An ordinal number in English."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{'th' if 10 < day < 20 else ending}"


def _months(name: str, write: Callable[[datetime], str], note: str = "month") -> Case:
    """Months, or the first ones of quarters."""
    right = [t if note == "month" else t.replace(month=_quarter(t) * 3 - 2) for t in MONTHLY]
    return Case(name, "time", [write(t) for t in MONTHLY], right, note)


# months of a language, and a day of it from a time and its month
LOCALES: dict[str, tuple[str, Callable[[datetime, str], str]]] = {
    "Italian": ("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
                lambda t, m: f"{t.day} {m} {t.year}"),
    "Dutch": ("januari februari maart april mei juni juli augustus september oktober november december",
              lambda t, m: f"{t.day} {m} {t.year}"),
    "Swedish": ("januari februari mars april maj juni juli augusti september oktober november december",
                lambda t, m: f"{t.day} {m} {t.year}"),
    "Danish": ("jan. feb. mar. apr. maj. jun. jul. aug. sep. okt. nov. dec.", lambda t, m: f"{t.day}. {m} {t.year}"),
    "Polish": ("stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
               lambda t, m: f"{t.day} {m} {t.year} r."),
    "Russian": ("янв. февр. мар. апр. мая июн. июл. авг. сент. окт. нояб. дек.",
                lambda t, m: f"{t.day} {m} {t.year} г."),
    "Ukrainian": ("січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
                  lambda t, m: f"{t.day} {m} {t.year} р."),
    "Bulgarian": ("януари февруари март април май юни юли август септември октомври ноември декември",
                  lambda t, m: f"{t.day} {m} {t.year} г."),
    "Hungarian": ("január február március április május június július augusztus szeptember október november december",
                  lambda t, m: f"{t.year}. {m} {t.day}."),
    "Romanian": ("ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
                 lambda t, m: f"{t.day} {m} {t.year}"),
    "Turkish": ("Oca Şub Mar Nis May Haz Tem Ağu Eyl Eki Kas Ara", lambda t, m: f"{t.day} {m} {t.year}"),
    "Indonesian": ("Jan Feb Mar Apr Mei Jun Jul Agu Sep Okt Nov Des", lambda t, m: f"{t.day:02d}-{m}-{t:%y}"),
    "Hebrew": ("ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
               lambda t, m: f"{t.day} ב{m} {t.year}"),
    "Spanish": ("ene feb mar abr may jun jul ago sep oct nov dic", lambda t, m: f"{t.day:02d}-{m}-{t.year}"),
    "Icelandic": ("janúar febrúar mars apríl maí júní júlí ágúst september október nóvember desember",
                  lambda t, m: f"{t.day}. {m} {t.year}"),
    "Malay": ("Januari Februari Mac April Mei Jun Julai Ogos September Oktober November Disember",
              lambda t, m: f"{t.day} {m} {t.year}"),
    "Lithuanian": ("sausio vasario kovo balandžio gegužės birželio liepos rugpjūčio rugsėjo spalio lapkričio gruodžio",
                   lambda t, m: f"{t.year} m. {m} {t.day} d."),
    "Latvian": ("janvāris februāris marts aprīlis maijs jūnijs jūlijs augusts septembris oktobris novembris decembris",
                lambda t, m: f"{t.year}. gada {t.day}. {m}"),
    "Galician": ("xaneiro febreiro marzo abril maio xuño xullo agosto setembro outubro novembro decembro",
                 lambda t, m: f"{t.day} de {m} de {t.year}"),
    "Catalan": ("gener febrer març abril maig juny juliol agost setembre octubre novembre desembre",
                lambda t, m: f"{t.day} d{'’' if m[0] in 'ao' else 'e '}{m} del {t.year}"),
    "Macedonian": ("јануари февруари март април мај јуни јули август септември октомври ноември декември",
                   lambda t, m: f"{t.day} {m} {t.year} г."),
    "Serbian": ("januar februar mart april maj jun jul avgust septembar oktobar novembar decembar",
                lambda t, m: f"{t.day}. {m} {t.year}."),
    "Serbian in Cyrillic": ("јануар фебруар март април мај јун јул август септембар октобар новембар децембар",
                            lambda t, m: f"{t.day}. {m} {t.year}."),
}  # fmt: skip
# a time to the minute as it is written between a day and its clock, or around them, and the form for strftime
AROUND_CLOCKS = {
    "German": "%d.%m.%Y - %H:%M", "German, in words": "%d.%m.%Y um %H:%M Uhr", "German hours": "%d.%m.%Y %H.%M Uhr",
    "French": "%d/%m/%Y à %Hh%M", "French, in words": "%d/%m/%Y à %H:%M", "Dutch": "%d-%m-%Y om %H:%M",
    "Polish": "%d.%m.%Y godz. %H:%M", "Russian": "%d.%m.%Y в %H:%M", "Portuguese": "%d/%m/%Y às %H:%M",
    "Spanish": "%d/%m/%Y %H:%M h", "Mexican": "%d/%m/%Y %H:%M hrs", "Swedish": "%Y-%m-%d kl. %H:%M",
    "Chinese": "%Y年%m月%d日 %H时%M分", "Canadian": "%Y-%m-%d %H h %M", "of a broker": "%Y.%m.%d,%H:%M",
    "of a camera": "%Y:%m:%d %H:%M:00", "of Vietnam": "%H:%M:00 %d/%m/%Y", "of git": "%a %b %d %H:%M:00 %Y +0000",
    "of PHP's cookies": "%A, %d-%b-%Y %H:%M:00 GMT", "of OData": "datetime'%Y-%m-%dT%H:%M:00'",
    "of Kibana": "%b %d, %Y @ %H:%M:00.000", "of FIX": "%Y%m%d-%H:%M:00.000", "of names of files": "%Y%m%d_%H%M",
    "of dashes alone": "%Y-%m-%d-%H-%M-00", "of points alone": "%Y.%m.%d.%H.%M.00",
    "of days of weeks": "%G-W%V-%uT%H:%M",
    "in small letters": "%Y-%m-%dt%H:%M:00z",
    "of SQL": "TIMESTAMP '%Y-%m-%d %H:%M:00'", "of ODBC": "{ts '%Y-%m-%d %H:%M:00'}",
    "of a shell": 'new Date("%Y-%m-%dT%H:%M:00.000Z")', "of Python": "Timestamp('%Y-%m-%d %H:%M:00')",
    "twelve hours of 0 to 11": "",
}  # fmt: skip


def _of_months(words: str, write: Callable[[datetime, str], str]) -> Callable[[datetime], str]:
    return lambda t: write(t, words.split()[t.month - 1])


def _around(form: str) -> Callable[[datetime], str]:
    return lambda t: t.strftime(form or f"%Y-%m-%d {t.hour % 12:02d}:%M %p")


def _half_of_japan(t: datetime) -> str:
    return f"{t:%Y/%m/%d} {_half(t, '午前', '午後')}{t.hour % 12 or 12}時{t:%M}分"


TIME_CASES = [
    *(_times(f"{name} days", _of_months(*locale), _day) for name, locale in LOCALES.items()),
    *(_times(f"clocks, {name}", _around(form), _minute) for name, form in AROUND_CLOCKS.items()),
    _times("German weekdays", lambda t: f"{WEEKDAYS[t.weekday()]}. {t:%d.%m.%y %H:%M:%S}"),
    _times("Japanese weekdays", lambda t: f"{t.year}/{t:%m/%d}({'月火水木金土日'[t.weekday()]}) {t:%H:%M}", _minute),
    _times("Chinese weekdays", lambda t: f"{t.year}年{t.month}月{t.day}日 星期{'一二三四五六日'[t.weekday()]}", _day),
    _times("Korean weekdays", lambda t: f"{t:%Y-%m-%d} ({'월화수목금토일'[t.weekday()]}) {t:%H:%M}", _minute),
    *(_times(f"weeks by a day: {before}", lambda t, before=before: f"{before} {t:%d/%m/%Y}", _day)  # type: ignore[misc]
      for before in ("w/c", "W/E", "Week ending", "Week of")),
    _times("halves of Japanese days", _half_of_japan, _minute),
    _times("underscores", lambda t: f"{t:%Y_%m_%d}", _day),
    _times("blanks around slashes", lambda t: f"{t:%d / %m / %Y}", _day),
    _times("ordinals in words", lambda t: f"{_ordinal(t.day)} of {t:%B} {t.year}", _day),
    _times("short years first", lambda t: f"{t:%y/%m/%d}", _day, "year before month"),
    _times("intervals of an hour", lambda t: f"{t:%d.%m.%Y %H:00}-{t + timedelta(hours=1):%H:00}",
           lambda t: t.replace(minute=0, second=0), "start"),
    _times("intervals of a week", lambda t: f"{t:%Y-%m-%d} - {t + timedelta(days=6):%Y-%m-%d}", _day, "start"),
    _times("hours alone", lambda t: f"{t:%d.%m.%Y %H} Uhr", lambda t: t.replace(minute=0, second=0)),
    *(_months(f"periods of SAP, {form}", lambda t, form=form: t.strftime(form))  # type: ignore[misc]
      for form in ("0%m.%Y", "0%m/%Y", "%Y/0%m")),
    _months("Korean months", lambda t: f"{t.year}년 {t.month}월"),
    _months("apostrophes", lambda t: f"{t:%b}'{t:%y}"),
    *(Case(f"halves of a year, {name}", "time", [write(t, 1 + (t.month > 6)) for t in MONTHLY],
           [t.replace(month=7 if t.month > 6 else 1) for t in MONTHLY], "half a year")
      for name, write in (("H1 2024", lambda t, h: f"H{h} {t.year}"), ("2024-S1", lambda t, h: f"{t.year}-S{h}"))),
    *(Case(f"none as {none}", "time", [none if n % 9 == 0 else f"{t:{form}}" for n, t in enumerate(TIMES)],
           [None if n % 9 == 0 else _day(t) for n, t in enumerate(TIMES)], "missing")
      for none, form in (("0001-01-01T00:00:00", "%Y-%m-%dT00:00:00"), ("1/0/1900", "%m/%d/%Y"),
                         ("30.12.1899", "%d.%m.%Y"), ("not measured", "%d.%m.%Y"), ("gone", "%d.%m.%Y"))),
    _times("Arabic digits", lambda t: f"{t:%d/%m/%Y %H:%M:%S}".translate(ARABIC)),
    _times("Persian digits", lambda t: f"{t:%Y/%m/%d %H:%M:%S}".translate(PERSIAN)),
    _times("Hindi digits", lambda t: f"{t:%d-%m-%Y %H:%M:%S}".translate(HINDI)),
    _times("full-width digits", lambda t: f"{t:%Y/%m/%d %H:%M:%S}".translate(FULL)),
    _times("marks of direction", lambda t: f"\u200e{t.month}\u200e/\u200e{t.day}\u200e/\u200e{t.year}", _day),
    _times("Spanish halves of the day",
           lambda t: f"{t:%d/%m/%Y} {t.hour % 12 or 12:02d}:{t:%M:%S} {_half(t, 'a. m.', 'p. m.')}"),
    _times("Portuguese months", lambda t: f"{t.day} de {JANEIRO[t.month - 1]} de {t.year}", _day),
    _times("Spanish weekdays", lambda t: f"{LUNES[t.weekday()]}, {t.day} de {ENERO[t.month - 1]} de {t.year}", _day),
    _times("German clocks", lambda t: f"{t.day}. {MAI[t.month - 1]} {t.year}, {t:%H:%M} Uhr", _minute),
    _times("French first days", lambda t: f"{'1er' if t.day == 1 else t.day} {JANV[t.month - 1]} {t.year}", _day),
    _times("English ordinals", lambda t: f"{t:%B} {_ordinal(t.day)}, {t.year}", _day),
    _times("commas before fractions", lambda t: f"{t:%Y-%m-%dT%H:%M:%S},250Z",
           lambda t: t + timedelta(milliseconds=250)),
    _times(".NET's JSON", lambda t: f"/Date({_milliseconds(t)})/"),
    _times(".NET's JSON with an offset", lambda t: f"/Date({_milliseconds(t)}+0100)/"),
    _times("MongoDB's shell", lambda t: f'ISODate("{t:%Y-%m-%dT%H:%M:%S}.000Z")'),
    _times("intervals", lambda t: f"{t:%d.%m.%Y %H:%M} - {t + timedelta(hours=1):%d.%m.%Y %H:%M}", _minute, "start"),
    _times("intervals of ISO", lambda t: f"{t:%Y-%m-%dT%H:%M}Z/{t + timedelta(hours=1):%Y-%m-%dT%H:%M}Z", _minute,
           "start"),
    _months("months with a point", lambda t: f"{t:%m.%Y}"),
    _months("months after a point", lambda t: f"{t:%Y.%m}"),
    *(_months(f"quarters as {name}", write, "quarter")  # type: ignore[arg-type]
      for name, write in (("2013Q1", lambda t: f"{t.year}Q{_quarter(t)}"), ("1Q13", lambda t: f"{_quarter(t)}Q{t:%y}"),
                          ("13Q1", lambda t: f"{t:%y}Q{_quarter(t)}"), ("2013:1", lambda t: f"{t.year}:{_quarter(t)}"),
                          ("T1 2013", lambda t: f"T{_quarter(t)} {t.year}"))),
    Case("both orders of day and month", "string", [f"{t:%d/%m/%Y}" if n % 2 else f"{t:%m/%d/%Y}"
                                                   for n, t in enumerate(TIMES)],
         [f"{t:%d/%m/%Y}" if n % 2 else f"{t:%m/%d/%Y}" for n, t in enumerate(TIMES)], "month before day in others"),
    _times("ISO", lambda t: f"{t:%Y-%m-%d %H:%M:%S}"),
    _times("ISO with T and Z", lambda t: f"{t:%Y-%m-%dT%H:%M:%S}Z"),
    _times("ISO days", lambda t: f"{t:%Y-%m-%d}", _day),
    _times("PostgreSQL timestamptz", lambda t: f"{t:%Y-%m-%d %H:%M:%S}{'.5' if t.day % 2 else ''}+00",
           lambda t: t + timedelta(seconds=0.5 * (t.day % 2))),
    _times("PostgreSQL in India", lambda t: f"{t:%Y-%m-%d %H:%M:%S}+05:30", lambda t: t - timedelta(hours=5.5)),
    _times("MySQL datetime(6)", lambda t: f"{t:%Y-%m-%d %H:%M:%S}.000250", lambda t: t + timedelta(microseconds=250)),
    _times("SQL Server datetime2", lambda t: f"{t:%Y-%m-%d %H:%M:%S}.1230000",
           lambda t: t + timedelta(milliseconds=123)),
    _times("SQL Server datetimeoffset", lambda t: f"{t:%Y-%m-%d %H:%M:%S}.0000000 +01:00", PLUS_ONE),
    _times("SQL Server's default style", lambda t: f"{t:%b} {t.day:2d} {t.year} {t.hour % 12 or 12:2d}:{t:%M%p}",
           _minute),
    _times("Oracle date", lambda t: f"{t:%d-%b-%y}".upper(), _day),
    _times("Oracle timestamp", lambda t: f"{t:%d-%b-%y %I.%M.%S}.000000 {t:%p}".upper()),
    _times("Oracle with a zone", lambda t: f"{t:%d-%b-%y %I.%M.%S}.000000 {t:%p} +01:00".upper(), PLUS_ONE),
    _times("BigQuery", lambda t: f"{t:%Y-%m-%d %H:%M:%S}{'.25' if t.day % 3 == 0 else ''} UTC",
           lambda t: t + timedelta(seconds=0.25 * (t.day % 3 == 0))),
    _times("Snowflake", lambda t: f"{t:%Y-%m-%d %H:%M:%S}.000 -0800", lambda t: t + timedelta(hours=8)),
    _times("Salesforce, Jackson", lambda t: f"{t:%Y-%m-%dT%H:%M:%S}.000+0000"),
    _times("DB2", lambda t: f"{t:%Y-%m-%d-%H.%M.%S}.000000"),
    _times("SAS", lambda t: f"{t:%d%b%Y:%H:%M:%S}".upper()),
    _times("Python's logging", lambda t: f"{t:%Y-%m-%d %H:%M:%S},789", lambda t: t + timedelta(milliseconds=789)),
    _times("Python's ctime", lambda t: t.ctime()),
    _times("mail and HTTP headers", lambda t: format_datetime(t.replace(tzinfo=UTC), usegmt=True)),
    _times("Java's Date", lambda t: f"{t:%a %b %d %H:%M:%S} CET {t.year}", PLUS_ONE),
    _times("Java's LocalDateTime", lambda t: t.isoformat().removesuffix(":00")),
    _times("Java's ZonedDateTime", lambda t: f"{t:%Y-%m-%dT%H:%M:%S}+01:00[Europe/Paris]", PLUS_ONE),
    _times("Java's medium", lambda t: f"{t:%b} {t.day}, {t.year}, {_clock(t)}".replace(" AM", "\u202fAM")
           .replace(" PM", "\u202fPM")),
    _times("JavaScript's toString", lambda t: f"{t:%a %b %d %Y %H:%M:%S} GMT+0100 (Central European Standard Time)",
           PLUS_ONE),
    _times("JavaScript in the US", lambda t: f"{t.month}/{t.day}/{t.year}, {_clock(t)}"),
    _times("JavaScript in Germany", lambda t: f"{t.day}.{t.month}.{t.year}, {t:%H:%M:%S}"),
    _times("JavaScript in Britain", lambda t: f"{t:%d/%m/%Y, %H:%M:%S}"),
    _times("JavaScript in Canada", lambda t: f"{t:%Y-%m-%d}, {t.hour % 12 or 12}:{t:%M:%S} {_half(t, 'a.m.', 'p.m.')}"),
    _times("JavaScript in Korea",
           lambda t: f"{t.year}. {t.month}. {t.day}. {_half(t, '오전', '오후')} {t.hour % 12 or 12}:{t:%M:%S}"),
    _times("JavaScript in Taiwan",
           lambda t: f"{t.year}/{t.month}/{t.day} {_half(t, '上午', '下午')}{t.hour % 12 or 12}:{t:%M:%S}"),
    _times("JavaScript in Finland", lambda t: f"{t.day}.{t.month}.{t.year} klo {t.hour}.{t:%M.%S}"),
    _times("JavaScript in Czechia", lambda t: f"{t.day}. {t.month}. {t.year} {t.hour}:{t:%M:%S}"),
    _times("JavaScript in Japan", lambda t: f"{t.year}/{t.month}/{t.day} {t.hour}:{t:%M:%S}"),
    _times("Go", lambda t: f"{t:%Y-%m-%d %H:%M:%S}.5 +0000 UTC", lambda t: t + timedelta(seconds=0.5)),
    _times("R with a zone", lambda t: f"{t:%Y-%m-%d %H:%M:%S} CET", PLUS_ONE),
    _times("with a region", lambda t: f"{t:%Y-%m-%d %H:%M:%S} Asia/Tokyo", lambda t: t - timedelta(hours=9)),
    _times("Excel in the US", lambda t: f"{t.month}/{t.day}/{t:%y} {t.hour}:{t:%M}", _minute),
    _times("Excel in Germany", lambda t: f"{t:%d.%m.%Y %H:%M}", _minute),
    _times(".NET", lambda t: f"{t.month}/{t.day}/{t.year} {_clock(t)}"),
    _times("a web server's log", lambda t: f"[{t:%d/%b/%Y:%H:%M:%S} +0000]"),
    _times("Unix's date", lambda t: f"{t:%a %b} {t.day:2d} {t:%H:%M:%S} UTC {t.year}"),
    _times("German months", lambda t: f"{t.day}. {MAI[t.month - 1]} {t.year} {t:%H:%M}", _minute),
    _times("Spanish months", lambda t: f"{t.day} de {ENERO[t.month - 1]} de {t.year}", _day),
    _times("French months", lambda t: f"{t.day} {JANV[t.month - 1]} {t.year} {t:%H:%M}", _minute),
    _times("Chinese", lambda t: f"{t.year}年{t.month}月{t.day}日 {t:%H:%M:%S}"),
    _times("basic ISO", lambda t: f"{t:%Y%m%dT%H%M%S}Z"),
    _times("two forms", lambda t: f"{t:%d/%m/%Y %H:%M:%S}" if t.day % 2 else f"{t:%Y-%m-%d %H:%M:%S}"),
    _times("blanks around", lambda t: f"  {t:%Y-%m-%d %H:%M:%S} "),
    _times("ISO weeks", lambda t: f"{t:%G-W%V}", lambda t: _day(t) - timedelta(days=t.weekday()), "week"),
    _times("quarters", lambda t: f"Q{(t.month + 2) // 3} {t.year}",
           lambda t: datetime(t.year, (t.month - 1) // 3 * 3 + 1, 1), "quarter"),
    _times("quarters of short years", lambda t: f"Q{(t.month + 2) // 3}'{t:%y}",
           lambda t: datetime(t.year, (t.month - 1) // 3 * 3 + 1, 1), "quarter"),
    *(_times(f"months: {form}", lambda t, form=form: t.strftime(form),  # type: ignore[misc]
             lambda t: datetime(t.year, t.month, 1), "month")
      for form in ("%m/%Y", "%Y-%m", "%Y/%m", "%b-%y", "%B %Y", "%YM%m")),
    _times("days of the year", lambda t: f"{t:%Y-%j}", _day),
    Case("24:00", "time", [_end_of_day(t) for t in HOURS], HOURS, "24:00"),
    Case("few days, day first", "time", [f"{t:%d.%m.%Y %H:%M}" for t in HOURS], HOURS),
    Case("few days, no order told", "time",
         [f"{date(2024, 3, 1) + timedelta(days=n % 9):%d/%m/%Y}" for n in range(ROWS)],
         [datetime(2024, 3, 1) + timedelta(days=n % 9) for n in range(ROWS)], "a choice"),
    Case("zero dates", "time", ["0000-00-00 00:00:00" if n % 9 == 0 else str(t) for n, t in enumerate(TIMES)],
         [None if n % 9 == 0 else t for n, t in enumerate(TIMES)], "missing"),
    Case("nulls of a database", "time", ["\\N" if n % 9 == 0 else str(t) for n, t in enumerate(TIMES)],
         [None if n % 9 == 0 else t for n, t in enumerate(TIMES)], "missing"),
    Case("infinity", "time", ["infinity" if n % 30 == 0 else f"{t}+00" for n, t in enumerate(TIMES)],
         [None if n % 30 == 0 else t for n, t in enumerate(TIMES)], "missing"),
]  # fmt: skip

# whole numbers that are times, when a person says so
COUNTED = {
    "seconds": (lambda t: f"{(t - EPOCH) // timedelta(seconds=1)}", lambda t: t),
    "milliseconds": (lambda t: f"{(t - EPOCH) // timedelta(milliseconds=1)}", lambda t: t),
    "microseconds": (lambda t: f"{(t - EPOCH) // timedelta(microseconds=1)}", lambda t: t),
    "nanoseconds": (lambda t: f"{(t - EPOCH) // timedelta(microseconds=1) * 1000}", lambda t: t),
    "days of a spreadsheet": (lambda t: f"{(t - datetime(1899, 12, 30)) / timedelta(days=1):.10f}", lambda t: t),
    "days from 1970": (lambda t: f"{(t - EPOCH).days}", _day),
    "YYYYMMDD": (lambda t: f"{t:%Y%m%d}", _day),
    "YYYYMMDDHH": (lambda t: f"{t:%Y%m%d%H}", lambda t: t.replace(minute=0, second=0)),
    "YYYYMMDDHHMM": (lambda t: f"{t:%Y%m%d%H%M}", _minute),
    "YYYYMMDDHHMMSS": (lambda t: f"{t:%Y%m%d%H%M%S}", lambda t: t),
    "YYYYDDD": (lambda t: f"{t:%Y%j}", _day),
    "days of MATLAB": (lambda t: f"{(t - EPOCH) / timedelta(days=1) + 719529:.10f}", lambda t: t),
    "ticks of Windows": (lambda t: f"{((t - EPOCH) // timedelta(seconds=1) + 11644473600) * 10**7}", lambda t: t),
    "ticks of .NET": (lambda t: f"{((t - EPOCH) // timedelta(seconds=1) + 62135596800) * 10**7}", lambda t: t),
    "microseconds of WebKit": (lambda t: f"{((t - EPOCH) // timedelta(seconds=1) + 11644473600) * 10**6}", lambda t: t),
    "seconds of SPSS": (lambda t: f"{(t - datetime(1582, 10, 14)) // timedelta(seconds=1)}", lambda t: t),
    "YYYY0MM": (lambda t: f"{t:%Y0%m}", lambda t: datetime(t.year, t.month, 1)),
    "YYYYMM": (lambda t: f"{t:%Y%m}", lambda t: datetime(t.year, t.month, 1)),
}

NUMBERS = [round((n * 7919 % 100_003) / 7 + 0.25, 2) for n in range(ROWS)]
WHOLES = [n * 7919 % 100_003 + 1000 for n in range(ROWS)]
SMALL = [(n * 37 % 999 + 1) / 1000 for n in range(ROWS)]


def _comma(text: str) -> str:
    """Points and commas the other way round."""
    return text.translate(str.maketrans(",.", ".,"))


def _numbers(name: str, write: Callable[[float], str], values: Sequence[float] = NUMBERS, note: str = "",
             kind: str = "float") -> Case:  # fmt: skip
    return Case(name, kind, [write(v) for v in values], values, note)


def _left(name: str, write: Callable[[int], str], note: str) -> Case:
    """Numbers that are no column of numbers, and stay as they are."""
    return Case(name, "string", [write(n) for n in range(ROWS)], [write(n) for n in range(ROWS)], note)


SPANS = [n * 83 + 7 for n in range(ROWS)]  # seconds


def _clock_of(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _lakh(n: int) -> str:
    text = str(n)
    head, tail = text[:-3], text[-3:]
    groups: list[str] = []
    while head:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*groups, tail])


def _some(values: Sequence[object], other: object, every: int = 13) -> list[object]:
    return [other if n % every == 4 else v for n, v in enumerate(values)]


NUMBER_CASES = [
    _numbers("plain", lambda v: f"{v}"),
    _numbers("thousands", lambda v: f"{v:,.2f}", note="thousands"),
    _numbers("whole thousands", lambda v: f"{v:,}", [*WHOLES[:-1], 2_345_678], note="thousands", kind="integer"),
    _numbers("blanks between groups", lambda v: f"{v:,.2f}".replace(",", " ")),
    _numbers("apostrophes", lambda v: f"{v:,.2f}".replace(",", "'"), note="apostrophes"),
    _numbers("lakh", lambda v: _lakh(int(v)), [n * 7919 + 100_000 for n in range(ROWS)], "thousands", "integer"),
    _numbers("rupees", lambda v: f"Rs. {_lakh(int(v))}.50", [n * 7919 + 100_000.5 for n in range(ROWS)], "Rs."),
    _numbers("dollars", lambda v: f"${v:,.2f}", note="$"),
    _numbers("euros behind", lambda v: f"{v:.2f} €", note="€"),
    _numbers("per cent", lambda v: f"{v} %", note="%"),
    _numbers("a unit", lambda v: f"{v} kg", note="kg"),
    *(_numbers(f"{name} digits", lambda v, digits=digits: f"{v:,.2f}".translate(digits), note="thousands")  # type: ignore[misc]
      for name, digits in (("Arabic", ARABIC), ("Persian", PERSIAN), ("Hindi", HINDI), ("full-width", FULL))),
    _numbers("Arabic per cent", lambda v: f"{v:.2f}٪".translate(ARABIC), note="%"),
    _numbers("full-width yen", lambda v: f"￥{v:,.2f}".translate(FULL), note="¥"),
    _numbers("apostrophes before, as a spreadsheet's text", lambda v: f"'{v}", note="'"),
    _numbers("marks of direction before", lambda v: f"\u200f{v:.2f}".translate(ARABIC)),
    _numbers("narrow blanks between groups", lambda v: f"{v:,.2f}".replace(",", "\u202f"), note="blanks"),
    _numbers("two marks of one currency", lambda v: f"US${v:.2f}" if int(v) % 2 else f"{v:.2f} USD", note="USD"),
    _numbers("a currency in some rows", lambda v: f"${v:.2f}" if int(v) % 2 else f"{v:.2f}", note="a choice"),
    _numbers("one day, more days", lambda v: f"{v} day{'' if v == 1 else 's'}", [n % 9 for n in range(ROWS)], "day",
             "integer"),
    *(_left(name, write, "several units or currencies")  # type: ignore[arg-type]
      for name, write in (("dollars and euros", lambda n: f"{'$€'[n % 2]}{n}.50"),
                          ("codes of currencies", lambda n: f"{n}.50 {('USD', 'EUR', 'GBP')[n % 3]}"),
                          ("one dollar among euros", lambda n: f"{'$' if n == 50 else '€'}{n}.50"),
                          ("kilograms and pounds", lambda n: f"{n}.5 {('kg', 'lb')[n % 2]}"),
                          ("Celsius and Fahrenheit", lambda n: f"{n} {('°C', '°F')[n % 2]}"),
                          ("kilometres and metres", lambda n: f"{n}{('km', 'm')[n % 2]}"),
                          ("thousands and millions", lambda n: f"1.{n}{('K', 'M')[n % 2]}"),
                          ("per cent and shares", lambda n: f"{n}%" if n % 2 else f"0.{n:02d}"))),
    _numbers("kelvins", lambda v: f"{int(v)} K", [float(int(v)) for v in NUMBERS], "K", "integer"),
    *(_numbers(f"marks: {name}", write, note=note)  # type: ignore[arg-type]
      for name, write, note in (("about", lambda v: f"~{v}", "~"),
                                ("roughly", lambda v: f"ca. {v}", "ca."),
                                ("rupiahs", lambda v: f"Rp {v:.2f}", "Rp"), ("inches", lambda v: f'{v}"', '"'),
                                ("square feet", lambda v: f"{v} sq ft", "sq ft"),
                                ("pieces", lambda v: f"{v} Stk.", "Stk."),
                                ("prices of energy", lambda v: f"{v} €/kWh", "€/kWh"),
                                ("areas", lambda v: f"{v} m2", "m2"))),
    *(_numbers(f"currencies: {mark.strip()}", lambda v, mark=mark: f"{mark}{v:,.2f}", note=mark.strip())  # type: ignore[misc]
      for mark in ("S/. ", "RM", "Q", "KSh ", "NT$", "E£ ", "₾", "B/.", "GH₵", "XOF ", "د.ك ", "人民币", "K ")),
    *(_numbers(f"currencies behind: {mark.strip()}", lambda v, mark=mark: f"{v}{mark}", note=mark.strip())  # type: ignore[misc]
      for mark in (":-", " F CFA", " грн.", " ¢")),
    _numbers("millions of euros", lambda v: f"{v} Mio. €", note="Mio."),
    _numbers("crores", lambda v: f"₹{v:.2f} Cr", note="Cr"),
    *(_left(name, write, "")  # type: ignore[arg-type]
      for name, write in (("rooms", lambda n: f"RM {n + 101}"), ("diagnoses", lambda n: f"K{n % 90 + 10}.{n % 9}"),
                          ("halves", lambda n: f"{n}½"), ("one digit beside an E", lambda n: f"{n % 9}E{n:03d}"))),
    _numbers("underscores between groups", lambda v: f"{v:_}", [*WHOLES[:-1], 2_345_678], "underscores", "integer"),
    *(_numbers(f"coordinates: {poles}", lambda v, poles=poles: f"{abs(v)}{poles[v < 0]}",  # type: ignore[misc]
               [v - 7000 if n % 2 else v for n, v in enumerate(NUMBERS)], "negative")
      for poles in (("N", "S"), ("° E", "° W"))),
    *(Case(f"flags: {flags[0]}", "float",
           [f"{v}{flags[n % len(flags)] if n % 5 == 1 else ''}" for n, v in enumerate(NUMBERS)], NUMBERS,
           "notes on them")
      for flags in ((" e", " p"), ("[1]", "[2]"), ("*", "**"), (" (r)",))),
    _numbers("no hundredths, in Switzerland", lambda v: f"{int(v):,}.–".replace(",", "'"), [float(w) for w in WHOLES]),
    Case("codes like powers of ten", "string", [f"{n + 1000}E{n % 10}" for n in range(ROWS)],
         [f"{n + 1000}E{n % 10}" for n in range(ROWS)]),
    Case("64-bit names of pandas", "string", [f"{2**60 + n}.0" for n in range(ROWS)],
         [f"{2**60 + n}.0" for n in range(ROWS)]),
    *(Case(f"odd: {odd}", "float", _some([str(v) for v in NUMBERS], odd, 60), _some(NUMBERS, None, 60), odd)  # type: ignore[arg-type]
      for odd in ("#WERT!", "#¡REF!", "#NV", "#N/D", "1.#INF00", "nan(ind)", "<LOD", "≤0.5")),
    *(Case(f"none: {none}", "float", _some([str(v) for v in NUMBERS], none), _some(NUMBERS, None), none)  # type: ignore[arg-type]
      for none in ("T", "NM", "see note", "...", "brak", "†", "&nbsp;", "-9999", "-99")),
    *(Case(f"none: {none}", "integer", _some([str(n % 28) for n in range(ROWS)], none, 10),  # type: ignore[arg-type]
           _some([n % 28 for n in range(ROWS)], None, 10), none)
      for none in ("65535", "-2147483648", "-9223372036854775808", "9223372036854775807")),
    *(Case(f"none: {none}", "float", _some([str(v) for v in NUMBERS], none, 10), _some(NUMBERS, None, 10), "missing")  # type: ignore[arg-type]
      for none in ("-3.4028234663852886e+38", "9.96921e+36", "-8888")),
    *(Case(f"none: {names[0]} and {names[1]}", "integer",
           _some(_some([str(n % 28) for n in range(ROWS)], names[0], 10), names[1], 11),  # type: ignore[arg-type]
           _some(_some([n % 28 for n in range(ROWS)], None, 10), None, 11), names[1])
      for names in (("-9", "-8"), ("999", "998"), ("888", "777"))),
    *(Case(f"temperature, none as {none}", "float", _some([str(n % 28 - 14.5) for n in range(ROWS)], none, 10),  # type: ignore[arg-type]
           _some([n % 28 - 14.5 for n in range(ROWS)], None, 10), none.strip(".0"))
      for none in ("-9999.0", "9999.9")),
    Case("signs apart from their numbers", "float", [f"- {v}" if n % 3 else f"+ {v}" for n, v in enumerate(NUMBERS)],
         [-v if n % 3 else v for n, v in enumerate(NUMBERS)]),
    *(Case(f"durations: {name}", "integer", [write(s) for s in SPANS], SPANS, note)
      for name, write, note in (("minutes and seconds", lambda s: f"{s // 60}:{s % 60:02d}", "a choice"),
                                ("hours too", _clock_of, "seconds"),
                                ("hours where there are", lambda s: _clock_of(s) if s > 3599 else _clock_of(s)[2:],
                                 "seconds"),
                                ("pandas", lambda s: f"{s // 86400} days 0{_clock_of(s % 86400)}"[:99], "seconds"),
                                ("ISO", lambda s: f"PT{s // 60}M{s % 60}S", "seconds"),
                                ("units", lambda s: f"{s // 60} min {s % 60} s", "seconds"))),
    Case("durations: fractions", "float", [f"{_clock_of(s)}.500" for s in SPANS], [s + 0.5 for s in SPANS], "seconds"),
    Case("durations: below zero", "integer", [f"-{s // 60}:{s % 60:02d}" for s in SPANS], [-s for s in SPANS]),
    Case("durations: none", "integer", _some([f"{s // 60}:{s % 60:02d}" for s in SPANS], "-"), _some(SPANS, None)),  # type: ignore[arg-type]
    _left("points and commas", lambda n: f"{n}.50" if n % 2 else f"{n},50", "a decimal comma"),
    _left("seats", lambda n: f"{n}{'ABC'[n % 3]}", ""),
    _numbers("scientific", lambda v: f"{v:.6e}", [float(f"{v:.6e}") for v in NUMBERS]),
    Case("minus behind", "float", [f"{v}-" if n % 3 else f"{v}" for n, v in enumerate(NUMBERS)],
         [-v if n % 3 else v for n, v in enumerate(NUMBERS)], "minus"),
    Case("brackets", "float", [f"({v:,.2f})" if n % 3 else f"{v:,.2f}" for n, v in enumerate(NUMBERS)],
         [-v if n % 3 else v for n, v in enumerate(NUMBERS)], "brackets"),
    Case("a long minus", "float", [f"−{v}" if n % 3 else f"{v}" for n, v in enumerate(NUMBERS)],
         [-v if n % 3 else v for n, v in enumerate(NUMBERS)]),
    Case("debit and credit", "float", [f"{v:,.2f} {'DR' if n % 3 else 'CR'}" for n, v in enumerate(NUMBERS)],
         [-v if n % 3 else v for n, v in enumerate(NUMBERS)], "a choice"),
    *(Case(f"odd: {odd}", "float", _some([str(v) for v in NUMBERS], odd, 60), _some(NUMBERS, None, 60), odd)  # type: ignore[arg-type]
      for odd in ("inf", "-inf", "<0.5", ">500", "#DIV/0!", "#REF!", "#VALUE!", "1.#INF")),
    *(Case(f"null: {null}", "float", _some([str(v) for v in NUMBERS], null), _some(NUMBERS, None), null.strip())  # type: ignore[arg-type]
      for null in ("NULL", "NaN", "N/A", "None", "\\N", "<NA>", "-", ":", "nil", "(null)", "n.a.")),
    Case("null: bcp's empty word", "float", _some([str(v) for v in NUMBERS], "\0"), _some(NUMBERS, None), "x00"),  # type: ignore[arg-type]
    _numbers("wide whole numbers", lambda v: str(int(v)), [9007199254740993 + n for n in range(ROWS)], kind="integer"),
    Case("unsigned 64-bit names", "string", [str(2**63 + 7919 * n) for n in range(ROWS)],
         [str(2**63 + 7919 * n) for n in range(ROWS)]),
    Case("codes with leading zeros", "string", [f"{n:05d}" for n in range(ROWS)], [f"{n:05d}" for n in range(ROWS)]),
    Case("codes with letters", "string", [f"B{n}" for n in range(ROWS)], [f"B{n}" for n in range(ROWS)]),
    Case("codes like currencies", "string", [f"ITM{n}" for n in range(ROWS)], [f"ITM{n}" for n in range(ROWS)]),
    Case("999 for none", "integer", _some([str(n % 28) for n in range(ROWS)], "999", 10),  # type: ignore[arg-type]
         _some([n % 28 for n in range(ROWS)], None, 10), "999"),
    Case("-1 for none", "integer", _some([str(n % 28) for n in range(ROWS)], "-1", 10),  # type: ignore[arg-type]
         _some([n % 28 for n in range(ROWS)], None, 10), "-1"),
]  # fmt: skip

# of a file with semicolons
COMMA_CASES = [
    _numbers("no cents", lambda v: f"{int(v)},-", [float(w) for w in WHOLES], "comma"),
    _numbers("no hellers", lambda v: f"{int(v)},-- Kč", [float(w) for w in WHOLES], "Kč"),
    _numbers("decimal comma", lambda v: str(v).replace(".", ","), note="comma"),
    _numbers("three decimals below one", lambda v: f"{v:.3f}".replace(".", ","), SMALL, "comma"),
    _numbers("three decimals", lambda v: f"{v:.3f}".replace(".", ","), [1 + v for v in SMALL], "a choice"),
    _numbers("points between groups", lambda v: _comma(f"{v:,.2f}"), note="points"),
    _numbers("euros", lambda v: f"{_comma(f'{v:,.2f}')} €", note="€"),
    _numbers("minus behind, as SAP", lambda v: f"{_comma(f'{-v:,.2f}')}-", [-v for v in NUMBERS], "minus"),
    _numbers("blanks between groups", lambda v: f"{v:,.2f}".replace(",", "\u202f").replace(".", ","), note="comma"),
]

WORD_CASES = [
    Case("yes and no", "boolean", ["yes", "no"] * 60, [True, False] * 60),
    Case("ja and nein", "boolean", ["Ja", "nein"] * 60, [True, False] * 60, "ja"),
    Case("T and F", "boolean", ["T", "F"] * 60, [True, False] * 60),
    *(Case(f"{yes} and {no}", "boolean", [yes, no] * 60, [True, False] * 60)
      for yes, no in (("Evet", "Hayır"), ("はい", "いいえ"), ("ja", "nej"), ("Kyllä", "Ei"), ("igen", "nem"),
                      ("ano", "ne"), (".T.", ".F."), ("✔", "✘"), ("☑", "☐"), ("b'1'", "b'0'"))),
    Case("accents apart", "string", ["Mu\u0308nchen", "München", "Köln"] * 40, ["München", "München", "Köln"] * 40,
         "apart"),
    Case("X or blank", "boolean", ["X", None, None] * 40, [True, False, False] * 40, "blank"),
    Case("a tick or blank", "boolean", ["✓", None, None] * 40, [True, False, False] * 40, "blank"),
    Case("words", "string", ["red", "green", "blue"] * 40, ["red", "green", "blue"] * 40),
    Case("blanks around words", "string", ["red ", " green", "blue"] * 40, ["red", "green", "blue"] * 40, "blanks"),
    Case("invisible signs", "string", ["red\u00a0", "\u200bgreen", "blue"] * 40, ["red", "green", "blue"] * 40,
         "invisible"),
    Case("bcp's empty words", "string", ["red", "\0", "blue"] * 40, ["red", None, "blue"] * 40, "invisible"),
    *(Case(f"codes such as {codes[0]}, NA among them", "string", codes, codes, "a code")
      for codes in (["DE", "FR", "ZA", "BW", "NA"] * 24, ["EMEA", "APAC", "LATAM", "NA"] * 30)),
    Case("NA among words", "string", ["red", "blue", "NA"] * 40, ["red", "blue", None] * 40, "missing"),
    Case("null words", "string", ["red", "NULL", "blue"] * 40, ["red", None, "blue"] * 40, "missing"),
]  # fmt: skip
