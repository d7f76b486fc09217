"""Holds what the server answers to what the description of the API says of it."""

import json
import re
from decimal import Decimal
from functools import cache
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

from tests.web.openapi import described


@cache
def description():
    """Return the description, of which no object has members that it does not name."""
    document = described()
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return document


@cache
def _paths():
    # A path with fewer names in it comes first: `customers/summary` is no customer.
    paths = sorted(description()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


def operation(method, url):
    """Return what is said of a request, None where nothing is."""
    path = urlsplit(url).path
    for pattern, name in _paths():
        if pattern.fullmatch(path):
            return description()["paths"][name].get(method.lower())
    return None


@cache
def _validator(path):
    root = description()
    schema = root
    for part in json.loads(path):
        schema = schema[part]
    return Draft202012Validator({**schema, "components": root["components"]})


def hold(method, url, response):
    """Check that an answer is one of those that are described: its status, its members, the code of a refusal."""
    said = operation(method, url)
    if said is None:
        return
    status = str(response.status_code)
    assert status in said["responses"], f"{method} {url}: {status} is not described: {response.text}"
    described = said["responses"][status]
    kind = response.headers.get("content-type", "").partition(";")[0]
    assert kind in described["content"], f"{method} {url}: {kind} is not described"
    if not kind.endswith("json"):
        return
    document = json.loads(response.text, parse_float=Decimal)
    if kind == "application/problem+json":
        assert f"`{document['code']}`" in described["description"], f"{method} {url}: {document['code']}"
    name = next(name for pattern, name in _paths() if pattern.fullmatch(urlsplit(url).path))
    where = ["paths", name, method.lower(), "responses", status, "content", kind, "schema"]
    _validator(json.dumps(where)).validate(document)
