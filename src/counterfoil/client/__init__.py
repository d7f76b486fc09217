"""The Python client of the HTTP API, which verifies what it receives.  It needs httpx: `pip install 'counterfoil[client]'`.

| Module | Holds |
| --- | --- |
| `client` | `Client`: recording, receipts, statements, checkpoints |
| `reports` | the routes whose answers are the server's word |
| `history`, `memory` | that a server shows everybody, and every day, one history |
| `transport`, `settings` | requests, retries, bounds |
| `models`, `answers` | values, and how they are read |

Source: docs/api/client.md.
"""

from counterfoil.client.client import Client
from counterfoil.client.history import ContradictionError, Evidence
from counterfoil.client.models import (
    Checkpointed,
    CustomerView,
    DeltaState,
    FetchedStatement,
    NewDelta,
    Recorded,
    VerifiedReceipt,
)
from counterfoil.client.settings import Retries

__all__ = [
    "Checkpointed",
    "Client",
    "ContradictionError",
    "CustomerView",
    "DeltaState",
    "Evidence",
    "FetchedStatement",
    "NewDelta",
    "Recorded",
    "Retries",
    "VerifiedReceipt",
]
