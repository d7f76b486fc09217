"""Delivering events to webhooks: what the background process of a server does again and again.

Sending goes on in threads, which never see the store, while passes go on: one receiver that does not answer keeps a few
threads busy and holds up no other.  Nothing is taken that no thread is free for, so that leases outlast what they are for.

Source: docs/api/webhooks.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TYPE_CHECKING, Final

from counterfoil import __version__
from counterfoil.core.timestamp import MICROSECONDS
from counterfoil.engine.clock import Clock
from counterfoil.engine.operator import Operator
from counterfoil.engine.request import Randomness
from counterfoil.engine.service import Delivery, Webhook
from counterfoil.engine.store import Store
from counterfoil.engine.webhook_deliveries import Attempt, Taken, prune, settle, spread, take_due
from counterfoil.engine.webhook_events import event_body, event_of, format_event_id
from counterfoil.engine.webhooks import sign_event
from counterfoil.errors import EXIT_IO, CounterfoilError, defect_of
from counterfoil.web.logs import LOGGER
from counterfoil.web.outbound import TOTAL_SECONDS, Outgoing

if TYPE_CHECKING:
    from typing import Self

Send = Callable[[Outgoing], Attempt]
"""Sends a request and says what became of it; threads call it (`counterfoil.web.outbound.Sender.send`)."""

THREADS: Final = 16
# Of one webhook at a time: four receivers that do not answer leave no thread for others, three do.
IN_FLIGHT_OF_ONE: Final = 4
# How long a pass waits for an answer before it looks for new work.
_BREATH_SECONDS: Final = 0.25
# No such row is made here; whoever can write to the table would have one tenant's events sent to another.
_STRANGE: Final = Attempt(delivered=False, final=True, outcome="the webhook is another tenant's")
_PRUNE_EVERY: Final = 3_600 * MICROSECONDS


class Deliverer:
    """Delivers what is due, pass by pass.  One thread calls it; end it with `close`, or use it as a context."""

    def __init__(
        self, store: Store, operator: Operator, send: Send, *, clock: Clock, randomness: Randomness
    ) -> None:
        """Begin with nothing in flight; make it behind the last fork, since it has threads.

        Args:
            store: where events and deliveries are.
            operator: whose store it is: its reference key makes the secrets.
            send: sends a request.
            clock: the host's: it stands in what is sent.
            randomness: for waits between attempts.
        """
        self._store = store
        self._operator = operator
        self._send = send
        self._clock = clock
        self._randomness = randomness
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks")
        self._in_flight: dict[Future[Attempt], Delivery] = {}
        # Answers that are not written down yet.
        self._attempts: list[tuple[Delivery, Attempt]] = []
        self._has_more = False
        self._passes = 0
        self._prune_at = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def run_once(self) -> bool:
        """Write down what was answered, spread what was announced, send what is due; return whether to go on at once.

        With something in flight and nothing else to do it waits for an answer first, a quarter of a second at most.

        Raises:
            EngineError: what store and clock say.  What was in hand is written down by a later pass, or sent again when its
                lease ends.
        """
        self._settle(0 if self._has_more else _BREATH_SECONDS)
        self._has_more = spread(self._store)
        self._send_due()
        self._has_more |= self._prune()
        return self._has_more or bool(self._in_flight)

    def close(self) -> None:
        """Wait for the answers to what is in flight, and write them down; what is not answered in time is sent again by the next.

        Raises:
            EngineError: what the store says.
        """
        try:
            wait(self._in_flight, TOTAL_SECONDS)
            self._settle(0)
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _settle(self, seconds: float) -> None:
        done = wait(self._in_flight, seconds, return_when=FIRST_COMPLETED).done if self._in_flight else ()
        for future in done:
            self._note(self._in_flight.pop(future), _answer_of(future))
        settle(self._store, self._attempts, randomness=self._randomness)
        self._attempts.clear()

    def _send_due(self) -> None:
        if not (idle := THREADS - len(self._in_flight)):
            return
        now = self._clock()
        self._passes += 1
        for taken in take_due(self._store, self._room, limit=idle):
            if taken.delivery.tenant != taken.webhook.tenant:
                self._note(taken.delivery, _STRANGE)
                continue
            try:
                request = self._request(taken, now)
            except CounterfoilError as error:
                if error.exit_status == EXIT_IO:
                    raise
                # What stands in the log is no fault of the receiver's, and yet it cannot be sent.
                self._note(taken.delivery, Attempt(delivered=False, final=False, outcome=error.code))
                continue
            self._in_flight[self._threads.submit(self._send, request)] = taken.delivery

    def _room(self, webhooks: Sequence[Webhook]) -> Iterator[tuple[Webhook, int]]:
        """Yield those that may get something and how many deliveries each, beginning with another one each pass."""
        busy = Counter(delivery.webhook_id for delivery in self._in_flight.values())
        first = self._passes % len(webhooks)
        for webhook in (*webhooks[first:], *webhooks[:first]):
            if room := IN_FLIGHT_OF_ONE - busy[webhook.webhook_id]:
                yield webhook, room

    def _request(self, taken: Taken, now: int) -> Outgoing:
        delivery, webhook = taken
        event = event_of(delivery)
        body = event_body(self._store, self._operator, delivery.tenant, event)
        timestamp = now // MICROSECONDS
        headers = (
            ("Content-Type", "application/json"),
            ("User-Agent", f"counterfoil/{__version__}"),
            ("X-PacSpace-Signature", sign_event(self._operator, webhook, now, timestamp, body)),
            ("X-PacSpace-Timestamp", str(timestamp)),
            ("X-Webhook-Event", event.kind),
            ("X-Event-ID", format_event_id(event)),
        )
        return Outgoing(webhook.url, headers, body)

    def _note(self, delivery: Delivery, attempt: Attempt) -> None:
        self._attempts.append((delivery, attempt))
        if not attempt.delivered:
            facts = {
                "webhookId": delivery.webhook_id,
                "eventId": format_event_id(event_of(delivery)),
                "attempt": delivery.attempts + 1,
                "outcome": attempt.outcome,
            }
            LOGGER.info("webhook-failed", extra={"facts": facts})

    def _prune(self) -> bool:
        """Forget old deliveries, a step a pass while there are any, else once an hour; return whether there may be more."""
        now = self._clock()
        if now < self._prune_at:
            return False
        has_more = prune(self._store)
        if not has_more:
            self._prune_at = now + _PRUNE_EVERY
        return has_more


def _answer_of(future: Future[Attempt]) -> Attempt:
    error = future.exception()
    if error is None:
        return future.result()
    # A defect of ours; the others go on.
    defect = defect_of(error, __version__)
    LOGGER.error("defect", extra={"facts": {"error": str(defect)}})
    return Attempt(delivered=False, final=False, outcome=defect.code)
