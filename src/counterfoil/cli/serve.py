"""`serve`: the HTTP API, and beside it checkpoints and webhooks.

The first process makes what is missing, listens, and keeps the others: those that answer requests, and one that works in
the background.

Source: docs/operations/server.md.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Final

import click

from counterfoil.cli.context import Place, open_place, operator_of, place_options
from counterfoil.cli.output import complain, hint, say
from counterfoil.cli.setup import find_owner, has_keys, keys_at_hand, make_keys_and_store
from counterfoil.cli.team import BREATH_SECONDS, PROCESSES_MAX, Duty, Stop, Team
from counterfoil.engine import apikeys
from counterfoil.engine.clock import HostClock
from counterfoil.engine.operator import Operator, claim_store
from counterfoil.engine.store import Store
from counterfoil.errors import EXIT_IO, EngineError
from counterfoil.storage import open_store

_PORT_MAX: Final = 65_535
_LEVELS: Final = ("debug", "info", "warning", "error")
_BACKLOG: Final = 2_048
# Somebody listens there, or it is not for everybody.
_OTHER_PORT: Final = (errno.EADDRINUSE, errno.EACCES)
# As it stands in links: a path behind it is allowed, a query is not.
_URL: Final = re.compile(r"https?://[A-Za-z0-9._\-\[\]:]+(?:/[A-Za-z0-9._~/-]*)?")
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@click.command(
    epilog="\b\nExamples:\n  counterfoil serve\n"
    "  counterfoil serve --processes 2 --public-url https://ledger.example.com --proxy 10.0.0.2",
)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, _PORT_MAX),
    default=8080,
    show_default=True,
    help="On which port; 0 for any.",
)
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1, PROCESSES_MAX),
    default=1,
    show_default=True,
    help="How many answer side by side.",
)
@click.option(
    "--checkpoint-every",
    metavar="SECONDS",
    type=click.FloatRange(0, 86_400),
    default=1.0,
    show_default=True,
    help="How often to checkpoint; 0 leaves it to `counterfoil worker`.",
)
@click.option(
    "--public-url", metavar="URL", help="Under which clients reach it.  [default: where it listens]"
)
@click.option(
    "--rate-limit",
    metavar="PER_SECOND",
    type=click.FloatRange(0, 1_000_000),
    default=0,
    show_default=True,
    help="Requests of one API key to one process; 0 for no bound.",
)
@click.option(
    "--proxy", "proxies", metavar="ADDRESS", multiple=True, help="A proxy whose word on clients is taken."
)
@click.option("--allow-private-webhooks", is_flag=True, help="Let webhooks lead into the own network.")
@click.option("--allow-http-webhooks", is_flag=True, help="Send where anybody on the way can read along.")
@click.option(
    "--log-level",
    type=click.Choice(_LEVELS),
    default="info",
    show_default=True,
    help="The least that is logged.",
)
@click.option("--operator", metavar="NAME", help="Who signs, where keys are made.  [default: localhost]")
@place_options
def serve(
    place: Place,
    *,
    host: str,
    port: int,
    processes: int,
    checkpoint_every: float,
    public_url: str | None,
    rate_limit: float,
    proxies: tuple[str, ...],
    allow_private_webhooks: bool,
    allow_http_webhooks: bool,
    log_level: str,
    operator: str | None,
) -> None:
    """Serve the HTTP API, checkpoint, and send events.

    It checkpoints what is due as `worker` does, and sends events to webhooks. Where there are neither keys nor a store, it
    makes both, and a first API key. Ctrl-C or SIGTERM ends it after the requests that it is at.
    """
    # First what may refuse: the extra, the address, the URL.  Then what is made: keys, a store, an API key.
    with _counters(processes), closing(_listen(host, port)) as listener:
        _require_extra()
        url = _url(host, listener.getsockname()[1])
        options = _Options(
            public_url=url if public_url is None else _checked_url(public_url),
            rate_limit=rate_limit,
            checkpoint_every=checkpoint_every,
            proxies=proxies,
            allow_private_webhooks=allow_private_webhooks,
            allow_http_webhooks=allow_http_webhooks,
            log_level=log_level,
        )
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Whoever started this waits for the line that says where it listens.
            sys.stdout.reconfigure(line_buffering=True)
        owner = _prepare(place, operator)
        say(f"listening     {url}")
        if host not in _LOOPBACK and not proxies:
            hint("API keys travel in clear text: put a proxy with TLS in front, and name it with --proxy")
        stop = Stop()
        answering = Duty("server", partial(_answer, listener, place, owner, stop, options))
        background = Duty("background", partial(_work, listener, place, owner, stop, options))
        # As long as one process has the listener open, connections come in at it, though nobody takes them.
        Team([*[answering] * processes, background], stop, before_end=listener.close).run()


@dataclass(frozen=True, slots=True)
class _Options:
    """What the processes need of the command line."""

    public_url: str
    rate_limit: float
    checkpoint_every: float
    proxies: tuple[str, ...]
    allow_private_webhooks: bool
    allow_http_webhooks: bool
    log_level: str


def _answer(listener: socket.socket, place: Place, owner: Operator, stop: Stop, options: _Options) -> None:
    """Answer requests; the work of one process."""
    from counterfoil.web.logs import set_up  # noqa: PLC0415  -- an extra, which was looked for
    from counterfoil.web.server import answer_requests  # noqa: PLC0415  -- as above
    from counterfoil.web.state import Services, Settings  # noqa: PLC0415  -- as above

    set_up(options.log_level)
    with _opened(place, stop) as store:
        if store is None:
            return
        settings = Settings(public_url=options.public_url, rate_per_second=options.rate_limit)
        answer_requests(listener, Services(store, owner, settings), stop, proxies=options.proxies)


def _work(listener: socket.socket, place: Place, owner: Operator, stop: Stop, options: _Options) -> None:
    """Checkpoint and deliver; the work of one process."""
    from counterfoil.web.background import keep_working  # noqa: PLC0415  -- as above
    from counterfoil.web.logs import set_up  # noqa: PLC0415  -- as above
    from counterfoil.web.outbound import Sender  # noqa: PLC0415  -- as above

    set_up(options.log_level)
    # Else a connection could be waiting at it when all that answer have ended.
    listener.close()
    with _opened(place, stop) as store:
        if store is None:
            return
        sender = Sender(allow_private=options.allow_private_webhooks, allow_http=options.allow_http_webhooks)
        keep_working(store, owner, stop, sender.send, checkpoint_seconds=options.checkpoint_every)


@contextmanager
def _opened(place: Place, stop: Stop) -> Iterator[Store | None]:
    """Open the store for one process, waiting while it is away; None where it was time to end before that."""
    while not stop.is_wanted():
        try:
            store = open_store(place.store, clock=HostClock())
        except EngineError as error:
            if error.exit_status != EXIT_IO:
                raise
            complain(error, advise=False)
            stop.wait(BREATH_SECONDS)
            continue
        with closing(store):
            yield store
        return
    yield None


def _prepare(place: Place, operator: str | None) -> Operator:
    """Make what is missing; return whose the store is."""
    if not has_keys(place) and find_owner(place) is None:
        make_keys_and_store(place, operator, unit=None, asks=False)
    # What is wrong with store or keys is said once, and a passphrase asked for once: before there are several.
    with closing(open_place(place)) as store:
        owner = operator_of(keys_at_hand(place, operator))
        claim_store(store, owner)
        issued = apikeys.create(
            store,
            tenant=place.tenant,
            scopes=apikeys.SCOPES,
            randomness=secrets.token_bytes,
            label="first",
            only_first=True,
        )
    if issued is not None:
        say(f"api key       {issued.text}  (may read and write for tenant {place.tenant}; not shown again)")
    # What is loaded by now stays, and the processes share it.
    gc.freeze()
    return owner


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno in _OTHER_PORT:
            hint("take another port with --port, such as --port 8081")
        raise EngineError(
            "io-error", f"cannot listen on {host} port {port}: {error.strerror or error}"
        ) from error


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _checked_url(url: str) -> str:
    if not _URL.fullmatch(url):
        raise EngineError("usage", "--public-url: not a URL such as https://ledger.example.com")
    return url.rstrip("/")


@contextmanager
def _counters(processes: int) -> Iterator[None]:
    """Give several processes a folder in which they count together, for as long as they run."""
    if processes == 1:
        yield  # in memory, which costs less
        return
    folder = tempfile.mkdtemp(prefix="counterfoil-")
    # Before the library is imported, which looks for it then.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        shutil.rmtree(folder, ignore_errors=True)


def _require_extra() -> None:
    try:
        import_module("counterfoil.web.server")
    except ModuleNotFoundError as error:
        message = f"serving needs {error.name}: pip install 'counterfoil[server]'"
        raise EngineError("usage", message) from error
