"""Pins: checkpoints that the logs of packs have to agree with, kept from before or standing in another pack.

Packs of one audit have no order: the newest checkpoint that each has of a log is a pin for all others.  A log has the
root of every pin that it reaches.  The pack in which most of a log is signed must reach all of them; of an older one
nobody asks for what came later.  Lines that nobody signed excuse nobody.

Source: docs/spec/pack.md#several
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.encoding import JsonValue
from counterfoil.core.pack.lines import ENTRY, INNER, Lines, bounded_line, read_header, read_line, read_origin
from counterfoil.errors import CounterfoilError
from counterfoil.limits import PACK_STRAY_LINES_MAX

Pins = Mapping[str, Sequence[Checkpoint]]
"""By origin, checkpoints that a log has to go on from."""


class Sighting(NamedTuple):
    """What a pack has of a log, before it is audited.

    Attributes:
        entries: lines with an entry.
        newest: of its checkpoints that verify the largest.
    """

    entries: int
    newest: Checkpoint


def by_origin(checkpoints: Iterable[Checkpoint]) -> dict[str, list[Checkpoint]]:
    """Return checkpoints by their logs."""
    pins: defaultdict[str, list[Checkpoint]] = defaultdict(list)
    for checkpoint in checkpoints:
        pins[checkpoint.origin].append(checkpoint)
    return dict(pins)


def sight_pack(lines: Lines, keys: KeySet) -> dict[str, Sighting]:
    """Read a pack once; return by origin what it has of each log, as far as its audit judges it.

    Nothing is refused here: what is wrong with the pack, its own audit says.  A checkpoint that does not verify, is of
    another log, or is of entries that are not there takes nothing from those that do: a line of nobody's must not hide
    what the operator signed.  A log without one that does is left out: it cannot hold, and a pack of such logs takes no
    memory.

    Raises:
        OSError: what the lines raise.
    """
    reading = _Sight(keys)
    try:
        for line in lines:
            reading.take(bounded_line(line))
            if reading.over:
                break
    except CounterfoilError:
        pass  # a line too long, damaged gzip: nobody judges what follows
    reading.close()
    return reading.found


class _Sight:
    """A pack on its way: what it had of its logs so far, and the log that is being read."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys
        self._begun = False
        self._origin: str | None = None
        self._entries = 0
        self._newest: Checkpoint | None = None
        self._strays = 0
        self.over = False
        self.found: dict[str, Sighting] = {}

    def take(self, line: bytes) -> None:
        """Take the next line.

        Raises:
            CounterfoilError: where the first says that this is no pack.
        """
        if not self._begun:
            read_header(line)
            self._begun = True
        elif line.startswith(ENTRY):
            self._entries += 1
        else:
            self._look(line)

    def _look(self, line: bytes) -> None:
        """Take a line that may be anything."""
        try:
            kind, members = read_line(line)
            if kind == "log":
                self.close()
                self._origin = read_origin(members)
        except CounterfoilError:
            # As `core.pack.audit` counts them.
            self._strays += not line.startswith(INNER)
            self.over = self._strays > PACK_STRAY_LINES_MAX
            return
        self._entries += kind == "entry"
        if kind == "checkpoint":
            self._see(members[kind])
        self.over = kind == "end"

    def _see(self, note: JsonValue) -> None:
        """Take a checkpoint of the log that is being read, where it is one and is the largest so far."""
        if not isinstance(note, str):
            return
        try:
            found = parse_checkpoint(note)
            largest = 0 if self._newest is None else self._newest.size
            if found.origin == self._origin and largest < found.size <= self._entries:
                self._newest = self._keys.verified_part(found)
        except CounterfoilError:
            pass  # its audit says why

    def close(self) -> None:
        """End the log that is being read."""
        newest = self._newest
        if newest is not None:
            # A log that stands twice hides nothing of itself.
            known = self.found.get(newest.origin)
            if known is None or known.newest.size < newest.size:
                self.found[newest.origin] = Sighting(self._entries, newest)
        self._origin, self._entries, self._newest = None, 0, None


def pins_of_packs(packs: Sequence[Mapping[str, Sighting]], held: Pins) -> Iterator[Pins]:
    """Yield for each pack, in order, the pins of its logs.

    Args:
        packs: what each has, of all packs of one audit.
        held: pins from before.  Those of logs that a pack does not show stay with it as they are.
    """
    everywhere: defaultdict[str, list[Sighting]] = defaultdict(list)
    for logs in packs:
        for origin, sighting in logs.items():
            everywhere[origin].append(sighting)
    for logs in packs:
        shown = {
            origin: _pins(sighting, everywhere[origin], held.get(origin, ()))
            for origin, sighting in logs.items()
        }
        yield {**held, **shown}


def _pins(own: Sighting, sightings: Sequence[Sighting], held: Sequence[Checkpoint]) -> list[Checkpoint]:
    others = [one.newest for one in sightings if one is not own]
    known = [*held, *others]
    if own.newest.size == max(one.newest.size for one in sightings):
        return known
    return [pin for pin in known if pin.size <= own.entries]
