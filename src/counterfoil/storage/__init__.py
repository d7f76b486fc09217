"""Where records are kept: the stores, and the key folder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from counterfoil.errors import EngineError
from counterfoil.storage.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from counterfoil.engine.store import Store


def open_store(url: str, *, clock: Callable[[], int], create: bool = False) -> Store:
    """Open the store that a URL names.

    Args:
        url: `sqlite:///counterfoil.db` (relative), `sqlite:////var/lib/counterfoil.db` (absolute), or `memory:`,
            which ends with the process.
        clock: gives microseconds since 1970-01-01T00:00:00Z.
        create: make the store where there is none; one that is there is opened as it is.

    Raises:
        EngineError: `usage`, where the URL names no store that can be opened, or the extra is not installed;
            `unsafe-settings`, `log-corrupt`, `store-unavailable`, `io-error`, `out-of-space`.
    """
    if url == "memory:":
        return MemoryStore(clock)
    name = url.removeprefix("sqlite:///")
    if name == url or not name:
        raise EngineError("usage", f"no such kind of store: {url!r}; use sqlite:///PATH or memory:")
    try:
        # Auditors have neither SQLAlchemy nor a need for it.
        from counterfoil.storage.sql.sqlite import SqliteDatabase  # noqa: PLC0415  -- see above
        from counterfoil.storage.sql.store import SqlStore  # noqa: PLC0415  -- see above

        if create:  # The other half of the extra, which only makes tables: missed before there is a file.
            import_module("counterfoil.storage.sql.migrations")
    except ModuleNotFoundError as error:
        message = f"keeping records needs {error.name}: pip install 'counterfoil[store]'"
        raise EngineError("usage", message) from error
    path = Path(name)
    if not create and not path.exists():
        raise EngineError("usage", f"there is no store at {path}: run `counterfoil init` first")
    database = SqliteDatabase(path)
    if create:
        database.make_file()
    return SqlStore.open(database, clock=clock, create=create)
