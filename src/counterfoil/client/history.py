"""Holds every checkpoint that a client sees against the newest one of its log that it remembers.

    of the same size    the same root, or the operator signed two histories: `fork`
    larger              a consistency file shows that it extends the remembered one, and it is remembered
    smaller             a consistency file shows that the remembered one extends it

Where that is not shown the refusal is `inconsistent`, the checkpoint is not used, and the remembered one stays.

A first checkpoint is taken as it is: its signature says that it is the operator's, not that everybody sees the same.

Source: docs/api/client.md, docs/spec/consistency.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from counterfoil.client.memory import Memory, reference_of
from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.errors import CounterfoilError, MalformedError, VerificationError

FetchConsistency = Callable[[str, int, int], bytes]
"""Fetches the consistency file of a customer reference from one size to a larger one."""

# Refusals that say nothing of the log: whoever was asked could not answer now.
_NO_ANSWER: Final = frozenset({
    "store-unavailable", "commit-outcome-unknown", "rate-limited", "request-timeout", "internal", "out-of-space",
    "io-error", "usage",
})  # fmt: skip


class Evidence(NamedTuple):
    """Two checkpoints that a server showed and that do not agree, each signed by the operator.

    Attributes:
        first: the note that was remembered.
        second: the note that came in.
    """

    first: str
    second: str


class ContradictionError(VerificationError):
    """`fork` or `inconsistent`: what a server shows does not agree with what it showed before.

    Both notes are among its facts, as `first` and `second`.  Keep them: of a `fork` they are proof to anybody who has
    the operator's key.
    """

    @property
    def evidence(self) -> Evidence:
        """The two notes."""
        return Evidence(self.facts["first"], self.facts["second"])


class History:
    """What one client has seen of all logs."""

    def __init__(self, memory: Memory, keys: KeySet, fetch: FetchConsistency) -> None:
        self._memory = memory
        self._keys = keys
        self._fetch = fetch

    def newest(self, reference: str) -> Checkpoint | None:
        """Return what is remembered of a log, None where nothing is."""
        return self._memory.of_reference(reference)

    def see(self, seen: Checkpoint) -> None:
        """Hold a checkpoint against the remembered one, and remember it where it is newer.

        Raises:
            ContradictionError: `fork`, `inconsistent`.
            VerificationError: `unknown-key`, `bad-signature` of the checkpoint or the remembered one; `wrong-origin`,
                where the log bears another operator or tenant than before.
            CounterfoilError: what the memory says, or why the server cannot be asked now.
        """
        self._keys.verify(seen)
        while True:
            held = self._memory.of_reference(reference_of(seen.origin))
            if held is not None:
                self._agree(held, seen)
                if held.size >= seen.size:
                    return
            # Where another process was faster, its checkpoint is the one to agree with.
            if self._memory.advance(held, seen):
                return

    def see_newest(self, seen: Checkpoint, before: Checkpoint | None) -> None:
        """As `see`, of what a server calls its newest checkpoint.

        Args:
            seen: the checkpoint.
            before: what was remembered before the server was asked; since then another process may have seen more.

        Raises:
            ContradictionError: also where it is older than that: the server was set back, or hides what is newer.
        """
        self._keys.verify(seen)
        if before is not None and before.origin == seen.origin and seen.size < before.size:
            raise _contradiction(
                "inconsistent",
                f"the newest checkpoint of {seen.origin} has size {seen.size}, and there was one of size {before.size}",
                before,
                seen,
            )
        self.see(seen)

    def _agree(self, held: Checkpoint, seen: Checkpoint) -> None:
        if held.origin != seen.origin:
            raise VerificationError(
                "wrong-origin",
                "the log has another operator or tenant than before",
                found=seen.origin,
                wanted=held.origin,
            )
        self._verify_held(held)
        if held.size == seen.size:
            if held.root != seen.root:
                raise _fork(held, seen)
            return
        older, newer = sorted((held, seen), key=lambda checkpoint: checkpoint.size)
        try:
            shown = self._proven_to_extend(older, newer.size)
        except CounterfoilError as error:
            if error.code in _NO_ANSWER:
                raise
            raise _contradiction(
                "inconsistent",
                f"nothing shows that the checkpoint of size {newer.size} extends the one of size {older.size}: {error}",
                held,
                seen,
            ) from error
        if shown.root != newer.root:
            raise _fork(newer, shown)

    def _proven_to_extend(self, older: Checkpoint, size: int) -> Checkpoint:
        """Fetch and verify the consistency file from a checkpoint to a size; return the checkpoint that it leads to."""
        file = parse_consistency_file(self._fetch(reference_of(older.origin), older.size, size))
        shown = file.checkpoint
        if shown.size != size:
            raise MalformedError(f"the consistency file leads to size {shown.size}, want {size}")
        verify_consistency_file(older, file, self._keys)
        return shown

    def _verify_held(self, held: Checkpoint) -> None:
        try:
            self._keys.verify(held)
        except VerificationError as error:
            if error.code == "unknown-key":
                message = f"what is remembered of {held.origin} was signed by another key than those that are pinned now"
                raise VerificationError("unknown-key", message) from error
            raise MalformedError(f"the checkpoint that is remembered of {held.origin} is damaged") from error


def _contradiction(code: str, message: str, first: Checkpoint, second: Checkpoint) -> ContradictionError:
    return ContradictionError(code, message, first=first.note, second=second.note)


def _fork(first: Checkpoint, second: Checkpoint) -> ContradictionError:
    return _contradiction("fork", f"two checkpoints of {first.origin} at size {first.size}", first, second)
