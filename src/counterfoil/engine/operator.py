"""The operator: whose logs these are, and the two keys that make them.

Source: docs/spec/reference.md, docs/spec/note.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.note import Signer, VerifierKey, key_id, verifier_key
from counterfoil.core.reference import (
    Origin,
    check_operator,
    check_reference_key,
    customer_reference,
    reference_check,
)
from counterfoil.engine.store import Identity, Store, WriteTransaction
from counterfoil.engine.transact import transact
from counterfoil.errors import EngineError, MalformedError


@dataclass(frozen=True)
class Operator:
    """Who signs.

    Attributes:
        name: DNS-like, permanent: it stands in every origin.
        signer: signs checkpoints.
        reference_key: 32 bytes; makes customer references and stands for idempotency keys.

    Raises:
        MalformedError: where the name or the reference key is none.
    """

    name: str
    signer: Signer = field(repr=False)
    reference_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_operator(self.name)
        check_reference_key(self.reference_key)

    @cached_property
    def verifier_key(self) -> VerifierKey:
        """The public key, under the operator's name."""
        return verifier_key(self.name, self.signer.public_key)

    @cached_property
    def keys(self) -> KeySet:
        """The operator's own key, to verify what comes back from the store."""
        return KeySet([self.verifier_key])

    @cached_property
    def identity(self) -> Identity:
        """What a store remembers of the operator's keys."""
        return Identity(self.name, self.signer.public_key, reference_check(self.reference_key))

    def log_of(self, tenant: str, customer_id: str) -> bytes:
        """Return the log of a customer.

        Raises:
            EngineError: `invalid-field`, where the tenant or customerId is none.
        """
        try:
            return customer_reference(self.reference_key, tenant, customer_id)
        except MalformedError as error:
            raise EngineError("invalid-field", error.message, field="customerId") from error

    def origin(self, tenant: str, log: bytes) -> str:
        """Return the origin of a log."""
        return str(Origin(self.name, tenant, log))


def claim_store(store: Store, operator: Operator) -> None:
    """Make the store this operator's, or check that it is.

    Raises:
        EngineError: `key-mismatch`, where it belongs to another operator or was made with other keys.
    """
    with store.read() as view:
        found = view.identity()
    if found is None:
        found = transact(store, lambda transaction: _claim(transaction, operator.identity))
    check_identity(found, operator)


def _claim(transaction: WriteTransaction, identity: Identity) -> Identity:
    """Say whom the store belongs to; another process may have said so since."""
    found = transaction.identity()
    if found is None:
        transaction.set_identity(identity)
    return found or identity


def check_identity(found: Identity, operator: Operator) -> None:
    """Refuse a store that was made with other keys.

    Raises:
        EngineError: `key-mismatch`.
    """
    given = operator.identity
    if (found.operator, found.public_key) != (given.operator, given.public_key):
        owner = VerifierKey(found.operator, key_id(found.operator, found.public_key), found.public_key)
        raise EngineError(
            "key-mismatch",
            "the store belongs to another operator or key",
            store=owner,
            given=operator.verifier_key,
        )
    if found.reference_check != given.reference_check:
        # Every customer would be taken for a new one, and get a second log.
        raise EngineError("key-mismatch", "the store was made with another reference key")
