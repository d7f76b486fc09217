"""What the description says of customers, balances, checkpoints and receipts: of every member, and that it is so."""

import hashlib
import json
from itertools import islice

import pytest

from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.timestamp import to_microseconds
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from counterfoil.engine.request import Delta
from counterfoil.limits import SALT_BYTES
from counterfoil.storage.memory import MemoryStore
from counterfoil.web.app import create_app
from counterfoil.web.models import RECORD_ID, ROOT
from counterfoil.web.state import Services, Settings
from tests.support import FakeClock, seeded
from tests.web.api import Api, key_of
from tests.web.conftest import PUBLIC_URL
from tests.web.description import description

TOPICS = {"Customers", "Balances", "Checkpoints", "Receipts"}
DOCUMENT = description()
OPERATIONS = {
    f"{method} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if TOPICS & set(operation["tags"])
}
CUSTOMER = "cust_001"
APRIL = {"period": "2026-04"}
COMPARED = {"customerId": CUSTOMER, "yourBalance": 487.5, "theirBalance": 500} | APRIL
# How each operation is asked for April of the worked example; one whose answer has two forms is asked for both.
ASKED = {
    "get /api/v1/balance/customers": [("customers", APRIL)],
    "get /api/v1/balance/customers/summary": [("customers/summary", {})],
    "get /api/v1/balance/customers/{customerId}": [(f"customers/{CUSTOMER}", APRIL)],
    "get /api/v1/balance/derive/{customerId}": [(f"derive/{CUSTOMER}", APRIL | {"granularity": "month"})],
    "get /api/v1/balance/limits": [("limits", {})],
    "post /api/v1/balance/compare": [("compare", COMPARED | {"granularity": "month"})],
    "get /api/v1/balance/usage": [("usage", {})],
    "get /api/v1/balance/gaps/{customerId}": [(f"gaps/{CUSTOMER}", {})],
    "post /api/v1/balance/checkpoint": [("checkpoint", {"customerId": CUSTOMER} | APRIL), ("checkpoint", {})],
    "get /api/v1/balance/checkpoints": [("checkpoints", APRIL)],
    "get /api/v1/balance/customers/{customerId}/statement": [(f"customers/{CUSTOMER}/statement", APRIL)],
    "get /api/v1/balance/receipt/{customerId}": [(f"receipt/{CUSTOMER}", APRIL)],
    "get /api/v1/balance/invoice-proof/{customerId}": [(f"invoice-proof/{CUSTOMER}", APRIL)],
}
each_operation = pytest.mark.parametrize("name", OPERATIONS)


def resolved(schema):
    """Follow references; what stands beside one holds as well."""
    while "$ref" in schema:
        there = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        schema = there | {name: value for name, value in schema.items() if name != "$ref"}
    return schema


def forms(schema):
    """Yield a schema, and those that it allows instead."""
    schema = resolved(schema)
    yield schema
    for other in schema.get("anyOf", ()):
        yield from forms(other)


def members(schema, path=()):
    """Yield every member below a schema, with where it is."""
    for form in forms(schema):
        for name, member in form.get("properties", {}).items():
            yield (*path, name), member
            yield from members(member, (*path, name))
        if "items" in form:
            yield from members(form["items"], path)


def schema_of(name, status="200"):
    answer = OPERATIONS[name]["responses"][status]["content"]["application/json"]["schema"]
    return resolved(answer)["properties"]["data"]


def examples_of(member):
    return [example for form in forms(member) for example in form.get("examples", ())]


def is_plain(member):
    """Whether a member holds text, a number or the like, in which an example says something."""
    kinds = {form.get("type") for form in forms(member)} - {None}
    return kinds != {"null"} and not kinds & {"object", "array"}


@each_operation
def test_every_member_of_an_answer_is_described(name):
    found = list(members(schema_of(name)))
    assert found
    for path, member in found:
        assert any(form.get("description") for form in forms(member)), path


@each_operation
def test_every_value_has_an_example(name):
    for path, member in members(schema_of(name)):
        if is_plain(member) and path[-1] != "nextSequence":
            assert examples_of(member), path


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name.startswith("post")])
def test_every_member_of_a_body_is_described_with_an_example(name):
    body = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]
    assert resolved(body)["additionalProperties"] is False
    assert resolved(body)["examples"]
    for path, member in members(body):
        assert any(form.get("description") for form in forms(member)), path
        assert examples_of(member), path


def example_hash(words):
    return hashlib.sha256(f"counterfoil example {words}".encode()).digest()


@pytest.fixture(scope="module")
def example():
    """The API over the worked example of docs/spec/example.md, in May."""
    signing, reference = SigningKey(example_hash("signing key")), example_hash("reference key")
    operator = Operator("ledger.example.com", signing, reference)
    clock = FakeClock(to_microseconds("2026-04-01T09:00:00Z"), 0)
    salts = iter([example_hash(f"salt {number}") for number in range(3)])
    store = MemoryStore(clock)
    engine = Engine(
        store, operator, tenant="acme", randomness=lambda size: b"".join(islice(salts, size // SALT_BYTES))
    )
    engine.record(Delta(CUSTOMER, "500", "initial_deposit", idempotency_key="req-0001"))
    clock.now = to_microseconds("2026-04-02T10:30:00.250000Z")
    engine.record(
        Delta(
            CUSTOMER,
            "-12.5",
            "api_call",
            reference_id="line_001",
            metadata={"model": "aé", "tokens": 1200},
            idempotency_key="req-0002",
            effective_at="2026-04-02T10:29:59Z",
        )
    )
    clock.now = to_microseconds("2026-04-30T23:59:59.999999Z")
    assert f"0x{engine.checkpoint(CUSTOMER).checkpoint.root.hex()}" == ROOT
    assert engine.delta(RECORD_ID).item.status == "VERIFIED"
    clock.now = to_microseconds("2026-05-02T08:00:00Z")
    services = Services(store, operator, Settings(public_url=PUBLIC_URL), now=clock)
    api = Api(create_app(services), key_of(store, "acme", randomness=seeded()))
    yield api
    api.close()
    services.close()


def told(value, schema, path=()):
    """Yield each value of an answer with its examples; an object is taken apart where its members are described."""
    properties = {
        name: member for form in forms(schema) for name, member in form.get("properties", {}).items()
    }
    if isinstance(value, list) and value:
        [items] = [form["items"] for form in forms(schema) if "items" in form]
        for item in value:
            yield from told(item, items, path)
    elif isinstance(value, dict) and properties:
        for name, item in value.items():
            yield from told(item, properties[name], (*path, name))
    else:
        yield path, value, examples_of(schema)


@each_operation
def test_an_example_is_the_answer_for_the_worked_example(name, example):
    seen = {}
    for path, query in ASKED[name]:
        answer = example.post(path, query) if name.startswith("post") else example.get(path, **query)
        assert answer.status == 200
        for where, value, examples in told(json.loads(answer.text)["data"], schema_of(name)):
            seen.setdefault(where, []).append((value, examples))
    for where, found in seen.items():
        if found[0][1]:
            assert any(value in examples for value, examples in found), (where, found)
