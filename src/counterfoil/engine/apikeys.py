"""Keys to the HTTP API: how they are made, kept and checked.

    pk_test_5b0d6a1c93f2e847.9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    pk_{live|test}_{key id}.{secret}

The store keeps SHA-256 of the secret, which has 256 random bits and needs no slower hash.  So a key is shown once, and
whoever reads the store can open nothing with it.  A check costs the same for every key that opens nothing, and says
the same.

Source: docs/operations/server.md.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, get_args

from counterfoil.core.reference import check_tenant
from counterfoil.core.timestamp import MICROSECONDS
from counterfoil.engine.request import Randomness
from counterfoil.engine.service import ApiKey
from counterfoil.engine.store import Store, WriteTransaction
from counterfoil.engine.transact import transact
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import API_KEY_LABEL_CHARACTERS_MAX

Scope = Literal["read", "write"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
Environment = Literal["live", "test"]
ENVIRONMENTS: Final[tuple[Environment, ...]] = get_args(Environment)

_KEY_ID_BYTES: Final = 8
_SECRET_BYTES: Final = 32
_KEY: Final = re.compile(
    rb"pk_(live|test)_([0-9a-f]{%d})\.([0-9a-f]{%d})" % (2 * _KEY_ID_BYTES, 2 * _SECRET_BYTES)
)
# No secret is known whose hash this is.
_NO_HASH: Final = bytes(32)


class Issued(NamedTuple):
    """A key in the one moment in which it can be shown.

    Attributes:
        key: as it is kept.
        text: what the client sends; secret.
    """

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"Issued({self.key.key_id})"


class _Wanted(NamedTuple):
    """A key that is to be made; `lifetime` is in microseconds, None for ever."""

    tenant: str
    environment: str
    label: str
    scopes: str
    lifetime: int | None


class Presented(NamedTuple):
    """What a client sent, read and not checked.

    Attributes:
        environment: the word in the key.
        key_id: the public part.
        secret: the rest.
    """

    environment: str
    key_id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Presented({self.key_id})"


def create(
    store: Store,
    *,
    tenant: str,
    scopes: Sequence[str],
    randomness: Randomness,
    label: str = "",
    environment: str = "test",
    lifetime_seconds: int | None = None,
    only_first: bool = False,
) -> Issued | None:
    """Make a key and store it.

    Args:
        store: where it is kept.
        tenant: whose customers it opens.
        scopes: one or both of `SCOPES`.
        randomness: for the key.
        label: what the operator calls it.
        environment: `live` or `test`.
        lifetime_seconds: from now; for ever where there is none.
        only_first: whether to make one only where the store has none, not even one that was revoked.

    Returns:
        the key; None where `only_first` stood in the way.

    Raises:
        EngineError: `invalid-field`, or what the store says.
    """
    lifetime = None if lifetime_seconds is None else lifetime_seconds * MICROSECONDS
    wanted = _check(_Wanted(tenant, environment, label, " ".join(sorted(set(scopes))), lifetime))

    def write(transaction: WriteTransaction) -> Issued | None:
        if only_first and transaction.api_keys():
            return None
        return _issue(transaction, randomness, wanted)

    return transact(store, write)


def rotate(
    store: Store,
    key_id: str,
    *,
    overlap_seconds: int,
    randomness: Randomness,
    lifetime_seconds: int | None = None,
) -> Issued:
    """Make a key that opens what another one does, which ends after an overlap.

    Args:
        store: where they are kept.
        key_id: the other one.
        overlap_seconds: for how long both are good; one that would end sooner does so.
        randomness: for the new key.
        lifetime_seconds: of the new key, from now; as long as the other one was made for where there is none.

    Raises:
        EngineError: `not-found`; `invalid-field`, where the other one opens nothing any more; what the store says.
    """

    def write(transaction: WriteTransaction) -> Issued:
        old = _find(transaction, key_id)
        now = transaction.now()
        if not is_open(old, now):
            raise EngineError(
                "invalid-field", "the key was revoked or has expired: create a new one", field="keyId"
            )
        end = now + overlap_seconds * MICROSECONDS
        if old.expires_at is None or old.expires_at > end:
            transaction.put_api_key(old._replace(expires_at=end))
        # A key that was to end is not to go on for ever because it was exchanged.
        lifetime = None if old.expires_at is None else old.expires_at - old.created_at
        if lifetime_seconds is not None:
            lifetime = lifetime_seconds * MICROSECONDS
        wanted = _Wanted(old.tenant, old.environment, old.label, old.scopes, lifetime)
        return _issue(transaction, randomness, wanted)

    return transact(store, write)


def revoke(store: Store, key_id: str) -> ApiKey:
    """End a key at once; one that was revoked keeps the time at which it was.

    Raises:
        EngineError: `not-found`, or what the store says.
    """

    def write(transaction: WriteTransaction) -> ApiKey:
        key = _find(transaction, key_id)
        if key.revoked_at is None:
            key = key._replace(revoked_at=transaction.now())
            transaction.put_api_key(key)
        return key

    return transact(store, write)


def list_keys(store: Store) -> list[ApiKey]:
    """Return all keys, of all tenants, in the order in which they were made.

    Raises:
        EngineError: what the store says.
    """
    with store.read() as view:
        return view.api_keys()


def find_key(store: Store, key_id: str) -> ApiKey | None:
    """Return the key of this id, or None.

    Raises:
        EngineError: what the store says.
    """
    with store.read() as view:
        return view.api_key(key_id)


def read_presented(header: bytes) -> Presented | None:
    """Read what a client sent; None where it is no key of ours."""
    match = _KEY.fullmatch(header)
    if match is None:
        return None
    environment, key_id, secret = match.groups()
    return Presented(environment.decode("ascii"), key_id.decode("ascii"), secret)


def check_presented(presented: Presented, key: ApiKey | None, now: int) -> ApiKey:
    """Return the key, where what the client sent opens it.

    Args:
        presented: what the client sent.
        key: the key of that id, None where there is none.
        now: in microseconds since 1970-01-01T00:00:00Z.

    Raises:
        EngineError: `invalid-api-key`.
    """
    digest = hashlib.sha256(presented.secret).digest()
    # Compared for an unknown id as well: how long the answer takes says nothing of which ids there are.
    same = hmac.compare_digest(digest, _NO_HASH if key is None else key.secret_hash)
    if key is None or not same or key.environment != presented.environment or not is_open(key, now):
        raise invalid_api_key()
    return key


def is_open(key: ApiKey, now: int) -> bool:
    """Whether a key opens anything at a time in microseconds."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def invalid_api_key() -> EngineError:
    """Return the one refusal of everything that opens nothing."""
    return EngineError("invalid-api-key", "no API key in X-Api-Key, or one that opens nothing")


def _check(wanted: _Wanted) -> _Wanted:
    try:
        check_tenant(wanted.tenant)
    except MalformedError as error:
        raise EngineError("invalid-field", error.message, field="tenant") from error
    scopes = wanted.scopes.split()
    if not scopes or not set(scopes) <= set(SCOPES):
        raise EngineError("invalid-field", f"a key has one or both of {' '.join(SCOPES)}", field="scopes")
    if wanted.environment not in ENVIRONMENTS:
        words = f"the environment is {' or '.join(ENVIRONMENTS)}"
        raise EngineError("invalid-field", words, field="environment")
    if len(wanted.label) > API_KEY_LABEL_CHARACTERS_MAX or not wanted.label.isprintable():
        words = f"a label has at most {API_KEY_LABEL_CHARACTERS_MAX} characters that can be shown"
        raise EngineError("invalid-field", words, field="label")
    return wanted


def _issue(transaction: WriteTransaction, randomness: Randomness, wanted: _Wanted) -> Issued:
    key_id, secret = randomness(_KEY_ID_BYTES).hex(), randomness(_SECRET_BYTES).hex()
    if transaction.api_key(key_id) is not None:
        # In 2^64 ids by chance no more than a broken randomness: never put in place of somebody's key.
        raise EngineError("internal", "the id of a new key is taken")
    now = transaction.now()
    key = ApiKey(
        key_id=key_id,
        tenant=wanted.tenant,
        environment=wanted.environment,
        label=wanted.label,
        scopes=wanted.scopes,
        secret_hash=hashlib.sha256(secret.encode("ascii")).digest(),
        created_at=now,
        expires_at=None if wanted.lifetime is None else now + wanted.lifetime,
        revoked_at=None,
    )
    transaction.put_api_key(key)
    return Issued(key, f"pk_{wanted.environment}_{key_id}.{secret}")


def _find(transaction: WriteTransaction, key_id: str) -> ApiKey:
    key = transaction.api_key(key_id)
    if key is None:
        raise EngineError("not-found", "there is no key of this id")
    return key
