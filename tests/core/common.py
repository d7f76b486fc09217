"""What the suites of core share."""

import re
from pathlib import Path

from counterfoil.errors import CounterfoilError

SPEC = Path(__file__).resolve().parents[2] / "docs" / "spec"


def code_of(call, *arguments, **named):
    """Return "ok", or the code of the refusal; whatever else comes out fails the test that asked."""
    try:
        call(*arguments, **named)
    except CounterfoilError as error:
        return error.code
    return "ok"


def example_blocks():
    """The blocks of docs/spec/example.md by their anchors, byte for byte."""
    text = (SPEC / "example.md").read_text(encoding="utf-8")
    found = re.findall(r'^<a id="([^"]+)"></a>\n```(json|text)\n(.*?)\n```$', text, re.MULTILINE | re.DOTALL)
    # A JSON block is its line without a newline, a text block its lines with theirs.
    return {name: (block if kind == "json" else f"{block}\n").encode() for name, kind, block in found}


def example_values():
    """The values of the tables of docs/spec/example.md."""
    text = (SPEC / "example.md").read_text(encoding="utf-8")
    return {
        name.split(" = ")[0]: value
        for name, value in re.findall(r"^\| ([^|`]+) \| `([^`]+)` \|$", text, re.MULTILINE)
    }
