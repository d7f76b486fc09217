"""The reference of the command line names every command, option, variable, field and code, and none that is not there."""

import json
import re
import shlex
import sys
from pathlib import Path

import click
import pytest

import counterfoil
from counterfoil.cli import main
from counterfoil.errors import CODES, EXIT_IO, EXIT_REFUSED
from tests.docs.examples import BLOCK, ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```[^\n]*\n.*?^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
VARIABLE = re.compile(r"COUNTERFOIL_[A-Z_]+")
CELL = re.compile(r"^\| (`[^|]*(?:\\\|[^|]*)*) \|", re.MULTILINE)


def commands(command, context):
    """Yield the commands of a group, their contexts beside."""
    if not isinstance(command, click.Group):
        yield command, context
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        yield from commands(found, click.Context(found, info_name=name, parent=context))


COMMANDS = {
    context.command_path: (command, context)
    for command, context in commands(main.root, click.Context(main.root, info_name="counterfoil"))
}
SECTIONS = dict(re.findall(r"^## (counterfoil [^\n]*)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
# Fields of these are said in other words: `inspect` prints a document's lines, `customer` first what `customers` prints,
# `run` nothing where all answers are right, and `respond` speaks the runner's protocol.
FIELDS_ELSEWHERE = {
    "counterfoil inspect",
    "counterfoil customer",
    "counterfoil conformance run",
    "counterfoil conformance respond",
}
each_command = pytest.mark.parametrize("path", COMMANDS)


def options_of(command):
    return {name for option in command.params if isinstance(option, click.Option) for name in option.opts}


def cells(section, head):
    """What stands in backquotes in the first column of the tables that begin so."""
    tables = re.findall(rf"^\| {head} \| \|\n\| --- \| --- \|\n((?:\|[^\n]*\n)*)", section, re.MULTILINE)
    return {
        found for table in tables for cell in CELL.findall(table) for found in re.findall("`([^`]+)`", cell)
    }


def members(section):
    """The members of the JSON objects that the commands of a section print."""
    for block in BLOCK.findall(section):
        for line in block.splitlines():
            if line.startswith("{"):
                finding = json.loads(line)
                yield from finding
                yield from (f"summary.{name}" for name in finding.get("summary", ()))


def test_every_command_has_its_section_in_the_order_of_the_help():
    assert list(SECTIONS) == list(COMMANDS)


@each_command
def test_a_section_shows_the_usage(path):
    command, context = COMMANDS[path]
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    assert f"\n```text\n{usage}\n```\n" in SECTIONS[path]


@each_command
def test_a_section_has_a_row_for_every_option_and_argument_and_for_no_other(path):
    command, context = COMMANDS[path]
    rows = cells(SECTIONS[path], "(?:Argument or option|Option)")
    arguments = {
        piece.strip("[].").replace("|", "\\|").replace("]", "")
        for piece in command.collect_usage_pieces(context)
        if piece != "[OPTIONS]"
    }
    assert {name for row in rows for name in OPTION.findall(row)} == options_of(command)
    assert {row for row in rows if not row.startswith("-")} == arguments


@each_command
def test_a_section_says_what_is_required(path):
    command, _ = COMMANDS[path]
    required = {
        option.opts[-1] for option in command.params if isinstance(option, click.Option) and option.required
    }
    rows = re.findall(r"^\| `([^|]*(?:\\\|[^|]*)*)` \|.*Required", SECTIONS[path], re.MULTILINE)
    assert {OPTION.findall(row)[-1] for row in rows} == required


def test_no_option_is_named_that_no_command_has():
    known = {"--help", *(name for command, _ in COMMANDS.values() for name in options_of(command))}
    assert set(OPTION.findall(FENCE.sub("", PAGE))) - {"-"} <= known


@each_command
def test_a_default_that_the_help_shows_is_on_the_page(path):
    command, _ = COMMANDS[path]
    defaults = [
        option.default
        for option in command.params
        if isinstance(option, click.Option) and isinstance(option.default, str)
    ]
    assert [default for default in defaults if f"`{default}`" not in PAGE] == []


def test_every_environment_variable_is_on_the_page_and_no_other():
    of_options = {
        option.envvar
        for command, _ in COMMANDS.values()
        for option in command.params
        if isinstance(option.envvar, str)
    }
    package = Path(counterfoil.__file__).parent
    of_code = {
        name for file in package.rglob("*.py") for name in VARIABLE.findall(file.read_text(encoding="utf-8"))
    }
    assert of_code - {"COUNTERFOIL_"} <= set(VARIABLE.findall(PAGE))
    assert set(VARIABLE.findall(PAGE)) == of_options | of_code


def test_every_exit_status_stands_with_its_codes():
    [section] = re.findall(r'^<a id="exit"></a>\n## (.*?)^## ', PAGE, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([0-9]+) \| (`[^\n]*`) \|$", section, re.MULTILINE)
    table = {int(status): re.findall("`([^`]+)`", codes) for status, codes in rows}
    wanted = {}
    for code, status in CODES.items():
        if status:
            wanted.setdefault(status, []).append(code)
    assert table == dict(sorted(wanted.items()))


@each_command
def test_a_status_that_a_section_names_goes_with_its_codes(path):
    for statuses, words in re.findall(r"^\| ([0-9, ]+) \| ([^\n]*) \|$", SECTIONS[path], re.MULTILINE):
        named = set(re.findall("`([^`]+)`", words)) & set(CODES)
        assert {CODES[code] for code in named} <= {int(status) for status in statuses.split(", ")}


@pytest.mark.parametrize("path", sorted(COMMANDS.keys() - FIELDS_ELSEWHERE))
def test_the_fields_of_a_section_are_those_that_its_examples_print(path):
    command, _ = COMMANDS[path]
    documented = cells(SECTIONS[path], "JSON")
    assert documented == set(members(SECTIONS[path]))
    assert bool(documented) == ("--json" in options_of(command))


def test_the_fields_of_a_wrong_answer_are_those_that_the_command_prints(capfd):
    right = f"{sys.executable} -m counterfoil conformance respond"
    for command in ("true", shlex.join(["sh", "-c", f"{right}; exit 3"])):
        assert main.run(["conformance", "run", "--json", "--command", command]) == CODES["root-mismatch"]
    printed = {name for line in capfd.readouterr().out.splitlines() for name in json.loads(line)}
    assert printed == cells(SECTIONS["counterfoil conformance run"], "JSON")


def test_the_operator_is_told_what_to_do_at_every_refusal_of_the_state_and_the_world():
    page = (ROOT / "docs" / "operations" / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z-]+)` \| [0-9]+ \|", page, re.MULTILINE))
    assert told == {code for code, status in CODES.items() if status in (EXIT_REFUSED, EXIT_IO)}
