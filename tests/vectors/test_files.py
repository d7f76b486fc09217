"""The vector files keep to their schema, cite steps that exist, and are what the generator writes."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from counterfoil.conformance.vectors import load_vectors
from counterfoil.errors import CODES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "vectors"
FILES = sorted(path for path in FOLDER.glob("*/*.json") if path.parent.name != "external")
VALIDATOR = jsonschema.Draft202012Validator(json.loads((FOLDER / "schema.json").read_text(encoding="ascii")))
CASES = load_vectors(FOLDER)
TOPICS = {
    "base64", "amount", "time", "reference", "hashing", "inclusion", "consistency",
    "note", "checkpoint", "consistency-file", "entry", "details", "receipt", "statement", "pack",
}  # fmt: skip
# What the formats can be refused with.
FORMAT_CODES = {
    "too-large", "malformed", "unknown-type", "unknown-key", "bad-signature", "wrong-origin",
    "index-mismatch", "root-mismatch", "inconsistent", "incomplete-period", "details-mismatch", "time-order",
    "totals-mismatch", "duplicate-key", "missing-seal", "fork", "nothing-checked", "not-yet-checkpointed",
}  # fmt: skip


def anchors(page):
    return re.findall(r'<a id="([^"]+)"></a>', (ROOT / page).read_text(encoding="utf-8"))


def generate(*arguments):
    command = [sys.executable, str(FOLDER / "generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_keeps_to_the_schema_and_names_its_folder(path):
    document = json.loads(path.read_bytes().decode("ascii"))
    VALIDATOR.validate(document)
    assert document["topic"] == path.parent.name
    assert {case["id"].partition("/")[0] for case in document["cases"]} == {document["topic"]}


@pytest.mark.parametrize(
    "change",
    [
        {"result": "ok"},
        {"output": {}},
        {"op": "guess"},
        {"input": {}},
        {"input": {"text": "1", "more": "2"}},
        {"spec": "docs/spec/conventions.md"},
        {"note": "further"},
        {"id": "no topic"},
    ],
    ids="-".join,
)
def test_the_schema_refuses_a_case_that_is_none(change):
    case = {
        "id": "amount/x", "comment": "x", "spec": "docs/spec/conventions.md#amount",
        "op": "amount", "input": {"text": "x"}, "result": "malformed",
    }  # fmt: skip
    document = {"$schema": "../schema.json", "topic": "amount", "about": "x", "source": "x", "cases": [case]}
    VALIDATOR.validate(document)
    case.update(change)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)


def test_every_topic_has_cases():
    assert {case.topic for case in CASES} == TOPICS


def test_more_cases_of_a_topic_must_fail_than_must_pass():
    passing = Counter(case.topic for case in CASES if case.result == "ok")
    failing = Counter(case.topic for case in CASES if case.result != "ok")
    assert {topic for topic in TOPICS if failing[topic] <= passing[topic]} == set()


def test_every_case_names_a_step_of_the_specification():
    pages = {case.spec.partition("#")[0] for case in CASES}
    known = {f"{page}#{anchor}" for page in pages for anchor in anchors(page)}
    assert {case.spec for case in CASES} - known == set()


@pytest.mark.parametrize(("topic", "steps"), [("receipt", 7), ("statement", 6), ("pack", 7)])
def test_every_step_refuses_a_case(topic, steps):
    refusing = {case.spec.partition("#")[2] for case in CASES if case.topic == topic and case.result != "ok"}
    assert refusing == {f"step-{number}" for number in range(1, steps + 1)}


def test_every_code_of_the_formats_has_a_case_and_every_case_a_listed_code():
    codes = {case.result for case in CASES} - {"ok"}
    assert codes >= FORMAT_CODES
    assert codes <= CODES.keys()


def test_no_two_cases_ask_the_same():
    asked = Counter(json.dumps([case.op, case.input], sort_keys=True) for case in CASES)
    assert [request for request, times in asked.items() if times > 1] == []


def test_the_generator_writes_the_same_bytes_again():
    done = generate("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_check_of_the_generator_finds_a_changed_a_missing_and_a_further_file(tmp_path):
    copy = tmp_path / "vectors"
    for path in FOLDER.rglob("*"):
        if path.suffix in {".py", ".json"} and "external" not in path.parts:
            target = copy / path.relative_to(FOLDER)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    changed, missing, further = (
        copy / name for name in ("time/refused.json", "amount/accepted.json", "note/more.json")
    )
    changed.write_bytes(changed.read_bytes().replace(b"malformed", b"too-large", 1))
    missing.unlink()
    further.write_bytes(b"{}")
    command = [sys.executable, str(copy / "generate.py")]
    found = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert set(found.stderr.split()) - {"differs:"} == {
        "time/refused.json",
        "amount/accepted.json",
        "note/more.json",
    }
    assert subprocess.run(command, check=False).returncode == 0
    assert changed.read_bytes() == (FOLDER / "time" / "refused.json").read_bytes()
    assert not further.exists()


def test_the_generator_says_how_to_call_it():
    done = generate("--chek")
    assert done.returncode == 2
    assert "usage: python vectors/generate.py [--check]" in done.stderr


def test_the_generator_shares_no_code_with_the_library():
    sources = [
        path.read_text(encoding="utf-8") for path in [FOLDER / "generate.py", *FOLDER.glob("generator/*.py")]
    ]
    assert [
        text for text in sources if re.search(r"^\s*(import|from)\s+counterfoil", text, re.MULTILINE)
    ] == []
