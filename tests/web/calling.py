"""Calling the application as a client over HTTP does, without a network."""

import asyncio
import json
from decimal import Decimal

import httpx

from counterfoil.engine import apikeys
from counterfoil.web.app import create_app
from tests.support import seeded

TENANT = "acme"
DELTA = "/api/v1/balance/delta"


class Web:
    """An application, and a key to it.

    Attributes:
        services: what its requests share.
        key: an API key that may read and write, sent where a test names no other.
    """

    def __init__(self, services):
        self.services = services
        self.key = self.new_key("read", "write")
        self.app = create_app(services)
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://counterfoil"
        )

    def new_key(self, *scopes, tenant=TENANT, seed=0, **named):
        """Make an API key; return what a client sends."""
        keys = len(apikeys.list_keys(self.services.store))
        issued = apikeys.create(
            self.services.store, tenant=tenant, scopes=scopes, randomness=seeded(f"{seed} {keys}"), **named
        )
        return issued.text

    def call(self, method, path, *, key=..., headers=(), **named):
        """Make a request; `key=None` sends no API key."""
        sent = dict(headers)
        if key is ...:
            key = self.key
        if key is not None:
            sent["X-Api-Key"] = key
        return self.run(self._client.request(method, path, headers=sent, **named))

    def get(self, path, **named):
        return self.call("GET", path, **named)

    def post(self, path, body=..., **named):
        if body is not ...:
            named["content"] = body if isinstance(body, (bytes, str)) else json.dumps(body)
            named["headers"] = {"Content-Type": "application/json", **dict(named.get("headers", ()))}
        return self.call("POST", path, **named)

    def record(self, delta="-12.5", customer="cust_001", *, key="", reason="api_call", **members):
        """Record a delta; `key` is its idempotency key."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"customerId": customer, "delta": delta, "reason": reason, **members}
        return self.post(DELTA, body, headers=headers)

    def checkpoint(self, customer="cust_001"):
        """Checkpoint a customer, as the worker does."""
        return self.services.engine(TENANT).checkpoint(customer)

    def run(self, coroutine):
        return self._runner.run(coroutine)

    def close(self):
        self.run(self._client.aclose())
        self._runner.close()
        self.services.close()


def data_of(answer):
    """The data of a success, amounts as decimals."""
    document = json.loads(answer.content, parse_float=Decimal)
    assert answer.is_success, answer.text
    assert document.keys() == {"success", "data"}
    assert document["success"] is True
    return document["data"]


def assert_problem(answer, code, status, name=None, field=None):
    """Assert that an answer is a refusal, in both forms."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert (document["code"], document["status"], answer.status_code) == (code, status, status), answer.text
    assert document["type"] == f"urn:counterfoil:error:{code}"
    assert document["success"] is False
    assert document["error"]["message"] == document["detail"]
    if name is not None:
        assert document["error"]["code"] == name
    if field is not None:
        assert document["field"] == field
    return document
