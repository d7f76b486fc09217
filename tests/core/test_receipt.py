"""Receipts: each of the seven steps of docs/spec/receipt.md refuses with its code, and the first that fails decides."""

import copy
import json

import pytest

from counterfoil.core.checkpoint import KeySet, sign_checkpoint
from counterfoil.core.encoding import canonical_json, encode_base64
from counterfoil.core.note import key_id, verifier_key
from counterfoil.core.receipt import parse_receipt, receipt_from, verify_receipt
from tests import oracle
from tests.core.common import code_of
from tests.core.receipts import KEYS, OPERATOR, samples
from tests.support import operator_named, refused

SAMPLES = {sample.name: sample for sample in samples()}
# A delta with details and open, under a checkpoint of 7 entries.
SAMPLE = SAMPLES["7-3"]
ORIGIN = SAMPLE.facts.checkpoint.origin
CUSTOMER = SAMPLE.facts.customer_id
STRANGER = operator_named("op.example", seed="stranger")
SEAL = json.loads(SAMPLES["4-3"].data)
OPENED = json.loads(SAMPLES["1-0"].data)


@pytest.fixture
def document():
    return json.loads(SAMPLE.data)


def verified(document, keys=KEYS, **expected):
    return verify_receipt(json.dumps(document), keys, **expected)


def replaced(document, old, new):
    """With something else in the proof."""
    assert old in document["proof"]
    return {**document, "proof": document["proof"].replace(old, new, 1)}


def signed_again(document, **changes):
    """A log of this one entry alone, signed by the operator: whatever the entry says is under a good signature."""
    entry = {**document["entry"], **changes}
    root = oracle.leaf_hash(canonical_json(entry))
    note = sign_checkpoint(ORIGIN, 1, root, OPERATOR.signer).note
    return {"type": document["type"], "entry": entry, "proof": f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note}"}


class TestAccepted:
    @pytest.mark.parametrize("name", SAMPLES)
    def test_every_sample_says_what_it_should(self, name):
        sample = SAMPLES[name]
        document = json.loads(sample.data)
        found = verify_receipt(
            sample.data, KEYS, origin=sample.facts.checkpoint.origin, customer_id=sample.facts.customer_id
        )
        assert found.checkpoint.note == document["proof"].partition("\n\n")[2]
        assert found.details == document.get("details", {}).get("value")
        assert str(found.entry.index) == document["entry"]["index"]
        assert found.customer_id == document.get("open", {}).get("details", {}).get("value", {}).get(
            "customerId"
        )
        assert (
            found
            == verify_receipt(parse_receipt(sample.data), KEYS)
            == verify_receipt(receipt_from(document), KEYS)
        )

    @pytest.mark.parametrize("spelled", [
        json.dumps,
        lambda document: json.dumps(document, indent=4, ensure_ascii=False),
        lambda document: json.dumps(dict(reversed(document.items()))),
        lambda document: f" \t\r\n{json.dumps(document)}\n",
        lambda document: json.dumps(document).replace("/", "\\/"),
        lambda document: json.dumps(document).replace("counterfoil", "\\u0063ounterfoil").replace('"entry"',
        '"\\u0065ntry"'),
    ], ids=["ascii", "indented", "reversed", "padded", "slashes", "escapes"])  # fmt: skip
    def test_another_spelling_says_the_same(self, document, spelled):
        assert verify_receipt(spelled(document), KEYS) == verify_receipt(SAMPLE.data, KEYS)

    def test_without_details_it_says_nothing_of_them(self, document):
        del document["details"]
        assert verified(document).details is None
        assert verified(document).customer_id == CUSTOMER

    def test_without_open_or_its_details_the_customer_is_not_checked(self, document):
        del document["open"]["details"]
        assert verified(document).customer_id is None
        del document["open"]
        assert verified(document).customer_id is None

    def test_extra_signature_lines_are_ignored(self, document):
        line = f"— witness.example {encode_base64(bytes(76))}\n"
        assert verified({**document, "proof": document["proof"] + line}).entry == SAMPLE.facts.entry


class TestStep1:
    @pytest.mark.parametrize("member", ["type", "entry", "proof"])
    def test_its_three_members_are_needed(self, document, member):
        del document[member]
        with refused("malformed"):
            verified(document)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "null",
            '"receipt"',
            "1",
            "[" * 100_000,
            "\ufeff" + SAMPLE.data.decode(),
            SAMPLE.data.decode() + "x",
            "{}",
            '{"type":1}',
            '{"type":null}',
            '{"type":["counterfoil/receipt@v1"]}',
        ],
        ids=lambda text: ascii(text)[:24],
    )
    def test_what_is_no_receipt_is_malformed(self, text):
        with refused("malformed"):
            verify_receipt(text, KEYS)

    @pytest.mark.parametrize(
        "kind",
        [
            "",
            "counterfoil/receipt@v2",
            "counterfoil/statement@v1",
            "COUNTERFOIL/RECEIPT@V1",
            "counterfoil/receipt@v1 ",
            "\ud83d\ude00",
        ],
    )
    def test_another_type_is_not_judged(self, kind):
        with refused("unknown-type"):
            verify_receipt(json.dumps({"type": kind, "whatever": [1]}), KEYS)

    def test_over_262_144_bytes_it_is_too_large(self, document):
        text = json.dumps(document)
        assert verify_receipt(text + " " * (262_144 - len(text)), KEYS).entry == SAMPLE.facts.entry
        for larger in (text + " " * (262_145 - len(text)), b"\xff" * 262_145, "é" * 131_073):
            with refused("too-large"):
                verify_receipt(larger, KEYS)

    @pytest.mark.parametrize("change", [
        lambda d: d.update(note=1), lambda d: d.update(details=None), lambda d: d.update(open=None),
        lambda d: d.update(entry=None), lambda d: d.update(proof=None), lambda d: d.update(proof=["a"]),
        lambda d: d["open"].update(path=None), lambda d: d["open"].update(path="a"),
        lambda d: d["open"].update(path=[*d["open"]["path"], None]),
        lambda d: d["open"].update(path=[*d["open"]["path"], 1]), lambda d: d["open"].update(path=["AA=="]),
        lambda d: d["open"].update(path=[encode_base64(bytes(32))] * 64), lambda d: d["open"].pop("path"),
        lambda d: d["open"].pop("entry"),
        lambda d: d["open"].update(proof="a"), lambda d: d["open"].update(details=None),
        lambda d: d["details"].update(more=1), lambda d: d["details"].pop("salt"),
        lambda d: d["details"].update(salt="00"), lambda d: d["details"]["value"].update(more=1),
        lambda d: d["details"].update(value=[]),
        lambda d: d["details"]["value"].pop("reason"), lambda d: d["details"]["value"].update(metadata=[]),
        lambda d: d["open"]["details"]["value"].update(reason="a"),
        lambda d: d["open"]["details"].update(value={}), lambda d: d["entry"].update(index=3),
        lambda d: d["entry"].update(index="03"),
        lambda d: d["entry"].update(note="a"), lambda d: d["entry"].pop("key"),
        lambda d: d["entry"].update(amount="0"), lambda d: d["entry"].update(adjusts="3"),
        lambda d: d["open"]["entry"].update(index="1"), lambda d: d["open"]["entry"].update(amount="1"),
        lambda d: d["entry"].clear(),
    ])  # fmt: skip
    def test_a_member_that_breaks_its_rule_is_malformed(self, document, change):
        change(document)
        with refused("malformed"):
            verified(document)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("index 3", "index 03"),
            ("\n7\n", "\n07\n"),
            ("@v1\n", "@v2\n"),
            ("@v1\n", "@v1\nextra AAAA\n"),
            ("\n\nop.example", "\nop.example"),
            ("— op", "- op"),
        ],
    )
    def test_a_proof_that_breaks_its_form_is_malformed(self, document, old, new):
        with refused("malformed"):
            verified(replaced(document, old, new))

    @pytest.mark.parametrize(
        "origin",
        [
            "op.example",
            "op.example/t",
            "op.example/t/0x00",
            "op.example/T/0x" + "0" * 40,
            "op.example/t/0x" + "0" * 40 + "/a",
        ],
    )
    def test_a_checkpoint_of_something_else_than_a_customers_log_is_malformed(self, document, origin):
        note = sign_checkpoint(origin, 7, SAMPLE.facts.checkpoint.root, OPERATOR.signer).note
        with refused("malformed"):
            verified({**document, "proof": document["proof"].partition("\n\n")[0] + "\n\n" + note})

    def test_an_entry_of_a_later_version_is_an_unknown_type(self, document):
        document["entry"]["type"] = "counterfoil/delta@v2"
        with refused("unknown-type"):
            verified(document)
        document = json.loads(SAMPLE.data)
        document["open"]["entry"]["type"] = "counterfoil/open@v2"
        with refused("unknown-type"):
            verified(document)

    def test_details_beyond_their_bounds(self, document):
        document["details"]["value"]["metadata"] = {"a": "x" * 16_384}
        with refused("too-large"):
            verified(document)
        value = 1
        for _ in range(7):
            value = [value]
        document["details"]["value"]["metadata"] = {"a": value}
        with refused("malformed"):
            verified(document)

    @pytest.mark.parametrize(
        "token",
        ["9007199254740992", "1e400", "NaN", "0.1000000000000000055", "1e-99999999999999999999", "9" * 5_000],
    )
    def test_a_number_that_two_readers_could_read_differently_is_malformed(self, token):
        text = (
            SAMPLE.data.decode().replace('"metadata":{', f'"metadata":{{"n":{token},', 1)
            if b'"metadata"' in SAMPLE.data
            else SAMPLE.data.decode().replace('"reason"', f'"metadata":{{"n":{token}}},"reason"', 1)
        )
        assert token in text
        with refused("malformed"):
            verify_receipt(text, KEYS)


class TestStep2:
    def test_no_key_of_the_operator_is_an_unknown_key(self):
        for keys in (
            KeySet([]),
            STRANGER.keys,
            operator_named("other.example").keys,
            KeySet([verifier_key("op.example/t", OPERATOR.signer.public_key)]),
        ):
            with refused("unknown-key"):
                verify_receipt(SAMPLE.data, keys)

    def test_the_key_of_the_log_alone_is_enough(self):
        assert (
            verify_receipt(SAMPLE.data, KeySet([verifier_key(ORIGIN, OPERATOR.signer.public_key)])).entry
            == SAMPLE.facts.entry
        )

    def test_a_signature_that_does_not_verify_is_bad(self, document):
        claimed = encode_base64(key_id(ORIGIN, OPERATOR.signer.public_key) + bytes(64))
        line = document["proof"].split("\n")[-2]
        with refused("bad-signature"):
            verified(replaced(document, line, f"— {ORIGIN} {claimed}"))

    def test_another_size_root_or_origin_is_not_what_was_signed(self, document):
        root = encode_base64(SAMPLE.facts.checkpoint.root)
        for old, new in (("\n7\n", "\n8\n"), (root, encode_base64(bytes(32)))):
            with refused("bad-signature"):
                verified(replaced(document, old, new))
        other = ORIGIN[:-1] + ("0" if ORIGIN[-1] != "0" else "1")
        with refused("unknown-key"):
            verified(replaced(document, ORIGIN, other))

    def test_a_key_is_never_taken_from_the_receipt(self, document):
        # Signed in every way right, by somebody else.
        note = sign_checkpoint(ORIGIN, 7, SAMPLE.facts.checkpoint.root, STRANGER.signer).note
        forged = {**document, "proof": document["proof"].partition("\n\n")[0] + "\n\n" + note}
        with refused("unknown-key"):
            verified(forged)
        assert verified(forged, STRANGER.keys).entry == SAMPLE.facts.entry


class TestSteps3To7:
    @pytest.mark.parametrize(
        "origin", ["", "op.example", ORIGIN + "0", ORIGIN.upper(), SAMPLES["4-1"].facts.checkpoint.origin]
    )
    def test_step_3_another_log_than_expected(self, origin):
        with refused("wrong-origin"):
            verify_receipt(SAMPLE.data, KEYS, origin=origin)

    @pytest.mark.parametrize("index", ["0", "2", "4", "6", "7", "9223372036854775807"])
    def test_step_4_the_proof_is_of_another_index(self, document, index):
        with refused("index-mismatch"):
            verified(replaced(document, "index 3", f"index {index}"))

    def test_step_4_the_entry_says_another_index_than_the_signed_tree(self, document):
        # The operator itself signed a log of one entry that says that it is the third.
        with refused("index-mismatch"):
            verified(signed_again(document))
        beyond = signed_again(document)
        with refused("index-mismatch"):
            verified(replaced(beyond, "index 0", "index 3"))

    @pytest.mark.parametrize(
        "member", ["amount", "count", "credits", "debits", "details", "key", "recordedAt", "unit"]
    )
    def test_step_5_another_entry_has_another_root(self, document, member):
        other = {
            "amount": "-1",
            "count": "1",
            "credits": "999",
            "debits": "99999999999999999999",
            "details": "00" * 32,
            "key": "00" * 32,
            "recordedAt": "2026-04-01T09:00:00.123456Z",
            "unit": "EUR",
        }
        document["entry"][member] = other[member]
        with refused("root-mismatch"):
            verified(document)

    def test_step_5_another_path(self, document):
        lines = document["proof"].split("\n")
        for changed in (
            [*lines[:2], *lines[3:]],
            [*lines[:2], lines[2], *lines[2:]],
            [*lines[:2], lines[3], lines[2], *lines[4:]],
            [*lines[:2], encode_base64(bytes(32)), *lines[3:]],
        ):
            with refused("root-mismatch"):
                verified({**document, "proof": "\n".join(changed)})

    def test_step_6_other_details(self, document):
        for change in (
            {"salt": "00" * 32},
            {"value": {"reason": "another"}},
            {"value": {**document["details"]["value"], "referenceId": "more"}},
        ):
            with refused("details-mismatch"):
                verified({**document, "details": {**document["details"], **change}})

    def test_step_6_a_seal_has_nothing_to_open(self):
        for value in ({"reason": "a"}, {}, {"customerId": "c1"}):
            with refused("details-mismatch"):
                verified({**SEAL, "details": {"salt": "00" * 32, "value": value}})

    def test_step_7_an_open_entry_of_another_log(self):
        opened = signed_again(OPENED, origin=SAMPLES["4-1"].facts.checkpoint.origin)
        with refused("wrong-origin"):
            verified(opened)
        assert verified(signed_again(OPENED, origin=ORIGIN)).entry.origin == ORIGIN

    def test_step_7_open_holds_an_entry_that_opens_nothing(self, document):
        document["open"]["entry"] = document["entry"]
        del document["open"]["details"]
        with refused("index-mismatch"):
            verified(document)

    def test_step_7_open_is_of_another_log(self, document):
        document["open"] = json.loads(SAMPLES["4-1"].data)["open"]
        with refused("wrong-origin"):
            verified(document)

    def test_step_7_open_leads_to_another_root(self, document):
        for path in (
            [],
            document["open"]["path"][:-1],
            document["open"]["path"][::-1],
            [*document["open"]["path"], encode_base64(bytes(32))],
        ):
            with refused("root-mismatch"):
                verified({**document, "open": {**document["open"], "path": path}})
        document["open"]["entry"]["recordedAt"] = "2026-04-01T08:00:00.000000Z"
        with refused("root-mismatch"):
            verified(document)

    def test_step_7_open_names_another_customer_than_it_commits_to(self, document):
        document["open"]["details"]["value"]["customerId"] = "somebody"
        with refused("details-mismatch"):
            verified(document, customer_id="somebody")

    @pytest.mark.parametrize("customer", ["", "somebody", CUSTOMER.upper(), CUSTOMER + " "])
    def test_step_7_another_customer_than_expected(self, customer):
        with refused("wrong-origin"):
            verify_receipt(SAMPLE.data, KEYS, customer_id=customer)

    def test_step_7_an_expected_customer_must_be_named(self, document):
        del document["open"]["details"]
        with refused("wrong-origin"):
            verified(document, customer_id=CUSTOMER)
        del document["open"]
        with refused("wrong-origin"):
            verified(document, customer_id=CUSTOMER)


class TestTheFirstStepThatFailsDecides:
    """Faults for every step in one receipt, mended one after the other."""

    def test_they_come_in_the_order_of_the_page(self, document):
        good = copy.deepcopy(document)
        expected = {"origin": SAMPLES["4-1"].facts.checkpoint.origin, "customer_id": "somebody"}
        line = good["proof"].split("\n")[-2]
        spoiled = f"— {ORIGIN} {encode_base64(key_id(ORIGIN, OPERATOR.signer.public_key) + bytes(64))}"
        document["entry"]["unit"] = "EUR"
        document["details"]["salt"] = "00" * 32
        document["open"]["path"] = []
        document["proof"] = document["proof"].replace("index 3", "index 2").replace(line, spoiled)
        document["more"] = 1

        def judged(keys=KEYS):
            return code_of(verified, document, keys, **expected)

        seen = [judged(KeySet([]))]
        del document["more"]
        seen += [judged(KeySet([])), judged()]
        document["proof"] = document["proof"].replace(spoiled, line)
        seen.append(judged())
        expected["origin"] = ORIGIN
        seen.append(judged())
        document["proof"] = document["proof"].replace("index 2", "index 3")
        seen.append(judged())
        document["entry"]["unit"] = good["entry"]["unit"]
        seen.append(judged())
        document["details"]["salt"] = good["details"]["salt"]
        seen.append(judged())
        document["open"]["path"] = good["open"]["path"]
        seen.append(judged())
        expected["customer_id"] = CUSTOMER
        seen.append(judged())
        assert document == good
        assert seen == [
            "malformed", "unknown-key", "bad-signature", "wrong-origin", "index-mismatch", "root-mismatch",
            "details-mismatch",
            "root-mismatch", "wrong-origin", "ok",
        ]  # fmt: skip

    def test_within_step_1_an_unknown_type_comes_before_members_that_nobody_knows(self, document):
        assert code_of(verified, {**document, "type": "counterfoil/receipt@v2", "more": 1}) == "unknown-type"
        assert code_of(verified, {**document, "more": 1}) == "malformed"
