"""The finisher prepares a world, and when everybody else is gone and nothing fails any more it looks whether all is whole."""

from tests.simulation.judge import LIVES
from tests.simulation.outside import Parcel
from tests.simulation.process import TENANTS
from tests.simulation.promises import require
from tests.simulation.reader import Reader
from tests.simulation.worker import Worker
from tests.simulation.writer import Writer
from tests.support import SECOND

# Some worlds begin with a log of nearly 256 entries: its first tile becomes complete while things go wrong.
PREFILLED = 0.1
EMPTY = 0.4
PREFILL = 245
SAMPLE = 5
# More than a claim lasts, and more than a month has.
MINUTE = 61 * SECOND
MONTH = 32 * 86_400 * SECOND


class Finisher(Writer, Worker, Reader):
    """Writer, worker and reader in one, of a world without faults."""

    def prepare(self):
        """Begin with an empty store, which many processes open at once, or with one that is in use."""
        which = self.chance.random()
        if which < EMPTY:
            return
        self.start()
        self.engines[TENANTS[1]].set_unit("EUR")
        if which > 1 - PREFILLED:
            requests = [self.request(TENANTS[0], customer=self.world.customers[0]) for _ in range(PREFILL)]
            self.send(Parcel(TENANTS[0], requests, None, single=False))

    def finish(self):
        """Two minutes later what can be sealed is; once all times lie in the past everything is, a month later for good.

        Raises:
            BrokenError: a promise does not hold.
        """
        world, judge = self.world, self.world.judge
        world.clock.put_right()
        for _ in range(2):
            # What somebody claimed and left, or claimed by a clock that was ahead, is free again by then.
            self.wait(MINUTE)
            self.work()
        now = self.clock()
        judge.sealed(now)
        judge.closed(now)
        world.clock.catch_up()
        self.wait(MINUTE)
        for parcel in list(world.outside.unanswered):
            self.send(parcel)
        require(not world.outside.unanswered, LIVES, "a request is not answered though nothing fails")
        for engine in self.engines.values():
            self.all(engine, refresh=False)
        judge.sealed(self.clock())
        self.wait(MONTH)
        self.work()
        judge.closed(self.clock())
        judge.finish()
        self.verify()

    def wait(self, microseconds):
        """Let time pass, and start again."""
        self.world.clock.wait(microseconds)
        self.start()

    def verify(self):
        """Audit everything; prove some of it again."""
        outside = self.world.outside
        for engine in self.engines.values():
            for customer in self.world.customers:
                if engine.log_of(customer) in self.world.promises.logs:
                    self.audit(self.world.begin(f"audit {engine.tenant} {customer}"), engine, customer)
        for kept in self.some(outside.checkpoints):
            self.extend(*kept)
        for request in self.some(outside.recorded):
            self.prove(self.world.begin(f"prove {request.number}"), request)

    def some(self, things):
        return self.chance.sample(things, min(len(things), SAMPLE))
