"""Numbers of answers are exact, whatever they look like; what no server of exact decimals writes is refused."""

from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.client.answers import AMOUNTS, read_answer
from counterfoil.core.amount import format_nano
from tests.support import refused


def read(data):
    return read_answer(f'{{"success":true,"data":{data}}}'.encode(), bytes_max=100_000)


@given(st.integers(min_value=-(10**38) + 1, max_value=10**38 - 1))
def test_every_amount_is_read_to_its_last_digit(nano):
    found = read(f'{{"delta":{format_nano(nano)}}}')["delta"]
    assert isinstance(found, Decimal)
    assert found.as_tuple() == Decimal(format_nano(nano)).as_tuple()


@pytest.mark.parametrize(
    "token", ["0.1", "1e2", "-0.000000001", "99999999999999999999999999999.999999999", "5e-324"]
)
def test_no_number_passes_through_a_double(token):
    assert read(f'{{"any":{token}}}')["any"].as_tuple() == Decimal(token).as_tuple()


@pytest.mark.parametrize("name", sorted(AMOUNTS))
def test_an_amount_is_a_decimal_where_it_is_whole_too(name):
    found = read(f'{{"{name}":500,"inner":[{{"{name}":-7}}]}}')
    assert type(found[name]) is Decimal
    assert type(found["inner"][0][name]) is Decimal


def test_a_count_is_an_int():
    found = read('{"totalDeltas":500,"pages":[1,2]}')
    assert type(found["totalDeltas"]) is int
    assert found["pages"] == [1, 2]


@pytest.mark.parametrize("token", [
    "1e400", "1e29", "-1e29", "1e999999999", "1e-999999999", "1e-401", "1" * 41, "0." + "0" * 39, "1E+1000", "NaN",
    "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1",
])  # fmt: skip
@pytest.mark.parametrize("name", ["delta", "any"])
def test_what_no_amount_can_be_is_refused(name, token):
    with refused("malformed"):
        read(f'{{"{name}":{token}}}')


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"7", b"null", b'{"success":true}', b'{"success":true,"data":[]}', b'{"data":{}}',
    b'{"success":1,"data":{}}', b'{"success":false,"data":{}}', b'{"success":true,"success":true,"data":{}}',
    b'{"success":true,"data":{"a":"\\ud800"}}', b'\xef\xbb\xbf{"success":true,"data":{}}', b"\xff",
    b'{"success":true,"data":{}} ,', b"[" * 99_999, b'{"success":true,"data":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
])  # fmt: skip
def test_what_is_no_answer_is_malformed(body):
    with refused("malformed"):
        read_answer(body, bytes_max=100_000)


def test_one_beyond_its_bound_is_too_large():
    with refused("too-large"):
        read_answer(b" " * 101, bytes_max=100)


@pytest.mark.parametrize("body", [b'{"success":true,"da', b"<html>", b""])
def test_a_success_that_cannot_be_read_is_no_success(server, client, body):
    server.faults = [httpx.Response(200, content=body)]
    with refused("malformed"):
        client.usage()
