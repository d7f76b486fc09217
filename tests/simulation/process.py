"""A process: engines of both tenants over one store, with one signer and one clock.

A process that dies forgets everything but what stands outside, and starts again.
"""

from counterfoil.core.checkpoint import KeySet
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from counterfoil.errors import CounterfoilError
from tests.engine.stepping import Crash
from tests.simulation.faulty import FaultySigner, FaultyStore
from tests.support import OPERATOR, seeded

TENANTS = ("acme", "beta")
# How often a process that was told so is started again at once.
RESTARTED = 0.5


class Process:
    """What writers, workers and readers have in common."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.chance = world.chance
        self.clock = world.clock.look
        self.engines = {}
        self.store = self.operator = None
        self.keys = KeySet([])
        self.confused = False

    def live(self):
        """Start, act, die, start again; never returns."""
        while True:
            try:
                self.start()
                while not self.confused:
                    self.act()
            except Crash:
                self.world.note("DIES")

    def start(self):
        world = self.world
        self.confused = False
        self.keys = KeySet([OPERATOR.verifier_key])
        self.clock = world.clock.host_clock() if world.host_clock else world.clock.look
        self.store = store = world.plant.store(self, FaultyStore(world, world.base))
        self.operator = operator = Operator(
            OPERATOR.name, FaultySigner(world, OPERATOR.signer), OPERATOR.reference_key
        )
        randomness = seeded(self.chance.getrandbits(64))
        call = world.begin("start")
        self.engines = {}
        while len(self.engines) < len(TENANTS):
            tenant = TENANTS[len(self.engines)]
            try:
                self.engines[tenant] = Engine(store, operator, tenant=tenant, randomness=randomness)
            except CounterfoilError as error:
                world.judge.failed(call, error)

    def act(self):
        raise NotImplementedError

    def answer(self, kind, text=""):
        """Note an answer of some kind; whoever is told that the clock was set starts again, now or later."""
        self.world.seen[kind] += 1
        self.world.note(f"-> {kind} {text}")
        if kind == "clock-regressed" and self.chance.random() < RESTARTED:
            self.confused = True
