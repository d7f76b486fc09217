"""Nothing small that is done to a receipt is accepted with other facts than the original's.

`details` or `open` may be withheld whole, and JSON may be spelled otherwise: then the same facts come out, or fewer.
Whatever is refused is refused with a listed code; any other exception fails the test.  The mutants are counted, and a
forgiving verifier is shown to accept many of them: the suite can find what it looks for.
"""

import base64
import json
from collections import Counter

import pytest

from counterfoil.core.ed25519 import verify_signature
from counterfoil.errors import CODES, CounterfoilError
from tests import oracle
from tests.core import mutants
from tests.core.receipts import OPERATOR, SIZES, facts_of, samples

COUNT = 50
NUMBERS = range(COUNT)
# Those whose every place gets every byte.
SMALLEST = sorted(NUMBERS, key=lambda number: len(samples()[number].data))[:3]


def verdicts(original, candidates):
    """Judge every candidate; return how often each verdict was given."""
    seen = Counter()
    wanted = original.whole
    for candidate in candidates:
        try:
            found = facts_of(candidate)
        except CounterfoilError as error:
            seen[error.code] += 1
            continue
        assert found.entry == wanted.entry, candidate
        assert found.checkpoint == wanted.checkpoint, candidate
        assert found.details in (None, wanted.details), candidate
        assert found.customer_id in (None, wanted.customer_id), candidate
        seen["same facts" if found == original.facts else "other facts withheld"] += 1
    assert seen.keys() - {"same facts", "other facts withheld"} <= CODES.keys()
    return seen


class TestTheSamples:
    def test_there_are_50_different_ones_of_every_type_with_and_without_details_and_open(self):
        found = [sample.facts for sample in samples()]
        assert len(found) == len({sample.data for sample in samples()}) == COUNT
        assert {facts.checkpoint.size for facts in found} == {1, 2, *SIZES}
        assert {facts.entry.type for facts in found} == {
            f"counterfoil/{name}@v1" for name in ("open", "delta", "seal")
        }
        assert (
            len({(facts.entry.type, facts.details is None, facts.customer_id is None) for facts in found})
            >= 9
        )
        assert any(facts.entry.adjusts for facts in found)
        assert {facts.entry.unit for facts in found} >= {'a"b', "\\", '"\\"'}
        # No two prove one entry: of such a pair the one's proof would fit the other.
        assert (
            len(
                {
                    (facts.checkpoint.origin, facts.entry.index, facts.checkpoint.size, sample.data)
                    for sample, facts in zip(samples(), found, strict=True)
                }
            )
            == COUNT
        )

    def test_taken_apart_and_put_together_they_say_the_same(self):
        for sample in samples():
            assert mutants.put_together(mutants.taken_apart(sample.data)) == sample.data
            assert facts_of(json.dumps(json.loads(sample.data), indent=2)) == sample.facts


@pytest.mark.parametrize("number", NUMBERS)
class TestBytes:
    def test_no_flipped_bit(self, number):
        sample = samples()[number]
        seen = verdicts(sample, mutants.bit_flips(sample.data))
        assert seen.total() == 8 * len(sample.data)
        # 5e-7 may be written 5E-7: another spelling of the same value.
        assert seen["same facts"] == (b"5e-7" in sample.data)
        assert seen["other facts withheld"] == 0
        assert seen.keys() >= {"malformed", "unknown-key", "bad-signature", "root-mismatch"}

    def test_no_deleted_or_inserted_byte_and_no_part(self, number):
        sample = samples()[number]
        size = len(sample.data)
        assert verdicts(sample, mutants.deletions(sample.data)).total() == size
        assert verdicts(sample, mutants.insertions(sample.data)).total() == len(mutants.HANDFUL) * (size + 1)
        assert verdicts(sample, mutants.truncations(sample.data)) == {"malformed": 2 * size - 1}


@pytest.mark.parametrize("number", SMALLEST)
def test_no_byte_inserted_anywhere(number):
    sample = samples()[number]
    seen = verdicts(sample, mutants.insertions(sample.data, mutants.EVERY_BYTE))
    assert seen.total() == 256 * (len(sample.data) + 1)
    # White space between the tokens is another spelling, and only that.
    assert seen["same facts"] > 0
    assert seen["other facts withheld"] == 0


@pytest.mark.parametrize("number", NUMBERS)
class TestMembers:
    def test_no_member_removed_doubled_null_or_of_another_type(self, number):
        sample = samples()[number]
        seen = verdicts(sample, mutants.spoiled_members(sample.data))
        assert seen.total() > 300
        # Only details and open can be left out: whole, or the details within open.
        document = json.loads(sample.data)
        withheld = ("details" in document) + ("open" in document) + ("details" in document.get("open", {}))
        assert seen["same facts"] + seen["other facts withheld"] == withheld

    def test_no_two_members_swapped_within(self, number):
        sample = samples()[number]
        seen = verdicts(sample, mutants.swaps_within(sample.data))
        assert seen.total() > 200
        assert seen["same facts"] == seen["other facts withheld"] == 0

    def test_no_member_taken_from_the_same_place_of_another_receipt(self, number):
        sample = samples()[number]
        total = Counter()
        for other in samples():
            total += verdicts(sample, mutants.swaps_between(sample.data, other.data))
        assert total.total() > 500

    def test_no_member_taken_from_any_place_of_the_next_receipt(self, number):
        sample, other = samples()[number], samples()[(number + 1) % COUNT]
        seen = verdicts(sample, mutants.all_swaps_between(sample.data, other.data))
        assert seen.total() > 200


def forgiving_facts(data):
    """A verifier as one might write it in an afternoon: the last of two members wins, base64 is what decodes, and the
    details are believed."""
    document = json.loads(data)
    head, _, note = document["proof"].partition("\n\n")
    text, _, signature = note.rpartition("\n\n")
    verify_signature(
        OPERATOR.signer.public_key, f"{text}\n".encode(), base64.b64decode(signature.split(" ")[2])[4:]
    )
    _, size, root = text.split("\n")
    lines = head.split("\n")
    leaf = oracle.leaf_hash(
        json.dumps(document["entry"], ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    )
    path = [base64.b64decode(line) for line in lines[2:]]
    if oracle.root_from_path(int(lines[1].split()[1]), int(size), leaf, path) != base64.b64decode(root):
        raise ValueError("root")
    return document["entry"], document.get("details"), document.get("open")


def forgiven(sample, candidates):
    """How many candidates the forgiving verifier takes that ours refuses, and how many of them with other facts."""
    wanted = forgiving_facts(sample.data)
    taken = others = 0
    for candidate in candidates:
        try:
            found = forgiving_facts(candidate)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, CounterfoilError):
            continue
        try:
            facts_of(candidate)
        except CounterfoilError:
            taken += 1
            others += found != wanted
    return taken, others


class TestThatTheMutantsBite:
    SAMPLE = next(sample for sample in samples() if sample.name == "7-3")

    @pytest.mark.parametrize("make", [mutants.bit_flips, mutants.deletions, mutants.insertions])
    def test_a_forgiving_verifier_takes_bytes_changed(self, make):
        taken, others = forgiven(self.SAMPLE, make(self.SAMPLE.data))
        assert taken >= others > 0

    @pytest.mark.parametrize("make", [mutants.spoiled_members, mutants.swaps_within])
    def test_a_forgiving_verifier_takes_members_changed(self, make):
        taken, others = forgiven(self.SAMPLE, make(self.SAMPLE.data))
        assert taken >= others > 0

    def test_a_forgiving_verifier_takes_members_of_other_receipts(self):
        taken, others = 0, 0
        for other in samples():
            more, other_facts = forgiven(self.SAMPLE, mutants.swaps_between(self.SAMPLE.data, other.data))
            taken, others = taken + more, others + other_facts
        assert taken >= others > 0

    def test_a_forgiving_verifier_takes_another_spelling_of_a_proof(self):
        # With the same facts: one proof in many spellings, each of which ours refuses.
        taken, others = forgiven(self.SAMPLE, mutants.insertions(self.SAMPLE.data, b"\t-_ "))
        assert taken > others
