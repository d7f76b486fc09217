"""`webhook`: where a tenant's events go, and what became of them.

Source: docs/api/webhooks.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final
from urllib.parse import urlsplit

import click

from counterfoil.cli.context import Place, load_keys, open_place, operator_of, place_options
from counterfoil.cli.output import emit, hint, json_option, plural, say
from counterfoil.core.timestamp import format_time
from counterfoil.engine.operator import Operator, claim_store
from counterfoil.engine.service import Delivery, Webhook
from counterfoil.engine.store import Store
from counterfoil.engine.webhook_deliveries import STATUSES, delivery_page
from counterfoil.engine.webhook_deliveries import retry as retry_event
from counterfoil.engine.webhook_events import event_of, format_event_id
from counterfoil.engine.webhooks import (
    EVENTS,
    OVERLAP_SECONDS,
    add_webhook,
    find_webhook,
    remove_webhook,
    rotate_webhook,
    webhook_secret,
    webhooks_of,
)
from counterfoil.limits import PAGE_ITEMS_MAX

_HOUR_SECONDS: Final = 3_600
_OVERLAP_HOURS_MAX: Final = 24 * 30


@contextmanager
def _open(place: Place) -> Iterator[tuple[Store, Operator]]:
    """Open the store with the keys that secrets follow from."""
    with closing(open_place(place)) as store:
        operator = operator_of(load_keys(place))
        claim_store(store, operator)
        yield store, operator


@click.command(
    "add",
    epilog="\b\nExample:\n  counterfoil webhook add https://hooks.example.com/counterfoil --event delta.verified",
)
@click.argument("url", metavar="URL")
@click.option(
    "--event",
    "events",
    metavar="EVENT",
    multiple=True,
    type=click.Choice(EVENTS),
    help="An event that is sent, all where none is named. May be repeated.",
)
@click.option("--allow-http", is_flag=True, help="Take an http URL; `serve` must allow it too.")
@json_option
@place_options
def webhook_add(place: Place, url: str, events: Sequence[str], *, allow_http: bool, as_json: bool) -> None:
    """Send a tenant's events to URL from now on; print the secret that they are signed with."""
    is_http = url.lower().startswith("http:")
    if is_http and not allow_http:
        hint("http is for a receiver in your own network: `webhook add --allow-http` takes it")
    with _open(place) as (store, operator):
        webhook = add_webhook(
            store,
            place.tenant,
            url,
            events or EVENTS,
            randomness=secrets.token_bytes,
            allow_http=allow_http,
        )
        _say_webhook(webhook, webhook_secret(operator, webhook), as_json=as_json)
    if is_http:
        hint(
            "`serve` sends there with --allow-http-webhooks, and into its own network with --allow-private-webhooks"
        )


@click.command("list", epilog="\b\nExample:\n  counterfoil webhook list --json")
@json_option
@place_options
def webhook_list(place: Place, *, as_json: bool) -> None:
    """List a tenant's webhooks, without their secrets."""
    with closing(open_place(place)) as store:
        found = webhooks_of(store, place.tenant)
    for webhook in found:
        if as_json:
            emit(_finding(webhook))
        else:
            say(f"{webhook.webhook_id}  {_shown(webhook.url)}  {webhook.events}")
    if not found and not as_json:
        say("no webhooks yet: add one with `counterfoil webhook add`")


@click.command(
    "remove", epilog="\b\nExample:\n  counterfoil webhook remove wh_5b0d6a1c93f2e847a09b4f1d2c6e8035"
)
@click.argument("webhook_id", metavar="ID")
@place_options
def webhook_remove(place: Place, webhook_id: str) -> None:
    """Send nothing more to a webhook; what waits for it is dropped."""
    with closing(open_place(place)) as store:
        remove_webhook(store, place.tenant, webhook_id)
    say(f"removed  {webhook_id}")


@click.command(
    "rotate",
    epilog="\b\nExample:\n  counterfoil webhook rotate wh_5b0d6a1c93f2e847a09b4f1d2c6e8035 --overlap 1",
)
@click.argument("webhook_id", metavar="ID")
@click.option(
    "--overlap",
    metavar="HOURS",
    type=click.IntRange(0, _OVERLAP_HOURS_MAX),
    default=OVERLAP_SECONDS // _HOUR_SECONDS,
    show_default=True,
    help="How long the secret before it signs as well.",
)
@json_option
@place_options
def webhook_rotate(place: Place, webhook_id: str, overlap: int, *, as_json: bool) -> None:
    """Give a webhook a new secret, and print it."""
    with _open(place) as (store, operator):
        webhook = rotate_webhook(store, place.tenant, webhook_id, overlap_seconds=overlap * _HOUR_SECONDS)
        _say_webhook(webhook, webhook_secret(operator, webhook), as_json=as_json)


@click.command(
    "secret", epilog="\b\nExample:\n  counterfoil webhook secret wh_5b0d6a1c93f2e847a09b4f1d2c6e8035"
)
@click.argument("webhook_id", metavar="ID")
@place_options
def webhook_show_secret(place: Place, webhook_id: str) -> None:
    """Print the secret of a webhook again."""
    with _open(place) as (store, operator):
        say(webhook_secret(operator, find_webhook(store, place.tenant, webhook_id)))


@click.command("deliveries", epilog="\b\nExample:\n  counterfoil webhook deliveries --status failed")
@click.option(
    "--status", metavar="STATUS", type=click.Choice(STATUSES), help="Deliveries of this status alone."
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, PAGE_ITEMS_MAX),
    default=100,
    show_default=True,
    help="How many to show at most.",
)
@json_option
@place_options
def webhook_deliveries(place: Place, status: str | None, limit: int, *, as_json: bool) -> None:
    """List deliveries of a tenant's events, the newest first."""
    with closing(open_place(place)) as store:
        page = delivery_page(store, place.tenant, status, limit=limit)
    for delivery in page.deliveries:
        if as_json:
            emit(_delivery_finding(delivery))
        else:
            _say_delivery(delivery)
    if not page.total and not as_json:
        say("no deliveries: `counterfoil serve` makes and sends them")
    if more := page.total - len(page.deliveries):
        hint(f"{more:,} more are there")


@click.command(
    "retry",
    epilog="\b\nExample:\n  counterfoil webhook retry delta.verified.0xdc4dfc3208759067a112d73bb53467d9375dc42e.2",
)
@click.argument("event_id", metavar="EVENT_ID")
@place_options
def webhook_retry(place: Place, event_id: str) -> None:
    """Send an event again, now and whatever became of it."""
    with closing(open_place(place)) as store:
        found = retry_event(store, place.tenant, event_id)
    for delivery in found:
        _say_delivery(delivery)


def _say_webhook(webhook: Webhook, secret: str, *, as_json: bool) -> None:
    if as_json:
        emit({**_finding(webhook), "secret": secret})
        return
    say(f"webhook  {webhook.webhook_id}")
    say(f"url      {_shown(webhook.url)}")
    say(f"events   {webhook.events}")
    say(f"secret   {secret}")
    if webhook.overlap_until is not None:
        say(f"overlap  the secret before it signs as well until {format_time(webhook.overlap_until)}")


def _finding(webhook: Webhook) -> dict[str, object]:
    until = webhook.overlap_until
    return {
        "webhookId": webhook.webhook_id,
        "url": _shown(webhook.url),
        "events": webhook.events.split(),
        "secretVersion": webhook.secret_version,
        "overlapUntil": None if until is None else format_time(until),
        "createdAt": format_time(webhook.created_at),
    }


def _shown(url: str) -> str:
    """Return a URL without its query, which may hold what is secret."""
    parts = urlsplit(url)
    return parts._replace(query="...").geturl() if parts.query else url


def _say_delivery(delivery: Delivery) -> None:
    words = [f"{plural(delivery.attempts, 'attempt')}"]
    if delivery.outcome:
        words.append(f"last {delivery.outcome}")
    if delivery.status == "pending":
        words.append(f"next at {format_time(delivery.due_at)}")
    name = format_event_id(event_of(delivery))
    say(f"{delivery.status:<9}  {name}  {delivery.webhook_id}  {', '.join(words)}")


def _delivery_finding(delivery: Delivery) -> dict[str, object]:
    return {
        "eventId": format_event_id(event_of(delivery)),
        "event": delivery.kind,
        "webhookId": delivery.webhook_id,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "nextAttemptAt": format_time(delivery.due_at) if delivery.status == "pending" else None,
        "createdAt": format_time(delivery.created_at),
        "lastOutcome": delivery.outcome or None,
    }
