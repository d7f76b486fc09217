"""Details: the commitment, the bounds, and numbers that two readers read alike."""

# ruff: noqa: RUF001  -- look-alikes are what is refused

import hashlib
import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.details import (
    Details,
    canonical_details,
    check_delta_value,
    commit,
    customer_of,
    read_details,
    verify_commitment,
)
from counterfoil.core.encoding import read_json
from tests.core.common import code_of, example_blocks, example_values
from tests.support import refused

SALT = hashlib.sha256(b"salt").digest()
SAFE = 2**53 - 1
VALUES = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(-SAFE, SAFE) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def depth(value):
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


class TestCommitments:
    @pytest.mark.parametrize("number", [0, 1, 2, 4])
    def test_the_examples_of_the_specification(self, number):
        block, values = example_blocks()[f"details-{number}"], example_values()
        salt = bytes.fromhex(values[f"salt {number}"])
        assert commit(salt, block) == values[f"commitment {number}"]
        details = read_details({"salt": salt.hex(), "value": json.loads(block)}, what="details")
        assert details.canonical == block
        verify_commitment(details, values[f"commitment {number}"])

    @given(VALUES.filter(lambda value: depth(value) <= 8), st.binary(min_size=32, max_size=32))
    def test_a_value_opens_its_commitment_in_any_spelling(self, value, salt):
        commitment = hashlib.sha256(salt + rfc8785.dumps(value)).hexdigest()
        spelled = json.dumps({"value": value, "salt": salt.hex()}, indent=1)
        verify_commitment(
            read_details(read_json(spelled, bytes_max=10**6, what="details"), what="details"), commitment
        )

    def test_another_salt_value_or_commitment_does_not(self):
        value = {"reason": "a"}
        right = read_details({"salt": SALT.hex(), "value": value}, what="details")
        commitment = commit(SALT, right.canonical)
        wrong = [
            (read_details({"salt": bytes(32).hex(), "value": value}, what="details"), commitment),
            (read_details({"salt": SALT.hex(), "value": {"reason": "b"}}, what="details"), commitment),
            (
                read_details(
                    {"salt": SALT.hex(), "value": {"reason": "a", "referenceId": ""}}, what="details"
                ),
                commitment,
            ),
            (right, commitment[:-1] + ("0" if commitment[-1] != "0" else "1")),
            (right, commitment.upper()),
            (right, ""),
            (right, None),
        ]
        for details, claimed in wrong:
            with refused("details-mismatch"):
                verify_commitment(details, claimed)

    def test_the_border_between_salt_and_value_cannot_move(self):
        # 32 bytes are salt, always.
        with refused("malformed"):
            read_details({"salt": (SALT + b"{").hex(), "value": {"reason": "a"}}, what="details")

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"a": 1}, {"a": "1"}),
            ({"a": 1}, {"a": True}),
            ({"a": None}, {}),
            ({"a": []}, {"a": {}}),
            ({"a": "é"}, {"a": "e\u0301"}),
            ({"a": 1}, {"b": 1}),
            ({"a": 0}, {"a": False}),
            ({"a": "null"}, {"a": None}),
        ],
    )
    def test_values_that_differ_have_other_commitments(self, one, other):
        assert commit(SALT, canonical_details(one)) != commit(SALT, canonical_details(other))


class TestBounds:
    def test_16_384_bytes_are_taken_and_one_more_is_too_large(self):
        room = 16_384 - len(b'{"reason":""}')
        assert len(canonical_details({"reason": "x" * room})) == 16_384
        for value in (
            {"reason": "x" * (room + 1)},
            {"reason": "é" * (room // 2 + 1)},
            {"reason": "\x00" * (room // 6 + 1)},
        ):
            with refused("too-large"):
                canonical_details(value)

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda inner: {"a": inner},
            lambda inner: [inner],
            lambda inner: [0, {"b": inner}],
            lambda inner: (inner,),
        ],
        ids=["object", "array", "both", "tuple"],
    )
    def test_8_levels_are_taken_and_9_are_malformed(self, wrap):
        value, levels = 1, 0
        step = 2 if isinstance(wrap(0), list) and len(wrap(0)) == 2 else 1
        while levels + step < 8:
            value, levels = wrap(value), levels + step
        while levels < 7:
            value, levels = [value], levels + 1
        canonical = canonical_details({"a": value})
        assert depth(json.loads(canonical)) == 8
        for deeper in ({"a": [value]}, {"a": {"": value}}, {"a": wrap(value)}):
            with refused("malformed"):
                canonical_details(deeper)

    def test_empty_objects_and_arrays_are_levels_too(self):
        value = {}
        for _ in range(7):
            value = {"a": value}
        canonical_details(value)
        with refused("malformed"):
            canonical_details({"a": value})

    def test_endless_nesting_is_malformed(self):
        ring = {}
        ring["a"] = ring
        with refused("malformed"):
            canonical_details(ring)

    @pytest.mark.parametrize(
        "number",
        [2.0**53, -(2.0**53), 1e16, 1e300, 2**53, -(2**53), 10**5000, float("nan"), float("inf")],
        ids=lambda number: type(number).__name__,
    )
    def test_a_number_that_no_reader_of_the_receipt_would_take_is_malformed(self, number):
        for value in (
            {"a": number},
            {"a": [{"b": number}]},
            {"metadata": {"n": number}, "reason": "\U0001f600"},
        ):
            with refused("malformed"):
                canonical_details(value)

    @given(VALUES)
    def test_what_is_written_can_be_read_back(self, value):
        code = code_of(canonical_details, value)
        assert code == ("malformed" if depth(value) > 8 else "ok")
        if code == "ok":
            canonical = canonical_details(value)
            again = read_json(canonical, bytes_max=16_384, what="details")
            assert canonical_details(again) == canonical

    @pytest.mark.parametrize(
        "value",
        [{1: 2}, {"a": b"b"}, {"a": {1, 2}}, {"a": object()}, {"a": "\ud800"}, {"\udfff": 1}, {"a": 1j}],
        ids=lambda value: ascii(value)[:14],
    )
    def test_what_is_no_json_is_malformed(self, value):
        with refused("malformed"):
            canonical_details(value)


GOOD = {"salt": SALT.hex(), "value": {"reason": "a"}}


class TestMembers:
    def test_the_details_object_is_read(self):
        assert read_details(GOOD, what="details") == Details(SALT, {"reason": "a"}, b'{"reason":"a"}')

    @pytest.mark.parametrize("changes", [
        {"salt": None}, {"salt": 1}, {"salt": ""}, {"salt": SALT.hex()[:-2]}, {"salt": SALT.hex() + "00"},
        {"salt": SALT.hex().upper()}, {"salt": " " + SALT.hex()[1:]}, {"salt": [SALT.hex()]},
        {"salt": "é" * 64}, {"salt": "٠" * 64},
        {"value": None}, {"value": []}, {"value": "a"}, {"value": 1}, {"value": True}, {"extra": 1},
    ], ids=lambda changes: ascii(changes)[:30])  # fmt: skip
    def test_another_object_is_malformed(self, changes):
        with refused("malformed"):
            read_details({**GOOD, **changes}, what="details")

    @pytest.mark.parametrize("value", [None, [], "a", 1, {}, {"salt": SALT.hex()}, {"value": {}}])
    def test_without_its_two_members_it_is_malformed(self, value):
        with refused("malformed"):
            read_details(value, what="details")

    @pytest.mark.parametrize(("value", "code"), [
        ({"reason": ""}, "ok"), ({"reason": "a", "referenceId": "b", "metadata": {"c": [1, None]}}, "ok"),
        ({"reason": "a", "metadata": {}}, "ok"),
        ({}, "malformed"), ({"referenceId": "b"}, "malformed"), ({"reason": None}, "malformed"),
        ({"reason": 1}, "malformed"), ({"reason": ["a"]}, "malformed"),
        ({"reason": "a", "referenceId": None}, "malformed"), ({"reason": "a", "referenceId": 7}, "malformed"),
        ({"reason": "a", "metadata": None}, "malformed"), ({"reason": "a", "metadata": []}, "malformed"),
        ({"reason": "a", "metadata": "b"}, "malformed"), ({"reason": "a", "note": "b"}, "malformed"),
        ({"reason": "a", "customerId": "b"}, "malformed"), ({"Reason": "a"}, "malformed"),
    ])  # fmt: skip
    def test_a_deltas_value_has_a_reason_and_no_unknown_member(self, value, code):
        assert code_of(check_delta_value, value) == code

    @pytest.mark.parametrize(
        "value",
        [
            {},
            {"customerId": None},
            {"customerId": 1},
            {"customerId": ["a"]},
            {"customerId": "a", "reason": "b"},
            {"reason": "b"},
            {"CustomerId": "a"},
        ],
    )
    def test_an_opens_value_is_a_customer_id_and_nothing_else(self, value):
        assert customer_of({"customerId": "cust_001"}) == "cust_001"
        with refused("malformed"):
            customer_of(value)
