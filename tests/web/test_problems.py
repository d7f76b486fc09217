"""Refusals over HTTP: every code has its place."""

import asyncio
import json

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from counterfoil.errors import CODES, EngineError
from counterfoil.web.problems import KINDS, answer_status, detail_of, problem

# What PacSpace's clients know by name.
THEIRS = {
    400: {"VALIDATION_ERROR", "INVALID_SCOPE_COMBINATION", "SCOPE_TOO_WIDE"},
    401: {"INVALID_API_KEY"},
    404: {"NOT_FOUND", "CUSTOMER_NOT_FOUND"},
    429: {"RATE_LIMITED"},
    503: {"SERVICE_UNAVAILABLE"},
}


def test_every_code_has_its_place():
    assert KINDS.keys() == CODES.keys()


@pytest.mark.parametrize("code", KINDS)
def test_a_status_that_pacspace_knows_bears_a_name_that_it_knows(code):
    kind = KINDS[code]
    assert 400 <= kind.status < 600
    assert kind.name in THEIRS.get(kind.status, {kind.name})


@pytest.mark.parametrize("code", KINDS)
def test_what_may_pass_later_says_when(code):
    answer = problem(EngineError(code, "why"))
    document = json.loads(answer.body)
    seconds = answer.headers.get("retry-after")
    assert (seconds is not None) == (
        KINDS[code].status in {408, 429, 503, 507} or code == "not-yet-checkpointed"
    )
    assert document["error"].get("retryAfterSeconds") == (None if seconds is None else int(seconds))


@pytest.mark.parametrize("code", [code for code, status in CODES.items() if status in (20, 70, 74)])
def test_words_about_the_operators_machine_stay_with_the_operator(code):
    error = EngineError(code, "/var/lib/counterfoil.db is away", file="/var/lib/counterfoil.db")
    assert "/var" not in problem(error).body.decode()
    assert detail_of(error) == KINDS[code].title


def test_only_facts_that_a_client_can_use_are_told():
    document = json.loads(
        problem(EngineError("invalid-field", "why", field="delta", recordId="0x", got="secret")).body
    )
    assert (document["field"], document["recordId"]) == ("delta", "0x")
    assert "secret" not in json.dumps(document)


def test_control_characters_are_escaped():
    assert b"\x1b" not in problem(EngineError("invalid-field", "a\x1b[31m")).body


def test_a_refusal_of_the_framework_that_has_no_name_here_is_malformed():
    request = Request({"type": "http", "headers": []})
    answer = asyncio.run(answer_status(request, HTTPException(418)))
    assert json.loads(answer.body)["code"] == "malformed"
