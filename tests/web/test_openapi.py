"""The description of the API: it is the one that is checked in, and it is whole."""

import json
import re
from functools import cache

import pytest
from jsonschema import Draft202012Validator

from counterfoil.web.problems import KINDS
from tests.web.openapi import PATH, described

DOCUMENT = described()
METHODS = {"get", "post", "put", "patch", "delete"}
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}
each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def test_the_one_that_is_checked_in_is_that_of_the_application():
    assert json.loads(PATH.read_text(encoding="utf-8")) == DOCUMENT, "run `make openapi`"


def test_the_server_hands_it_out(quick):
    assert quick.get("/openapi.json", key=None).json() == DOCUMENT


def nodes(value, path=()):
    yield path, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from nodes(item, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from nodes(item, (*path, place))


def test_every_reference_leads_somewhere_and_every_schema_is_used():
    used = {value["$ref"] for _, value in nodes(DOCUMENT) if isinstance(value, dict) and "$ref" in value}
    assert used == {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}


def test_every_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


@each_operation
def test_an_operation_says_what_it_does_and_is_under_one_heading(operation):
    assert operation["summary"]
    assert operation["description"]
    assert len(operation["tags"]) == 1


@each_operation
def test_refusals_are_described_under_their_statuses(operation):
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            continue
        assert answer["content"].keys() == {"application/problem+json"}
        codes = re.findall(r"`([a-z-]+)`", answer["description"])
        assert codes
        assert {KINDS[code].status for code in codes} == {int(status)}


@each_operation
def test_one_with_a_key_can_be_refused_for_it(operation):
    assert ("401" in operation["responses"]) == ("security" in operation)


@each_operation
def test_every_parameter_is_described(operation):
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter["name"]


def test_what_writes_takes_an_idempotency_key():
    takers = {
        name
        for name, operation in OPERATIONS.items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    }
    assert takers == {"POST /api/v1/balance/delta", "POST /api/v1/balance/delta/batch"}


@cache
def examples():
    """Every schema with an example, and the example."""
    return [
        (path, value, example)
        for path, value in nodes(DOCUMENT)
        if isinstance(value, dict) and isinstance(value.get("examples"), list) and "examples" not in path
        for example in value["examples"]
    ]


def test_every_example_keeps_to_its_schema():
    assert len(examples()) > 30
    for path, schema, example in examples():
        validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
        assert not list(validator.iter_errors(example)), path


def test_no_member_of_a_body_goes_unread():
    """What is described is what `check_members` takes: others are refused as unknown."""
    body = DOCUMENT["components"]["schemas"]["DeltaBody"]
    assert body["additionalProperties"] is False
    assert body["required"] == ["customerId", "delta", "reason"]
