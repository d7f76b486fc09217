"""Counterfoil: receipts anybody can verify, for usage and balance records.

Recording, checkpointing and proving, in process:

>>> from counterfoil import Delta, Engine, HostClock, Operator, SigningKey, open_store
>>> operator = Operator("ledger.example.com", SigningKey(bytes(32)), reference_key=bytes(32))  # keep real keys secret
>>> engine = Engine(open_store("memory:", clock=HostClock()), operator)
>>> recorded = engine.record(Delta("cust_001", "-12.5", reason="api_call", idempotency_key="req-0001"))
>>> engine.checkpoint("cust_001").outcome
'signed'
>>> receipt = engine.receipt(recorded.record_id).receipt

Verifying, anywhere, with nothing but the receipt and the operator's public key:

>>> from counterfoil import KeySet, format_nano, verify_receipt
>>> keys = KeySet.parse("ledger.example.com+07875469+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop")
>>> format_nano(verify_receipt(receipt, keys, customer_id="cust_001").entry.amount)
'-12.5'

What every auditor needs is imported at once; reports, disputes, the engine, the stores and the client of the HTTP API
only when they are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from counterfoil.core.amount import format_nano
from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.pack.audit import audit_pack, verify_pack
from counterfoil.core.pack.stream import split_lines
from counterfoil.core.receipt import Verified, verify_receipt
from counterfoil.core.statement_verify import VerifiedStatement, verify_statement
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.errors import CounterfoilError, EngineError, MalformedError, VerificationError

if TYPE_CHECKING:
    from counterfoil.client import Client, ContradictionError, NewDelta
    from counterfoil.core.compare import Charge
    from counterfoil.core.dispute import compare_period, verify_dispute
    from counterfoil.core.ed25519 import SigningKey
    from counterfoil.core.report import format_report, verify_report
    from counterfoil.engine.charges import read_charges
    from counterfoil.engine.clock import HostClock
    from counterfoil.engine.engine import Engine
    from counterfoil.engine.operator import Operator
    from counterfoil.engine.record import Recorded
    from counterfoil.engine.recorder import Recorder
    from counterfoil.engine.request import Delta
    from counterfoil.storage import open_store

__version__ = "0.1.0"

_LATER = {
    "Charge": "counterfoil.core.compare",
    "Client": "counterfoil.client",
    "ContradictionError": "counterfoil.client",
    "Delta": "counterfoil.engine.request",
    "Engine": "counterfoil.engine.engine",
    "HostClock": "counterfoil.engine.clock",
    "NewDelta": "counterfoil.client",
    "Operator": "counterfoil.engine.operator",
    "Recorded": "counterfoil.engine.record",
    "Recorder": "counterfoil.engine.recorder",
    "SigningKey": "counterfoil.core.ed25519",
    "compare_period": "counterfoil.core.dispute",
    "format_report": "counterfoil.core.report",
    "open_store": "counterfoil.storage",
    "read_charges": "counterfoil.engine.charges",
    "verify_dispute": "counterfoil.core.dispute",
    "verify_report": "counterfoil.core.report",
}

__all__ = [
    "Charge",
    "Checkpoint",
    "Client",
    "ContradictionError",
    "CounterfoilError",
    "Delta",
    "Engine",
    "EngineError",
    "HostClock",
    "KeySet",
    "MalformedError",
    "NewDelta",
    "Operator",
    "Recorded",
    "Recorder",
    "SigningKey",
    "VerificationError",
    "Verified",
    "VerifiedStatement",
    "audit_pack",
    "compare_period",
    "format_nano",
    "format_report",
    "open_store",
    "parse_checkpoint",
    "parse_consistency_file",
    "read_charges",
    "split_lines",
    "verify_consistency_file",
    "verify_dispute",
    "verify_pack",
    "verify_receipt",
    "verify_report",
    "verify_statement",
]


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'counterfoil' has no attribute {name!r}")
