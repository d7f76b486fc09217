"""Names: who signs, whose log, which record."""

# ruff: noqa: RUF001  -- look-alikes are what is refused

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.reference import (
    Origin,
    check_customer_id,
    check_operator,
    check_tenant,
    customer_reference,
    format_record_id,
    hash_idempotency_key,
    idempotency_prefix,
    operator_of,
    parse_origin,
    parse_record_id,
)
from tests.core.common import code_of, example_values
from tests.support import refused

KEY = bytes(range(32))
REFERENCE = "0xdc4dfc3208759067a112d73bb53467d9375dc42e"
NO_NAMES = [
    "", " ", "a ", " a", "a b", "a\n", "\na", "a\tb", "a/b", "a+b", "é", "ａ", "a\u0301", "a\x00", "-a", "a-",
    "_a", "a\u2028", "\ud800", "a\\", '"a"', None, 1, True, b"a", ["a"], {}, 1.5,
]  # fmt: skip


class TestPatterns:
    @pytest.mark.parametrize("text", ["a", "0", "localhost", "ledger.example.com", "a-b.c--d..e", "a" * 100])
    def test_an_operator_is_like_a_dns_name(self, text):
        assert check_operator(text) == text

    @pytest.mark.parametrize(
        "text",
        [*NO_NAMES, "A", "a.", ".a", "a_b", "a:b", "a" * 101, "a" * 10**6],
        ids=lambda text: ascii(text)[:12],
    )
    def test_anything_else_is_no_operator(self, text):
        with refused("malformed"):
            check_operator(text)

    @pytest.mark.parametrize("text", ["a", "0", "default", "a-b--c", "a" * 63])
    def test_a_tenant_is_a_label(self, text):
        assert check_tenant(text) == text

    @pytest.mark.parametrize(
        "text", [*NO_NAMES, "A", "a.b", "a_b", "a" * 64], ids=lambda text: ascii(text)[:12]
    )
    def test_anything_else_is_no_tenant(self, text):
        with refused("malformed"):
            check_tenant(text)

    @pytest.mark.parametrize(
        "text", ["a", "0", "cust_001", "A.b:c-d_e", "Summary", "summary2", "a" * 128, "a-", "a."]
    )
    def test_a_customer_id_is_taken(self, text):
        assert check_customer_id(text) == text

    @pytest.mark.parametrize(
        "text",
        [*(name for name in NO_NAMES if name != "a-"), "summary", ".a", ":a", "a" * 129],
        ids=lambda text: ascii(text)[:12],
    )
    def test_anything_else_is_no_customer_id(self, text):
        with refused("malformed"):
            check_customer_id(text)

    @given(st.text(max_size=130))
    def test_any_text_is_a_name_or_malformed(self, text):
        for check in (check_operator, check_tenant, check_customer_id, parse_origin, parse_record_id):
            assert code_of(check, text) in ("ok", "malformed")


class TestReferences:
    def test_the_example_of_the_specification(self):
        values = example_values()
        log = customer_reference(bytes.fromhex(values["referenceKey"]), "acme", "cust_001")
        assert "0x" + log.hex() == values["customerReference"]
        assert str(Origin("ledger.example.com", "acme", log)) == values["origin"]

    @given(
        st.binary(min_size=32, max_size=32),
        st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,30}", fullmatch=True),
    )
    def test_it_is_the_formula(self, key, tenant, customer):
        if customer == "summary":
            return
        message = b"counterfoil/customer-reference@v1\n" + tenant.encode() + b"\n" + customer.encode()
        log = customer_reference(key, tenant, customer)
        assert log == hmac.new(key, message, hashlib.sha256).digest()[:20]
        wanted = hmac.new(
            key, b"counterfoil/idempotency-key@v1\n0x" + log.hex().encode() + b"\nreq-0001", hashlib.sha256
        ).digest()
        assert hash_idempotency_key(key, idempotency_prefix(log), "req-0001") == wanted

    def test_tenants_and_customers_and_keys_are_told_apart(self):
        places = [(KEY, "a", "bc"), (KEY, "ab", "c"), (KEY, "a", "b"), (bytes(32), "a", "b"), (KEY, "a", "B")]
        assert len({customer_reference(*place) for place in places}) == len(places)

    @pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(64)], ids=len)
    def test_a_reference_key_of_another_length_is_malformed(self, key):
        with refused("malformed"):
            customer_reference(key, "acme", "cust_001")

    def test_a_tenant_or_customer_that_is_none_is_malformed(self):
        for tenant, customer in (("a\nb", "c"), ("a", "b\nc"), ("", "c"), ("a", ""), ("a", "summary")):
            with refused("malformed"):
                customer_reference(KEY, tenant, customer)


class TestOrigins:
    @given(
        st.from_regex(r"[a-z0-9]{1,9}(\.[a-z0-9]{1,9})?", fullmatch=True),
        st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True),
        st.binary(min_size=20, max_size=20),
    )
    def test_an_origin_is_read_back(self, operator, tenant, log):
        origin = Origin(operator, tenant, log)
        assert parse_origin(str(origin)) == origin
        assert operator_of(str(origin)) == operator

    @pytest.mark.parametrize("text", [
        "", "/", "//", "a/b", f"a/{REFERENCE}", f"a/b/c/{REFERENCE}", f"/b/{REFERENCE}", f"a//{REFERENCE}",
        f"a/b/{REFERENCE}/", f"a/b/{REFERENCE}0", f"a/b/{REFERENCE[:-1]}", f"a/b/{REFERENCE.upper()}",
        f"a/b/{REFERENCE[2:]}", f"A/b/{REFERENCE}", f"a/B/{REFERENCE}",
        f"a/b/{REFERENCE}\n", f" a/b/{REFERENCE}", f"a/b.c/{REFERENCE}", f"a/b/{REFERENCE[:-1]}٠",
        f"{'a' * 101}/b/{REFERENCE}", f"a/{'b' * 64}/{REFERENCE}",
    ])  # fmt: skip
    def test_another_shape_is_malformed(self, text):
        with refused("malformed"):
            parse_origin(text)

    def test_the_operator_part_ends_at_the_first_slash(self):
        assert operator_of("a/b/c") == "a"
        assert operator_of("a") == "a"
        assert operator_of("/b") == ""


class TestRecordIds:
    @given(st.binary(min_size=20, max_size=20), st.integers(0, 2**63 - 1))
    def test_a_record_id_is_read_back(self, log, index):
        assert parse_record_id(format_record_id(log, index)) == (log, index)

    @pytest.mark.parametrize("text", [
        "", ".", "0", REFERENCE, f"{REFERENCE}.", f".{REFERENCE}", f"{REFERENCE}.01", f"{REFERENCE}.-1",
        f"{REFERENCE}.1.2", f"{REFERENCE}. 1", f"{REFERENCE}.1\n", f"{REFERENCE}.9223372036854775808",
        f"{REFERENCE}.{'9' * 5_000}", f"{REFERENCE}.٣", f"{REFERENCE.upper()}.1",
        f"{REFERENCE[:-1]}.1", f"{REFERENCE[2:]}.1", f"{REFERENCE}0.1", f"{REFERENCE},1",
    ], ids=lambda text: ascii(text)[-14:])  # fmt: skip
    def test_anything_else_is_malformed(self, text):
        with refused("malformed"):
            parse_record_id(text)
