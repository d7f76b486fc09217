"""Audit: recompute a whole log from its entries and hold every signed checkpoint against it.

A state machine without I/O: feed it the entries of a log in order, and each checkpoint after the last entry that it
covers.  It trusts no stored hash: leaves come from the exact bytes, roots from the leaves.

It keeps what its `SeenKeys` keep of the idempotency keys, by default 32 bytes and a set's overhead a delta, and the
tiles that `take_tiles` has not taken; constant memory otherwise.

Source: docs/spec/audit.md, whose step numbers stand in the code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.details import commit
from counterfoil.core.entry import DELTA, OPEN, SEAL, Entry, check_first, check_next, parse_entry
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.seen_keys import ExactKeys, SeenKeys
from counterfoil.core.tiles import TILE_WIDTH, Edge, Tile
from counterfoil.errors import VerificationError
from counterfoil.limits import SALT_BYTES


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit of one log checked, and what it did not.

    Attributes:
        origin: the log.
        entries: entries that were recomputed.
        deltas: how many of them are deltas.
        checkpoints: sizes of which there is a checkpoint whose signature and root hold.
        details_checked: details that open their commitment.
        details_absent: commitments without details: erased or withheld, so not checked.
        unknown_types: entries of types that this version does not know.
        covered: entries under the newest checkpoint; those behind it are unsigned and were only checked in themselves.
        last: the last entry, whose totals are those of the log.
        sealed: the seal under the newest checkpoint, whose totals are signed; None without one.
        newest: the newest checkpoint, None without one; whoever keeps it finds out later whether the log goes on from it.
        customer_id: whose log it is, where whoever fed the audit read it from details of `open` that were checked.
    """

    origin: str
    entries: int = 0
    deltas: int = 0
    checkpoints: int = 0
    details_checked: int = 0
    details_absent: int = 0
    unknown_types: int = 0
    covered: int = 0
    last: Entry | None = None
    sealed: Entry | None = None
    newest: Checkpoint | None = None
    customer_id: str | None = None

    @property
    def verified_through_at(self) -> str | None:
        """Time of the seal under the newest checkpoint, None without one."""
        return self.sealed.recorded_at if self.sealed else None


def undecided(report: AuditReport) -> VerificationError | None:
    """Return why an audit that found nothing wrong is no verdict, None where it is one.

    It is `not-yet-checkpointed` where nothing is signed, `unknown-type` where there are entries of a later version.
    """
    if not report.checkpoints:
        return VerificationError(
            "not-yet-checkpointed",
            f"the {report.entries} entries follow from one another, and nothing is signed yet",
        )
    if report.unknown_types:
        return VerificationError(
            "unknown-type", f"{report.unknown_types} entries are of types of a later version"
        )
    return None


def duplicate_key(index: int) -> VerificationError:
    """Return the refusal of an entry whose key stood before."""
    return VerificationError("duplicate-key", f"entry {index} bears the key of an earlier one")


def _require_origin(checkpoint: Checkpoint, origin: str) -> None:
    if checkpoint.origin != origin:
        raise VerificationError(
            "wrong-origin", "checkpoint of another log", found=checkpoint.origin, wanted=origin
        )


def _fork(first: Checkpoint, second: Checkpoint) -> VerificationError:
    return VerificationError(
        "fork",
        f"checkpoints of sizes {first.size} and {second.size} contradict each other",
        first=first.note,
        second=second.note,
    )


class LogAudit:
    """The audit of one log, in progress.

    Feed it with `entry` and `checkpoint`, then call `finish`.  Every method raises `MalformedError` or
    `VerificationError` at the first thing that does not hold.
    """

    __slots__ = (
        "_broken",
        "_checkpoints",
        "_completed",
        "_details_absent",
        "_details_checked",
        "_edge",
        "_held",
        "_keys",
        "_last",
        "_leaves",
        "_newest",
        "_origin",
        "_previous",
        "_sealed",
        "_seen",
        "_unknown",
    )  # fmt: skip

    def __init__(
        self, origin: str, keys: KeySet, *, held: Iterable[Checkpoint] = (), seen: SeenKeys | None = None
    ) -> None:
        """Begin with an empty log.

        Args:
            origin: the log.
            keys: come from the caller, never from where the entries come from.
            held: checkpoints of this log that the auditor kept from before, which the log must extend.
            seen: remembers idempotency keys; without one all are kept.

        Raises:
            VerificationError: `unknown-key`, `bad-signature`, `wrong-origin`, where one that is held is none of this
                log's; `fork`, where two of one size contradict each other.
        """
        # By size.
        self._held: dict[int, Checkpoint] = {}
        for pin in held:
            keys.verify(pin)
            _require_origin(pin, origin)
            if (other := self._held.setdefault(pin.size, pin)).root != pin.root:
                raise _fork(other, pin)
        self._origin = origin
        self._keys = keys
        self._edge = Edge()
        self._leaves: list[bytes] = []
        self._completed: dict[Tile, bytes] = {}
        self._previous: Entry | None = None
        self._seen: SeenKeys = ExactKeys() if seen is None else seen
        self._details_absent = 0
        self._details_checked = 0
        self._unknown = 0
        self._checkpoints = 0
        self._last: Checkpoint | None = None
        self._newest: Checkpoint | None = None
        self._sealed: Entry | None = None
        # A checkpoint whose root the entries do not give: inconclusive about who erred until a later one holds.
        self._broken: tuple[Checkpoint, bytes] | None = None

    def entry(self, data: bytes, salt: bytes | None, value: bytes | None) -> Entry:
        """Take the next entry: its exact bytes, and salt and canonical value of its details where they are there.

        Raises:
            MalformedError: where it breaks a rule of its own (steps 1 and 2).
            VerificationError: `index-mismatch`, `wrong-origin`, `time-order`, `totals-mismatch` (step 3),
                `duplicate-key` (step 4), `details-mismatch` (step 5), `fork`, where a checkpoint that is held covers it
                last and holds, and an earlier one did not (step 9).
        """
        # Steps 1 and 2: canonical bytes, members.
        entry = parse_entry(data)
        self.take(entry, data, salt, value)
        return entry

    def take(self, entry: Entry, data: bytes, salt: bytes | None, value: bytes | None) -> None:
        """Take the next entry where it was read already; otherwise as `entry`."""
        # Step 3: it follows from the one before.
        previous = self._previous
        if previous is None:
            check_first(entry, self._origin)
        else:
            check_next(previous, entry)
        # Step 4: one key, one entry, for ever.
        if entry.type == DELTA and self._seen.add(bytes.fromhex(entry.key)):
            raise duplicate_key(entry.index)
        # Step 5: details are what the entry commits to.
        self._check_details(entry, salt, value)
        if entry.type not in (OPEN, DELTA, SEAL):
            self._unknown += 1
        self._previous = entry
        self._leaves.append(leaf_hash(data))
        if len(self._leaves) >= TILE_WIDTH:
            self._grow()
        # Step 9, for a checkpoint from before: as if it stood here.
        if self._held and (pin := self._held.get(entry.index + 1)) is not None:
            self._hold_against(pin)

    def _check_details(self, entry: Entry, salt: bytes | None, value: bytes | None) -> None:
        if salt is not None and value is not None:
            if len(salt) != SALT_BYTES or commit(salt, value) != entry.details:
                raise VerificationError(
                    "details-mismatch", f"details of entry {entry.index} are not those committed to"
                )
            self._details_checked += 1
        elif salt is not None or value is not None:
            raise VerificationError("details-mismatch", f"entry {entry.index} has one half of its details")
        elif entry.details is not None:
            self._details_absent += 1

    def checkpoint(self, note: bytes | str) -> Checkpoint:
        """Take the checkpoint that covers exactly the entries so far; return it as it reads.

        Raises:
            MalformedError: where it is no checkpoint (step 6).
            VerificationError: `unknown-key`, `bad-signature` (step 6), `wrong-origin`, `index-mismatch` (step 7),
                `missing-seal` (step 8), `fork` where it holds and an earlier one did not, or contradicts one of its
                size (step 9).
        """
        # Step 6: it reads and is signed.
        found = parse_checkpoint(note)
        checkpoint = self._keys.verified_part(found)
        # Step 7: it is of this log and this size.
        _require_origin(checkpoint, self._origin)
        self._grow()
        if checkpoint.size != self._edge.size:
            raise VerificationError(
                "index-mismatch",
                f"checkpoint of size {checkpoint.size} stands behind {self._edge.size} entries",
            )
        # Step 8: the entry under it is a seal.
        if self._previous is None or self._previous.type != SEAL:
            raise VerificationError("missing-seal", f"no seal under the checkpoint of size {checkpoint.size}")
        # Step 9: no other checkpoint has its size and another root, and the entries give its root.
        for other in (self._last, self._held.get(checkpoint.size)):
            if other is not None and other.size == checkpoint.size and other.root != checkpoint.root:
                raise _fork(other, checkpoint)
        # A line that stands twice is one checkpoint.
        self._checkpoints += self._last is None or self._last.size < checkpoint.size
        self._last = checkpoint
        if self._hold_against(checkpoint):
            self._newest = checkpoint
            self._sealed = self._previous
        return found

    def _hold_against(self, checkpoint: Checkpoint) -> bool:
        """Return whether the entries so far give a checkpoint's root; the first that they do not give is remembered."""
        self._grow()
        root = self._edge.root()
        if root != checkpoint.root:
            if self._broken is None:
                self._broken = (checkpoint, root)
            return False
        if self._broken is not None:
            # These entries hash to this root, their prefix does not hash to the older one: two signed histories.
            raise _fork(self._broken[0], checkpoint)
        return True

    def take_tiles(self) -> dict[Tile, bytes]:
        """Return the tiles that became complete since the last call, as the entries give them."""
        completed, self._completed = self._completed, {}
        return completed

    def partial_tiles(self) -> dict[Tile, bytes]:
        """Return the incomplete last tiles, as the entries so far give them."""
        self._grow()
        return self._edge.partial_tiles()

    def finish(self) -> AuditReport:
        """End the audit.

        Raises:
            VerificationError: `root-mismatch`, where a checkpoint's root is not that of its entries (step 9),
                `index-mismatch`, where the log ends before a checkpoint that is held (step 10).
        """
        if self._broken is not None:
            checkpoint, root = self._broken
            raise VerificationError(
                "root-mismatch",
                f"the entries do not give the root of the checkpoint of size {checkpoint.size}",
                computed=root.hex(),
                signed=checkpoint.root.hex(),
            )
        self._grow()
        if self._edge.size < (largest := max(self._held, default=0)):
            raise VerificationError(
                "index-mismatch",
                f"the log ends after {self._edge.size} entries, a checkpoint from before has {largest}",
                held=self._held[largest].note,
                newest=self._newest.note if self._newest else None,
            )
        return AuditReport(
            self._origin,
            entries=self._edge.size,
            deltas=self._previous.count if self._previous else 0,
            checkpoints=self._checkpoints,
            details_checked=self._details_checked,
            details_absent=self._details_absent,
            unknown_types=self._unknown,
            covered=self._newest.size if self._newest else 0,
            last=self._previous,
            sealed=self._sealed,
            newest=self._newest,
        )

    def _grow(self) -> None:
        if self._leaves:
            self._completed.update(self._edge.append(b"".join(self._leaves)))
            self._leaves = []
