"""The verifier keys that a caller trusts: `--key`.

Imports `core` only.  Source: docs/spec/note.md#verifier-key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click

from counterfoil.cli.files import read_input
from counterfoil.core.checkpoint import KeySet, key_lines
from counterfoil.core.encoding import decode_utf8
from counterfoil.core.note import VerifierKey, parse_verifier_key
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import KEY_FILE_BYTES_MAX

_PLUSES: Final = 2
# What documents have in each line, and keys nowhere: base64 alone has any number of "+".
_NOT_IN_A_KEY: Final = ' "{'


def key_option(*, required: bool) -> Callable[[Any], Any]:
    """Return the option `--key`, which may be given several times."""
    return click.option(
        "--key",
        "keys",
        metavar="KEY",
        multiple=True,
        required=required,
        help="A verifier key, or a file with one a line. May be repeated.",
    )


def read_keys(values: Sequence[str]) -> KeySet:
    """Read what `--key` names: verifier keys, or files that hold one a line; lines with `#` are remarks.

    Raises:
        EngineError: `usage`, where one is neither, or a file holds no key.
        OSError: where a file cannot be read.
    """
    return KeySet(key for value in values for key in _keys(value))


def looks_like_key(text: str) -> bool:
    """Return whether a line is to be a verifier key: whether it is one, its reader says."""
    return text.count("+") >= _PLUSES and not any(each in text for each in _NOT_IN_A_KEY)


def _keys(value: str) -> Iterator[VerifierKey]:
    # Name, id and key stand between two signs that a file's name hardly has.
    if value.count("+") >= _PLUSES and "\n" not in value:
        try:
            yield parse_verifier_key(value)
        except MalformedError as error:
            raise EngineError("usage", f"--key: {error.message}") from error
        return
    if value != "-" and not os.path.lexists(value):
        raise EngineError("usage", f"--key {value}: neither a verifier key nor a file")
    found = False
    try:
        for line in key_lines(decode_utf8(read_input(value, KEY_FILE_BYTES_MAX), what=value)):
            if not found and not looks_like_key(line):
                raise EngineError("usage", f"--key {value}: wants a verifier key, not a document")
            yield parse_verifier_key(line)
            found = True
    except MalformedError as error:
        raise EngineError("usage", f"--key {value}: {error.message}") from error
    if not found:
        raise EngineError("usage", f"--key {value}: the file holds no key")
