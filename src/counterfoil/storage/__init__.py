"""Where records are kept: the stores, and the key folder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from counterfoil.errors import EngineError
from counterfoil.storage.files import is_there
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
        EngineError: `usage`, where the URL names no store that can be opened, the file is another program's, or the
            extra is not installed; `unsafe-settings`, `log-corrupt`, `store-unavailable`, `io-error`, `out-of-space`.
    """
    if url == "memory:":
        return MemoryStore(clock)
    path = _path_of(url)
    _require_extra(create=create)
    # Auditors have neither SQLAlchemy nor a need for it.
    from counterfoil.storage.sql.sqlite import SqliteDatabase  # noqa: PLC0415  -- see above
    from counterfoil.storage.sql.store import SqlStore  # noqa: PLC0415  -- see above

    if not is_there(path) and not create:
        raise EngineError(
            "usage",
            f"there is no store at {path}: `counterfoil init` makes a new one; "
            "one that was lost is restored from its backup",
        )
    database = SqliteDatabase(path)
    if create:
        database.make_file()
    return SqlStore.open(database, clock=clock, create=create)


def is_store_there(url: str) -> bool:
    """Whether the file is there that a URL names; if not, the folder to make it in and the extra are.

    Raises:
        EngineError: `usage`, where the URL names no file, or the extra is not installed; `io-error`, where the folder
            is missing or may not be looked into.
    """
    path = _path_of(url)
    _require_extra(create=True)
    if is_there(path):
        return True
    if not path.parent.is_dir():
        raise EngineError("io-error", f"cannot make {path}: there is no folder {path.parent}")
    return False


def store_files(url: str) -> tuple[Path, ...]:
    """Return the files that a store on disk is, or would be, made of: nothing else may be written there.

    The files beside the first one are SQLite's, https://www.sqlite.org/tempfiles.html: a stranger's bytes under one of
    these names would be taken for its own.

    Raises:
        EngineError: `usage`, where the URL names no file.
    """
    path = _path_of(url).resolve()
    return (path, *(path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm")))


def _path_of(url: str) -> Path:
    name = url.removeprefix("sqlite:///")
    if name == url or not name:
        raise EngineError("usage", f"not the URL of a store on disk: {url!r}; use sqlite:///PATH")
    return Path(name)


def _require_extra(*, create: bool) -> None:
    # The migrations, which only make tables, are missed before there is a file.
    modules = ("sqlite", "store", "migrations") if create else ("sqlite", "store")
    try:
        for module in modules:
            import_module(f"counterfoil.storage.sql.{module}")
    except ModuleNotFoundError as error:
        message = f"keeping records needs {error.name}: pip install 'counterfoil[store]'"
        raise EngineError("usage", message) from error
