"""A second verifier that is not ours says yes to what is right, and no to what was altered.

PyPI's `metamorphic-log` is a transparency log in Rust, and shares no code with Counterfoil.  It gets notes, hashes and the
key of the log.
"""

import hashlib

import metamorphic_log
import pytest

from tests.interop import documents


def inclusion(key, proof, entry):
    """Raise unless it finds the entry under the checkpoint of the proof."""
    index, path, note = documents.parts_of(proof)
    leaf = hashlib.sha256(b"\x00" + entry.encode()).digest()
    metamorphic_log.checkpoint_verify_inclusion(note, [key], index, leaf, path)


def consistency(key, old, file):
    """Raise unless it finds that the checkpoint of the file extends the older one."""
    head, _, note = file.partition("\n\n")
    _, path, _ = documents.parts_of(f"\n{head}\n\n{note}".replace("old ", "index "))
    metamorphic_log.checkpoint_verify_consistency(old, note, [key], path)


def test_it_reads_the_checkpoint_of_the_worked_example():
    head = metamorphic_log.checkpoint_verify(documents.OLD, [documents.KEY])
    assert (head.origin, head.size) == (documents.ORIGIN, 4)
    assert head.root.hex() == documents.VALUES["root(4)"]


def test_it_finds_every_entry_of_logs_of_many_sizes():
    found = [*documents.inclusions()]
    assert len(found) == sum(documents.SIZES)
    for given in found:
        inclusion(*given)


def test_it_finds_what_is_taken_out_of_the_receipts_of_the_vectors():
    found = [*documents.receipts()]
    assert len(found) > 10
    for given in found:
        inclusion(*given)


def test_it_sees_that_checkpoints_extend_one_another():
    found = [*documents.consistencies()]
    assert len(found) == sum(documents.SIZES)
    for given in found:
        consistency(*given)


@pytest.mark.parametrize("given", documents.ALTERED_INCLUSIONS.values(), ids=documents.ALTERED_INCLUSIONS)
def test_it_does_not_find_what_was_altered(given):
    inclusion(documents.KEY, documents.PROOF, documents.ENTRY)
    with pytest.raises(metamorphic_log.VerifyError):
        inclusion(*given)


@pytest.mark.parametrize(
    "given", documents.ALTERED_CONSISTENCIES.values(), ids=documents.ALTERED_CONSISTENCIES
)
def test_it_sees_that_what_was_altered_does_not_extend_it(given):
    consistency(documents.KEY, documents.OLD, documents.FILE)
    with pytest.raises(metamorphic_log.VerifyError):
        consistency(*given)
