"""Customer references: what stands in public for a customerId."""

from __future__ import annotations

from generator.example import REFERENCE_KEY
from generator.ledger import customer_reference
from generator.model import Case, Maker, Topic

_MAKER = Maker("reference", "reference.md")
_KEY = REFERENCE_KEY.hex()

_ACCEPTED = [
    ("example", "the worked example", "acme", "cust_001"),
    ("neighbour", "another customer of the tenant", "acme", "cust_002"),
    ("other-tenant", "the same customerId in another tenant is another reference", "acme2", "cust_001"),
    ("default-tenant", "the default tenant", "default", "cust_001"),
    ("shortest", "one character each", "a", "1"),
    ("longest", "a tenant of 63 and a customerId of 128 characters", "t" * 63, "C" * 128),
    ("all-characters", "every character that may stand inside a customerId", "a-0", "A0_.:-z"),
    ("case", "the case of a customerId counts", "acme", "Cust_001"),
    ("summary-upper", "only the lower-case word is reserved", "acme", "Summary"),
]

_BAD_KEYS = [
    ("key-empty", "an empty key", ""),
    ("key-31-bytes", "a key of 31 bytes", _KEY[:-2]),
    ("key-33-bytes", "a key of 33 bytes", _KEY + "00"),
    ("key-odd", "a key of 63 digits", _KEY[:-1]),
    ("key-upper", "a key in upper-case hex", _KEY.upper()),
    ("key-prefix", "a key that starts with 0x", "0x" + _KEY[2:]),
    ("key-space", "a space between the bytes of the key", _KEY[:31] + " " + _KEY[32:]),
    ("key-not-hex", "a character that is no hex digit", "g" + _KEY[1:]),
    ("key-newline", "a newline behind the key", _KEY + "\n"),
    ("key-full-width", "a full-width digit in the key", "\uff10" + _KEY[1:]),
]

_BAD_TENANTS = [
    ("tenant-empty", "no tenant", ""),
    ("tenant-upper", "an upper-case letter", "Acme"),
    ("tenant-64", "64 characters", "t" * 64),
    ("tenant-minus-first", "a minus as first character", "-acme"),
    ("tenant-minus-last", "a minus as last character", "acme-"),
    ("tenant-dot", "a dot, which only operators may have", "acme.com"),
    ("tenant-underscore", "an underscore", "ac_me"),
    ("tenant-slash", "a slash, which would move the parts of the origin", "acme/x"),
    ("tenant-plus", "a plus, which ends the name in a verifier key", "ac+me"),
    ("tenant-space", "a space", "ac me"),
    ("tenant-newline", "a newline behind the tenant, which would end a line of the checkpoint", "acme\n"),
    (
        "tenant-newline-inside",
        "a newline inside, which would move the border to the customerId",
        "acme\ncust",
    ),
    ("tenant-letter", "a letter outside ASCII", "acm\u00e9"),
]

_BAD_CUSTOMERS = [
    ("customer-empty", "no customerId", ""),
    ("customer-129", "129 characters", "C" * 129),
    ("customer-summary", "the reserved word", "summary"),
    ("customer-dot-first", "a dot as first character", ".cust"),
    ("customer-underscore-first", "an underscore as first character", "_cust"),
    ("customer-minus-first", "a minus as first character", "-cust"),
    ("customer-colon-first", "a colon as first character", ":cust"),
    ("customer-space", "a space", "cust 001"),
    ("customer-newline", "a newline behind the customerId", "cust_001\n"),
    ("customer-slash", "a slash", "cust/001"),
    ("customer-plus", "a plus", "cust+001"),
    ("customer-at", "an address for mail", "cust@example.com"),
    ("customer-letter", "a letter outside ASCII", "caf\u00e9"),
    ("customer-full-width", "a full-width digit", "cust_\uff11"),
    ("customer-nul", "U+0000 behind the customerId", "cust_001\0"),
    ("customer-line-separator", "U+2028 behind the customerId", "cust_001\u2028"),
]


def _request(key: str, tenant: str, customer_id: str) -> dict[str, str]:
    return {"referenceKey": key, "tenant": tenant, "customerId": customer_id}


def _accepted() -> list[Case]:
    return [
        _MAKER.accept(
            slug,
            comment,
            "step-4",
            _request(_KEY, tenant, customer_id),
            {"customerReference": customer_reference(REFERENCE_KEY, tenant, customer_id)},
        )
        for slug, comment, tenant, customer_id in _ACCEPTED
    ]


def _refused() -> list[Case]:
    return [
        *(
            _MAKER.refuse(slug, comment, "step-1", _request(key, "acme", "cust_001"), "malformed")
            for slug, comment, key in _BAD_KEYS
        ),
        *(
            _MAKER.refuse(slug, comment, "step-2", _request(_KEY, tenant, "cust_001"), "malformed")
            for slug, comment, tenant in _BAD_TENANTS
        ),
        *(
            _MAKER.refuse(slug, comment, "step-3", _request(_KEY, "acme", customer_id), "malformed")
            for slug, comment, customer_id in _BAD_CUSTOMERS
        ),
    ]


TOPIC = Topic(
    "reference",
    "Customer references: the HMAC that stands in public for a customerId. All texts are read strictly.",
    [*_accepted(), *_refused()],
)
