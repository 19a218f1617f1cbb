"""The forms in which databases, languages, spreadsheets and people write times, in codes of ``data/time_forms.py``.

A form is a day, then a clock, then a zone; those in another order stand whole. Each was written by a default of one of:
PostgreSQL, MySQL, SQL Server, Oracle, BigQuery, Snowflake, SQLite, DB2, SAP, SAS, Python, Java, JavaScript and browsers
in their locales, Go, R, .NET, Excel, Unix and web servers' logs.
"""

from __future__ import annotations

WEEKDAYS = ("", "%a ", "%a, ")  # before a day
OF_WEEKS = ("Week of ", "Week ending ", "Week Ending ", "Week commencing ", "W/C ", "w/c ", "W/E ", "w/e ")  # too
DAYS = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%d/%m/%y",
    "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y/%m/%d", "%y-%m-%d", "%y.%m.%d", "%d-%b-%Y", "%d-%b-%y",
    "%d %b %Y", "%d %b %y", "%d. %b %Y", "%d %b, %Y", "%d/%b/%Y", "%d.%b.%Y", "%d%b%Y", "%d%b%y", "%b %d, %Y",
    "%b %d %Y", "%b-%d-%Y", "%b. %d, %Y", "%d de %b de %Y", "%d de %b %Y", "%d of %b %Y", "%Y-%b-%d", "%Y %b %d",
    "%Y/%b/%d", "%Y年%m月%d日", "%Y年%m月%d日(%a)", "%Y年%m月%d日 %a", "%Y/%m/%d(%a)", "%Y-%m-%d (%a)", "%Y/%m/%d (%a)",
    "%Y.%m.%d (%a)", "%Y년 %m월 %d일", "%Y년 %m월 %d일 %a", "%Y. %m. %d.", "%Y. %m. %d", "%Y. %b %d.",
    "ngày %d tháng %m năm %Y", "%d/%b/%y", "%d.%b.%y", "%b/%d/%Y", "%d. %m. %Y", "%d. %m. %Y.", "%d.%m.%Y.", "%Y%m%d",
    "%d%m%Y", "%m%d%Y", "%Y.%m.%d.", "%d. %b %Y.", "%Y:%m:%d", "%Y-%j", "%Y/%j", "%Y %m %d", "%d %m %Y",
    "%Y_%m_%d", "%d / %m / %Y", "%Y m. %b %d d.", "%d de %b del %Y", "%d d'%b del %Y",
    "%d d’%b del %Y",
    *(f"{day} {year}" for day in ("%d %b %Y", "%d.%m.%Y") for year in ("г.", "г", "р.", "r.")),
)  # fmt: skip
MONTHS = (
    "%m/%Y", "%m-%Y", "%Y/%m", "%Y.%m", "%m.%Y", "%Y-%m", "%b %Y", "%Y %b", "%b-%Y", "%Y-%b", "%b-%y", "%b %y",
    "%b/%Y", "%b, %Y",
    "%b. %Y", "%b '%y", "%b'%y", "%YM%m", "%Y-M%m", "%Y年%m月", "%Y년 %m월", "%b%Y", "%b%y", "0%m.%Y", "0%m/%Y",
    "%Y/0%m", "%Y.0%m",  # the last four: periods of SAP
)  # fmt: skip
WEEKS = ("%G-W%V-%u", "%G-W%V", "%GW%V", "%GW%V%u", "%G-W%V%u", "%G W%V", "%G/W%V", "W%V %G", "W%V/%G", "W%V-%G",
         "KW%V/%G", "KW %V/%G", "KW %V %G", "KW%V %G", "Week %V, %G", "%G wk %V", "wk %V %G", "CW%V/%G", "CW %V/%G",
         "%G-KW%V", "%GKW%V", "Week %V %G", "%G Week %V", "%G-w%V", "%Gw%V")  # fmt: skip
QUARTERS = ("%YQ%q", "%Y-Q%q", "%Y Q%q", "%Y/Q%q", "%Y:Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "Q%q%Y", "%qQ%Y", "%qQ %Y",
            "%Yq%q", "%Y-q%q", "%Y q%q", "q%q %Y", "%q. Quartal %Y", "Q%q'%y", "Q%q '%y", "Q%q %y", "Q%q-%y",
            "Q%q/%y", "%qQ%y", "%qQ %y", "%yQ%q", "%Y:%q", "T%q %Y", "T%q-%Y", "%YT%q", "%Y-T%q", "%qT%Y", "%qT %Y",
            "%qT%y")  # fmt: skip
HALVES = ("H%h %Y", "H%h/%Y", "%YH%h", "%Y-H%h", "%Y H%h", "%hH%Y", "S%h %Y", "%YS%h", "%Y-S%h", "%Y/S%h")
CLOCKS = (
    "", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", ", %H:%M:%S", ", %H:%M", " %I:%M:%S %p", " %I:%M %p",
    ", %I:%M:%S %p", ", %I:%M %p", " %I:%M:%S%p", " %I:%M%p", ", %I:%M:%S%p", ", %I:%M%p", " %p %I:%M:%S",
    " %p %I:%M", " %p%I:%M:%S", " %p%I:%M", ", %p %I:%M:%S", ", %p %I:%M", " %I.%M.%S %p", " %I.%M %p", ", %I.%M %p",
    " %I %p", " %I%p", " %H.%M.%S", " %H.%M", ", %H.%M.%S", ", %H.%M", ":%H:%M:%S", ":%H:%M", ",%H:%M:%S", ",%H:%M",
    "-%H.%M.%S", ".%H.%M.%S", "-%H:%M:%S", "t%H:%M:%S", " @ %H:%M:%S", ", %I %p",
    "_%H:%M:%S", "_%H%M%S", "_%H%M", "-%H%M%S", " %H%M%S", " %H%M", "T%H%M%S", "T%H%M", "T%H", " %H",
    *(f"{between}{clock}" for between in
      (" klo ", " um ", ", um ", " klockan ", " kl. ", " kl ", " at ", ", at ", " à ", " às ", " om ", " alle ",
       " ore ", " godz. ", " в ", ", в ", " о ", " ob ", " a las ")
      for clock in ("%H:%M", "%H:%M:%S", "%H.%M", "%H.%M.%S", "%I:%M %p", "%I:%M:%S %p", "%Hh%M")),
    *(f"{before}{clock}{unit}" for before in (" ", ", ", " um ", ", um ")
      for clock in ("%H:%M", "%H:%M:%S", "%H.%M", "%H")
      for unit in (" Uhr", " uur", " h", "h", " hrs")),
    " %Hh%M", " %Hh%Mm%Ss", " %H:%M %p", " %H:%M:%S %p", " %H h %M", " %H h %M min", " %H h %M min %S s",
    " %H時%M分%S秒", " %H時%M分", " %p%I時%M分", " %p%I時%M分%S秒", " %H时%M分%S秒",
    " %H时%M分", " %H시 %M분", " %H시 %M분 %S초", "-%H-%M", "-%H-%M-%S", "_%H-%M-%S", "_%H-%M", " %H-%M-%S",
    "T%I:%M:%S %p", " - %H:%M", " - %H:%M:%S", " - %I:%M %p", " | %H:%M", " / %H:%M", "/%H:%M:%S",
)  # fmt: skip
ZONES = ("", "%z", " %z", " (%z)", "%e", "%z%e")  # the last two: of an interval
WHOLE = (
    "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %Y %z", "%a %b %d %H:%M:%S %z %Y", "%a %b %d %I:%M:%S %p %z %Y",
    "%a %b %d %I:%M:%S %p %Y",
    "%a %d %b %Y %H:%M:%S %p %z", "%a %d %b %H:%M:%S %z %Y", "%b %d %H:%M:%S %Y", "%d %b %H:%M:%S %Y",
    "%H:%M %d.%m.%Y", "%H:%M:%S %d.%m.%Y",
    "%H:%M %d/%m/%Y", "%H:%M:%S %d/%m/%Y", "%H:%M %m/%d/%Y", "%H:%M:%S %m/%d/%Y", "%H:%M %Y-%m-%d",
    "%H:%M:%S %Y-%m-%d", "%H:%M %d-%m-%Y", "%H:%M:%S %d-%m-%Y",
    "%I:%M %p %d/%m/%Y", "%I:%M %p %m/%d/%Y", "%I:%M:%S %p %m/%d/%Y", "%I:%M:%S %p %d/%m/%Y",
    "%H:%M, %d %b %Y", "%H:%M:%S, %d %b %Y", "%H:%M %d %b %Y", "%H:%M:%S %d %b %Y",
    "%I:%M %p, %b %d, %Y", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S%f",
    *(f"%Y. gada %d. %b{clock}" for clock in ("", " %H:%M", ", %H:%M", " %H:%M:%S")),
    "%Y%m%d%H%M%S%z", "%Y%m%d %H", "[%d/%b/%Y:%H:%M:%S %z]", "[%Y-%m-%d %H:%M:%S]",
    "/Date(%E)/", r"\/Date(%E)\/", "Date(%E)", "new Date(%E)",
    'ISODate("%Y-%m-%dT%H:%M:%S%z")', 'new Date("%Y-%m-%dT%H:%M:%S%z")', "datetime'%Y-%m-%dT%H:%M:%S'",
    "datetimeoffset'%Y-%m-%dT%H:%M:%S%z'", "TIMESTAMP '%Y-%m-%d %H:%M:%S'", "DATE '%Y-%m-%d'",
    "{ts '%Y-%m-%d %H:%M:%S'}", "{d '%Y-%m-%d'}", "Timestamp('%Y-%m-%d %H:%M:%S')",
)  # fmt: skip
SPANS = {  # a note on forms that name more than a day
    **dict.fromkeys(MONTHS, "a month, as its first day"),
    **dict.fromkeys(QUARTERS, "a quarter, as its first day"),
    **dict.fromkeys(HALVES, "half a year, as its first day"),
    **dict.fromkeys((w for w in WEEKS if "%u" not in w), "a week, as its Monday"),
}
SHORT_ORDINALS = ("%y%j", "1%y%j")  # years and their days; the second of JD Edwards, whose 1 is the century
WRITTEN_NUMBERS = (
    "%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d%H", "%Y%m%d", "%Y%m", "%G%V", "%Y0%m", "%Y%j", *SHORT_ORDINALS, "%y%m%d",
    "%Y",
)  # whole numbers that are written times
COUNTS = ("epoch s", "epoch ms", "epoch us", "windows ticks", ".net ticks", "epoch ns", "windows us", "excel days",
          "epoch days", "julian days", "days of the era", "matlab days", "excel days from 1904", "sas days", "sas s",
          "spss s")  # fmt: skip
SENTINELS = ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01", "2099-12-31",
             "2199-12-31", "2999-12-31", "3000-01-01", "9999-12-31", "9999-01-01", "9999-12-30")  # fmt: skip
