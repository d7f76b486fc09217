"""What statement cases are made of: statements of a log of twelve entries, taken apart and put together again."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from generator.example import VKEY, WEEK
from generator.ledger import jcs
from generator.model import Case, Maker
from generator.signing import checkpoint_text, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from generator.ledger import Log

MAKER = Maker("statement", "statement.md")
ORIGIN = WEEK.origin
SIZE = 12
CUSTOMER = WEEK.customer_id

Statement = dict[str, Any]


def at(second: int, microsecond: int = 0) -> str:
    """Return an instant; entry n of the log stands at second n."""
    return f"2026-06-01T00:00:{second:02}.{microsecond:06}Z"


# Entries 3 to 8; entry 5 is a seal.
PERIOD = (at(3), at(9))


def light() -> Statement:
    """Return the light statement of entries 3 to 8, which has entries 2, 3, 8 and 9; a new one each time."""
    return copy.deepcopy(WEEK.statement(PERIOD, "light", SIZE))


def full() -> Statement:
    """Return the full statement of entries 3 to 8, which has entries 2 to 9; a new one each time."""
    return copy.deepcopy(WEEK.statement(PERIOD, "full", SIZE))


def named() -> Statement:
    """Return the light statement with `open`, so that it names its customer."""
    return copy.deepcopy(WEEK.statement(PERIOD, "light", SIZE, with_open=True))


def last() -> Statement:
    """Return the light statement of entries 8 to 11, behind which nothing comes: it has entries 7, 8 and 11."""
    return copy.deepcopy(WEEK.statement((at(8), at(11, 1)), "light", SIZE))


def of(log: Log, mode: str = "full", period: tuple[str, str] = PERIOD, size: int = SIZE) -> Statement:
    """Return the statement of a log that is the one of twelve entries with some members changed.

    The items are those of the right log: what the entries say of their times picks nothing.
    """
    statement = copy.deepcopy(WEEK.statement(period, mode, size))
    for item in statement["items"]:
        index = int(item["entry"]["index"])
        item.pop("details", None)
        item["entry"] = dict(log.entries[index])
        if "path" in item:
            item["path"] = log.proven(index, size)["path"]
    statement["checkpoint"] = log.checkpoint(size)
    return statement


def item(index: int, size: int = SIZE, log: Log = WEEK) -> dict[str, Any]:
    """Return an entry with details and path, as an item."""
    return copy.deepcopy(log.proven(index, size))


def with_items(make: Callable[[], Statement], items: list[Any]) -> Statement:
    """Return a new statement with other items."""
    return {**make(), "items": items}


def without_item(make: Callable[[], Statement], place: int) -> Statement:
    """Return a new statement that lacks one item."""
    items = make()["items"]
    return with_items(make, [*items[:place], *items[place:][1:]])


def signed_checkpoint(origin: str = ORIGIN, size: int | str = SIZE, root: bytes = WEEK.root(SIZE)) -> str:
    """Return a checkpoint that the operator signed, true or not."""
    written = checkpoint_text(origin, size, root)
    return note(written, WEEK.key.line(origin, written))


def text(statement: Statement) -> str:
    """Write a statement in canonical form."""
    return jcs(statement).decode()


def request(
    statement: Statement | str,
    *,
    keys: list[str] | None = None,
    origin: str | None = None,
    customer: str | None = None,
    provisional: bool | None = None,
) -> dict[str, Any]:
    """Return the request for a statement; the operator's key is given if no other is."""
    asked: dict[str, Any] = {
        "statement": statement if isinstance(statement, str) else text(statement),
        "keys": [VKEY] if keys is None else keys,
    }
    further = {"origin": origin, "customer": customer, "allowProvisional": provisional}
    return asked | {name: value for name, value in further.items() if value is not None}


def refuse(step: int, code: str, cases: list[tuple[str, str, Statement | str]]) -> list[Case]:
    """Return cases that a step refuses, each named by slug, comment and statement."""
    return [
        MAKER.refuse(slug, comment, f"step-{step}", request(statement), code)
        for slug, comment, statement in cases
    ]
