"""docs/api/client.md: its examples run, and it names all that the client has."""

import dataclasses
import inspect
import re

import pytest

import counterfoil.client
from counterfoil.client import (
    Checkpointed,
    Client,
    CustomerView,
    DeltaState,
    NewDelta,
    Recorded,
    Retries,
    VerifiedReceipt,
)
from counterfoil.client.memory import MEMORY_TYPE
from counterfoil.client.reports import Scope
from counterfoil.client.transport import RETRIED
from tests.docs.examples import ROOT, run_page, steps

PAGE = ROOT / "docs" / "api" / "client.md"
TEXT = PAGE.read_text(encoding="utf-8")
WORDS = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", TEXT))))


def test_every_command_prints_what_stands_there(tmp_path):
    assert steps(TEXT)
    wrong = run_page(TEXT, tmp_path)
    assert not wrong, "\n\n".join(map(str, wrong))


@pytest.mark.parametrize("name", [name for name in dir(Client) if not name.startswith("_")])
def test_every_method_is_named(name):
    assert name in WORDS


@pytest.mark.parametrize("name", [name for name in inspect.signature(Client).parameters if name != "self"])
def test_every_argument_is_explained(name):
    assert re.search(rf"^\| `?[^|]*`{name}`", TEXT, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in dir(Client) if not name.startswith("_")])
def test_every_method_stands_there_with_the_names_of_its_arguments(name):
    method = inspect.signature(getattr(Client, name))
    named = [argument for argument in method.parameters.values() if argument.name != "self"]
    words = [f"**{each.name}" if each.kind is each.VAR_KEYWORD else each.name for each in named]
    by_name = [place for place, each in enumerate(named) if each.kind is each.KEYWORD_ONLY]
    if by_name:
        words.insert(by_name[0], "*")
    assert f"| `{name}({', '.join(words)})` |" in TEXT


@pytest.mark.parametrize(
    "value", [Checkpointed, CustomerView, DeltaState, NewDelta, Recorded, VerifiedReceipt]
)
def test_every_attribute_of_a_value_stands_in_its_row(value):
    [row] = re.findall(rf"^\| `{value.__name__}` \|.*$", TEXT, re.MULTILINE)
    assert {field.name for field in dataclasses.fields(value)} <= set(re.findall(r"\w+", row))


@pytest.mark.parametrize("field", dataclasses.fields(Retries), ids=lambda field: field.name)
def test_every_bound_of_retries_stands_there_with_its_value(field):
    assert f"| `{field.name}` | {field.default}" in TEXT


@pytest.mark.parametrize("name", counterfoil.client.__all__)
def test_every_public_name_is_named(name):
    assert name in WORDS or f"import {name}" in TEXT


def test_so_are_the_members_of_a_scope_the_statuses_and_the_type_of_the_file():
    assert Scope.__annotations__.keys() <= WORDS
    assert all(str(status) in TEXT for status in RETRIED)
    assert MEMORY_TYPE in TEXT


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXT):
        file, _, anchor = link.partition("#")
        page = PAGE.parent / file if file else PAGE
        assert page.is_file(), link
        assert not anchor or anchored(page.read_text(encoding="utf-8"), anchor), link


def anchored(text, anchor):
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return f'<a id="{anchor}"></a>' in text or anchor in made
