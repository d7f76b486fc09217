"""Audits a pack of one large log, which is made as it is read, and says what it took.

usage: python -m tests.core.large_pack ENTRIES
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from counterfoil.core.checkpoint import sign_checkpoint
from counterfoil.core.entry import DELTA, Entry, format_delta, format_open, format_seal
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.pack.audit import audit_pack
from counterfoil.core.pack.lines import PackWriter
from counterfoil.core.tiles import Edge
from counterfoil.core.timestamp import format_time
from tests.core.logs import KEYS, OPERATOR, SIGNER, START, origin_of

CHECKPOINT_ENTRIES = 10_000
ORIGIN = origin_of("large")


def lines(entries):
    """A pack of one log of so many entries, a delta a microsecond and a seal under each checkpoint."""
    writer, edge = PackWriter(), Edge()
    yield writer.header(OPERATOR)[:-1]
    yield writer.log(ORIGIN)[:-1]
    leaves = []
    previous = Entry("", 0, "", "credits", 0, 0, 0)
    for index in range(entries):
        at = format_time(START + index)
        sealed = index == entries - 1 or index % CHECKPOINT_ENTRIES == CHECKPOINT_ENTRIES - 1
        if not index:
            data = format_open(recorded_at=at, unit="credits", details="00" * 32, origin=ORIGIN)
        elif sealed:
            data = format_seal(previous, at)
            previous.index = index
        else:
            key = hashlib.sha256(b"%d" % index).hexdigest()
            count = previous.count + 1
            previous = Entry(
                DELTA, index, at, "credits", count, previous.credits + 10**9, 0, "00" * 32, 10**9, key
            )
            data = format_delta(previous)
        leaves.append(leaf_hash(data))
        yield writer.entry(data, None, None)[:-1]
        if sealed:
            edge.append(b"".join(leaves))
            leaves = []
            yield writer.checkpoint(sign_checkpoint(ORIGIN, index + 1, edge.root(), SIGNER).note)[:-1]
    yield writer.end()[:-1]


def peak_kibibytes():
    """The most that this process ever held.  What getrusage says goes back to the process that it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s*([0-9]+) kB", status)[1])


def main(entries):
    log, whole = audit_pack(lambda: lines(entries), KEYS)
    fault = whole.fault and whole.fault.code
    found = {"entries": log.found.covered, "fault": fault, "mebibytes": peak_kibibytes() // 1024}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
