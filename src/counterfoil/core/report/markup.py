"""What the pages are made of: text that is safe to show, figures, times, tables, and the frame around them.

Everything that a sender may have written goes through `outside`: escaped, set apart from the direction of what stands
around it, on a ground of its own, and with a mark for each character that nobody would see.  In its cell the page
says nothing itself but how long it is, or the text could go on with that.  Nothing here reads a locale, a clock or a float, so that a page
comes out the same everywhere.

Source: docs/spec/report.md.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from counterfoil.core.amount import format_nano
from counterfoil.core.report.style import STYLE
from counterfoil.core.shown import UNSEEN
from counterfoil.core.timestamp import month_end, to_microseconds

# So that a table of ten thousand entries stays a table.
CELL_CHARACTERS_MAX: Final = 120
# No locale: the page is in English, as it says of itself.
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
_MINUS: Final = "\u2212"
# Neither a comma nor a point, which mean the opposite of each other in different countries.
_GROUPS: Final = "\u202f"
_GROUP_OF_THREE: Final = re.compile(r"(?<=[0-9])(?=(?:[0-9]{3})+$)", re.ASCII)
# A number of four digits is read without.
_UNGROUPED_DIGITS_MAX: Final = 4
_FIGURE: Final = "figure"
# Beyond so many characters a column of figures may break its lines, or it would not fit on paper; between groups only.
_LONG_FIGURE: Final = "figure long"
_UNBROKEN_CHARACTERS_MAX: Final = 20
_WHOLE_SECOND: Final = ".000000"

_POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'"
)


def outside(text: str) -> str:
    """Return a text of somebody else as it may stand on the page."""
    escaped = html.escape(text)
    return f"<bdi>{UNSEEN.sub(lambda found: f'<b>U+{ord(found[0]):04X}</b>', escaped)}</bdi>"


def cut(text: str) -> str:
    """Return a text of somebody else for a cell: of a long one the beginning, and how long it is."""
    if len(text) <= CELL_CHARACTERS_MAX:
        return outside(text)
    shown = outside(text[:CELL_CHARACTERS_MAX])
    return f"{shown}\u2026 <small>({CELL_CHARACTERS_MAX} of {len(text)} characters)</small>"


def unit_text(unit: str) -> str:
    """Return a unit, text with entities, in quotes: they are no ASCII, so that no unit holds them.

    A unit may be `000`, `.5` or `e3`.  Behind a figure it would be more of its digits.
    """
    return f"\u201c{html.escape(unit)}\u201d"


def unit_element(unit: str) -> str:
    """Return a unit in the same quotes, as a text of somebody else."""
    return f"\u201c{outside(unit)}\u201d"


def figure(nano: int) -> str:
    """Return an amount or a total, exact, its digits in groups: `\N{MINUS SIGN}12 500.25`."""
    whole, point, fraction = format_nano(abs(nano)).partition(".")
    sign = _MINUS if nano < 0 else ""
    return f"{sign}{_grouped(whole)}{point}{fraction}"


class FigureColumn(NamedTuple):
    """Amounts or totals that stand below each other.

    Attributes:
        kind: the class of their cells.
        digits: so many stand after the point at most.
    """

    kind: str
    digits: int


def figure_column(nanos: Iterable[int]) -> FigureColumn:
    """Return the column that holds these amounts or totals, in nano."""
    shown = [figure(nano).partition(".") for nano in nanos]
    digits = max((len(fraction) for _, _, fraction in shown), default=0)
    characters = max((len(whole) for whole, _, _ in shown), default=0) + digits + (digits > 0)
    return FigureColumn(_FIGURE if characters <= _UNBROKEN_CHARACTERS_MAX else _LONG_FIGURE, digits)


def aligned(nano: int, column: FigureColumn) -> str:
    """Return a figure of a column, behind which room is kept, so that the decimal points stand below each other.

    The room is that of the zeros it does not have.  They stand in an attribute: nobody sees, hears or copies other digits
    than were recorded.
    """
    shown = figure(nano)
    _, point, fraction = shown.partition(".")
    zeros = "0" * (column.digits - len(fraction))
    if column.kind == _LONG_FIGURE:
        shown = shown.replace(_GROUPS, f"{_GROUPS}<wbr>")
    return f'<span data-room="{"" if point else "."}{zeros}">{shown}</span>' if zeros else shown


def number(value: int) -> str:
    """Return an index or a count, its digits in groups."""
    return _grouped(str(value))


def counted(value: int, name: str) -> str:
    """Return a count with the name of what it counts: `1 delta`, `30 deltas`."""
    return f"{number(value)} {name}{'' if value == 1 else 's'}"


def _grouped(digits: str) -> str:
    return digits if len(digits) <= _UNGROUPED_DIGITS_MAX else _GROUP_OF_THREE.sub(_GROUPS, digits)


def plain_time(time: str) -> str:
    """Return a time of 27 characters for a person: `2026-04-02 10:30:00.250000 UTC`, a whole second without its zeros."""
    return f"{time[:10]} {time[11:26].removesuffix(_WHOLE_SECOND)} UTC"


def time_element(time: str) -> str:
    """Return a time as an element that says it exactly, too."""
    return f'<time datetime="{time}">{plain_time(time)}</time>'


def time_cell(time: str) -> str:
    """Return a time for a column whose head says UTC, of the same width as every other: `2026-04-02 10:30:00.000000`."""
    return f'<time datetime="{time}">{time[:10]} {time[11:26]}</time>'


def month_of(start: str, end: str) -> str | None:
    """Return the name of the UTC month that a period is, None where it is none."""
    if start[7:] != "-01T00:00:00.000000Z" or month_end(to_microseconds(start)) != to_microseconds(end):
        return None
    return f"{_MONTHS[int(start[5:7]) - 1]} {start[:4]}"


def facts(heading: str, rows: Iterable[tuple[str, str]], note: str = "") -> str:
    """Return a table of names and values; the values, and the note above them, are markup."""
    written = "\n".join([f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows])
    return (
        f'<table class="facts">\n<caption><h2>{heading}</h2>{note}</caption>\n'
        f"<tbody>\n{written}\n</tbody>\n</table>\n"
    )


def account(heading: str, note: str, unit: str, rows: Sequence[tuple[str, int]]) -> str:
    """Return a table of names, markup, and amounts or totals, in nano; the last one is what the others lead to.

    Their unit stands above them, in a row of its own.
    """
    column = figure_column([nano for _, nano in rows])
    written = "\n".join(
        [
            f'<tr><th scope="row">{name}</th><td class="{column.kind}">{aligned(nano, column)}</td></tr>'
            for name, nano in rows
        ]
    )
    return (
        f'<table class="account">\n<caption><h2>{heading}</h2>{note}</caption>\n<tbody>\n'
        f'<tr><th scope="row">Unit</th><td class="unit">{unit_element(unit)}</td></tr>\n{written}\n</tbody>\n</table>\n'
    )


def listing(
    heading: str, caption: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]
) -> str:
    """Return a table with a header; the first cell of a row names it.  A column is its name and the class of its cells."""
    head = "".join([f'<th scope="col" class="{kind}">{name}</th>' for name, kind in columns])
    body = "\n".join([_row(columns, cells) for cells in rows])
    return (
        '<div class="wide" role="region" aria-labelledby="listing" tabindex="0">\n'
        f'<table class="listing">\n<caption><h2 id="listing">{heading}</h2>{caption}</caption>\n'
        f"<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n"
    )


def _row(columns: Sequence[tuple[str, str]], cells: Sequence[str]) -> str:
    first, *others = [f' class="{kind}">{cell}' for (_, kind), cell in zip(columns, cells, strict=True)]
    return f'<tr><th scope="row"{first}</th>' + "".join([f"<td{cell}</td>" for cell in others]) + "</tr>"


class Title(NamedTuple):
    """What a page is called.

    Attributes:
        text: in the tab of a browser, text with entities.
        heading: as the first heading, markup that reads the same.
    """

    text: str
    heading: str


def frame(title: Title, issuer: str, content: str, embedded: str) -> str:
    """Return the whole page.

    Args:
        title: what it is called.
        issuer: whose page it is, markup, above that heading.
        content: what people see, markup.
        embedded: what they do not see.
    """
    return (
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title.text}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<p class="issuer">{issuer}</p>\n<h1>{title.heading}</h1>\n{content}</main>\n{embedded}</body>\n</html>\n'
    )
