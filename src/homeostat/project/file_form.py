"""How the text files of a source are laid out, where that is not the plain way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from homeostat.project.value_types import Text, Whole

Sign = Annotated[str, Field(min_length=1, max_length=1)]
Delimiter = Annotated[str, Field(min_length=1, max_length=2)]
Lines = Annotated[Whole, Field(ge=0)]


class FileForm(BaseModel):
    """``delimiter``: None for the most frequent sign of the heading; ``skip``: lines before the heading.

    ``heading``: its lines, 0 where there is none and columns are named by position; ``uneven``: rows with too few
    values end with blanks, and stray quotes are part of a value. ``footer``: lines after the last row; ``escape``: what
    stands before a quote within a value, by default another quote; ``backslashes``: no value is quoted, ``\\N`` is none
    and ``\\t`` a tab, as databases write text; ``sheet``: of a workbook, by default the first that has rows.
    ``columns``: ``ruled`` where a rule of dashes and lines divide them as programs print them, or ``blanks``.
    ``nulls``: words that mean none in every column, as a blank does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: Delimiter | None = None
    quote: Sign = '"'
    escape: Sign | None = None
    backslashes: bool = False
    columns: Literal["delimited", "ruled", "blanks"] = "delimited"
    skip: Lines = 0
    heading: Lines = 1
    footer: Lines = 0
    uneven: bool = False
    encoding: Text | None = None
    sheet: Text | None = None
    nulls: tuple[Text, ...] = ("NA",)


PLAIN = FileForm()
