r"""The shell sessions of the documentation, run as they stand.

A page's blocks of ```console are one session, from the top of the page to its end, in a folder of its own:

    $ counterfoil record cust_001 -12.5 \        a command; the lines that go on with it begin with "> ",
    >     --reason api_call                        an empty one is ">" alone
    recorded  0xdc4d...42e.1  -12.5 credits ...  what it prints, standard output and standard error as they come
    ...                                          stands for any number of lines, and within a line for any text
    $ echo $?                                    what follows a command that is to fail; every other ends with 0

Random and timed values differ from run to run: a page shows those of some run.  Wherever such a value stands on the
page, it must always stand for the same value of the run, and a later command of the page that names it is given the
run's.  `VALUE` says what such a value looks like.  Logs are listed in the order of their references, which are such
values too: neighbouring lines of different logs may change places.  All else must be equal, character for character.

A page that names a store on PostgreSQL finds a server of its own, at the socket that PGHOST names, and its programs.
One that starts `counterfoil serve` in the background finds it at its usual port, 8080; a run takes a free one in its
place.  What a page leaves running is ended with it.

    python -m tests.docs.examples [PAGE]...     writes the output of commands that print something else now
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.postgres import Cluster, find_programs, quick_folder

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("README", "postgresql", "workers", "server", "backup")
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / name for name in ("tutorial.md", "cli.md", "auditing.md")),
    *(ROOT / "docs" / "operations" / f"{name}.md" for name in GUIDES),
    *(ROOT / "docs" / "api" / f"{name}.md" for name in ("README", "reference")),
]

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELISION = "..."
PORT = "8080"
SERVE = re.compile(r"^counterfoil serve\b")
REFERENCE = re.compile(r"0x[0-9a-f]{40}")
VALUE = re.compile(
    r"(?:"
    r"0x[0-9a-f]{64}"  # a root, as HTTP has it
    r"|0x[0-9a-f]{40}"  # a customer reference
    r"|\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}"  # a verifier key, without its name
    r"|[A-Za-z0-9+/]{91}="  # a signature of a signature line
    r"|[A-Za-z0-9+/]{43}="  # a hash in base64
    r"|(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{32})(?![0-9a-f])"  # a hash, a salt, a secret, a random idempotency key
    r"|(?<=key id )[0-9a-f]{8}|(?<=key id          )[0-9a-f]{8}|(?<=[0-9a-f]\+)[0-9a-f]{8}(?![0-9a-f+])"  # a key id
    r"|(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])"  # the id of an API key
    r"|(?<=127\.0\.0\.1:)[0-9]+"  # where a server listens
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"  # a time
    r"|(?<![0-9-])[0-9]{4}-[0-9]{2}(?![0-9-])"  # a month, as a rule this one
    r")"
)


class Step(NamedTuple):
    """A command and what the page says that it prints; the lines count from 0 in the page's text."""

    line: int
    command: str
    output: list[str]
    output_line: int


class Ran(NamedTuple):
    """What a command printed, and its exit status."""

    output: list[str]
    status: int


def steps(text):
    """The commands of a page, in order."""
    found = []
    for block in BLOCK.finditer(text):
        number = text.count("\n", 0, block.start(1))
        continues = False
        for line in block[1].splitlines():
            if line.startswith("$ "):
                found.append(Step(number, line[2:], [], number + 1))
                continues = True
            elif continues and (line == ">" or line.startswith("> ")):
                last = found.pop()
                found.append(Step(last.line, f"{last.command}\n{line[2:]}", [], number + 1))
            else:
                found[-1].output.append(line)
                continues = False
            number += 1
    return found


@contextmanager
def server_of(text):
    """Give what the commands of a page find in their environment, besides our own: a PostgreSQL, where they name one."""
    if not any("postgresql://" in step.command for step in steps(text)):
        yield {}
        return
    with Cluster(find_programs(), data_in=quick_folder()) as cluster:
        cluster.start()
        yield {"PGHOST": str(cluster.folder), "PATH": str(cluster.programs)}


def free_port():
    """A port that nobody listens at, as text."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


class Session:
    """One shell in a folder of its own."""

    def __init__(self, folder, more=None):
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("COUNTERFOIL_", "PG"))
        }
        environment.update(more or {})
        paths = [str(Path(sys.executable).parent), environment["PATH"], os.environ["PATH"]]
        environment["PATH"] = os.pathsep.join(paths)
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            encoding="utf-8",
        )
        # Whatever becomes of the page: nothing that it started in the background outlives it.
        self.run("trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._shell.stdin.close()
        self._shell.stdout.close()
        self._shell.wait()

    def run(self, command):
        # In braces, so that a command reads its own input and not the rest of the session; the status is handed on
        # to a command that asks for it.
        self._shell.stdin.write(
            f"{{ {command}\n}} < /dev/null; status=$?; printf '\\n\\036%s\\n' $status; (exit $status)\n"
        )
        self._shell.stdin.flush()
        lines = []
        for line in self._shell.stdout:
            if line.startswith("\x1e"):
                break
            lines.append(line.removesuffix("\n"))
        else:
            raise AssertionError(f"the shell ended with: {command}")
        # The newline before the mark ends the last line, or stands alone.
        return Ran(lines[:-1] if lines[-1] == "" else lines, int(line[1:]))


class Values:
    """Which value of the page stands for which value of the run."""

    def __init__(self, known=()):
        self._known = dict(known)

    def of_run(self, text):
        """The text of a page with the run's values."""
        return VALUE.sub(lambda found: self._known.get(found[0], found[0]), text)

    def of_page(self, printed):
        """Lines that the run printed, with the page's values where these are known."""
        ours = {theirs: ours for ours, theirs in self._known.items()}
        return [VALUE.sub(lambda found: ours.get(found[0], found[0]), line) for line in printed]

    def agree(self, shown, printed):
        """Whether a line of the page stands for a line of the run; if so, learn what its values stand for."""
        if ELISION in shown:
            pattern = ".*".join(map(re.escape, self.of_run(shown).split(ELISION)))
            return re.fullmatch(pattern, printed) is not None
        if VALUE.sub("?", shown) != VALUE.sub("?", printed):
            return False
        learned = dict(self._known)
        for ours, theirs in zip(VALUE.findall(shown), VALUE.findall(printed), strict=True):
            if learned.setdefault(ours, theirs) != theirs:
                return False
        self._known = learned
        return True

    def agree_all(self, shown, printed):
        """The same for all lines of an output."""
        if not shown:
            return not printed
        if shown[0] == ELISION:
            return any(self.agree_all(shown[1:], printed[start:]) for start in range(len(printed) + 1))
        before = self._known
        for place in _candidates(shown[0], printed):
            rest = printed[:place] + printed[place + 1 :]
            if self.agree(shown[0], printed[place]) and self.agree_all(shown[1:], rest):
                return True
            self._known = before
        return False


def _candidates(shown, printed):
    """The places of the lines that a line may stand for."""
    if not REFERENCE.search(shown):
        return range(min(len(printed), 1))
    places, seen = [], set()
    for place, line in enumerate(printed):
        if (found := REFERENCE.search(line)) is None:
            break
        # The lines of one log keep their order.
        if found[0] not in seen:
            places.append(place)
        seen.add(found[0])
    return places


class Wrong(NamedTuple):
    """A command that did not end with 0 where it should have, or that prints something else.

    `output` is what it printed, with the values of the page where they are known.
    """

    step: Step
    output: list[str]
    status: int

    def __str__(self):
        head = f"line {self.step.line + 1}: $ {self.step.command}"
        return "\n".join([head, *self.output, f"[{self.status}]"])


def run_page(text, folder):
    """Run the commands of a page in a folder; return what of them is wrong."""
    found = steps(text)
    port = free_port()
    values = Values({PORT: port})
    wrong = []
    with server_of(text) as more, Session(folder, more) as session:
        for step, after in zip(found, [*found[1:], None], strict=True):
            ran = session.run(SERVE.sub(rf"\g<0> --port {port}", values.of_run(step.command)))
            may_fail = after is not None and after.command == "echo $?"
            agrees = values.agree_all(step.output, ran.output)
            if not agrees or (ran.status != 0 and not may_fail):
                wrong.append(Wrong(step, values.of_page(ran.output), ran.status))
            if not agrees:
                # As if the page had shown it.
                values.agree_all(wrong[-1].output, ran.output)
    return wrong


def rewrite(text, wrong):
    """The text of a page with the output that its commands print now."""
    lines = text.split("\n")
    for step, output, _ in reversed(wrong):
        lines[step.output_line : step.output_line + len(step.output)] = output
    return "\n".join(lines)


def main(names):
    for page in map(ROOT.joinpath, names) if names else PAGES:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            wrong = run_page(text, folder)
        for found in wrong:
            sys.stdout.write(f"{page.relative_to(ROOT)}, {found}\n")
        page.write_text(rewrite(text, wrong), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
