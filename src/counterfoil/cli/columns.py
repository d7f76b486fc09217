"""The columns of a file of rows: `--map MEMBER=COLUMN`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import click

from counterfoil.errors import EngineError

map_option: Final = click.option(
    "--map",
    "maps",
    metavar="MEMBER=COLUMN",
    multiple=True,
    help="The column that holds a member. May be repeated.",
)


def read_columns(maps: Sequence[str], wanted: Collection[str]) -> dict[str, str]:
    """Return the columns that `--map` names, by member.

    Args:
        maps: the values of the option.
        wanted: the members that a row may have.

    Raises:
        EngineError: `usage`.
    """
    columns: dict[str, str] = {}
    for text in maps:
        member, sign, column = text.partition("=")
        if not sign or not column or member not in wanted:
            raise EngineError("usage", f"--map {text}: not MEMBER=COLUMN; members are {' '.join(wanted)}")
        if member in columns:
            raise EngineError("usage", f"--map names {member} twice")
        columns[member] = column
    return columns
