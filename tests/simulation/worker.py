"""Workers make checkpoints, of one, some or all logs, or of whatever is due and nobody else has claimed."""

from counterfoil.engine.worker import work_through
from counterfoil.errors import CounterfoilError
from tests.simulation.process import TENANTS, Process

STOPPED = 0.1
REFRESHED = 0.15


class Worker(Process):
    """Makes checkpoints."""

    def act(self):
        chance = self.chance
        engine = self.engines[chance.choice(TENANTS)]
        refresh = chance.random() < REFRESHED
        which = chance.random()
        if which < 0.4:
            self.work()
        elif which < 0.65:
            self.all(engine, refresh=refresh)
        elif which < 0.85:
            some = chance.sample(self.world.customers, chance.randrange(1, len(self.world.customers) + 1))
            self.make(
                f"{engine.tenant} {some}",
                lambda: engine.checkpoint_many(some, refresh=refresh),
                refresh=refresh,
            )
        else:
            one = chance.choice(self.world.customers)
            self.make(
                f"{engine.tenant} {one}", lambda: [engine.checkpoint(one, refresh=refresh)], refresh=refresh
            )

    def all(self, engine, *, refresh):
        self.make(f"all of {engine.tenant}", lambda: engine.checkpoint_all(refresh=refresh), refresh=refresh)

    def work(self):
        """Do what the worker of the command line does in one round."""
        call = self.world.begin("checkpoint what is due")
        try:
            for worked in work_through(self.store, self.operator, stopped=self.stopped):
                self.take(call, worked.outcome, refresh=worked.closing)
        except CounterfoilError as error:
            self.take(call, error)

    def stopped(self):
        """Whether somebody asks the worker to stop between two rounds."""
        return not self.world.calm and self.chance.random() < STOPPED

    def make(self, what, work, *, refresh):
        """Make checkpoints by a call that gives back what became of each."""
        call = self.world.begin(f"checkpoint {what}{', refresh' if refresh else ''}")
        try:
            for done in work():
                self.take(call, done, refresh=refresh)
        except CounterfoilError as error:
            self.take(call, error)

    def take(self, call, done, *, refresh=False):
        """Take one outcome, or what ended the call."""
        if isinstance(done, CounterfoilError):
            self.answer(done.code)
            self.world.judge.refused_log(call, done)
        else:
            self.answer(done.outcome, f"{done.checkpoint.size} {done.verified_through_at}")
            self.world.judge.checkpointed(call, done, refresh=refresh)
