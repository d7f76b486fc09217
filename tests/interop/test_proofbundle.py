"""A verifier that is not ours says yes to what is right, and no to what was altered.

PyPI's `proofbundle` shares no code with Counterfoil.  Its command line gets the tlog-proof, the entry as the record,
the key of the log and the origin.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from counterfoil.core.encoding import canonical_json
from counterfoil.core.note import verifier_key
from counterfoil.core.reference import Origin
from counterfoil.engine.engine import Engine
from counterfoil.storage.memory import MemoryStore
from tests.core.common import example_blocks, example_values
from tests.support import OPERATOR, FakeClock, delta, recorded, seeded

PROOFBUNDLE = Path(sys.executable).with_name("proofbundle")
BLOCKS, VALUES = example_blocks(), example_values()
PROOF, ENTRY = BLOCKS["tlog-proof-2"], BLOCKS["entry-2"]
KEY, ORIGIN = VALUES["key of this log"], VALUES["origin"]
RECEIPT = json.loads(BLOCKS["receipt-2"])


def judged(folder, proof, entry, key=KEY, origin=ORIGIN):
    """The verdict and exit status of `proofbundle verify-proof`."""
    (folder / "p.tlog-proof").write_bytes(proof)
    (folder / "entry").write_bytes(entry)
    command = [
        PROOFBUNDLE, "verify-proof", folder / "p.tlog-proof", "--payload-file", folder / "entry",
        "--log-vkey", key, "--expected-origin", origin,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_it_verifies_the_worked_example(tmp_path):
    status, words = judged(tmp_path, PROOF, ENTRY)
    assert status == 0, words


def test_it_verifies_what_is_taken_out_of_a_receipt(tmp_path):
    status, words = judged(tmp_path, RECEIPT["proof"].encode(), canonical_json(RECEIPT["entry"]))
    assert status == 0, words


def test_it_verifies_proofs_that_the_engine_makes(tmp_path):
    engine = Engine(MemoryStore(FakeClock()), OPERATOR, randomness=seeded())
    answers = recorded(engine, 300)
    engine.checkpoint("alice")
    log = engine.log_of("alice")
    origin = str(Origin(OPERATOR.name, engine.tenant, log))
    key = str(verifier_key(origin, OPERATOR.signer.public_key))
    for answer in (answers[0], answers[255], answers[-1]):
        proven = engine.receipt(answer.record_id)
        status, words = judged(tmp_path, proven.tlog_proof.encode(), proven.data, key, origin)
        assert status == 0, words
    engine.record(delta())
    engine.checkpoint("alice")
    proven = engine.receipt(answers[7].record_id)
    assert judged(tmp_path, proven.tlog_proof.encode(), proven.data, key, origin)[0] == 0


SIGNATURE, INCLUSION = "log-signature", "merkle-inclusion"


@pytest.mark.parametrize(("given", "failed"), [
    ((PROOF, ENTRY.replace(b"-12.5", b"-12.4"), KEY, ORIGIN), {INCLUSION}),
    ((PROOF, ENTRY + b"\n", KEY, ORIGIN), {INCLUSION}),
    ((PROOF, BLOCKS["entry-1"], KEY, ORIGIN), {INCLUSION}),
    ((PROOF.replace(b"index 2", b"index 1"), ENTRY, KEY, ORIGIN), {INCLUSION}),
    ((PROOF.replace(b"4HPJ", b"4HPK"), ENTRY, KEY, ORIGIN), {INCLUSION}),
    ((PROOF.replace(b"\n4\n", b"\n5\n"), ENTRY, KEY, ORIGIN), {SIGNATURE, INCLUSION}),
    ((PROOF.replace(b"GZ7G", b"GZ7H"), ENTRY, KEY, ORIGIN), {SIGNATURE, INCLUSION}),
    ((PROOF.replace(b"sZ/TIXy3", b"sZ/TIXy4"), ENTRY, KEY, ORIGIN), {SIGNATURE}),
    ((PROOF, ENTRY, VALUES["operator key"], ORIGIN), {SIGNATURE}),
    ((PROOF, ENTRY, KEY, ORIGIN[:-1] + "f"), {SIGNATURE}),
],
ids=["amount", "newline", "entry", "index", "path", "size", "root", "signature", "key",
"origin"])  # fmt: skip
def test_it_refuses_what_was_altered_and_says_where(tmp_path, given, failed):
    status, words = judged(tmp_path, *given)
    assert status == 1
    assert set(re.findall(r"\[FAIL\] ([a-z-]+)", words)) == failed
