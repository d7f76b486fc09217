"""Changes to rows in memory that can be taken back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_K = TypeVar("_K")
_T = TypeVar("_T")


class Undoing:
    """Writes rows, and remembers for each change what takes it back."""

    def __init__(self) -> None:
        self._undo_steps: list[Callable[[], object]] = []

    def undo(self) -> None:
        """Take back every change, last one first."""
        while self._undo_steps:
            self._undo_steps.pop()()

    def _add(self, rows: list[_T], row: _T) -> None:
        rows.append(row)
        self._undo_steps.append(rows.pop)

    def _set(self, rows: dict[_K, _T], key: _K, row: _T) -> None:
        if key in rows:
            self._undo_steps.append(partial(rows.__setitem__, key, rows[key]))
        else:
            self._undo_steps.append(partial(rows.__delitem__, key))
        rows[key] = row

    def _remove(self, rows: dict[_K, _T], key: _K) -> None:
        if key in rows:
            self._undo_steps.append(partial(rows.__setitem__, key, rows.pop(key)))
