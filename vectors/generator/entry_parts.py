"""What entry cases are made of: the entries of the examples, with members changed."""

from __future__ import annotations

from generator.example import EXAMPLE, LONG
from generator.ledger import jcs
from generator.model import Case, Maker

MAKER = Maker("entry", "entry.md")
OPEN, CREDIT, DELTA, SEAL = EXAMPLE.entries
ADJUSTING = LONG.entries[10]
UNKNOWN = {**SEAL, "type": "counterfoil/redaction@v1"}
LARGEST = str(2**63 - 1)
ORIGIN = OPEN["origin"]


def written(entry: dict[str, str], **changes: str | None) -> str:
    """Write an entry with some members changed, and those without a value left out."""
    changed = {name: value for name, value in {**entry, **changes}.items() if value is not None}
    return jcs(changed).decode()


def refuse(step: int, cases: list[tuple[str, str, str]], code: str = "malformed") -> list[Case]:
    """Return cases that a step refuses, each named by slug, comment and text."""
    return [
        MAKER.refuse(slug, comment, f"step-{step}", {"text": text}, code) for slug, comment, text in cases
    ]


def bad_origins(good: str) -> list[tuple[str, str, str]]:
    """Return origins that are not operator/tenant/reference."""
    operator, tenant, reference = good.split("/")
    return [
        ("origin-two-parts", "an origin without the reference", f"{operator}/{tenant}"),
        ("origin-four-parts", "an origin of four parts", f"{good}/x"),
        ("origin-slash-end", "a slash behind the origin", f"{good}/"),
        ("origin-no-tenant", "no tenant", f"{operator}//{reference}"),
        ("origin-scheme", "a scheme before the operator", f"https://{good}"),
        (
            "origin-operator-upper",
            "a capital letter in the operator",
            f"Ledger.example.com/{tenant}/{reference}",
        ),
        ("origin-operator-dot-first", "an operator that begins with a dot", f".{good}"),
        ("origin-operator-101", "an operator of 101 characters", f"{'o' * 101}/{tenant}/{reference}"),
        ("origin-tenant-upper", "a capital letter in the tenant", f"{operator}/Acme/{reference}"),
        ("origin-tenant-dot", "a dot in the tenant", f"{operator}/a.b/{reference}"),
        ("origin-tenant-64", "a tenant of 64 characters", f"{operator}/{'t' * 64}/{reference}"),
        (
            "origin-reference-upper",
            "upper-case hex in the reference",
            f"{operator}/{tenant}/0x{reference[2:].upper()}",
        ),
        ("origin-reference-0x-upper", "`0X` for `0x`", f"{operator}/{tenant}/0X{reference[2:]}"),
        ("origin-reference-no-prefix", "no `0x`", f"{operator}/{tenant}/{reference[2:]}"),
        ("origin-reference-39", "39 digits", good[:-1]),
        ("origin-reference-42", "42 digits", f"{good}00"),
        ("origin-customer", "a customerId in the place of the reference", f"{operator}/{tenant}/cust_001"),
    ]
