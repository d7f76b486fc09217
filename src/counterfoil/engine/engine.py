"""The engine: one tenant's logs, with the store, the keys and the randomness that were passed in.

It holds nothing of its own: any number of engines, in any number of processes, may stand over one store.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence

from counterfoil.core.audit import AuditReport
from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.compare import Charge
from counterfoil.core.receipt import Verified, verify_receipt
from counterfoil.core.reference import check_tenant, parse_record_id
from counterfoil.engine import (
    balances,
    closing,
    customers,
    deltas,
    disputes,
    packs,
    prove,
    published,
    references,
    statements,
)
from counterfoil.engine.audit import Progress, audit_log
from counterfoil.engine.checkpoint import Checkpointed, checkpoint_many
from counterfoil.engine.customers import CustomerRecord, CustomerView
from counterfoil.engine.operator import Operator, claim_store
from counterfoil.engine.record import Recorded, record_many
from counterfoil.engine.request import Delta, Randomness, check_unit
from counterfoil.engine.sequence import Sequence as DeltaSequence
from counterfoil.engine.sequence import check_sequence
from counterfoil.engine.store import Store
from counterfoil.engine.stored import iter_checkpoints, read_checkpoint, require_head
from counterfoil.engine.summary import Summary, summarize
from counterfoil.engine.transact import transact
from counterfoil.engine.windows import Window
from counterfoil.errors import CounterfoilError, EngineError, MalformedError


class Engine:
    """Records, checkpoints, proves and audits the logs of one tenant.

    A record is named by its recordId, a customer by its customerId.  Every method raises `CounterfoilError` with a
    listed code and nothing else.

    Attributes:
        operator: who signs.
        tenant: whose customers these are.
    """

    def __init__(
        self,
        store: Store,
        operator: Operator,
        *,
        tenant: str = "default",
        randomness: Randomness = secrets.token_bytes,
    ) -> None:
        """Stand over a store; a store without an owner becomes this operator's.

        Raises:
            EngineError: `key-mismatch`, where the store belongs to another operator or key.
            MalformedError: where the tenant is none.
        """
        self.tenant = check_tenant(tenant)
        self.operator = operator
        self._store = store
        self._randomness = randomness
        claim_store(store, operator)

    def set_unit(self, unit: str) -> None:
        """Set the unit of the tenant's logs that are opened from now on.

        Raises:
            EngineError: `invalid-field`.
        """
        check_unit(unit)
        transact(self._store, lambda transaction: transaction.set_tenant_unit(self.tenant, unit))

    # Recording.

    def record(self, delta: Delta) -> Recorded:
        """Record one delta.

        Raises:
            EngineError: `invalid-field`, `amount-out-of-range`, `idempotency-conflict`, `record-not-found` (what it
                adjusts), `clock-regressed`, `log-corrupt`, or what the store says.
        """
        answer = self.record_many([delta])[0]
        if isinstance(answer, CounterfoilError):
            raise answer
        return answer

    def record_many(
        self, deltas: Sequence[Delta], *, batch_key: str | None = None
    ) -> list[Recorded | CounterfoilError]:
        """Record up to 10,000 deltas in one transaction; see `counterfoil.engine.record.record_many`."""
        return record_many(
            self._store, self.operator, self.tenant, deltas, randomness=self._randomness, batch_key=batch_key
        )

    # Checkpointing.

    def checkpoint(self, customer_id: str, *, refresh: bool = False) -> Checkpointed:
        """Checkpoint one customer; with nothing new only where a fresh watermark is asked for.

        Raises:
            EngineError: `customer-not-found`, `clock-regressed`, `log-corrupt`, `fork-refused`.
        """
        (outcome,) = self.checkpoint_many([customer_id], refresh=refresh)
        if isinstance(outcome, CounterfoilError):
            raise outcome
        return outcome

    def checkpoint_many(
        self, customer_ids: Iterable[str], *, refresh: bool = False
    ) -> Iterator[Checkpointed | CounterfoilError]:
        """Checkpoint customers; yield what became of each, in their order; a refusal names its log."""
        logs = dict.fromkeys(self.log_of(customer_id) for customer_id in customer_ids)
        return checkpoint_many(self._store, self.operator, self.tenant, logs, refresh=refresh)

    def checkpoint_all(self, *, refresh: bool = False) -> Iterator[Checkpointed | CounterfoilError]:
        """Checkpoint every customer with entries that no checkpoint covers, or with `refresh` every customer."""
        logs = customers.all_logs(self._store, self.tenant, with_work=not refresh)
        return checkpoint_many(self._store, self.operator, self.tenant, logs, refresh=refresh)

    def checkpoint_window(self, customer_id: str, window: Window, *, now: int) -> Checkpointed:
        """Return the checkpoint that closes a window; see `counterfoil.engine.closing.checkpoint_window`."""
        log = self.log_of(customer_id)
        return closing.checkpoint_window(self._store, self.operator, self.tenant, log, window, now=now)

    # Reading.

    def log_of(self, customer_id: str) -> bytes:
        """Return the 20-byte reference of a customer, whether it has a log or not."""
        return self.operator.log_of(self.tenant, customer_id)

    def customer(self, customer_id: str) -> CustomerRecord:
        """Return the record of a customer.

        Raises:
            EngineError: `customer-not-found`, `log-corrupt`.
        """
        return customers.customer(self._store, self.operator.name, self.tenant, self.log_of(customer_id))

    def customers(self) -> Iterator[CustomerRecord | CounterfoilError]:
        """Yield the records of all customers, in the order of their references."""
        return customers.customers(self._store, self.operator.name, self.tenant)

    def customer_view(self, customer_id: str, windows: Sequence[Window]) -> CustomerView:
        """Return the record of a customer, and what happened in windows of time.

        Raises:
            EngineError: `customer-not-found`, `log-corrupt`.
        """
        log = self.log_of(customer_id)
        return customers.customer_view(self._store, self.operator, self.tenant, log, windows)

    def customer_page(
        self, windows: Sequence[Window], *, search: str = "", offset: int = 0, limit: int
    ) -> tuple[list[CustomerView | CounterfoilError], int]:
        """Return a page of the customers; see `counterfoil.engine.customers.customer_page`."""
        return customers.customer_page(
            self._store, self.operator, self.tenant, windows, search=search, offset=offset, limit=limit
        )

    def summary(self) -> Summary:
        """Return all customers in a few numbers; it takes as long as there are customers."""
        return summarize(self.customers())

    def delta(self, record_id: str) -> deltas.DeltaState:
        """Return how a delta stands.

        Raises:
            EngineError: `record-not-found`, `log-corrupt`.
        """
        log, index = self._place(record_id)
        return deltas.delta_state(self._store, self.operator, self.tenant, log, index)

    def find_reference(self, customer_id: str, reference_id: str) -> str:
        """Return the recordId of the delta that the sender named so; see `counterfoil.engine.references`.

        Raises:
            EngineError: `record-not-found`, `log-corrupt`.
        """
        return references.find_reference(self._store, self.tenant, self.log_of(customer_id), reference_id)

    def resolve_adjusts(self, delta: Delta, reference_id: str) -> Delta:
        """Return a delta that says by its recordId what it adjusts; see `counterfoil.engine.references`.

        Raises:
            EngineError: `record-not-found`, `invalid-field`, `log-corrupt`.
        """
        return references.resolve_adjusts(self._store, self.operator, self.tenant, delta, reference_id)

    def deltas(
        self,
        customer_id: str,
        first: int,
        last: int,
        *,
        newest_first: bool = False,
        offset: int = 0,
        limit: int,
    ) -> list[deltas.DeltaItem]:
        """Return a page of a customer's deltas by their numbers; see `counterfoil.engine.deltas.deltas`."""
        return deltas.deltas(
            self._store,
            self.tenant,
            self.log_of(customer_id),
            first,
            last,
            newest_first=newest_first,
            offset=offset,
            limit=limit,
        )

    def check_sequence(
        self, customer_id: str, *, first: int = 1, last: int | None = None, limit: int
    ) -> DeltaSequence:
        """Say which of a customer's deltas are missing; see `counterfoil.engine.sequence.check_sequence`."""
        log = self.log_of(customer_id)
        return check_sequence(self._store, self.tenant, log, first=first, last=last, limit=limit)

    def derive(
        self, customer_id: str, window: Window, *, parts: Sequence[Window] = (), starting_balance: int = 0
    ) -> balances.Derived:
        """Add up a window; see `counterfoil.engine.balances.derive`."""
        log = self.log_of(customer_id)
        return balances.derive(
            self._store, self.tenant, log, window, parts=parts, starting_balance=starting_balance
        )

    def derive_from(self, customer_id: str, start: str) -> balances.Derived:
        """Add up all behind a checkpoint or a delta; see `counterfoil.engine.balances.derive_from`."""
        return balances.derive_from(self._store, self.tenant, self.log_of(customer_id), start)

    def period_totals(self, customer_id: str, window: Window) -> closing.PeriodTotals:
        """Return what a window adds up to under a checkpoint; see `counterfoil.engine.closing.period_totals`."""
        log = self.log_of(customer_id)
        return closing.period_totals(self._store, self.operator, self.tenant, log, window)

    def published(
        self,
        customer_id: str | None = None,
        *,
        window: Window | None = None,
        offset: int = 0,
        limit: int,
    ) -> list[published.Published]:
        """Return a page of a customer's checkpoints, the newest first, or the newest of each customer on a page.

        Raises:
            EngineError: as `counterfoil.engine.published.published_of_customer` and `newest_of_customers`.
        """
        if customer_id is None:
            return published.newest_of_customers(
                self._store, self.operator, self.tenant, window=window, offset=offset, limit=limit
            )
        log = self.log_of(customer_id)
        return published.published_of_customer(
            self._store, self.operator, self.tenant, log, window=window, offset=offset, limit=limit
        )

    def checkpoints(self, customer_id: str) -> Iterator[Checkpoint]:
        """Yield the checkpoints of a customer, ascending by size.

        Raises:
            EngineError: `customer-not-found`, `log-corrupt`.
        """
        log = self.log_of(customer_id)
        with self._store.read() as view:
            require_head(view, self.tenant, log)
        for row in iter_checkpoints(self._store, log):
            yield read_checkpoint(row, self.operator, self.tenant)

    # Proving.

    def receipt(self, record_id: str, *, size: int | None = None, with_open: bool = True) -> prove.Proven:
        """Make the receipt of a record, under the newest checkpoint or the named one.

        Raises:
            EngineError: `record-not-found`, `not-yet-checkpointed`, `log-corrupt`.
        """
        log, index = self._place(record_id)
        return prove.receipt(
            self._store, self.operator, self.tenant, log, index, size=size, with_open=with_open
        )

    def receipts(self, customer_id: str) -> Iterator[prove.Proven]:
        """Make the receipts of all deltas of a customer that its newest checkpoint covers.

        Raises:
            EngineError: `customer-not-found`, `not-yet-checkpointed`, `log-corrupt`.
        """
        return self.log_receipts(self.log_of(customer_id))

    def log_receipts(self, log: bytes) -> Iterator[prove.Proven]:
        """As `receipts`, of a log by its reference."""
        return prove.receipts(self._store, self.operator, self.tenant, log)

    def statement(
        self,
        customer_id: str,
        window: Window,
        *,
        now: int | None,
        full: bool = False,
        with_open: bool = True,
    ) -> statements.Stated:
        """Make the statement of a window; one that is over is closed first, by a checkpoint behind its end.

        Args:
            customer_id: whose.
            window: the period.
            now: the clock, which says whether it is over; None where nothing is to be signed.
            full: whether every entry of the period is in it, or the first and the last alone.
            with_open: whether it names its customer.

        Raises:
            CounterfoilError: as `counterfoil.engine.statements.statement`, and as `checkpoint_window`.
        """
        return self.log_statement(self.log_of(customer_id), window, now=now, full=full, with_open=with_open)

    def log_statement(
        self, log: bytes, window: Window, *, now: int | None, full: bool = False, with_open: bool = True
    ) -> statements.Stated:
        """As `statement`, of a log by its reference."""
        if now is not None:
            closing.require_begun(window, now)
            if window.end <= now:
                closing.checkpoint_window(self._store, self.operator, self.tenant, log, window, now=now)
        return statements.statement(
            self._store, self.operator, self.tenant, log, window, full=full, with_open=with_open
        )

    def compare(
        self,
        customer_id: str,
        window: Window,
        rows: Sequence[Charge],
        *,
        now: int | None,
        tolerance_seconds: int,
        with_packet: bool = True,
    ) -> disputes.Compared:
        """Compare a window with the other party's charges; see `counterfoil.engine.disputes.compared`.

        Raises:
            CounterfoilError: as `statement` with every entry, and as `compared`.
        """
        return disputes.compared(
            self._store,
            self.tenant,
            self.log_of(customer_id),
            self.statement(customer_id, window, now=now, full=True),
            rows,
            keys=self.operator.keys,
            prove=lambda record_id, size: self.receipt(record_id, size=size),
            tolerance_seconds=tolerance_seconds,
            with_packet=with_packet,
        )

    def pack_lines(
        self, customer_ids: Iterable[str] | None = None, *, progress: Progress = lambda _: None
    ) -> Iterator[bytes]:
        """Yield the lines of an evidence pack of some customers, or of all.

        Raises:
            EngineError: as `counterfoil.engine.packs.pack_lines`.
        """
        logs = self.logs() if customer_ids is None else sorted(set(map(self.log_of, customer_ids)))
        return packs.pack_lines(self._store, self.operator, self.tenant, logs, progress=progress)

    def consistency_file(self, customer_id: str, old: int | Checkpoint, *, size: int | None = None) -> str:
        """Make the file that shows that a customer's checkpoint extends an older one.

        Args:
            customer_id: whose.
            old: the size of an older checkpoint of the store, or a checkpoint that somebody outside kept.
            size: of the newer one, the newest where none is named.

        Raises:
            CounterfoilError: as `counterfoil.engine.prove.consistency_file`; `fork-refused` and `fork` say that the
                store and the checkpoint from outside contradict each other.
        """
        return prove.consistency_file(
            self._store, self.operator, self.tenant, self.log_of(customer_id), old, size=size
        )

    # Verifying.

    def verify_record(self, record_id: str, keys: KeySet | None = None) -> Verified:
        """Build the receipt of a record from stored bytes and verify it; never answer from a flag.

        Args:
            record_id: which record.
            keys: the keys to trust, the operator's own where none are given.

        Raises:
            CounterfoilError: as `receipt` and `counterfoil.core.receipt.verify_receipt`.
        """
        proven = self.receipt(record_id)
        log, _ = self._place(record_id)
        origin = self.operator.origin(self.tenant, log)
        return verify_receipt(proven.receipt, keys or self.operator.keys, origin=origin)

    def audit(self, customer_id: str, keys: KeySet, *, progress: Progress = lambda _: None) -> AuditReport:
        """Recompute a customer's log from stored bytes, under keys that come from the caller.

        Raises:
            CounterfoilError: at the first thing that does not hold; see `counterfoil.engine.audit.audit_log`.
        """
        return self.audit_log(self.log_of(customer_id), keys, progress=progress)

    def audit_log(self, log: bytes, keys: KeySet, *, progress: Progress = lambda _: None) -> AuditReport:
        """As `audit`, of a log by its reference."""
        return audit_log(
            self._store,
            self.operator.name,
            self.tenant,
            log,
            keys,
            progress=progress,
            reference_of=self.log_of,
        )

    def logs(self) -> Iterator[bytes]:
        """Yield the references of all customers."""
        return customers.all_logs(self._store, self.tenant)

    def _place(self, record_id: str) -> tuple[bytes, int]:
        try:
            return parse_record_id(record_id)
        except MalformedError as error:
            raise EngineError("record-not-found", error.message) from error
