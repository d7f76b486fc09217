"""Checkpoints to remember, and a memory: for tests, and for the processes that they start."""

import time

from counterfoil.client.memory import Memory
from counterfoil.core.checkpoint import sign_checkpoint
from tests.support import OPERATOR

REFERENCES = [f"0x{OPERATOR.log_of('acme', f'cust_{number}').hex()}" for number in range(4)]


def checkpoint(size, number=0, fill=7, tenant="acme"):
    """A signed checkpoint of one of four logs."""
    origin = f"ledger.example.com/{tenant}/{REFERENCES[number]}"
    return sign_checkpoint(origin, size, bytes([fill]) * 32, OPERATOR.signer)


def opened(path, clock=time.monotonic, sleep=time.sleep):
    return Memory(path, clock=clock, sleep=sleep)


def grow(memory, number):
    """Remember a checkpoint that is one larger than the newest one, whoever else does so too."""
    while True:
        held = memory.of_reference(REFERENCES[number])
        if memory.advance(held, checkpoint((held.size if held else 0) + 1, number)):
            return
