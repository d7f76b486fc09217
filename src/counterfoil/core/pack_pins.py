"""Pins: checkpoints that the logs of packs have to agree with, kept from before or standing in another pack.

Packs of one audit have no order: the newest checkpoint that each has of a log is a pin for all others.  A log has the
root of every pin that it reaches.  The pack that has most of a log must reach all of them; of an older one nobody asks
for what came later.

Source: docs/spec/pack.md#several
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.pack import Lines
from counterfoil.core.pack_summary import LogSummary, summarize_pack
from counterfoil.errors import CounterfoilError

Pins = Mapping[str, Sequence[Checkpoint]]
"""By origin, checkpoints that a log has to go on from."""


class Sighting(NamedTuple):
    """What a pack has of a log, before it is audited.

    Attributes:
        entries: lines with an entry.
        newest: its last checkpoint, which verified.
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
    """Read a pack once; return by origin what it has of each log, as far as it reads.

    Nothing is refused here: what is wrong with the pack, its own audit says.  A log is left out whose last checkpoint
    does not verify, or is of entries that are not there: it cannot hold, and a pack of such logs takes no memory.

    Raises:
        OSError: what the lines raise.
    """
    found: dict[str, Sighting] = {}
    try:
        for summary in summarize_pack(lines):
            if isinstance(summary, LogSummary) and (newest := _verified(summary, keys)) is not None:
                found[summary.origin] = Sighting(summary.entries, newest)
    except CounterfoilError:
        pass
    return found


def _verified(summary: LogSummary, keys: KeySet) -> Checkpoint | None:
    newest = summary.newest
    if newest is None or newest.origin != summary.origin or newest.size > summary.entries:
        return None
    try:
        keys.verify(newest)
    except CounterfoilError:
        return None
    return newest


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
    if own.entries == max(one.entries for one in sightings):
        return known
    return [pin for pin in known if pin.size <= own.entries]
