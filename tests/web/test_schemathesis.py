"""Requests made from the description, right ones and wrong ones: each answer is one that the description has.

No answer is a server error, every status and content type is described, and every document keeps to its schema.
"""

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from counterfoil.storage.memory import MemoryStore
from counterfoil.web.state import Services
from tests.support import OPERATOR, FakeClock, seeded
from tests.web.calling import Web
from tests.web.openapi import described

RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
OPERATIONS = [
    (path, method.upper(), mode)
    for path, item in described()["paths"].items()
    for method, operation in item.items()
    for mode in (RIGHT, WRONG)
    # Where nothing can be said, nothing wrong can.
    if mode is RIGHT or "requestBody" in operation or "parameters" in operation
]
# Its items fail each by itself.
BATCH = "/api/v1/balance/delta/batch"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@pytest.fixture(scope="module")
def served():
    """An application with two customers, one of them under a checkpoint."""
    web = Web(Services(MemoryStore(FakeClock()), OPERATOR, randomness=seeded()))
    web.record(key="req-0001")
    web.checkpoint()
    web.record(customer="cust_002")
    yield web
    web.close()


@pytest.fixture(scope="module")
def schema(served):
    async def lasting(scope, receive, send):
        """The application, which does not end with a request, as the client here would have it."""
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
        else:
            await served.app(scope, receive, send)

    return schemathesis.openapi.from_asgi("/openapi.json", lasting)


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_answer_is_one_that_is_described(schema, served, path, method, mode):
    checks = [check for check in CHECKS if path != BATCH or check is not negative_data_rejection]

    @hypothesis.settings(max_examples=10, phases=[hypothesis.Phase.generate])
    @hypothesis.given(schema[path][method].as_strategy(generation_mode=mode))
    def hold(case):
        case.call_and_validate(headers={"X-Api-Key": served.key}, checks=checks)

    hold()
