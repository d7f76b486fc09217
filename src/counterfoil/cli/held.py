r"""The checkpoints that an auditor remembers: `audit PACK --state FILE`.  Imports `core` only.

A text file: a first line that says what it is, then a JSON string a line, one note of each log, by ascending origin.

    counterfoil/audit-state@v1
    "ledger.example.com/acme/0xdc4d...42e\n6\ni54bFBqH...LrU=\n\n\u2014 ledger.example.com/acme/0xdc4d...42e sZ/TIa...wk=\n"

It is the auditor's own: what is read from it is verified again all the same, with the auditor's keys.

Source: docs/spec/pack.md#steps, docs/cli.md#counterfoil-audit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from counterfoil.cli.files import open_input, open_output
from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.encoding import read_json
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import PACK_LINE_BYTES_MAX

_HEADER: Final = b"counterfoil/audit-state@v1\n"


def read_state(name: str) -> dict[str, Checkpoint]:
    """Return the checkpoints of a state file by origin; none where there is no such file yet.

    Raises:
        EngineError: `usage`, where the file is something else.
        OSError: where it cannot be read.
    """
    path = Path(name)
    if not path.exists() and not path.is_symlink():
        return {}
    found: dict[str, Checkpoint] = {}
    with open_input(name, follow=False) as stream:
        if stream.readline(len(_HEADER)) != _HEADER:
            raise EngineError("usage", f"--state {name}: the file is no state of an audit")
        while line := stream.readline(PACK_LINE_BYTES_MAX + 1):
            try:
                note = read_json(line, bytes_max=PACK_LINE_BYTES_MAX, what="line")
                checkpoint = parse_checkpoint(note if isinstance(note, str) else "")
            except MalformedError as error:
                raise EngineError("usage", f"--state {name}: {error.message}") from error
            found[checkpoint.origin] = checkpoint
    return found


def write_state(name: str, held: Mapping[str, Checkpoint]) -> None:
    """Write a state file: the old one stands until the new one is whole.

    Raises:
        EngineError: `usage`, where the name is that of something else than a plain file.
        OSError: where the system refuses.
    """
    with open_output(Path(name)) as stream:
        stream.write(_HEADER)
        for origin in sorted(held):
            stream.write(json.dumps(held[origin].note).encode("ascii") + b"\n")
