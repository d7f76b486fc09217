r"""Webhooks: where the events of a tenant are sent, how they are signed, and how they are announced.

    secret    = "whsec_" || hex( HMAC-SHA256( referenceKey,
                    "counterfoil/webhook-secret@v1\n" || webhookId || "\n" || version ) )
    signature = "v1=" || hex( HMAC-SHA256( secret, timestamp || "." || body ) )

The secret follows from the operator's reference key, so that nothing secret is stored.  Rotating raises the version; for
a while the secret before it signs as well.

What happens to a log is announced in the transaction in which it happens: nothing is sent that was not committed, and
nothing that was committed is forgotten.  What becomes of an announcement: `counterfoil.engine.webhook_deliveries`.

Source: docs/api/webhooks.md.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Final, get_args
from urllib.parse import SplitResult, urlsplit

from counterfoil.core.encoding import excerpt
from counterfoil.core.timestamp import MICROSECONDS
from counterfoil.engine.operator import Operator
from counterfoil.engine.request import Randomness
from counterfoil.engine.service import Announcement, EventKind, Webhook
from counterfoil.engine.store import Head, NamedLog, NewCheckpoint, ReadTransaction, Store, WriteTransaction
from counterfoil.engine.transact import transact
from counterfoil.errors import EngineError
from counterfoil.limits import WEBHOOK_URL_CHARACTERS_MAX, WEBHOOKS_MAX

EVENTS: Final[tuple[EventKind, ...]] = get_args(EventKind)
OVERLAP_SECONDS: Final = 86_400

_ID_BYTES: Final = 16
_URL: Final = re.compile(rf"[\x21-\x7e]{{1,{WEBHOOK_URL_CHARACTERS_MAX}}}", re.ASCII)
# A name outside ASCII is written in its ASCII form (xn--): two libraries may translate it otherwise.
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?", re.ASCII)


def check_url(url: str, *, allow_http: bool = False) -> str:
    """Return a URL that events may be sent to.

    Whether its host is one to connect to shows when it is resolved, each time.

    Raises:
        EngineError: `invalid-field`, where it is no URL; not https, unless http is allowed; has a user, a password or
            a fragment.
    """
    if not isinstance(url, str) or not _URL.fullmatch(url):
        raise _no_url(f"it has 1 to {WEBHOOK_URL_CHARACTERS_MAX:,} visible ASCII characters")
    try:
        parts = urlsplit(url)
        is_valid = parts.port != 0 and _is_host(parts)
    except ValueError as error:
        raise _no_url("its host or port is none") from error
    if parts.scheme != "https" and not (allow_http and parts.scheme == "http"):
        raise _no_url("it begins with https://")
    if "@" in parts.netloc or "#" in url:
        raise _no_url(
            "it has no user, no password and no fragment: what is secret goes in the path or the query"
        )
    if not is_valid:
        raise _no_url("its host or port is none")
    return url


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        return ipaddress.IPv6Address(host).scope_id is None
    return _HOST.fullmatch(host) is not None


def _no_url(why: str) -> EngineError:
    return EngineError("invalid-field", f"not a URL for a webhook: {why}", field="url")


def add_webhook(
    store: Store,
    tenant: str,
    url: str,
    events: Sequence[str] = EVENTS,
    *,
    randomness: Randomness,
    allow_http: bool = False,
) -> Webhook:
    """Send a tenant's events to one more place, from now on.

    Args:
        store: where its records are.
        tenant: whose events.
        url: where to, see `check_url`.
        events: the kinds that are wanted.
        randomness: for the id.
        allow_http: whether the URL may be http, which anybody on the way can read.

    Raises:
        EngineError: `invalid-field`, where the URL or an event is none, or the tenant has 16 already.
    """
    check_url(url, allow_http=allow_http)
    if unknown := set(events) - set(EVENTS):
        what = f"no such event: {excerpt(min(unknown))}; there are {', '.join(EVENTS)}"
        raise EngineError("invalid-field", what, field="event")
    if not events:
        raise EngineError("invalid-field", "a webhook has at least one event", field="event")
    webhook_id = f"wh_{randomness(_ID_BYTES).hex()}"

    def add(transaction: WriteTransaction) -> Webhook:
        if len(transaction.webhooks(tenant)) >= WEBHOOKS_MAX:
            raise EngineError("invalid-field", f"a tenant has at most {WEBHOOKS_MAX} webhooks", field="url")
        wanted = " ".join(sorted(set(events)))
        webhook = Webhook(webhook_id, tenant, url, wanted, 1, None, transaction.now())
        transaction.put_webhook(webhook)
        return webhook

    return transact(store, add)


def webhooks_of(store: Store, tenant: str) -> list[Webhook]:
    """Return the webhooks of a tenant, in the order in which they were added."""
    with store.read() as view:
        return view.webhooks(tenant)


def find_webhook(store: Store, tenant: str, webhook_id: str) -> Webhook:
    """Return a webhook of a tenant.

    Raises:
        EngineError: `not-found`.
    """
    with store.read() as view:
        return _find(view, tenant, webhook_id)


def rotate_webhook(
    store: Store, tenant: str, webhook_id: str, *, overlap_seconds: int = OVERLAP_SECONDS
) -> Webhook:
    """Give a webhook a new secret; for so long the one before it signs as well.

    Raises:
        EngineError: `not-found`.
    """

    def rotate(transaction: WriteTransaction) -> Webhook:
        webhook = _find(transaction, tenant, webhook_id)
        until = transaction.now() + overlap_seconds * MICROSECONDS if overlap_seconds else None
        rotated = webhook._replace(secret_version=webhook.secret_version + 1, overlap_until=until)
        transaction.put_webhook(rotated)
        return rotated

    return transact(store, rotate)


def remove_webhook(store: Store, tenant: str, webhook_id: str) -> None:
    """Send nothing more to a webhook; what was delivered or has failed stays in the list until it is pruned.

    Raises:
        EngineError: `not-found`.
    """

    def remove(transaction: WriteTransaction) -> None:
        transaction.remove_webhook(_find(transaction, tenant, webhook_id).webhook_id)

    transact(store, remove)


def _find(view: ReadTransaction, tenant: str, webhook_id: str) -> Webhook:
    for webhook in view.webhooks(tenant):
        if webhook.webhook_id == webhook_id:
            return webhook
    raise EngineError("not-found", "there is no such webhook")


def webhook_secret(operator: Operator, webhook: Webhook) -> str:
    """Return the secret of a webhook, which its receiver verifies with."""
    return _secret(operator, webhook.webhook_id, webhook.secret_version)


def _secret(operator: Operator, webhook_id: str, version: int) -> str:
    message = f"counterfoil/webhook-secret@v1\n{webhook_id}\n{version}"
    return f"whsec_{hmac.digest(operator.reference_key, message.encode('ascii'), 'sha256').hex()}"


def sign_event(operator: Operator, webhook: Webhook, now: int, timestamp: int, body: bytes) -> str:
    """Return the signatures of an event: the newest secret's, and during a rotation, behind a comma, the one's before it.

    Args:
        operator: whose reference key.
        webhook: where the event goes.
        now: in microseconds, says whether a rotation goes on.
        timestamp: in seconds since 1970-01-01T00:00:00Z, as it is sent beside.
        body: as it is sent.
    """
    versions = [webhook.secret_version]
    if webhook.overlap_until is not None and now < webhook.overlap_until:
        versions.append(webhook.secret_version - 1)
    signed = f"{timestamp}.".encode("ascii") + body
    secrets = [_secret(operator, webhook.webhook_id, version).encode("ascii") for version in versions]
    return ",".join(f"v1={hmac.digest(secret, signed, 'sha256').hex()}" for secret in secrets)


def announce_customers(transaction: WriteTransaction, opened: Sequence[NamedLog]) -> None:
    """Announce logs, of one tenant, that this transaction opens."""
    _announce(transaction, [Announcement(each.log, 0, 0, each.tenant) for each in opened])


def announce_checkpoints(
    transaction: WriteTransaction, heads: Mapping[bytes, Head], published: Sequence[NewCheckpoint]
) -> None:
    """Announce checkpoints, of logs of one tenant, that this transaction publishes; the heads say whose they are."""
    _announce(
        transaction,
        [Announcement(each.log, each.size, each.old_size, heads[each.log].tenant) for each in published],
    )


def _announce(transaction: WriteTransaction, announcements: Sequence[Announcement]) -> None:
    # Who has no webhooks is not to pay for them.
    if announcements and transaction.webhooks(announcements[0].tenant):
        transaction.announce(announcements)
