"""The API, called in process; numbers of answers keep the text that they have there."""

import asyncio
import json
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import urlencode

import httpx
import pytest

from counterfoil.engine import apikeys
from tests.web.description import hold

PROBLEM = "application/problem+json"
BALANCE = "/api/v1/balance"

# For claims in which no store has a part.
in_memory = pytest.mark.parametrize("store", ["memory"], indirect=True)


@dataclass(frozen=True)
class Number:
    """A number of an answer that is no integer, as it was written."""

    text: str


def _integer(text):
    assert text != "-0", "minus zero is no amount"
    return int(text)


def read(text):
    """Read JSON: integers as such, other numbers as `Number`, none of them as a double."""
    return json.loads(text, parse_int=_integer, parse_float=Number)


def exactly(text):
    """Return the number that a JSON text is, as `read` does."""
    return read(text)


def value(number):
    """Return a number of an answer to reckon with."""
    return Fraction(number.text if isinstance(number, Number) else number)


def key_of(store, tenant="default", scopes=("read", "write"), *, randomness):
    """Make an API key; return what a client sends."""
    issued = apikeys.create(store, tenant=tenant, scopes=scopes, randomness=randomness)
    return issued.text


class Answer:
    """What came back."""

    def __init__(self, response):
        self.status = response.status_code
        self.headers = response.headers
        self.text = response.text
        self.document = (
            read(response.text)
            if "json" in response.headers.get("content-type", "") and response.content
            else None
        )

    @property
    def data(self):
        """What a success brings."""
        assert self.status in (200, 201), self.text
        assert self.headers["content-type"] == "application/json"
        assert self.document.keys() == {"success", "data"}
        assert self.document["success"] is True
        return self.document["data"]

    def refused(self, code, status, name, field=None):
        """Hold it to be this refusal, in both of its forms."""
        assert self.headers["content-type"] == PROBLEM, self.text
        problem = self.document
        assert (problem["code"], self.status) == (code, status), self.text
        assert problem["status"] == status
        assert problem["type"] == f"urn:counterfoil:error:{code}"
        assert problem["success"] is False
        assert problem["error"]["code"] == name
        assert problem.get("field") == field, self.text

    def invalid(self, field, code="invalid-field"):
        """Hold it to be a refusal of one field."""
        self.refused(code, 400, "VALIDATION_ERROR", field)

    @property
    def shown(self):
        """All that tells one answer from another, but for the id of the request."""
        headers = {name: text for name, text in self.headers.items() if name != "x-request-id"}
        return self.status, headers, self.text


class Api:
    """Calls an application with one API key."""

    def __init__(self, app, key):
        self._runner = asyncio.Runner()
        # What nobody expected is answered, as a server does.
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {} if key is None else {"X-Api-Key": key}
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    def close(self):
        self._runner.run(self._client.aclose())
        self._runner.close()

    def call(self, method, path, **request):
        """Send a request as it is; whatever comes is held to the description."""
        response = self._runner.run(self._client.request(method, path, **request))
        hold(method, path, response)
        return Answer(response)

    def get(self, path, **query):
        """Ask for something below /api/v1/balance."""
        query = {name: value for name, value in query.items() if value is not None}
        return self.call("GET", f"{BALANCE}/{path}" + (f"?{urlencode(query)}" if query else ""))

    def post(self, path, body, **headers):
        """Send a body, a dict or JSON text, to something below /api/v1/balance."""
        content = body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": "application/json", **headers}
        return self.call("POST", f"{BALANCE}/{path}", content=content, headers=headers)

    def record(self, amount, customer="alice", reason="usage", **members):
        """Record a delta over HTTP; the amount is JSON text."""
        rest = json.dumps({"customerId": customer, "reason": reason, **members})
        return self.post("delta", f'{{"delta":{amount},{rest[1:]}').data
