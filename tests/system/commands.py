"""The command line, in a process that faults are injected into."""

import os

from counterfoil.cli import checkpoints as _checkpoints  # noqa: F401  -- loaded once for all that are forked
from counterfoil.cli import importing as _importing  # noqa: F401
from counterfoil.cli import receipts as _receipts  # noqa: F401
from counterfoil.cli import record as _record  # noqa: F401
from counterfoil.cli import setup as _setup  # noqa: F401
from counterfoil.cli.main import run

PLACE = {
    "COUNTERFOIL_STORE": "sqlite:///store.db",
    "COUNTERFOIL_KEYS": "keys",
    "COUNTERFOIL_TENANT": "default",
    "COUNTERFOIL_PASSPHRASE_FILE": "",
    "COUNTERFOIL_DEBUG": "",
}


def play_command(folder, arguments, tell):
    """Call a command in a folder; its output goes to the files `out` and `err` there, its status is told."""
    os.chdir(folder)
    os.environ.update(PLACE)
    for number, name in ((1, "out"), (2, "err")):
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    tell(run([str(argument) for argument in arguments]))
