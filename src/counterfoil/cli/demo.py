"""`demo`: real purchases, month by month, from the record to the proof, and what becomes of a lie.

Everything happens in a temporary folder.  It uses the engine and the verifier as any program would.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

import click

from counterfoil.cli.context import operator_of
from counterfoil.cli.output import Progress, plural, say
from counterfoil.core.amount import format_nano
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.ed25519 import SEED_BYTES
from counterfoil.core.receipt import verify_receipt
from counterfoil.core.timestamp import MICROSECONDS
from counterfoil.engine.engine import Engine
from counterfoil.engine.request import Delta
from counterfoil.engine.rows import Reading, read_csv
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.limits import REFERENCE_KEY_BYTES
from counterfoil.storage import open_store
from counterfoil.storage.key_folder import create_key_folder

T = TypeVar("T")

_DATA: Final = "cdnow_1997.csv"
_READING: Final = Reading(
    source=_DATA,
    columns={"customerId": "customer_id", "delta": "amount", "effectiveAt": "date"},
    reason="purchase",
    negate=True,
)
_OPERATOR: Final = "demo.example"
_NOON: Final = timedelta(hours=12)
_MICROSECOND: Final = timedelta(microseconds=1)
_LIE: Final = "-0.01"
# Whose receipt is altered.
_CUSTOMER: Final = "00004"
_NEXT: Final = (
    "counterfoil init --operator ledger.example.com",
    "counterfoil record cust_001 +500 --reason initial_deposit",
    "counterfoil record cust_001 -12.5 --reason api_call",
    "counterfoil checkpoint cust_001",
    "counterfoil receipts cust_001 -o receipts",
    "counterfoil key show > operator.vkey",
    "counterfoil verify receipts --key operator.vkey --customer cust_001",
)
_ROW: Final = "  {:<8}  {:>7}  {:>10}  {:>10}  {:>12}  {}"


@dataclass(slots=True)
class _Clock:
    """Stands where the demo puts it, so that the record reads as if it had been kept at the time."""

    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def __call__(self) -> int:
        return int(self.now.timestamp()) * MICROSECONDS + self.now.microsecond


@click.command(epilog="\b\nExample:\n  counterfoil demo")
def demo() -> None:
    """Replay real purchases, prove them, then try to lie."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="counterfoil-demo-")))
        clock = _Clock()
        keys = create_key_folder(
            folder / "keys",
            _OPERATOR,
            signing_seed=secrets.token_bytes(SEED_BYTES),
            reference_key=secrets.token_bytes(REFERENCE_KEY_BYTES),
        )
        file = folder / "demo.db"
        store = stack.enter_context(closing(open_store(f"sqlite:///{file}", clock=clock, create=True)))
        engine = Engine(store, operator_of(keys), tenant="cdnow")
        engine.set_unit("USD")
        _replay(engine, clock)
        public = KeySet([keys.verifier_key])
        receipts = _prove(engine, public)
        _lie_in_a_receipt(receipts[_CUSTOMER][-1], public)
        _lie_in_the_store(engine, file, public)
    _say_what_next()


def _purchases() -> Iterator[Delta]:
    with files("counterfoil.cli").joinpath("demo_data", _DATA).open("rb") as stream:
        rows = sorted(read_csv(stream, _READING), key=lambda row: _date(row.delta))
    for row in rows:
        if isinstance(row.delta, Delta):
            yield row.delta


def _date(delta: Delta | CounterfoilError) -> str:
    if isinstance(delta, CounterfoilError):  # the file came with the program
        raise delta
    return delta.effective_at or ""


def _replay(engine: Engine, clock: _Clock) -> None:
    say(
        "Forty customers of the music shop CDNOW, January 1997 to June 1998: real purchases, replayed month by month"
    )
    say("with the clock set to the day of each purchase, into a new store with new keys.")
    say()
    say(_ROW.format("month", "deltas", "USD", "customers", "checkpoints", "verified through"))
    with Progress("replay", "purchases") as progress:
        for month, purchases in groupby(_purchases(), key=lambda delta: _date(delta)[:7]):
            deltas = list(purchases)
            amount = 0
            for day, of_day in groupby(progress.over(deltas), key=_date):
                clock.now = datetime.fromisoformat(day).replace(tzinfo=UTC) + _NOON
                amount += _record(engine, of_day)
            # Months close with a checkpoint of every customer who bought in them.
            clock.now = _next_month(clock.now) - _MICROSECOND
            outcomes = [_require(outcome) for outcome in engine.checkpoint_all()]
            through = max(outcome.verified_through_at for outcome in outcomes)
            customers = len({delta.customer_id for delta in deltas})
            say(_ROW.format(month, len(deltas), format_nano(amount), customers, len(outcomes), through))
    say()


def _record(engine: Engine, deltas: Iterable[Delta]) -> int:
    return sum(_require(recorded).entry.amount for recorded in engine.record_many(list(deltas)))


def _next_month(moment: datetime) -> datetime:
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def _require(answer: T | CounterfoilError) -> T:
    if isinstance(answer, CounterfoilError):
        raise answer
    return answer


def _prove(engine: Engine, public: KeySet) -> dict[str | None, list[bytes]]:
    """Return the receipts of each customer, in the order of the log."""
    receipts: dict[str | None, list[bytes]] = {}
    for record in map(_require, engine.customers()):
        for proven in engine.log_receipts(record.log):
            verify_receipt(proven.receipt, public, customer_id=record.customer_id)
            receipts.setdefault(record.customer_id, []).append(proven.receipt)
    count = sum(map(len, receipts.values()))
    say(f"{plural(count, 'receipt')} issued; each verified from its bytes and one public key alone:")
    say(f"  {public.keys[0]}")
    entries = sum(engine.audit_log(log, public).entries for log in engine.logs())
    say(
        f"All logs audited: {entries:,} entries recomputed from their stored bytes, every total and every signature holds."
    )
    say()
    return receipts


def _lie_in_a_receipt(receipt: bytes, public: KeySet) -> None:
    document = json.loads(receipt)
    customer = document["open"]["details"]["value"]["customerId"]
    say(
        f"Now a lie: in a receipt of customer {customer} the amount {document['entry']['amount']} becomes {_LIE}."
    )
    document["entry"]["amount"] = _LIE
    _must_refuse(lambda: verify_receipt(json.dumps(document), public))


def _lie_in_the_store(engine: Engine, file: Path, public: KeySet) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        (row, log, entry) = database.execute(
            "SELECT rowid, log, entry FROM entries WHERE key_prefix IS NOT NULL ORDER BY rowid LIMIT 1"
        ).fetchone()
        document = json.loads(entry)
        honest, document["amount"] = document["amount"], _LIE
        lie = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
        database.execute("UPDATE entries SET entry = ? WHERE rowid = ?", (lie, row))
    say(
        f"And a lie in the database itself: somebody changes a row, from {honest} to {_LIE}. The audit of that log:"
    )
    _must_refuse(lambda: engine.audit_log(log, public))


def _must_refuse(check: Callable[[], object]) -> None:
    """Show the refusal of a lie.

    Raises:
        EngineError: `internal`, where the lie was believed.
    """
    try:
        check()
    except CounterfoilError as error:
        say(f"  counterfoil: error: {error.code}: {error.message}")
        say()
    else:
        raise EngineError("internal", "a lie was believed")


def _say_what_next() -> None:
    say("The store was temporary and is gone. Your own:")
    for command in _NEXT:
        say(f"  {command}")
