"""The command line, called in this process, in a folder of its own."""

import io
import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from counterfoil.cli.main import run

PLACE = (
    "COUNTERFOIL_STORE",
    "COUNTERFOIL_TENANT",
    "COUNTERFOIL_KEYS",
    "COUNTERFOIL_PASSPHRASE_FILE",
    "COUNTERFOIL_DEBUG",
)


class Outcome(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def findings(self):
        return [json.loads(line) for line in self.lines]

    @property
    def code(self):
        """The code of the one error line."""
        errors = [line for line in self.err.splitlines() if line.startswith("counterfoil: error: ")]
        assert len(errors) == 1, self.err
        return errors[0].split(": ")[2]


@pytest.fixture
def cf(capsys, monkeypatch, tmp_path):
    """Call a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in PLACE:
        monkeypatch.delenv(name, raising=False)

    def call(*arguments, stdin=b""):
        reader = io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin)), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", reader)
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Outcome(status, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """A folder in which `init` has run."""
    folder = tmp_path_factory.mktemp("pristine")
    arguments = ["init", "--operator", "ledger.example.com", "--unit", "EUR"]
    assert (
        run(
            [
                *arguments,
                "--store",
                f"sqlite:///{folder}/counterfoil.db",
                "--keys",
                f"{folder}/counterfoil-keys",
            ]
        )
        == 0
    )
    return folder


@pytest.fixture
def book(cf, pristine, tmp_path):
    """Call a command in a folder with keys and an empty store."""
    shutil.copytree(pristine, tmp_path, dirs_exist_ok=True)
    Path("operator.vkey").write_bytes(Path("counterfoil-keys/operator.vkey").read_bytes())
    return cf


@pytest.fixture
def kept(book):
    """The same with two deltas of cust_001 under a checkpoint of size 4, and a receipt of the second."""
    assert book("record", "cust_001", "+500", "--reason", "deposit").status == 0
    assert book("record", "cust_001", "-12.5", "--reason", "api_call", "--reference", "line 1").status == 0
    assert book("checkpoint", "cust_001").status == 0
    assert book("receipt", record_id(book, 2), "-o", "receipt.json").status == 0
    return book


def record_id(call, index, customer="cust_001"):
    return f"{call('customer', customer, '--json').findings[0]['customerReference']}.{index}"


def rewrite(path, change):
    """Change a JSON file."""
    document = json.loads(Path(path).read_text())
    change(document)
    Path(path).write_text(json.dumps(document))


def command(*arguments):
    """A command line of a process of its own."""
    return [sys.executable, "-m", "counterfoil", *arguments]


def environment(**more):
    """What such a process sees: our sources, no settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if name not in PLACE}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


@pytest.fixture
def tamper(tmp_path):
    """Change the store behind its back."""

    def change(statement, *parameters):
        with closing(sqlite3.connect(tmp_path / "counterfoil.db")) as database, database:
            assert database.execute(statement, parameters).rowcount > 0

    return change
