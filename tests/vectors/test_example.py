"""The vectors' own reference writes the worked example of the specification byte for byte."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "spec" / "example.md").read_text(encoding="utf-8")
# In a process of its own: the generator's folder is not a package of this project.
SCRIPT = """
import json
from generator import example, ledger
log = example.EXAMPLE
print(json.dumps({
    "reference": log.reference,
    "operator key": example.VKEY,
    "log key": log.key.vkey(log.origin),
    "entries": [ledger.jcs(entry).decode() for entry in log.entries],
    "leaves": [leaf.hex() for leaf in log.leaves(4)],
    "root": log.root(4).hex(),
    "checkpoint": log.checkpoint(4),
    "receipt": ledger.jcs(log.receipt(2, 4)).decode(),
    "statement-april": ledger.jcs(example.GROWN.statement(example.APRIL, "light", 6)).decode(),
    "statement-may": ledger.jcs(example.GROWN.statement(example.MAY, "full", 6, with_open=True)).decode(),
    "pack": "\\n".join(
        ledger.jcs(line).decode()
        for line in ledger.pack_lines(example.OPERATOR, [example.GROWN.pack(4, 6)])
    ),
}))
"""


@pytest.fixture(scope="module")
def made():
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT / "vectors", capture_output=True, check=True)
    return json.loads(done.stdout)


def block(name):
    found = re.search(rf'<a id="{name}"></a>\n```\w+\n(.*?)\n```$', PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("index", range(4))
def test_the_entries_are_those_of_the_page(made, index):
    assert made["entries"][index] == block(f"entry-{index}")


def test_the_checkpoint_is_that_of_the_page(made):
    assert made["checkpoint"] == block("checkpoint-4") + "\n"


def test_the_receipt_is_that_of_the_page(made):
    assert made["receipt"] == block("receipt-2")


@pytest.mark.parametrize("name", ["statement-april", "statement-may", "pack"])
def test_the_statements_and_the_pack_are_those_of_the_page(made, name):
    assert made[name] == block(name)


@pytest.mark.parametrize("name", ["reference", "operator key", "log key", "root"])
def test_the_names_keys_and_root_stand_on_the_page(made, name):
    assert made[name] in PAGE


def test_the_leaf_hashes_stand_on_the_page(made):
    assert [leaf for leaf in made["leaves"] if leaf not in PAGE] == []
