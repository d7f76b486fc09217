"""Where the records are and whose: `--store`, `--tenant`, `--keys`, and the engine over them.

Source: docs/operations/README.md.
"""

from __future__ import annotations

import gc
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from counterfoil.cli.files import FileKind, read_input, require_different, require_replaceable
from counterfoil.cli.output import hint
from counterfoil.core.encoding import decode_utf8
from counterfoil.core.reference import check_tenant
from counterfoil.engine.clock import HostClock
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Store
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import KEY_FILE_BYTES_MAX
from counterfoil.storage import open_store, store_files
from counterfoil.storage.key_folder import KeyFolder, load_key_folder, needs_passphrase

_OTHERS: Final = 0o077
_VARIABLE: Final = "COUNTERFOIL_PASSPHRASE_FILE"


def file_or_stdout(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return the file that `-o` names; None for `-`, which is standard output, as it is without the option."""
    return None if value == "-" else value


output_option: Final = click.option(
    "-o",
    "--output",
    metavar="FILE",
    callback=file_or_stdout,
    help="Write it there instead of standard output.",
)


def customers_options(words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command customers, or all of them by `--all`; it is called with None as `customers` for all.

    Args:
        words: what all are, as the help says it.
    """

    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_customers(
            *args: Any,  # noqa: ANN401  -- passed on
            customers: Sequence[str],
            all_customers: bool,
            **kwargs: Any,  # noqa: ANN401  -- passed on
        ) -> Any:  # noqa: ANN401  -- passed on
            if bool(customers) == all_customers:
                raise click.UsageError("name customers, or all of them with --all")
            return command(*args, customers=None if all_customers else customers, **kwargs)

        with_all = click.option("--all", "all_customers", is_flag=True, help=words)(with_customers)
        return click.argument("customers", metavar="[CUSTOMER]...", nargs=-1)(with_all)

    return give


@dataclass(frozen=True, slots=True)
class Place:
    """What the options and the environment name.

    Attributes:
        store: URL of the store.
        tenant: whose customers.
        keys: the key folder.
    """

    store: str
    tenant: str
    keys: Path


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--store`, `--tenant` and `--keys`; it is called with a `Place` as `place`."""

    @wraps(command)
    def with_place(*args: Any, store: str, tenant: str, key_folder: str, **kwargs: Any) -> Any:  # noqa: ANN401  -- passed on
        try:
            place = Place(store, check_tenant(tenant), Path(key_folder))
        except MalformedError as error:
            raise EngineError("usage", f"--tenant: {error.message}") from error
        return command(*args, place=place, **kwargs)

    for name, parameter, default, words in (
        ("--keys", "key_folder", "./counterfoil-keys", "The key folder."),
        ("--tenant", "tenant", "default", "Whose customers."),
        ("--store", "store", "sqlite:///counterfoil.db", "The store."),
    ):
        with_place = click.option(
            name,
            parameter,
            envvar=f"COUNTERFOIL_{name[2:].upper()}",
            default=default,
            show_default=True,
            show_envvar=True,
            help=words,
        )(with_place)
    return with_place


def find_passphrase() -> str | None:
    """Return the passphrase that the environment names, None where it names none.

    Raises:
        EngineError: `usage`, where its file is missing, or holds none.
    """
    name = os.environ.get(_VARIABLE)
    if not name:
        return None
    try:
        text = decode_utf8(read_input(name, KEY_FILE_BYTES_MAX), what=name)
    except MalformedError as error:
        raise EngineError("usage", f"{_VARIABLE}: {error.message}") from error
    passphrase = text.partition("\n")[0].removesuffix("\r")
    if not passphrase:
        raise EngineError("usage", f"{_VARIABLE}: the first line of {name} is empty")
    return passphrase


def ask_passphrase(*, confirm: bool = False) -> str:
    """Ask the person at the terminal.

    Raises:
        EngineError: `usage`, where there is no terminal.
    """
    if not _at_terminal():
        raise EngineError("usage", f"a passphrase is needed: name a file that holds it in {_VARIABLE}")
    answer: str = click.prompt(
        "passphrase of the signing key", hide_input=True, confirmation_prompt=confirm, err=True
    )
    return answer


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def load_keys(place: Place) -> KeyFolder:
    """Load the key folder; a passphrase comes from the environment or the terminal, where one is needed.

    Raises:
        EngineError: as `counterfoil.storage.key_folder.load_key_folder`.
    """
    if not needs_passphrase(place.keys):
        return load_key_folder(place.keys)
    return load_key_folder(place.keys, find_passphrase() or ask_passphrase())


def check_output(place: Place, path: Path) -> None:
    """Check that a file to be written is none of those that the records rest on.

    Raises:
        EngineError: `usage`, where it is a file of the store, or in the key folder.
    """
    # Unlike `Path.resolve`, this does not raise where links lead in a circle: no file of ours is there.
    target = Path(os.path.realpath(path))
    if target in store_files(place.store):
        raise EngineError("usage", f"{path} belongs to the store")
    if target.is_relative_to(place.keys.resolve()):
        raise EngineError("usage", f"{path} is in the key folder")


def check_outputs(place: Place, *outputs: tuple[str | None, FileKind], inputs: Iterable[str] = ()) -> None:
    """Check the files that a command is to write.

    Args:
        place: where the records are.
        outputs: name and kind of each; None is written nowhere.
        inputs: names of what the command reads.

    Raises:
        EngineError: `usage`, where one of them is named twice, is an input, or is there and of another kind, or as
            `check_output`.
        OSError: where one that is there cannot be read.
    """
    named = [(name, kind) for name, kind in outputs if name is not None]
    for name, _ in named:
        check_output(place, Path(name))
    require_different([Path(name) for name, _ in named], inputs=inputs)
    for name, kind in named:
        require_replaceable(name, kind)


def open_place(place: Place, *, create: bool = False) -> Store:
    """Open the store alone.

    Raises:
        EngineError: as `counterfoil.storage.open_store`.
    """
    if place.store == "memory:":
        raise EngineError("usage", "a store in memory would end with the command")
    store = open_store(place.store, clock=HostClock(), create=create)
    for file in store_files(place.store)[:1]:
        if stat.S_IMODE(file.stat().st_mode) & _OTHERS:
            hint(f"{file} is open to others, and holds what is recorded of customers: chmod 0600 {file}")
    return store


def operator_of(keys: KeyFolder) -> Operator:
    """Return who signs with these keys."""
    return Operator(keys.operator, keys.signer, keys.reference_key)


@contextmanager
def open_engine(place: Place) -> Iterator[Engine]:
    """Open the store with the operator's keys.

    Raises:
        EngineError: what keys and store say.
    """
    # What is loaded by now stays: a garbage collector that went through it again and again while records come in
    # would take a sixth of the time.
    gc.freeze()
    # The store first: it may be missing, and then nobody needs to type a passphrase.
    store = open_place(place)
    try:
        keys = load_keys(place)
        yield Engine(store, operator_of(keys), tenant=place.tenant)
    finally:
        store.close()
