"""A customer's log: entries, details, checkpoints, receipts, consistency files."""

from __future__ import annotations

import copy
import hmac
from typing import Any

import rfc8785

from generator.signing import Key, b64, checkpoint_text, note
from generator.tree import audit_path, consistency_proof, leaf_hash, root, sha256

NANO = 10**9
_COUNTED = {"logs": "log", "entries": "entry", "checkpoints": "checkpoint"}


def jcs(value: object) -> bytes:
    """Write a value as RFC 8785 has it."""
    return rfc8785.dumps(value)  # type: ignore[arg-type]


def hmac_sha256(key: bytes, message: str) -> bytes:
    """Return HMAC-SHA256(key, message)."""
    return hmac.digest(key, message.encode(), "sha256")


def customer_reference(reference_key: bytes, tenant: str, customer_id: str) -> str:
    """Return "0x" and the hex of the first 20 bytes of the HMAC."""
    message = f"counterfoil/customer-reference@v1\n{tenant}\n{customer_id}"
    return "0x" + hmac_sha256(reference_key, message)[:20].hex()


def commitment(salt: bytes, value: object) -> str:
    """Return hex(SHA-256(salt || JCS(value)))."""
    return sha256(salt + jcs(value)).hex()


def nano(amount: str) -> int:
    """Return a decimal as a whole number of 10^-9."""
    sign = -1 if amount.startswith("-") else 1
    whole, _, fraction = amount.lstrip("-").partition(".")
    return sign * (int(whole) * NANO + int(fraction.ljust(9, "0")))


def decimal(value: int) -> str:
    """Write a whole number of 10^-9 (not negative) as a decimal without trailing zeros."""
    whole, fraction = divmod(value, NANO)
    return f"{whole}.{fraction:09}".rstrip("0").rstrip(".")


class Log:
    """One customer's log.  Entries are appended in order; any size of it can be checkpointed.

    Attributes:
        entries: the entry objects, by index.
        details: `{"salt", "value"}` or None, by index.
    """

    def __init__(
        self, operator: str, tenant: str, customer_id: str, *, key: Key, reference_key: bytes
    ) -> None:
        self.customer_id = customer_id
        self.key = key
        self.reference_key = reference_key
        self.reference = customer_reference(reference_key, tenant, customer_id)
        self.origin = f"{operator}/{tenant}/{self.reference}"
        self.entries: list[dict[str, str]] = []
        self.details: list[dict[str, Any] | None] = []
        self.count = self.credits = self.debits = 0

    def _append(self, kind: str, at: str, further: dict[str, str], details: dict[str, Any] | None) -> None:
        common = {
            "type": f"counterfoil/{kind}@v1",
            "index": str(len(self.entries)),
            "recordedAt": at,
            "unit": "credits",
            "count": str(self.count),
            "credits": decimal(self.credits),
            "debits": decimal(self.debits),
        }
        if details is not None:
            further["details"] = commitment(bytes.fromhex(details["salt"]), details["value"])
        self.entries.append(common | further)
        self.details.append(details)

    def open(self, at: str, salt: bytes) -> None:
        """Append the first entry."""
        details = {"salt": salt.hex(), "value": {"customerId": self.customer_id}}
        self._append("open", at, {"origin": self.origin}, details)

    def delta(
        self, amount: str, at: str, key: str, salt: bytes, value: dict[str, Any], **optional: str
    ) -> None:
        """Append a delta; `optional` is `effectiveAt` and `adjusts`."""
        self.count += 1
        if amount.startswith("-"):
            self.debits -= nano(amount)
        else:
            self.credits += nano(amount)
        message = f"counterfoil/idempotency-key@v1\n{self.reference}\n{key}"
        further = {"amount": amount, "key": hmac_sha256(self.reference_key, message).hex(), **optional}
        self._append("delta", at, further, {"salt": salt.hex(), "value": value})

    def seal(self, at: str) -> None:
        """Append a seal."""
        self._append("seal", at, {}, None)

    def rewritten(self, changes: dict[int, dict[str, str]]) -> Log:
        """Return a log of the same entries but for some members of some, each named by index, without details.

        The operator signs it as any other: what it says need not be true.
        """
        other = copy.copy(self)
        other.entries = [{**entry, **changes.get(index, {})} for index, entry in enumerate(self.entries)]
        other.details = [None] * len(self.details)
        return other

    def value(self, index: int) -> dict[str, Any]:
        """Return the value of the details of an entry that has some."""
        details = self.details[index]
        if details is None:
            raise ValueError(f"entry {index} has no details")
        value: dict[str, Any] = details["value"]
        return value

    def leaves(self, size: int) -> list[bytes]:
        """Return the first `size` leaf hashes."""
        return [leaf_hash(jcs(entry)) for entry in self.entries[:size]]

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` entries."""
        return root(self.leaves(size))

    def path(self, index: int, size: int) -> list[bytes]:
        """Return the audit path of an entry."""
        return audit_path(index, self.leaves(size))

    def text(self, size: int) -> str:
        """Return the text of the checkpoint of a size."""
        return checkpoint_text(self.origin, size, self.root(size))

    def checkpoint(self, size: int) -> str:
        """Return the signed checkpoint of a size."""
        text = self.text(size)
        return note(text, self.key.line(self.origin, text))

    def consistency_file(self, old: int, new: int) -> str:
        """Return the consistency file from one size to another."""
        return consistency_file(old, consistency_proof(old, self.leaves(new)), self.checkpoint(new))

    def receipt(self, index: int, size: int, *, with_open: bool = False) -> dict[str, Any]:
        """Return the receipt of an entry as an object, each time a new one."""
        proof = tlog_proof(index, self.path(index, size), self.checkpoint(size))
        receipt: dict[str, Any] = {
            "type": "counterfoil/receipt@v1",
            **self._item(index),
            "proof": proof,
        }
        if with_open:
            receipt["open"] = self.proven(0, size)
        return receipt

    def statement(
        self, period: tuple[str, str], mode: str, size: int, *, with_open: bool = False
    ) -> dict[str, Any]:
        """Return the statement of a period under the checkpoint of a size as an object, each time a new one."""
        start, end = period
        times = [entry["recordedAt"] for entry in self.entries[:size]]
        before = [index for index, time in enumerate(times) if time < start][-1:]
        inside = [index for index, time in enumerate(times) if start <= time < end]
        after = [index for index, time in enumerate(times) if time >= end][:1]
        kept = sorted({*inside[:1], *inside[-1:]}) if mode == "light" else inside
        indices = [*before, *kept, *after]
        ends = {indices[0], indices[-1]}
        statement: dict[str, Any] = {
            "type": "counterfoil/statement@v1",
            "from": start,
            "to": end,
            "mode": mode,
            "items": [
                self.proven(index, size) if mode == "light" or index in ends else self._item(index)
                for index in indices
            ],
            "checkpoint": self.checkpoint(size),
        }
        if with_open:
            statement["open"] = self.proven(0, size)
        return statement

    def pack(self, *sizes: int) -> list[dict[str, Any]]:
        """Return this log's lines of a pack: its entries, and behind those the checkpoints of these sizes."""
        lines: list[dict[str, Any]] = [{"log": self.origin}]
        for index in range(len(self.entries)):
            lines.append(self._item(index))
            if index + 1 in sizes:
                lines.append({"checkpoint": self.checkpoint(index + 1)})
        return lines

    def proven(self, index: int, size: int) -> dict[str, Any]:
        """Return an entry with its details and its path as an object."""
        return {**self._item(index), "path": [b64(node) for node in self.path(index, size)]}

    def _item(self, index: int) -> dict[str, Any]:
        details = self.details[index]
        item: dict[str, Any] = {"entry": dict(self.entries[index])}
        return item if details is None else {**item, "details": dict(details)}


def tlog_proof(index: int | str, path: list[bytes], checkpoint: str) -> str:
    """Write a C2SP tlog-proof."""
    return "".join(
        ["c2sp.org/tlog-proof@v1\n", f"index {index}\n", *(b64(h) + "\n" for h in path), "\n", checkpoint]
    )


def pack_lines(operator: str, logs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the lines of a pack, from those of its logs."""
    lines: list[dict[str, Any]] = [{"type": "counterfoil/pack@v1", "operator": operator}]
    for log in logs:
        lines += log
    counts = {name: sum(one in line for line in lines) for name, one in _COUNTED.items()}
    return [*lines, {"end": {name: str(count) for name, count in counts.items()}}]


def consistency_file(old: int | str, hashes: list[bytes], checkpoint: str) -> str:
    """Write a consistency file: the body of C2SP tlog-witness `add-checkpoint`."""
    return "".join([f"old {old}\n", *(b64(h) + "\n" for h in hashes), "\n", checkpoint])
