"""What lies between two states of a log: how many deltas, and what they add up to.

Every entry carries the running totals, so that what a period brought is the difference of two of them, however much
lies in between.

Source: docs/spec/entry.md, docs/spec/statement.md.
"""

from __future__ import annotations

from typing import Protocol


class State(Protocol):
    """The totals of a log at some point."""

    @property
    def count(self) -> int:
        """Deltas so far."""

    @property
    def credits(self) -> int:
        """Sum of the positive amounts, in nano (10^-9)."""

    @property
    def debits(self) -> int:
        """Sum of the negated negative amounts, in nano."""


class Movement:
    """A value with an `opening` and a `closing` state.

    Attributes:
        opening: the log before.
        closing: the log after.
    """

    __slots__ = ()
    opening: State
    closing: State

    @property
    def deltas(self) -> int:
        """How many deltas lie in between."""
        return self.closing.count - self.opening.count

    @property
    def credits(self) -> int:
        """Sum of their positive amounts, in nano."""
        return self.closing.credits - self.opening.credits

    @property
    def debits(self) -> int:
        """Sum of their negated negative amounts, in nano."""
        return self.closing.debits - self.opening.debits

    @property
    def amount(self) -> int:
        """Signed sum of their amounts, in nano."""
        return self.credits - self.debits
