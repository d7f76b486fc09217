"""Many clients of one server, each with a request on its way all the time, and what they were told."""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from contextlib import suppress

from counterfoil.core.reference import parse_record_id
from tests.fsck import Acknowledged
from tests.web.serving import request

CLIENTS = 64
CUSTOMERS = 8
PATIENCE_SECONDS = 60
BREAK_SECONDS_MAX = 0.02
# After a connection that was lost: a server that starts again needs the processor for itself.
RETRY_SECONDS = 0.2
PATH = "/api/v1/balance/delta"


class Lost(Exception):  # noqa: N818  -- what happens to clients here
    """No answer came."""


class Clients:
    """Clients that record deltas under keys of their own, in a thread.

    Keys begin with a name.  One that gets no answer asks again under the same key until it has one, or goes home where `insist` is false.

    Attributes:
        told: the deltas that clients were told are recorded.
        asked: how many keys there are.
        counts: what came in place of first answers: `lost`, `replayed`, and the codes of refusals.
    """

    def __init__(self, served, *, name="key", insist=True):
        self._served = served
        self._name = name
        self._insist = insist
        self._ending = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._failed = []
        self.told = []
        self.asked = 0
        self.counts = Counter()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Let each have its answer, and end."""
        self._ending = True
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        assert not self._failed, self._failed

    def wait_for(self, count):
        """Wait until so many more were told."""
        goal, until = len(self.told) + count, time.monotonic() + PATIENCE_SECONDS
        while len(self.told) < goal:
            assert time.monotonic() < until, "no progress"
            assert not self._failed, self._failed
            time.sleep(0.01)

    async def _run(self):
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(CLIENTS):
                    tasks.create_task(self._work(number))
        except BaseExceptionGroup as failures:
            self._failed += failures.exceptions

    async def _work(self, number):
        lots = random.Random(number)  # noqa: S311  -- the same customers each time
        client = _Client(self._served)
        count = 0
        with suppress(Lost):
            while not self._ending:
                count += 1
                customer = f"customer-{lots.randrange(CUSTOMERS)}"
                body = {"customerId": customer, "delta": lots.randrange(1, 100), "reason": "usage"}
                self.asked += 1
                key = f"{self._name}-{number}-{count}"
                await self._record(client, request("POST", PATH, body, self._served.key, Idempotency_Key=key))
                await asyncio.sleep(lots.uniform(0, BREAK_SECONDS_MAX))
        client.close()

    async def _record(self, client, data):
        while True:
            try:
                status, document = await client.ask(data)
            except (OSError, EOFError):
                self.counts["lost"] += 1
                client.close()
                if not self._insist:
                    raise Lost from None
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if status in (200, 201):
                self.counts["replayed"] += status == 200
                self.told.append(_told(document["data"]))
                return
            assert status == 503, document
            self.counts[document["code"]] += 1
            await asyncio.sleep(RETRY_SECONDS)


def _told(data):
    # An entry is canonical: written again it has the bytes that it has in the log.
    entry = json.dumps(data["entry"], sort_keys=True, separators=(",", ":")).encode("ascii")
    return Acknowledged(*parse_record_id(data["recordId"]), entry)


class _Client:
    """One connection, made again when it is lost."""

    def __init__(self, served):
        self._served = served
        self._streams = None

    async def ask(self, data):
        """Send a request; return status and document of its answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._served.port)
        reader, writer = self._streams
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), json.loads(body)

    def close(self):
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
