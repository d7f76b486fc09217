"""The documentation says what is so: codes, bounds, links, steps and the bytes of the worked example."""

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from counterfoil import limits
from counterfoil.errors import CODES

DOCS = Path(__file__).resolve().parents[2] / "docs"
SPEC = DOCS / "spec"
PAGES = sorted(DOCS.rglob("*.md"))

FENCE = re.compile(r"^```[^\n]*\n.*?^```$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ERROR_ROW = re.compile(r'^\| <a id="([^"]+)"></a>`([^`]+)` \| ([0-9]+) \|', re.MULTILINE)
NUMBERED_STEP = re.compile(r'^ *([0-9]+)\. <a id="(?:[a-z]+-)?step-([0-9]+)"></a>', re.MULTILINE)
BLOCK = re.compile(r'^<a id="([^"]+)"></a>\n```(json|text)\n(.*?)\n```$', re.MULTILINE | re.DOTALL)
VALUE = re.compile(r"^\| ([^|`]+) \| `([^`]+)` \|$", re.MULTILINE)


def read(page):
    return page.read_text(encoding="utf-8")


def outside_code(page):
    return FENCE.sub("", read(page))


def anchors(page):
    text = outside_code(page)
    # As the renderers make them: lower case, punctuation gone, spaces to hyphens.
    headings = [re.sub(r"[^\w\- ]", "", found.lower()).replace(" ", "-") for found in HEADING.findall(text)]
    return ANCHOR.findall(text) + headings


def page_id(page):
    return str(page.relative_to(DOCS))


class TestErrors:
    def test_every_code_is_on_the_page_in_the_same_order_with_the_same_exit_status_and_no_other_is(self):
        rows = ERROR_ROW.findall(read(SPEC / "errors.md"))
        assert [(code, int(status)) for _, code, status in rows] == list(CODES.items())

    def test_every_code_can_be_linked_to_by_its_own_name_and_nothing_else_has_an_anchor(self):
        page = SPEC / "errors.md"
        assert [anchor for anchor, _, _ in ERROR_ROW.findall(read(page))] == list(CODES)
        assert ANCHOR.findall(outside_code(page)) == list(CODES)

    @pytest.mark.parametrize("page", PAGES, ids=page_id)
    def test_no_page_names_an_exit_status_that_no_code_has(self, page):
        named = {int(status) for status in re.findall(r"\bexit (?:status )?([0-9]+)\b", outside_code(page))}
        assert named <= {0, 1, *CODES.values()}


class TestPages:
    def test_there_are_pages_to_test(self):
        assert {"README.md", "threat-model.md", "glossary.md"} <= {page_id(page) for page in PAGES}

    @pytest.mark.parametrize("page", PAGES, ids=page_id)
    def test_every_relative_link_leads_to_a_page_and_an_anchor_on_it(self, page):
        broken = []
        for link in LINK.findall(CODE_SPAN.sub("", outside_code(page))):
            if link.startswith("https://"):
                continue
            path, _, fragment = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (fragment and fragment not in anchors(target)):
                broken.append(link)
        assert broken == []

    @pytest.mark.parametrize("page", PAGES, ids=page_id)
    def test_no_anchor_stands_twice_on_a_page(self, page):
        assert [
            name for name, times in Counter(ANCHOR.findall(outside_code(page))).items() if times > 1
        ] == []

    @pytest.mark.parametrize("page", PAGES, ids=page_id)
    def test_a_numbered_step_has_the_anchor_of_its_number(self, page):
        assert [
            (number, name) for number, name in NUMBERED_STEP.findall(outside_code(page)) if number != name
        ] == []

    @pytest.mark.parametrize(
        "index",
        [folder / "README.md" for folder in (DOCS, SPEC, DOCS / "operations", DOCS / "decisions")],
        ids=page_id,
    )
    def test_an_index_names_every_page_of_its_folder(self, index):
        linked = {link.partition("#")[0] for link in LINK.findall(read(index))}
        assert {page.name for page in index.parent.glob("*.md")} - {"README.md"} <= linked

    @pytest.mark.parametrize(
        ("page", "steps"),
        [("reference", 4), ("entry", 9), ("details", 5), ("note", 6), ("checkpoint", 4), ("consistency", 7),
         ("tlog-proof", 3), ("receipt", 7), ("statement", 6), ("audit", 10), ("pack", 7),
         ("dispute", 4), ("report", 3)],
    )  # fmt: skip
    def test_a_page_has_the_steps_that_code_and_vectors_cite(self, page, steps):
        found = [name for name in anchors(SPEC / f"{page}.md") if name.startswith("step-")]
        assert found == [f"step-{number}" for number in range(1, steps + 1)]


@pytest.mark.parametrize(
    ("thing", "bound"),
    [
        ("entry", f"{limits.ENTRY_BYTES_MAX:,} bytes"),
        ("details, canonical", f"{limits.DETAILS_BYTES_MAX:,} bytes"),
        ("details, nesting", f"{limits.DETAILS_NESTING_MAX} levels;"),
        ("receipt, tlog-proof, note, consistency file", f"{limits.RECEIPT_BYTES_MAX:,} bytes"),
        ("receipt, tlog-proof, note, consistency file", f"{limits.NOTE_BYTES_MAX:,} bytes"),
        ("light statement", f"{limits.LIGHT_STATEMENT_BYTES_MAX:,} bytes"),
        ("full statement", f"{limits.FULL_STATEMENT_BYTES_MAX:,} bytes"),
        ("items of a statement", f"{limits.STATEMENT_ITEMS_MAX:,} |"),
        ("line of a pack", f"{limits.PACK_LINE_BYTES_MAX:,} bytes"),
        ("dispute", f"{limits.DISPUTE_BYTES_MAX:,} bytes"),
        ("rows of a dispute", f"{limits.DISPUTE_ROWS_MAX:,} |"),
        ("report", f"{limits.REPORT_BYTES_MAX:,} bytes"),
        ("tolerance of a dispute", f"{limits.COMPARISON_TOLERANCE_SECONDS_MAX:,} seconds"),
        ("verifier key", f"{limits.VERIFIER_KEY_CHARACTERS_MAX:,} characters"),
        ("integer", f"{limits.INTEGER_DIGITS_MAX} digits"),
        ("hashes of one proof", f"{limits.PROOF_HASHES_MAX},"),
        ("signature lines of a note", f"{limits.SIGNATURE_LINES_MAX} |"),
        ("signature of one signature line, without its key id", f"{limits.SIGNATURE_BYTES_MAX:,} bytes"),
        ("number in details", f"{limits.JSON_NUMBER_CHARACTERS_MAX} characters"),
        ("origin", f"{limits.ORIGIN_CHARACTERS_MAX} characters"),
    ],
)
def test_the_bounds_are_those_of_the_code(thing, bound):
    assert f"\n| {thing} | {bound}" in read(SPEC / "conventions.md")


# The worked example, by hashlib alone.


def sha256(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha256(b"\x01" + left + right)


def root(hashes):
    """MTH of RFC 6962 over leaf hashes."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node(root(hashes[:k]), root(hashes[k:]))


def root_of_path(index, size, leaf, path):
    """The root that a path gives, by recursion from the top."""
    if size == 1:
        assert path == []
        return leaf
    k = 1
    while k * 2 < size:
        k *= 2
    if index < k:
        return node(root_of_path(index, k, leaf, path[:-1]), path[-1])
    return node(path[-1], root_of_path(index - k, size - k, leaf, path[:-1]))


def jcs(value):
    # Enough for the example: ASCII member names, no fractions.
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


EXAMPLE = read(SPEC / "example.md")
VALUES = dict(VALUE.findall(EXAMPLE))
BLOCKS = {
    name: (body + ("\n" if language == "text" else "")).encode()
    for name, language, body in BLOCK.findall(EXAMPLE)
}
JSON_BLOCKS = sorted(name for name, language, _ in BLOCK.findall(EXAMPLE) if language == "json")
LEAVES = [sha256(b"\x00" + BLOCKS[f"entry-{index}"]) for index in range(6)]
ENTRIES = [json.loads(BLOCKS[f"entry-{index}"]) for index in range(6)]


class TestExample:
    def test_every_fenced_block_with_an_anchor_is_read(self):
        fences = [found for found in FENCE.findall(EXAMPLE) if found.startswith(("```json", "```text"))]
        assert len(fences) == len(BLOCKS)
        assert not any(BLOCKS[name].endswith(b"\n") for name in JSON_BLOCKS)

    @pytest.mark.parametrize("name", JSON_BLOCKS)
    def test_json_is_canonical(self, name):
        assert jcs(json.loads(BLOCKS[name])) == BLOCKS[name]

    def test_keys_and_salts_are_the_hashes_that_their_labels_say(self):
        labelled = [re.fullmatch(r'.* = SHA-256\("(.*)"\)', label) for label in VALUES]
        found = [(match[1], VALUES[match[0]]) for match in labelled if match]
        assert len(found) == 6
        assert [sha256(text.encode()).hex() for text, _ in found] == [value for _, value in found]

    def test_the_reference_and_the_origin(self):
        message = f"counterfoil/customer-reference@v1\n{VALUES['tenant']}\n{VALUES['customerId']}".encode()
        reference = "0x" + hmac.digest(reference_key(), message, "sha256")[:20].hex()
        assert reference == VALUES["customerReference"]
        assert VALUES["origin"] == f"{VALUES['operator']}/{VALUES['tenant']}/{reference}"
        assert ENTRIES[0]["origin"] == VALUES["origin"]

    @pytest.mark.parametrize(("key", "name"), [("operator key", "operator"), ("key of this log", "origin")])
    def test_a_key_id_is_that_of_name_and_public_key(self, key, name):
        found, identifier, encoded = VALUES[key].split("+", 2)
        typed = base64.b64decode(encoded, validate=True)
        assert found == VALUES[name]
        assert typed == b"\x01" + bytes.fromhex(VALUES["public key"])
        assert identifier == sha256(found.encode() + b"\n" + typed)[:4].hex()

    @pytest.mark.parametrize("index", [0, 1, 2, 4])
    def test_details_open_their_commitment(self, index):
        [salt] = [value for label, value in VALUES.items() if label.startswith(f"salt {index} ")]
        commitment = sha256(bytes.fromhex(salt) + BLOCKS[f"details-{index}"]).hex()
        assert commitment == VALUES[f"commitment {index}"] == ENTRIES[index]["details"]

    @pytest.mark.parametrize("index", [1, 2, 4])
    def test_idempotency_keys_are_hashed_into_the_entry(self, index):
        text = VALUES[f"idempotency key {index}"]
        message = f"counterfoil/idempotency-key@v1\n{VALUES['customerReference']}\n{text}".encode()
        assert hmac.digest(reference_key(), message, "sha256").hex() == ENTRIES[index]["key"]

    @pytest.mark.parametrize("index", range(6))
    def test_an_entry_has_the_leaf_hash_and_stands_at_its_index(self, index):
        assert LEAVES[index].hex() == VALUES[f"leaf hash {index}"]
        assert ENTRIES[index]["index"] == str(index)

    def test_the_nodes_and_roots(self):
        assert node(LEAVES[0], LEAVES[1]).hex() == VALUES["node(0,1)"]
        assert node(LEAVES[2], LEAVES[3]).hex() == VALUES["node(2,3)"]
        assert node(LEAVES[4], LEAVES[5]).hex() == VALUES["node(4,5)"]
        assert root(LEAVES[:4]).hex() == VALUES["root(4)"]
        assert root(LEAVES).hex() == VALUES["root(6)"]

    @pytest.mark.parametrize("size", [4, 6])
    def test_a_checkpoint_says_the_root_and_its_line_the_key_id(self, size):
        origin, said, encoded, empty, line, end = BLOCKS[f"checkpoint-{size}"].decode().split("\n")
        dash, name, blob = line.split(" ")
        assert (origin, said, empty, end, dash, name) == (
            VALUES["origin"],
            str(size),
            "",
            "",
            "\u2014",
            origin,
        )
        assert base64.b64decode(encoded).hex() == VALUES[f"root({size})"]
        assert len(base64.b64decode(blob)) == 68
        assert base64.b64decode(blob)[:4].hex() == VALUES["key id in the signature lines"]

    def test_the_inclusion_proof_gives_the_root(self):
        head, _, checkpoint = BLOCKS["tlog-proof-2"].partition(b"\n\n")
        header, index, *path = head.decode().split("\n")
        assert (header, index) == ("c2sp.org/tlog-proof@v1", "index 2")
        assert root_of_path(2, 4, LEAVES[2], [*map(base64.b64decode, path)]).hex() == VALUES["root(4)"]
        assert checkpoint == BLOCKS["checkpoint-4"]

    def test_the_consistency_file_leads_from_one_root_to_the_other(self):
        old, encoded, empty, *_ = BLOCKS["consistency-4-6"].decode().split("\n")
        assert (old, empty) == ("old 4", "")
        assert node(bytes.fromhex(VALUES["root(4)"]), base64.b64decode(encoded)).hex() == VALUES["root(6)"]
        assert BLOCKS["consistency-4-6"].partition(b"\n\n")[2] == BLOCKS["checkpoint-6"]

    @pytest.mark.parametrize(("index", "size"), [(2, 4), (4, 6)])
    def test_a_receipt_holds_the_entry_its_details_and_a_proof(self, index, size):
        receipt = json.loads(BLOCKS[f"receipt-{index}"])
        head, _, checkpoint = receipt["proof"].encode().partition(b"\n\n")
        path = [base64.b64decode(line) for line in head.split(b"\n")[2:]]
        assert receipt["entry"] == ENTRIES[index]
        assert jcs(receipt["details"]["value"]) == BLOCKS[f"details-{index}"]
        assert checkpoint == BLOCKS[f"checkpoint-{size}"]
        assert root_of_path(index, size, LEAVES[index], path).hex() == VALUES[f"root({size})"]

    def test_the_open_of_a_receipt_leads_to_the_same_root(self):
        opened = json.loads(BLOCKS["receipt-4"])["open"]
        assert opened["entry"] == ENTRIES[0]
        assert jcs(opened["details"]["value"]) == BLOCKS["details-0"]
        assert (
            root_of_path(0, 6, LEAVES[0], [*map(base64.b64decode, opened["path"])]).hex() == VALUES["root(6)"]
        )

    @pytest.mark.parametrize(
        ("name", "period", "indices", "proven"),
        [("april", ("2026-04-01", "2026-05-01"), [0, 3, 4], [0, 3, 4]),
         ("may", ("2026-05-01", "2026-06-01"), [3, 4, 5], [3, 5])],
    )  # fmt: skip
    def test_a_statement_holds_entries_and_paths_to_the_root(self, name, period, indices, proven):
        statement = json.loads(BLOCKS[f"statement-{name}"])
        items = statement["items"]
        assert tuple(statement[edge] for edge in ("from", "to")) == tuple(
            f"{day}T00:00:00.000000Z" for day in period
        )
        assert [item["entry"] for item in items] == [ENTRIES[index] for index in indices]
        assert [index for index, item in zip(indices, items, strict=True) if "path" in item] == proven
        opened = [{**statement["open"]}] if "open" in statement else []
        for item in [item for item in items if "path" in item] + opened:
            index = int(item["entry"]["index"])
            path = [*map(base64.b64decode, item["path"])]
            assert root_of_path(index, 6, LEAVES[index], path).hex() == VALUES["root(6)"]
        assert statement["checkpoint"].encode() == BLOCKS["checkpoint-6"]

    @pytest.mark.parametrize(("name", "before", "last"), [("April", None, 3), ("May", 3, 5)])
    def test_the_table_of_the_statements_is_what_the_entries_say(self, name, before, last):
        def totals(index):
            entry = ENTRIES[index] if index is not None else {"count": "0", "credits": "0", "debits": "0"}
            return int(entry["count"]), Decimal(entry["credits"]), Decimal(entry["debits"])

        (count, plus, minus), (later, more, less) = totals(before), totals(last)
        row = [plus - minus, later - count, more - plus, less - minus, more - less]
        assert f"| {name} | " + " | ".join(f"{Decimal(cell).normalize():f}" for cell in row) + " |" in EXAMPLE

    def test_the_pack_holds_the_log_with_its_checkpoints(self):
        first, named, *lines, end = [json.loads(line) for line in BLOCKS["pack"].splitlines()]
        assert first == {"operator": VALUES["operator"], "type": "counterfoil/pack@v1"}
        assert named == {"log": VALUES["origin"]}
        assert [line["entry"] for line in lines if "entry" in line] == ENTRIES
        notes = {place: line["checkpoint"] for place, line in enumerate(lines) if "checkpoint" in line}
        assert notes == {4: BLOCKS["checkpoint-4"].decode(), 7: BLOCKS["checkpoint-6"].decode()}
        assert end == {"end": {"logs": "1", "entries": "6", "checkpoints": "2"}}
        for line in BLOCKS["pack"].splitlines():
            assert jcs(json.loads(line)) == line

    @pytest.mark.parametrize(
        ("page", "block"),
        [("entry", "entry-2"), ("note", "checkpoint-4"), ("checkpoint", "checkpoint-4"), ("tlog-proof", "tlog-proof-2"),
         ("consistency", "consistency-4-6"), ("receipt", "receipt-2"),
         ("statement", "statement-april"), ("pack", "pack")],
    )  # fmt: skip
    def test_a_page_opens_with_the_bytes_of_the_example(self, page, block):
        first = FENCE.findall(read(SPEC / f"{page}.md"))[0]
        assert first.split("\n", 1)[1].removesuffix("\n```") == BLOCKS[block].decode().removesuffix("\n")


def reference_key():
    [value] = [value for label, value in VALUES.items() if label.startswith("referenceKey ")]
    return bytes.fromhex(value)


def test_the_request_that_the_conformance_page_shows_is_true():
    [request, answer, *_] = [
        json.loads(found.split("\n", 1)[1].removesuffix("```"))
        for found in FENCE.findall(read(SPEC / "conformance.md"))
    ]
    path = [bytes.fromhex(text) for text in request["path"]]
    leaf = bytes.fromhex(request["leafHash"])
    assert root_of_path(int(request["index"]), int(request["size"]), leaf, path).hex() == request["root"]
    assert answer == {"id": request["id"], "result": "ok", "output": {}}


def test_the_known_roots_of_the_tree_page():
    data = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    hashes = [sha256(b"\x00" + bytes.fromhex(text)) for text in data]
    rows = re.findall(r"^\| ([1-8]) \| `([0-9a-f]{64})` \|$", read(SPEC / "tree.md"), re.MULTILINE)
    assert rows == [(str(size), root(hashes[:size]).hex()) for size in range(1, 9)]
