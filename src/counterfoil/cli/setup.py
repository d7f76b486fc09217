"""Keys and store: `init`, `key show`, `key check`.

Source: docs/spec/note.md#verifier-key, docs/spec/reference.md.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from pathlib import Path

import click

from counterfoil.cli.context import (
    Place,
    ask_passphrase,
    find_passphrase,
    load_keys,
    open_place,
    operator_of,
    place_options,
)
from counterfoil.cli.output import emit, hint, json_option, say
from counterfoil.core.ed25519 import SEED_BYTES
from counterfoil.core.note import verifier_key
from counterfoil.core.reference import Origin, check_operator, customer_reference
from counterfoil.engine.clock import HostClock
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import check_identity
from counterfoil.engine.record import DEFAULT_UNIT
from counterfoil.engine.request import check_unit
from counterfoil.engine.store import Identity
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import REFERENCE_KEY_BYTES
from counterfoil.storage import may_be_taken, migrate_store, shown
from counterfoil.storage.key_folder import (
    KeyFolder,
    create_key_folder,
    load_reference_key,
    load_verifier_key,
)

_LOCALHOST = "localhost"


@click.command(
    epilog="\b\nExamples:\n  counterfoil init --operator ledger.example.com --unit EUR\n"
    "  counterfoil init --operator ledger.example.com --passphrase"
)
@click.option("--operator", metavar="NAME", help=f"Who signs, DNS-like; permanent.  [default: {_LOCALHOST}]")
@click.option("--unit", metavar="U", help="The unit of this tenant's logs.  [default: credits]")
@click.option("--passphrase", "asks", is_flag=True, help="Ask for a passphrase to encrypt the signing key.")
@place_options
def init(place: Place, operator: str | None, unit: str | None, *, asks: bool) -> None:
    """Make keys and a store; print the public key.

    Nothing is overwritten. Where the keys are there and the store is not, a store is made for them. With --unit, another
    --tenant of a store that is there gets its unit.
    """
    # First what may refuse, then the keys, then the store: cut off in between, the same command goes on from there.
    _check(operator, unit)
    owner = find_owner(place)
    if owner is not None:
        _set_unit_of_another_tenant(place, owner, operator, unit)
        return
    make_keys_and_store(place, operator, unit, asks=asks)


def make_keys_and_store(place: Place, operator: str | None, unit: str | None, *, asks: bool) -> None:
    """Make the keys where there are none, and a store that belongs to nobody yet theirs; say so.

    Args:
        place: where.
        operator: who signs; where the keys are there already, whose they must be.
        unit: of the tenant's logs.
        asks: whether to ask for a passphrase.

    Raises:
        EngineError: what keys and store say.
    """
    _check(operator, unit)
    at_hand = has_keys(place)
    if at_hand:
        keys = keys_at_hand(place, operator)
    else:
        keys = _new_keys(place.keys, operator or _LOCALHOST, asks=asks)
    with closing(open_place(place, create=True)) as store:
        engine = Engine(store, operator_of(keys), tenant=place.tenant)
        if unit is not None:
            engine.set_unit(unit)
    say(f"verifier key  {keys.verifier_key}")
    say(f"key folder    {place.keys}  (back it up: without it nothing more can be recorded or signed)")
    say(f"store         {shown(place.store)}")
    if keys.operator == _LOCALHOST and operator is None:
        hint(
            f"the operator's name was left at {_LOCALHOST}: it stands in every origin and can never be changed"
        )
    if at_hand:
        hint(
            f"the keys were there before this store: if they have signed for tenant {place.tenant} in another store, "
            "signing in this one is a fork: use that store, or name another --tenant"
        )


def has_keys(place: Place) -> bool:
    """Whether there is a key folder with something in it."""
    return place.keys.is_dir() and any(place.keys.iterdir())


def _check(operator: str | None, unit: str | None) -> None:
    try:
        if operator is not None:
            check_operator(operator)
        if unit is not None:
            check_unit(unit)
    except (MalformedError, EngineError) as error:
        raise EngineError("usage", error.message) from error


def find_owner(place: Place) -> Identity | None:
    """Return whom a store belongs to that is there already."""
    if not may_be_taken(place.store):
        return None
    # Making its tables is what an `init` that was cut off had still to do.
    with closing(open_place(place, create=True)) as store, store.read() as view:
        return view.identity()


def _set_unit_of_another_tenant(
    place: Place, owner: Identity, operator: str | None, unit: str | None
) -> None:
    taken = f"the store {shown(place.store)} is there already and belongs to {owner.operator}"
    if unit is None or operator not in (None, owner.operator):
        raise EngineError("usage", taken)
    with closing(open_place(place)) as store:
        with store.read() as view:
            known = view.tenant_unit(place.tenant)
            # A log keeps its unit for ever: what comes first is not changed behind its back.
            used = known is not None or bool(view.logs(place.tenant, limit=1))
        if used:
            raise EngineError(
                "usage", f"{taken}; tenant {place.tenant} has the unit {known or DEFAULT_UNIT} already"
            )
        keys = load_keys(place)
        engine = Engine(store, operator_of(keys), tenant=place.tenant)
        engine.set_unit(unit)
    say(f"unit          {unit}, of what is recorded for tenant {place.tenant}")


def keys_at_hand(place: Place, operator: str | None) -> KeyFolder:
    """Return the keys that are there.

    Raises:
        EngineError: `usage`, where they are of another operator than the one that is named; what the keys say.
    """
    keys = load_keys(place)
    if operator not in (None, keys.operator):
        raise EngineError("usage", f"the key folder {place.keys} is there already, of {keys.operator}")
    return keys


def _new_keys(folder: Path, operator: str, *, asks: bool) -> KeyFolder:
    passphrase = find_passphrase()
    if passphrase is None and asks:
        passphrase = ask_passphrase(confirm=True)
    return create_key_folder(
        folder,
        operator,
        signing_seed=secrets.token_bytes(SEED_BYTES),
        reference_key=secrets.token_bytes(REFERENCE_KEY_BYTES),
        passphrase=passphrase,
    )


@click.command(
    "show",
    epilog="\b\nExamples:\n  counterfoil key show > operator.vkey\n"
    "  counterfoil key show --customer cust_001",
)
@click.option(
    "--customer", metavar="ID", help="Name the key after this customer's log, as other tools want it."
)
@place_options
def key_show(place: Place, customer: str | None) -> None:
    """Print the operator's public key, a verifier key.

    One key signs all logs, each under its origin as the key's name. Tools that do not know this take the key of one
    log: the same public key, named after the log. The private key is not opened: no passphrase is needed.
    """
    public = load_verifier_key(place.keys)
    if customer is None:
        say(str(public))
        return
    reference_key = load_reference_key(place.keys, public.name)
    try:
        log = customer_reference(reference_key, place.tenant, customer)
    except MalformedError as error:
        raise EngineError("invalid-field", error.message, field="customerId") from error
    origin = Origin(public.name, place.tenant, log)
    say(str(verifier_key(str(origin), public.public_key)))


@click.command("check", epilog="\b\nExample:\n  counterfoil key check --keys ./counterfoil-keys")
@json_option
@place_options
def key_check(place: Place, *, as_json: bool) -> None:
    """Check the key folder: who may read it, that its files agree, and that the store is its own."""
    keys = load_keys(place)
    store = open_place(place)
    try:
        with store.read() as view:
            owner = view.identity()
    finally:
        store.close()
    if owner is None:
        raise EngineError(
            "key-mismatch", f"the store {shown(place.store)} belongs to nobody yet: run `counterfoil init`"
        )
    check_identity(owner, operator_of(keys))
    if as_json:
        emit({"result": "ok", "operator": keys.operator, "verifierKey": str(keys.verifier_key)})
        return
    say(f"holds  {place.keys}  private files are the owner's alone, and the public key is theirs")
    say(f"holds  {shown(place.store)}  made with {keys.verifier_key}")


@click.command(epilog="\b\nExample:\n  counterfoil migrate --store sqlite:///counterfoil.db")
@place_options
def migrate(place: Place) -> None:
    """Bring a store that an older version made up to this one.

    Make a backup first, and end everything else that uses the store. It is done whole or not at all.
    """
    before, after = migrate_store(place.store, clock=HostClock())
    if before == after:
        say(f"{shown(place.store)} has the tables of this version already ({after})")
    else:
        say(f"{shown(place.store)} was brought from revision {before} to {after}")
