"""The world: chance, clock, store, processes, and a trace of all that happened."""

import hashlib
import random
from collections import Counter
from contextlib import contextmanager

from counterfoil.engine import audit, checkpoint, customers, prove, sign, stored, worker
from counterfoil.errors import ConflictError, EngineError
from counterfoil.storage.memory import MemoryStore
from tests.engine.stepping import Crash
from tests.simulation import clock as clocks
from tests.simulation.clock import Clock
from tests.simulation.faulty import CODES, CONFLICTS, DIES, FAULTS, NAP, POWER_CUT
from tests.simulation.finisher import Finisher
from tests.simulation.judge import Judge
from tests.simulation.outside import Call, Outside
from tests.simulation.plant import Plant
from tests.simulation.process import TENANTS
from tests.simulation.promises import Promises
from tests.simulation.reader import Reader
from tests.simulation.scheduler import Scheduler
from tests.simulation.worker import Worker
from tests.simulation.writer import Writer
from tests.support import OPERATOR

STEPS = 220
CUSTOMERS = ("alice", "bob", "carol", "dave")
PLACES = {**FAULTS, "clock": clocks.KINDS}
ALL_FAULTS = tuple(fault for faults in PLACES.values() for fault in faults)
# How often a fault strikes at its place, where it strikes at all.
RATES = {
    NAP: 0.02, DIES: 0.004, POWER_CUT: 0.002, "read": 0.03, "write": 0.025, "sign": 0.08, "clock": 0.03,
}  # fmt: skip
# How much of a trace is shown where a run fails.
LINES_SHOWN, LINE_SHOWN = 8, 300
# Sizes of pages and rounds, so small that work which takes one transaction elsewhere takes many here.
SMALL = (
    (checkpoint, "ROUND_LOGS", 2),
    (checkpoint, "PAGE_ENTRIES", 3),
    (sign, "PAGE_ENTRIES", 3),
    (worker, "ROUND_LOGS", 2),
    (customers, "_PAGE", 1),
    (prove, "_PAGE", 3),
    (stored, "_PAGE", 2),
    (audit, "_PAGE", 3),
)


class World:
    """One run.

    Attributes:
        seed: decides everything.
        trace: a line for everything that happened.
        fired: how often each fault struck.
        seen: how often each kind of answer was given.
    """

    def __init__(self, seed, *, plant=None, steps=STEPS):
        self.seed = seed
        self.chance = random.Random(seed)  # noqa: S311  -- the same each time
        self.plant = plant or Plant()
        self.trace = []
        self.fired = Counter()
        self.seen = Counter()
        self.calm = False
        self.scheduler = Scheduler(self.chance, steps)
        self.outside = Outside()
        self.promises = Promises(
            OPERATOR, self.outside, TENANTS, self.note, exact_clock=self.plant.exact_clock
        )
        self.clock = Clock(self)
        # Either the database's clock, or the host's, which every process watches for itself.
        self.host_clock = self.chance.random() < 0.4
        self.judge = Judge(self.promises, self.outside, self.clock, host_clock=self.host_clock)
        self.small = self.chance.random() < 0.5
        self.customers = CUSTOMERS[: self.chance.randrange(1, len(CUSTOMERS) + 1)]
        self._rates = {place: self._draw_rates(place) for place in PLACES}
        self.base = MemoryStore(self._read_clock)
        self._calls = {}
        self._call_count = 0
        kinds = [Writer] * self.chance.randrange(1, 4) + [Worker] * self.chance.randrange(2, 4) + [Reader]
        self._processes = {}
        for kind in kinds:
            name = f"{kind.__name__.lower()}-{len(self._processes)}"
            self._processes[name] = kind(self, name)
        self._finisher = Finisher(self, "finisher")

    @property
    def digest(self):
        """SHA-256 of the trace."""
        return hashlib.sha256("\n".join(self.trace).encode("utf-8")).hexdigest()

    def run(self):
        """Run it to its end; raises BrokenError where a promise does not hold, and whatever else escapes an engine."""
        try:
            with self.plant.patched(self), self._small_pages():
                self._live()
        except Exception as error:
            self.note(f"BROKEN {error!r}")
            last = "\n".join(line[:LINE_SHOWN] for line in self.trace[-LINES_SHOWN:])
            error.add_note(f"python -m tests.simulation --seed {self.seed}\n{last}")
            raise
        return self

    def _live(self):
        self.calm = True
        self._finisher.prepare()
        self.calm = False
        self.scheduler.run({name: process.live for name, process in self._processes.items()})
        self.calm = True
        self._finisher.finish()

    # What processes, stores and signers ask of the world.

    def note(self, text):
        self.trace.append(f"{self.scheduler.steps} {self.scheduler.running} {text}")

    def pause(self):
        if self.calm:
            return
        fault = self.draw("pause")
        if fault is not None:
            self.strike(fault)
        if fault == POWER_CUT:
            self.scheduler.doom_all()
        elif fault == DIES:
            raise Crash
        self.scheduler.pause(nap=fault == NAP)

    def draw(self, place):
        """Return the fault that strikes at this place, mostly None; it has not struck yet."""
        if self.calm:
            return None
        left = self.chance.random()
        for fault, rate in self._rates[place]:
            left -= rate
            if left < 0:
                return fault
        return None

    def strike(self, fault):
        self.fired[fault] += 1
        self.note(f"FAULT {fault}")
        if fault in CODES:
            self.call.excuses.add(CODES[fault])

    def fail(self, fault):
        """Let a fault strike, and raise what it means for the process that met it."""
        self.strike(fault)
        if fault in CONFLICTS:
            raise ConflictError("the simulation has it so")
        raise EngineError(CODES[fault], "the simulation has it so") if fault in CODES else Crash

    def committed(self):
        """A transaction of the running process is durable."""
        with self.base.read() as view:
            self.promises.look(view, self.call)

    @property
    def call(self):
        """The call that the running process is in."""
        return self._calls[self.scheduler.running]

    def begin(self, text):
        self._call_count += 1
        self.note(f"CALL {self._call_count} {text}")
        logs = self.promises.logs
        call = Call(
            self._call_count,
            {log: known.covered for log, known in logs.items()},
            {log: len(known.rows) for log, known in logs.items()},
            {log: known.told for log, known in logs.items()},
        )
        self._calls[self.scheduler.running] = call
        return call

    def _read_clock(self):
        process = self._processes.get(self.scheduler.running, self._finisher)
        now = process.clock()
        self.call.shown.append(now)
        return now

    def _draw_rates(self, place):
        """Of a seed's faults about half strike at all, so that each is seen with and without the others."""
        rates = []
        for fault in PLACES[place]:
            rate = RATES.get(fault) or RATES[place]
            if self.chance.random() < 0.5:
                rates.append((fault, rate * self.chance.choice((0.5, 1, 2))))
        return rates

    @contextmanager
    def _small_pages(self):
        before = [(module, name, getattr(module, name)) for module, name, _ in SMALL]
        if self.small:
            for module, name, size in SMALL:
                setattr(module, name, size)
        try:
            yield
        finally:
            for module, name, size in before:
                setattr(module, name, size)
