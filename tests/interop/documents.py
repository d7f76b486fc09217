"""What the checkers of others are given: the worked example, receipts of the vectors, and logs of many sizes."""

import base64
import json
from pathlib import Path

from counterfoil.core.note import verifier_key
from counterfoil.core.tlog_proof import format_consistency_file, format_tlog_proof
from tests.core.common import example_blocks, example_values
from tests.core.logs import SIGNER, Log

BLOCKS, VALUES = example_blocks(), example_values()
KEY, ORIGIN = VALUES["key of this log"], VALUES["origin"]
PROOF, ENTRY = BLOCKS["tlog-proof-2"].decode(), BLOCKS["entry-2"].decode()
OLD, FILE = BLOCKS["checkpoint-4"].decode(), BLOCKS["consistency-4-6"].decode()

# Sizes around powers of two.
SIZES = (3, 4, 5, 7, 8, 9, 31, 32, 33, 64)
LOGS = [Log(size) for size in SIZES]
VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def key_of(origin, public_key=SIGNER.public_key):
    """The verifier key of one log: what tools want that know nothing of an operator's key."""
    return str(verifier_key(origin, public_key))


def parts_of(proof):
    """The index, the hashes and the checkpoint of a tlog-proof, by its lines alone."""
    head, _, note = proof.partition("\n\n")
    _, index, *path = head.split("\n")
    return int(index.removeprefix("index ")), [base64.b64decode(line) for line in path], note


def inclusions():
    """Proofs of every entry of every log: key, tlog-proof, entry."""
    for log in LOGS:
        for index in range(len(log)):
            proof = format_tlog_proof(index, log.path(index), log.note)
            yield key_of(log.origin), proof, log.data[index].decode()


def receipts():
    """What every accepted receipt of the vectors holds: key, tlog-proof, entry."""
    cases = json.loads((VECTORS / "receipt" / "accepted.json").read_text(encoding="utf-8"))["cases"]
    for case in cases:
        receipt = json.loads(case["input"]["receipt"])
        # An entry's members are ASCII strings: sorted and without white space they are canonical.
        entry = json.dumps(receipt["entry"], sort_keys=True, separators=(",", ":"))
        _, _, note = parts_of(receipt["proof"])
        key = key_of(note.partition("\n")[0], bytes.fromhex(VALUES["public key"]))
        yield key, receipt["proof"], entry


def consistencies():
    """Files from every size of every log to its last: key, older checkpoint, consistency file."""
    for log in LOGS:
        for size in range(1, len(log) + 1):
            file = format_consistency_file(size, log.tree.proof(size, len(log)), log.note)
            yield key_of(log.origin), log.checkpoint(size).note, file


# What was altered, with what it is called: each must be refused by whoever verifies.
ALTERED_INCLUSIONS = {
    "amount": (KEY, PROOF, ENTRY.replace("-12.5", "-12.4")),
    "newline": (KEY, PROOF, ENTRY + "\n"),
    "entry": (KEY, PROOF, BLOCKS["entry-1"].decode()),
    "index": (KEY, PROOF.replace("index 2", "index 1"), ENTRY),
    "path": (KEY, PROOF.replace("4HPJ", "4HPK"), ENTRY),
    "size": (KEY, PROOF.replace("\n4\n", "\n5\n"), ENTRY),
    "root": (KEY, PROOF.replace("GZ7G", "GZ7H"), ENTRY),
    "signature": (KEY, PROOF.replace("sZ/TIXy3", "sZ/TIXy4"), ENTRY),
    "key": (key_of(ORIGIN), PROOF, ENTRY),
    "name": (key_of(ORIGIN[:-1] + "f"), PROOF, ENTRY),
}
_OTHER = Log(6).checkpoint(4)
ALTERED_CONSISTENCIES = {
    "path": (KEY, OLD, FILE.replace("5blG", "5blH")),
    "hash-less": (KEY, OLD, FILE.replace("5blGtF845BIaod4y0kutTBnb2ZLaq3akD7rE6nXQYhQ=\n", "")),
    "hash-more": (KEY, OLD, FILE.replace("\n\n", f"\n{base64.b64encode(bytes(32)).decode()}\n\n", 1)),
    "newer-root": (KEY, OLD, FILE.replace("i54b", "i54c")),
    "older-root": (KEY, OLD.replace("GZ7G", "GZ7H"), FILE),
    "older-signature": (KEY, OLD.replace("sZ/TIXy3", "sZ/TIXy4"), FILE),
    "newer-signature": (KEY, OLD, FILE.replace("sZ/TIawh", "sZ/TIawi")),
    "other-log": (KEY, _OTHER.note, FILE),
}
