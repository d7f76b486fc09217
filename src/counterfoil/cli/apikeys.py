"""`apikey`: keys to the HTTP API.

A key's text is printed once, on standard output, and stored nowhere.

Source: docs/operations/server.md#keys.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final

import click

from counterfoil.cli.context import Place, open_place, place_options
from counterfoil.cli.output import emit, hint, json_option, say
from counterfoil.core.timestamp import format_time
from counterfoil.engine import apikeys
from counterfoil.engine.clock import HostClock
from counterfoil.engine.record import DEFAULT_UNIT
from counterfoil.engine.service import ApiKey
from counterfoil.engine.store import Store
from counterfoil.errors import EngineError

_DAYS_MAX: Final = 3_650
_HOURS_MAX: Final = 720
_DAY_SECONDS: Final = 86_400
_HOUR_SECONDS: Final = 3_600


def _expires_option(default: str) -> Callable[[Any], Any]:
    return click.option(
        "--expires-in-days",
        metavar="N",
        type=click.IntRange(1, _DAYS_MAX),
        help=f"When it ends by itself.  [default: {default}]",
    )


@click.command(
    "create",
    epilog="\b\nExamples:\n  counterfoil apikey create --label backend\n"
    "  counterfoil apikey create --scope read --label reports --expires-in-days 90",
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(apikeys.SCOPES),
    multiple=True,
    help="What it may. May be repeated.  [default: read and write]",
)
@click.option("--live", is_flag=True, help="Write `live` into the key in place of `test`.")
@click.option("--label", metavar="TEXT", default="", help="What you call it.")
@_expires_option("never")
@json_option
@place_options
def create(
    place: Place, *, scopes: Sequence[str], live: bool, label: str, expires_in_days: int | None, as_json: bool
) -> None:
    """Make a key for a tenant, and print it, this once."""
    with closing(open_place(place)) as store:
        issued = apikeys.create(
            store,
            tenant=place.tenant,
            scopes=scopes or apikeys.SCOPES,
            randomness=secrets.token_bytes,
            label=label,
            environment="live" if live else "test",
            lifetime_seconds=None if expires_in_days is None else expires_in_days * _DAY_SECONDS,
        )
        # The default tenant nobody has typed.
        is_new = place.tenant != "default" and _is_new(store, place.tenant)
    if issued is None:
        raise EngineError("internal", "no key was made")
    _say_issued(issued, as_json=as_json)
    if is_new:
        hint(
            f"tenant {place.tenant} has no records yet, and its unit will be {DEFAULT_UNIT}: for another one run first "
            f"`counterfoil init --tenant {place.tenant} --unit UNIT`"
        )


@click.command("list", epilog="\b\nExample:\n  counterfoil apikey list")
@json_option
@place_options
def list_keys(place: Place, *, as_json: bool) -> None:
    """List all keys of all tenants, without their secrets."""
    with closing(open_place(place)) as store:
        keys = apikeys.list_keys(store)
    now = HostClock()()
    for key in keys:
        if as_json:
            emit(_finding(key, now))
            continue
        ends = f"  until {format_time(key.expires_at)}" if key.expires_at is not None else ""
        label = f"  {key.label}" if key.label else ""
        say(
            f"{key.key_id}  {key.environment}  {_state(key, now):<7}  {key.tenant}  {key.scopes}{ends}{label}"
        )


@click.command(
    "rotate", epilog="\b\nExample:\n  counterfoil apikey rotate 5b0d6a1c93f2e847 --overlap-hours 1"
)
@click.argument("key_id")
@click.option(
    "--overlap-hours",
    metavar="N",
    type=click.IntRange(0, _HOURS_MAX),
    default=24,
    show_default=True,
    help="For how long the old one is good as well.",
)
@_expires_option("as long as the old one was made for")
@json_option
@place_options
def rotate(
    place: Place, key_id: str, *, overlap_hours: int, expires_in_days: int | None, as_json: bool
) -> None:
    """Make a key in place of another, which ends after an overlap; print it, this once."""
    with closing(open_place(place)) as store:
        issued = apikeys.rotate(
            store,
            key_id,
            overlap_seconds=overlap_hours * _HOUR_SECONDS,
            randomness=secrets.token_bytes,
            lifetime_seconds=None if expires_in_days is None else expires_in_days * _DAY_SECONDS,
        )
    _say_issued(issued, as_json=as_json)


@click.command("revoke", epilog="\b\nExample:\n  counterfoil apikey revoke 5b0d6a1c93f2e847")
@click.argument("key_id")
@place_options
def revoke(place: Place, key_id: str) -> None:
    """End a key at once: running servers refuse it within 5 seconds."""
    with closing(open_place(place)) as store:
        key = apikeys.revoke(store, key_id)
    say(f"revoked  {key.key_id}  of tenant {key.tenant}")


def _is_new(store: Store, tenant: str) -> bool:
    """Whether nobody has recorded for a tenant or chosen its unit: its name may be a slip."""
    with store.read() as view:
        return view.tenant_unit(tenant) is None and not view.logs(tenant, limit=1)


def _say_issued(issued: apikeys.Issued, *, as_json: bool) -> None:
    if as_json:
        emit({**_finding(issued.key, issued.key.created_at), "apiKey": issued.text})
    else:
        say(issued.text)
    hint("the key is not shown again: only a hash of it is kept")


def _state(key: ApiKey, now: int) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "good" if apikeys.is_open(key, now) else "expired"


def _finding(key: ApiKey, now: int) -> dict[str, object]:
    return {
        "keyId": key.key_id,
        "tenant": key.tenant,
        "environment": key.environment,
        "label": key.label,
        "scopes": key.scopes.split(),
        "state": _state(key, now),
        "createdAt": format_time(key.created_at),
        "expiresAt": None if key.expires_at is None else format_time(key.expires_at),
        "revokedAt": None if key.revoked_at is None else format_time(key.revoked_at),
    }
