"""The command `counterfoil`: its table of commands, and what becomes of everything that they raise.

A command's module is imported when the command is called and not before: an auditor's `verify` loads neither the
engine nor a store, and starts in a tenth of a second.

Exit statuses: docs/spec/errors.md.  Besides those, 128 and the number of the signal after Ctrl-C (130), SIGTERM and
SIGHUP, and 141 where the reader of the output went away, as shells have it.  1 is never one of ours: a crash of the interpreter exits with it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from counterfoil import __version__
from counterfoil.cli.ending import Ended, ending_in_order
from counterfoil.cli.files import describe_os_error
from counterfoil.cli.output import complain, hint
from counterfoil.errors import EXIT_OK, EXIT_USAGE, CounterfoilError, EngineError, defect_of

_EXIT_INTERRUPTED: Final = 130
_EXIT_READER_GONE: Final = 141
_EXIT_SIGNAL: Final = 128


class _ReaderGone(Exception):  # noqa: N818  -- nobody's fault
    """Whoever read our output reads no more."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for.

    `table` says where each is: `name -> "module:attribute"` below `counterfoil.cli`.
    """

    def __init__(self, *args: Any, table: Mapping[str, str], **kwargs: Any) -> None:  # noqa: ANN401  -- click's own
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        del ctx
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        place = self._table.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(f"counterfoil.cli.{module}"), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  -- what a command returns
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would exit with 1
            raise _ReaderGone from error


root: Final = LazyGroup(
    name="counterfoil",
    help="Receipts anybody can verify, for usage and balance records.",
    epilog="\b\nStart here:\n  counterfoil demo\n  counterfoil init --operator ledger.example.com\n"
    "  counterfoil record cust_001 +500 --reason initial_deposit",
    table={
        "demo": "demo:demo",
        "init": "setup:init",
        "serve": "serve:serve",
        "apikey": "main:apikey",
        "record": "record:record",
        "import": "importing:import_file",
        "checkpoint": "checkpoints:checkpoint",
        "worker": "worker:worker",
        "customers": "customers:customers",
        "customer": "customers:customer",
        "receipt": "receipts:receipt",
        "receipts": "receipts:receipts",
        "statement": "statements:statement",
        "statements": "monthly:statements",
        "pack": "packs:pack",
        "compare": "compare:compare",
        "checkpoints": "checkpoints:checkpoints",
        "consistency": "main:consistency",
        "verify": "verify:verify",
        "inspect": "inspect:inspect",
        "audit": "auditing.command:audit",
        "webhook": "main:webhook",
        "key": "main:key",
        "migrate": "setup:migrate",
        "conformance": "main:conformance",
    },
)
click.version_option(__version__, prog_name="counterfoil", message="%(prog)s %(version)s")(root)

consistency: Final = LazyGroup(
    name="consistency",
    help="Show that a checkpoint extends an older one.",
    table={"make": "checkpoints:consistency_make", "verify": "consistency:consistency_verify"},
)

webhook: Final = LazyGroup(
    name="webhook",
    help="Where a tenant's events are sent.",
    table={
        "add": "webhooks:webhook_add",
        "list": "webhooks:webhook_list",
        "remove": "webhooks:webhook_remove",
        "rotate": "webhooks:webhook_rotate",
        "secret": "webhooks:webhook_show_secret",
        "deliveries": "webhooks:webhook_deliveries",
        "retry": "webhooks:webhook_retry",
    },
)

key: Final = LazyGroup(
    name="key",
    help="The operator's key.",
    table={"show": "setup:key_show", "check": "setup:key_check"},
)

apikey: Final = LazyGroup(
    name="apikey",
    help="Keys to the HTTP API.",
    table={
        "create": "apikeys:create",
        "list": "apikeys:list_keys",
        "rotate": "apikeys:rotate",
        "revoke": "apikeys:revoke",
    },
)

conformance: Final = LazyGroup(
    name="conformance",
    help="Hold an implementation to the test vectors.",
    table={"run": "conformance:run_vectors", "respond": "conformance:respond_to_runner"},
)


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line; return its exit status."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # A stream that was closed is None, and its number would go to the next file that is opened: the store.
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  -- it lasts as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        with ending_in_order():
            status = root.main(list(arguments), prog_name="counterfoil", standalone_mode=False)
        # Here and not at the end of the process, which would hide what goes wrong, or exit with 120.
        sys.stdout.flush()
    except (_ReaderGone, BrokenPipeError):
        _drop_output()
        return _EXIT_READER_GONE
    except (click.Abort, KeyboardInterrupt):
        return _EXIT_INTERRUPTED
    except Ended as ended:
        # Whoever should read the rest may have gone, or never get to it.
        _discard_output()
        return _EXIT_SIGNAL + ended.number
    except Exception as error:  # noqa: BLE001  -- the last resort: nothing else may reach the user
        return _refuse(error)
    return status or EXIT_OK


def _refuse(error: Exception) -> int:
    """Say what went wrong; return the exit status."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        sys.stderr.write(f"{error.message}\n")
        return EXIT_USAGE
    refusal = refusal_of(error)
    # With standard error gone as well the status alone has to say it.
    with contextlib.suppress(OSError):
        complain(refusal)
        if isinstance(error, click.UsageError):
            hint(f"see `{error.ctx.command_path if error.ctx else 'counterfoil'} --help`")
        if refusal.code == "internal" and error is not refusal:
            if os.environ.get("COUNTERFOIL_DEBUG") == "1":
                traceback.print_exception(error)
            else:
                hint("a defect in counterfoil: report the reference; COUNTERFOIL_DEBUG=1 shows the traceback")
    return refusal.exit_status


def refusal_of(error: Exception) -> CounterfoilError:
    """Return the refusal that an exception stands for."""
    if isinstance(error, CounterfoilError):
        return error
    if isinstance(error, click.ClickException):
        words = error.format_message().removesuffix(".")
        return EngineError("usage", words[:1].lower() + words[1:])
    if isinstance(error, OSError):
        # Standard output may be what cannot be written: then nothing more goes there.
        _drop_output()
        return describe_os_error(error)
    return defect_of(error, __version__)


def _drop_output() -> None:
    """Let what is left of the output go nowhere, so that the interpreter does not stumble over it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()


def _discard_output() -> None:
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
