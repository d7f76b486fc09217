"""What the verified statements of one period add up to, by unit: what closes a month.  Imports `core` only.

A log counts once, however many documents have its period: as the newest checkpoint among them has it.

Source: docs/cli.md#counterfoil-verify.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from counterfoil.cli.output import in_unit, plural
from counterfoil.core.amount import format_nano
from counterfoil.core.statement_verify import VerifiedStatement


class _Period(NamedTuple):
    """What counts of the statement of one log; amounts in nano (10^-9)."""

    size: int
    unit: str
    opening: int
    credits: int
    debits: int
    closing: int
    provisional: bool


class UnitTotal(NamedTuple):
    """What the statements of one unit add up to.

    Attributes:
        unit: of all amounts.
        statements: how many there are, one a log.
        provisional: how many of these are of a period that goes on.
        amounts: `openingBalance`, `credits`, `debits` and `closingBalance`, as exact decimals.
    """

    unit: str
    statements: int
    provisional: int
    amounts: Mapping[str, str]


class StatementTotals:
    """Takes statements that hold, and adds them up while they are of one period."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._periods: set[tuple[str, str]] = set()
        self._logs: dict[str, _Period] = {}

    def take(self, verified: VerifiedStatement) -> None:
        """Take the next statement."""
        self._periods.add((verified.start, verified.end))
        if len(self._periods) > 1:
            # Nothing adds up any more.
            self._logs.clear()
            return
        found = _Period(
            verified.checkpoint.size,
            verified.unit,
            verified.opening.balance,
            verified.credits,
            verified.debits,
            verified.closing.balance,
            verified.provisional_through is not None,
        )
        known = self._logs.get(verified.checkpoint.origin)
        if known is None or known.size < found.size:
            self._logs[verified.checkpoint.origin] = found

    def by_unit(self) -> list[UnitTotal]:
        """Return the totals, by ascending unit; none where the statements are of several periods."""
        units: dict[str, list[_Period]] = {}
        for log in self._logs.values():
            units.setdefault(log.unit, []).append(log)
        return [_total(unit, logs) for unit, logs in sorted(units.items())]


def _total(unit: str, logs: Sequence[_Period]) -> UnitTotal:
    amounts = {
        "openingBalance": sum(log.opening for log in logs),
        "credits": sum(log.credits for log in logs),
        "debits": sum(log.debits for log in logs),
        "closingBalance": sum(log.closing for log in logs),
    }
    return UnitTotal(
        unit,
        len(logs),
        sum(log.provisional for log in logs),
        {name: format_nano(nano) for name, nano in amounts.items()},
    )


def total_facts(total: UnitTotal) -> dict[str, object]:
    """Return a total for a program."""
    counts = {"statements": total.statements, "provisional": total.provisional}
    return {"unit": total.unit, **counts, **total.amounts}


def total_line(total: UnitTotal) -> str:
    """Return a total for a person."""
    amounts = "  ".join(f"{name.removesuffix('Balance')} {amount}" for name, amount in total.amounts.items())
    # What goes on is no month-end balance.
    note = f"  ({total.provisional:,} provisional)" if total.provisional else ""
    return f"total  {plural(total.statements, 'statement')}  {in_unit(amounts, total.unit)}{note}"
