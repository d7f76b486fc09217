"""Charts of a statement whose balance moves, as SVG without scripts: integers only, so that they come out the same everywhere.

Every figure that a chart shows stands in a table of the page too; its text says in words what it shows.

Source: docs/spec/report.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from counterfoil.core.entry import OPEN
from counterfoil.core.report.markup import counted, figure, plain_time, unit_element
from counterfoil.core.statement_verify import VerifiedStatement
from counterfoil.core.timestamp import to_microseconds

_WIDTH: Final = 7_200
_LEFT: Final = 40
_RIGHT: Final = _WIDTH - 40
_TOP: Final = 260
_BOTTOM: Final = 2_060
# Of a bar: its text above, its height below that, and what a bar of next to nothing is still to be seen by.
_BAR_PITCH: Final = 480
_BAR_HEIGHT: Final = 200
_BAR_WIDTH_MIN: Final = 16


def balance_chart(statement: VerifiedStatement) -> str:
    """Return the chart of a full statement: the balance over the time of its period."""
    balances = [statement.opening.balance, *[item.entry.balance for item in statement.inside]]
    low, high = min(balances), max(balances)
    start, end = _span(statement)
    words = (
        f"From {plain_time(start)} to {plain_time(end)} the balance goes from {figure(balances[0])} to "
        f"{figure(balances[-1])}, over {counted(statement.deltas, 'delta')}. "
        f"It is {figure(high)} at most and {figure(low)} at least. All in {unit_element(statement.unit)}."
    )
    drawn = [
        f'<text x="{_LEFT}" y="{_TOP - 100}">{figure(high)}</text>',
        _line("rule", _LEFT, _TOP, _RIGHT, _TOP),
        _line("rule", _LEFT, _BOTTOM, _RIGHT, _BOTTOM),
        f'<text x="{_LEFT}" y="{_BOTTOM + 190}">{figure(low)}</text>',
        f'<text class="soft" x="{_LEFT}" y="{_BOTTOM + 390}">{plain_time(start)}</text>',
        f'<text class="soft" x="{_RIGHT}" y="{_BOTTOM + 390}" text-anchor="end">{plain_time(end)}</text>',
    ]
    if low < 0 < high:
        level = _scaled(0, low, high, _BOTTOM, _TOP)
        drawn.append(_line("zero", _LEFT, level, _RIGHT, level))
    levels = [_scaled(balance, low, high, _BOTTOM, _TOP) for balance in balances]
    times = [to_microseconds(item.entry.recorded_at) for item in statement.inside]
    places = [_scaled(time, to_microseconds(start), to_microseconds(end), _LEFT, _RIGHT) for time in times]
    drawn.append(f'<path class="curve" d="{_steps(levels, places)}"/>')
    return _svg("Balance over time", words, _BOTTOM + 460, drawn)


def _span(statement: VerifiedStatement) -> tuple[str, str]:
    """Return from when and up to when the balance is known: within the period, while there is a log and it is complete."""
    inside, through = statement.inside, statement.provisional_through
    opens = bool(inside) and inside[0].entry.type == OPEN
    return inside[0].entry.recorded_at if opens else statement.start, through or statement.end


def _steps(levels: Sequence[int], places: Sequence[int]) -> str:
    """Return the path that begins at the first level, jumps to each next one at its place, and stays level between."""
    path = [f"M{_LEFT} {levels[0]}"]
    for place, (level, new) in zip(places, pairwise(levels), strict=True):
        if new != level:
            path.append(f"H{place}V{new}")
    return "".join([*path, f"H{_RIGHT}"])


def totals_chart(statement: VerifiedStatement, name_of_last: str) -> str:
    """Return the chart of a light statement: from the opening balance by credits and debits to the last one."""
    opening, closing = statement.opening.balance, statement.closing.balance
    summit = opening + statement.credits
    bars = (
        ("Opening balance", "balance", opening, 0, opening),
        ("Plus credits", "credit", statement.credits, opening, summit),
        ("Less debits", "debit", statement.debits, closing, summit),
        (name_of_last, "balance", closing, 0, closing),
    )
    low, high = min(0, opening, closing), max(0, summit)
    zero = _scaled(0, low, high, _LEFT, _RIGHT)
    height = _BAR_PITCH * len(bars)
    drawn = []
    for place, (name, kind, value, start, end) in enumerate(bars):
        top = _BAR_PITCH * place
        first, second = sorted(_scaled(edge, low, high, _LEFT, _RIGHT) for edge in (start, end))
        width = max(second - first, _BAR_WIDTH_MIN) if value else 0
        drawn += [
            f'<text x="{_LEFT}" y="{top + 150}">{name}: {figure(value)}</text>',
            f'<rect class="{kind}" x="{first}" y="{top + 210}" width="{width}" height="{_BAR_HEIGHT}"/>',
            _line("zero", zero, top + 190, zero, top + 430),
        ]
    words = " ".join([f"{name} {figure(value)}." for name, _, value, _, _ in bars])
    return _svg(
        "How the balance is reached", f"{words} All in {unit_element(statement.unit)}.", height, drawn
    )


def _scaled(value: int, low: int, high: int, start: int, end: int) -> int:
    """Return where a value of `low` to `high`, which are two, lies between two coordinates."""
    return start + (end - start) * (value - low) // (high - low)


def _line(kind: str, x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _svg(title: str, words: str, height: int, drawn: Sequence[str]) -> str:
    content = "\n".join(drawn)
    return (
        f'<figure>\n<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="chart-title" '
        f'aria-describedby="chart-words">\n<title id="chart-title">{title}</title>\n{content}\n</svg>\n'
        f'<figcaption id="chart-words"><small>{title}. {words}</small></figcaption>\n</figure>\n'
    )
