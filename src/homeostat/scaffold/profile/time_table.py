"""The forms in which databases, languages, spreadsheets and people write times, in codes of ``data/time_forms.py``.

A form is a day, then a clock, then a zone; those in another order stand whole. Each was written by a default of one of:
PostgreSQL, MySQL, SQL Server, Oracle, BigQuery, Snowflake, SQLite, DB2, SAP, SAS, Python, Java, JavaScript and browsers
in their locales, Go, R, .NET, Excel, Unix and web servers' logs.
"""

from __future__ import annotations

DAYS = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%d/%m/%y",
    "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y/%m/%d", "%y-%m-%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y",
    "%d %b %y", "%d. %b %Y", "%d %b, %Y", "%d/%b/%Y", "%d.%b.%Y", "%d%b%Y", "%d%b%y", "%b %d, %Y", "%b %d %Y",
    "%b-%d-%Y", "%b. %d, %Y", "%d de %b de %Y", "%d de %b %Y", "%Y-%b-%d", "%Y %b %d", "%Y/%b/%d", "%a, %d %b %Y",
    "%a %d %b %Y", "%a, %b %d, %Y", "%a %b %d, %Y", "%a %b %d %Y", "%a %d/%m/%Y", "%a %m/%d/%Y",
    "%a %d.%m.%Y", "%a, %d.%m.%Y", "%a %Y-%m-%d", "%a, %d-%b-%y", "%Y年%m月%d日", "%Y년 %m월 %d일", "%Y. %m. %d.",
    "%Y. %m. %d",
    "%d/%b/%y", "%d.%b.%y", "%b/%d/%Y", "%d. %m. %Y", "%d. %m. %Y.", "%d.%m.%Y.", "%Y%m%d", "%d%m%Y", "%m%d%Y",
    "%Y.%m.%d.", "%d %b %Y г.", "%a, %d de %b de %Y", "%a %d de %b de %Y",
    "%a, %d. %b %Y", "%Y-%j", "%Y/%j", "%Y %m %d", "%d %m %Y",
)  # fmt: skip
MONTHS = (
    "%m/%Y", "%m-%Y", "%Y/%m", "%Y.%m", "%m.%Y", "%Y-%m", "%b %Y", "%Y %b", "%b-%Y", "%Y-%b", "%b-%y", "%b %y",
    "%b/%Y",
    "%b, %Y", "%b. %Y", "%b '%y", "%YM%m", "%Y-M%m", "%Y年%m月", "%b%Y", "%b%y",
)  # fmt: skip
WEEKS = ("%G-W%V-%u", "%G-W%V", "%GW%V", "%GW%V%u", "%G-W%V%u", "%G W%V", "%G/W%V", "W%V %G", "W%V/%G", "W%V-%G",
         "KW%V/%G", "KW %V/%G", "KW %V %G", "CW%V/%G", "CW %V/%G",
         "%G-KW%V", "%GKW%V", "Week %V %G", "%G Week %V", "%G-w%V", "%Gw%V")  # fmt: skip
QUARTERS = ("%YQ%q", "%Y-Q%q", "%Y Q%q", "%Y/Q%q", "%Y:Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "Q%q%Y", "%qQ%Y", "%qQ %Y",
            "%Yq%q", "%Y-q%q", "%Y q%q", "q%q %Y", "%q. Quartal %Y", "Q%q'%y", "Q%q '%y", "Q%q %y", "Q%q-%y",
            "Q%q/%y", "%qQ%y", "%qQ %y", "%yQ%q", "%Y:%q", "T%q %Y", "T%q-%Y", "%YT%q", "%Y-T%q", "%qT%Y", "%qT %Y",
            "%qT%y")  # fmt: skip
CLOCKS = (
    "", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", ", %H:%M:%S", ", %H:%M", " %I:%M:%S %p", " %I:%M %p",
    ", %I:%M:%S %p", ", %I:%M %p", " %I:%M:%S%p", " %I:%M%p", ", %I:%M:%S%p", ", %I:%M%p", " %p %I:%M:%S",
    " %p %I:%M", " %p%I:%M:%S", " %p%I:%M", ", %p %I:%M:%S", ", %p %I:%M", " %I.%M.%S %p", " %I.%M %p", ", %I.%M %p",
    " %I %p", " %I%p", " %H.%M.%S", " %H.%M", ", %H.%M.%S", ", %H.%M", ":%H:%M:%S", ":%H:%M", "-%H.%M.%S",
    "_%H:%M:%S",
    "_%H%M%S", "-%H%M%S", " %H%M%S", " %H%M", "T%H%M%S", "T%H%M", "T%H", " %H", " klo %H.%M.%S", " klo %H.%M",
    " um %H:%M:%S", " um %H:%M", " um %H:%M Uhr", ", %H:%M Uhr", ", %H:%M:%S Uhr", ", um %H:%M Uhr", " klockan %H:%M",
    " at %H:%M:%S", " at %H:%M", " at %I:%M:%S %p", " at %I:%M %p",
    " à %H:%M:%S", " à %H:%M", " %Hh%M", " à %Hh%M", " %Hh%Mm%Ss", " %H:%M Uhr", " %H:%M:%S Uhr", " kl. %H.%M",
    " kl. %H:%M", " kl. %H.%M.%S", " %H時%M分%S秒", " %H時%M分", " %H시 %M분", " %H시 %M분 %S초",
    "-%H-%M", "-%H-%M-%S", "_%H-%M-%S", "_%H-%M", " %H-%M-%S",
    "T%I:%M:%S %p", " - %H:%M", " - %H:%M:%S", " - %I:%M %p", " | %H:%M", " / %H:%M", "/%H:%M:%S",
)  # fmt: skip
ZONES = ("", "%z", " %z", " (%z)", "%e", "%z%e")  # the last two: of an interval
WHOLE = (
    "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y", "%a %b %d %I:%M:%S %p %z %Y", "%a %b %d %I:%M:%S %p %Y",
    "%a %d %b %Y %H:%M:%S %p %z", "%a %d %b %H:%M:%S %z %Y", "%b %d %H:%M:%S %Y", "%d %b %H:%M:%S %Y",
    "%H:%M %d.%m.%Y", "%H:%M:%S %d.%m.%Y",
    "%H:%M %d/%m/%Y", "%H:%M:%S %d/%m/%Y", "%H:%M %m/%d/%Y", "%H:%M:%S %m/%d/%Y", "%H:%M %Y-%m-%d",
    "%H:%M:%S %Y-%m-%d", "%H:%M %d-%m-%Y", "%H:%M:%S %d-%m-%Y",
    "%I:%M %p %d/%m/%Y", "%I:%M %p %m/%d/%Y", "%I:%M:%S %p %m/%d/%Y", "%I:%M:%S %p %d/%m/%Y",
    "%H:%M, %d %b %Y", "%H:%M:%S, %d %b %Y", "%H:%M %d %b %Y", "%H:%M:%S %d %b %Y",
    "%I:%M %p, %b %d, %Y", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S%f",
    "%Y%m%d%H%M%S%z", "%Y%m%d %H", "[%d/%b/%Y:%H:%M:%S %z]", "[%Y-%m-%d %H:%M:%S]",
    "/Date(%E)/", r"\/Date(%E)\/", "Date(%E)", "new Date(%E)",
    'ISODate("%Y-%m-%dT%H:%M:%S%z")', "[%a %b %d %H:%M:%S %Y]", "<%Y-%m-%d %a %H:%M>", "<%Y-%m-%d %a>",
)  # fmt: skip
SPANS = {  # a note on forms that name more than a day
    **dict.fromkeys(MONTHS, "a month, as its first day"),
    **dict.fromkeys(QUARTERS, "a quarter, as its first day"),
    **dict.fromkeys((w for w in WEEKS if "%u" not in w), "a week, as its Monday"),
}
SHORT_ORDINALS = ("%y%j", "1%y%j")  # years and their days; the second of JD Edwards, whose 1 is the century
WRITTEN_NUMBERS = (
    "%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d%H", "%Y%m%d", "%Y%m", "%G%V", "%Y%j", *SHORT_ORDINALS, "%y%m%d", "%Y",
)  # whole numbers that are written times
COUNTS = ("epoch s", "epoch ms", "epoch us", "windows ticks", ".net ticks", "epoch ns", "windows us", "excel days",
          "epoch days", "julian days", "days of the era", "matlab days", "excel days from 1904", "sas days", "sas s",
          "spss s")  # fmt: skip
SENTINELS = ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01", "2099-12-31",
             "2199-12-31", "2999-12-31", "3000-01-01", "9999-12-31", "9999-01-01", "9999-12-30")  # fmt: skip
