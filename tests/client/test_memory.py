"""The memory of checkpoints: never lost in silence, never back, whoever shares it and whenever it is killed."""

import errno
import fcntl
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from counterfoil.client import memory as memory_module
from counterfoil.client.memory import MEMORY_TYPE
from counterfoil.core.checkpoint import parse_checkpoint, sign_checkpoint
from tests.client.checkpoints import REFERENCES, checkpoint, grow, opened
from tests.client.server import Server, connect
from tests.support import operator_named, refused

ROOT = Path(__file__).resolve().parents[2]


def document(path):
    return json.loads(path.read_text())


def rewrite(path, newer):
    """Put a checkpoint into a file as it stands, whatever was there."""
    content = document(path)
    content["checkpoints"][newer.origin] = newer.note
    path.write_text(json.dumps(content))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "seen.json"


@pytest.fixture
def kept(path):
    """A file that remembers a checkpoint of size 3."""
    assert opened(path).advance(None, checkpoint(3))
    return path


@pytest.mark.parametrize("place", ["file", "nowhere"])
class TestRemembering:
    @pytest.fixture
    def memory(self, place, path):
        return opened(path if place == "file" else None)

    def test_of_an_unknown_log_there_is_nothing(self, memory):
        assert memory.of_reference(REFERENCES[0]) is None

    def test_what_was_seen_last_is_remembered(self, memory):
        assert memory.advance(None, checkpoint(3))
        assert memory.advance(checkpoint(3), checkpoint(5))
        assert memory.of_reference(REFERENCES[0]) == checkpoint(5)

    def test_each_log_for_itself(self, memory):
        for number in range(4):
            assert memory.advance(None, checkpoint(number + 1, number))
        assert [memory.of_reference(each).size for each in REFERENCES] == [1, 2, 3, 4]

    def test_nothing_changes_where_somebody_was_faster(self, memory):
        memory.advance(None, checkpoint(5))
        assert not memory.advance(None, checkpoint(7))
        assert not memory.advance(checkpoint(3), checkpoint(7))
        assert not memory.advance(checkpoint(5, fill=8), checkpoint(7))
        assert memory.of_reference(REFERENCES[0]).size == 5

    def test_a_name_in_the_note_alone_makes_no_other_log(self, memory):
        memory.advance(None, checkpoint(3))
        assert not memory.advance(None, checkpoint(9, tenant="other"))
        assert memory.of_reference(REFERENCES[0]).size == 3


class TestTheFile:
    def test_it_is_there_with_the_first_checkpoint(self, path):
        memory = opened(path)
        assert not path.exists()
        memory.advance(None, checkpoint(3))
        assert document(path) == {
            "type": MEMORY_TYPE,
            "checkpoints": {checkpoint(3).origin: checkpoint(3).note},
        }

    def test_it_is_its_owners_alone(self, kept):
        assert {oct(each.stat().st_mode & 0o777) for each in kept.parent.iterdir()} == {"0o600"}

    def test_the_next_process_finds_it(self, kept):
        assert opened(kept).of_reference(REFERENCES[0]) == checkpoint(3)

    def test_two_that_share_it_see_what_the_other_saw(self, kept):
        one, other = opened(kept), opened(kept)
        one.advance(checkpoint(3), checkpoint(5))
        assert other.of_reference(REFERENCES[0]).size == 5
        assert not other.advance(checkpoint(3), checkpoint(4))

    def test_a_change_is_seen_although_the_file_looks_the_same(self, kept, monkeypatch):
        # A file system may give a new file the number, the size and the time of an old one.
        monkeypatch.setattr(memory_module, "_identity_of", lambda _: (0, 0, 0))
        one, other = opened(kept), opened(kept)
        one.advance(checkpoint(3), checkpoint(5))
        assert not other.advance(checkpoint(3), checkpoint(4))
        assert other.of_reference(REFERENCES[0]).size == 5

    def test_a_link_to_it_stays_a_link(self, kept, tmp_path):
        link = tmp_path / "link.json"
        link.symlink_to(kept)
        opened(link).advance(checkpoint(3), checkpoint(5))
        assert link.is_symlink()
        assert opened(kept).of_reference(REFERENCES[0]).size == 5

    def test_content_and_name_are_on_disk_before_anybody_relies_on_them(self, kept, monkeypatch):
        done = []
        real_fsync, real_replace = os.fsync, Path.replace

        def fsync(handle):
            name = Path(f"/proc/self/fd/{handle}").readlink().name
            done.append(f"sync {name}")
            real_fsync(handle)

        def replace(self, target):
            done.append(f"rename {self.name}")
            return real_replace(self, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)
        opened(kept).advance(checkpoint(3), checkpoint(5))
        assert done == ["sync seen.json.new", "rename seen.json.new", f"sync {kept.parent.name}"]


class TestDamage:
    @pytest.mark.parametrize("content", [
        b"", b"{", b"[]", b"null", b"{}", b'{"type":"counterfoil/client-memory@v1"}', b"\xff" * 100, b"\x00" * 4_096,
        b'{"type":"counterfoil/client-memory@v1","checkpoints":[]}',
        b'{"type":"counterfoil/client-memory@v1","checkpoints":{"ledger.example.com":""}}',
        b'{"type":"counterfoil/client-memory@v1","checkpoints":{},"more":1}',
        b'{"type":"counterfoil/client-memory@v1","checkpoints":{},"checkpoints":{}}',
    ])  # fmt: skip
    def test_a_damaged_file_is_refused_and_left_as_it_is(self, path, content):
        path.write_bytes(content)
        path.chmod(0o600)
        with refused("malformed" if content != b"{}" else "unknown-type"):
            opened(path)
        assert path.read_bytes() == content

    def test_so_is_one_that_was_cut_off(self, kept):
        kept.write_bytes(kept.read_bytes()[:-10])
        with refused("malformed"):
            opened(kept)

    def test_one_of_a_later_version_is_not_read(self, kept):
        kept.write_bytes(kept.read_bytes().replace(b"@v1", b"@v2"))
        with refused("unknown-type"):
            opened(kept)

    def test_one_beyond_its_bound_is_too_large(self, kept, monkeypatch):
        monkeypatch.setattr(memory_module, "MEMORY_BYTES_MAX", 100)
        with refused("too-large"):
            opened(kept)

    def test_and_is_never_made(self, kept, monkeypatch):
        memory = opened(kept)
        monkeypatch.setattr(memory_module, "MEMORY_BYTES_MAX", kept.stat().st_size)
        with refused("too-large"):
            memory.advance(None, checkpoint(3, 1))
        assert opened(kept).of_reference(REFERENCES[0]).size == 3

    @pytest.mark.parametrize("note", ["", "nonsense", checkpoint(3, 1).note, 7, None])
    def test_a_note_that_is_none_or_of_another_log_is_found(self, kept, note):
        content = document(kept)
        content["checkpoints"][checkpoint(3).origin] = note
        kept.write_text(json.dumps(content))
        with refused("malformed"):
            opened(kept).of_reference(REFERENCES[0])

    def test_a_changed_note_verifies_nothing(self, time, path):
        server = Server()
        server.record()
        connect(server, time, state=path).checkpoint_note(server_reference(server))
        kept = path.read_text()
        path.write_text(kept.replace("\\n3\\n", "\\n2\\n"))
        with refused("malformed"):
            connect(server, time, state=path).checkpoint_note(server_reference(server))

    def test_one_that_disappears_while_it_is_used_is_missed(self, kept):
        memory = opened(kept)
        kept.unlink()
        for _ in range(2):
            with refused("malformed"):
                memory.of_reference(REFERENCES[0])
        with refused("malformed"):
            memory.advance(checkpoint(3), checkpoint(5))
        assert not kept.exists()

    def test_one_that_goes_back_is_noticed(self, kept):
        old = kept.read_bytes()
        memory = opened(kept)
        memory.advance(checkpoint(3), checkpoint(5))
        kept.write_bytes(old)
        for _ in range(2):
            with refused("malformed"):
                memory.of_reference(REFERENCES[0])

    def test_so_is_another_root_of_the_same_size(self, kept, tmp_path):
        memory = opened(kept)
        assert memory.of_reference(REFERENCES[0]) == checkpoint(3)
        other = tmp_path / "other.json"
        opened(other).advance(None, checkpoint(3, fill=8))
        kept.write_bytes(other.read_bytes())
        with refused("malformed"):
            memory.of_reference(REFERENCES[0])

    def test_so_is_one_that_lost_a_log(self, kept):
        old = kept.read_bytes()
        memory = opened(kept)
        memory.advance(None, checkpoint(5, 1))
        kept.write_bytes(old)
        for _ in range(2):
            with refused("malformed"):
                memory.of_reference(REFERENCES[0])

    @pytest.mark.parametrize("later", [checkpoint(2, 1), checkpoint(5, 1, fill=8)], ids=["size", "root"])
    def test_so_is_one_that_goes_back_in_a_log_that_nobody_asked_for_yet(self, kept, later):
        opened(kept).advance(None, checkpoint(5, 1))
        memory = opened(kept)
        rewrite(kept, later)
        for _ in range(2):
            with refused("malformed"):
                memory.of_reference(REFERENCES[1])
        with refused("malformed"):
            memory.advance(checkpoint(3), checkpoint(4))
        assert document(kept)["checkpoints"][later.origin] == later.note

    def test_a_log_that_nobody_asked_for_yet_may_grow(self, kept):
        opened(kept).advance(None, checkpoint(5, 1))
        memory = opened(kept)
        rewrite(kept, checkpoint(6, 1))
        assert memory.of_reference(REFERENCES[1]).size == 6

    def test_a_damaged_one_can_be_restored_while_it_is_used(self, kept):
        whole = kept.read_bytes()
        content = document(kept)
        content["checkpoints"][checkpoint(3).origin] = "nonsense"
        kept.write_text(json.dumps(content))
        memory = opened(kept)
        with refused("malformed"):
            memory.of_reference(REFERENCES[0])
        kept.write_bytes(whole)
        assert memory.of_reference(REFERENCES[0]) == checkpoint(3)

    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_one_that_others_may_write_to_is_unsafe(self, kept, mode):
        kept.chmod(mode)
        with refused("unsafe-settings"):
            opened(kept)

    def test_under_another_pinned_key_it_says_so(self, path, time):
        server = Server()
        server.record()
        connect(server, time, state=path).checkpoint_note(server_reference(server))
        other = json.loads(path.read_text())
        forged = parse_checkpoint(next(iter(other["checkpoints"].values())))
        stranger = sign_checkpoint(
            forged.origin, forged.size, forged.root, operator_named(seed="another").signer
        )
        path.write_text(json.dumps(other | {"checkpoints": {forged.origin: stranger.note}}))
        with refused("unknown-key"):
            connect(server, time, state=path).checkpoint_note(server_reference(server))


def server_reference(server):
    return f"0x{server.engine.log_of('cust_001').hex()}"


class TestTheSystem:
    @pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EIO])
    def test_a_folder_that_cannot_be_written_to_is_noticed_before_anything_is_asked(
        self, path, number, monkeypatch
    ):
        fail(monkeypatch, "open", number, ending=".lock")
        with refused("io-error"):
            opened(path)

    def test_what_is_no_path_is_a_wrong_call(self):
        with refused("usage"):
            opened("seen\0.json")

    def test_a_folder_that_is_not_there_is_an_io_error(self, tmp_path):
        with refused("io-error"):
            opened(tmp_path / "missing" / "seen.json")

    @pytest.mark.parametrize(
        ("number", "code"),
        [(errno.EIO, "io-error"), (errno.ENOSPC, "out-of-space"), (errno.EDQUOT, "out-of-space")],
    )
    @pytest.mark.parametrize("call", ["fsync", "replace"])
    def test_what_cannot_be_kept_is_refused_and_the_old_state_stays(
        self, kept, monkeypatch, call, number, code
    ):
        memory = opened(kept)
        with monkeypatch.context() as patch:
            fail(patch, call, number)
            with refused(code):
                memory.advance(checkpoint(3), checkpoint(5))
        assert memory.of_reference(REFERENCES[0]).size == 3
        assert opened(kept).of_reference(REFERENCES[0]).size == 3
        assert memory.advance(checkpoint(3), checkpoint(5))

    def test_a_receipt_that_cannot_be_remembered_is_not_handed_out(self, path, time, monkeypatch):
        server = Server()
        [record_id] = server.record()
        client = connect(server, time, state=path)
        with monkeypatch.context() as patch:
            fail(patch, "fsync", errno.EIO)
            with refused("io-error"):
                client.receipt(record_id)
        assert client.receipt(record_id)

    def test_one_that_cannot_be_read_is_an_io_error(self, kept, monkeypatch):
        fail(monkeypatch, "open", errno.EIO, ending="seen.json")
        with refused("io-error"):
            opened(kept)

    def test_a_link_in_place_of_the_draft_is_not_followed(self, kept, tmp_path):
        victim = tmp_path / "victim"
        victim.write_text("precious")
        (tmp_path / "seen.json.new").symlink_to(victim)
        with refused("io-error"):
            opened(kept).advance(checkpoint(3), checkpoint(5))
        assert victim.read_text() == "precious"

    def test_a_lock_that_nobody_lets_go_is_not_waited_for_for_ever(self, kept, time):
        with Path(f"{kept}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            begun = time.now
            with refused("store-unavailable"):
                opened(kept, time.clock, time.sleep)
        assert time.now - begun == pytest.approx(30, abs=0.1)

    def test_where_the_system_has_no_locks_it_is_said(self, kept, monkeypatch):
        def flock(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", flock)
        with refused("io-error"):
            opened(kept)


KILLED = """
import os, sys
from pathlib import Path
from tests.client.checkpoints import checkpoint, opened

def die(*_):
    os._exit(9)

point = sys.argv[2]
memory = opened(Path(sys.argv[1]))
if point == "before the rename":
    Path.replace = die
elif point == "half of the draft":
    os.fchmod = lambda handle, _: (os.write(handle, b'{"type":'), die())
else:
    real = Path.replace
    Path.replace = lambda self, target: (real(self, target), die())
memory.advance(checkpoint(3), checkpoint(5))
"""

WRITER = """
import sys
from pathlib import Path
from tests.client.checkpoints import REFERENCES, checkpoint, grow, opened

path, number, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
memory = opened(path)
print("ready", flush=True)
sys.stdin.readline()
for size in range(1, count + 1):
    # One log of its own, and one in common: whoever finds it smaller than it was ends with an error.
    own = memory.of_reference(REFERENCES[number])
    assert (own.size if own else 0) == size - 1
    assert memory.advance(own, checkpoint(size, number))
    grow(memory, 3)
"""


class TestProcesses:
    @pytest.mark.parametrize(("point", "size"), [
        ("half of the draft", 3), ("before the rename", 3), ("after the rename", 5),
    ])  # fmt: skip
    def test_one_that_is_killed_leaves_the_old_state_or_the_new_one(self, kept, point, size):
        done = subprocess.run([sys.executable, "-c", KILLED, kept, point], cwd=ROOT, check=False)
        assert done.returncode == 9
        memory = opened(kept)
        assert memory.of_reference(REFERENCES[0]).size == size
        # And what it left behind is in nobody's way.
        assert memory.advance(checkpoint(size), checkpoint(9))
        assert document(kept)["checkpoints"] == {checkpoint(9).origin: checkpoint(9).note}
        assert not Path(f"{kept}.new").exists()

    def test_several_at_once_lose_nothing_and_never_go_back(self, path):
        with ExitStack() as stack:
            writers = [stack.enter_context(started(path, number, 25)) for number in range(3)]
            for writer in writers:
                assert writer.stdout.readline() == "ready\n"
            for writer in writers:
                writer.stdin.write("go\n")
                writer.stdin.close()
            assert [writer.wait() for writer in writers] == [0, 0, 0]
        memory = opened(path)
        assert [memory.of_reference(each).size for each in REFERENCES] == [25, 25, 25, 75]

    def test_threads_neither(self, path):
        memory = opened(path)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: grow(memory, 0), range(80)))
        assert opened(path).of_reference(REFERENCES[0]).size == 80


def started(path, number, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, path, str(number), str(count)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def fail(monkeypatch, call, number, ending=""):
    """Have a call of the system fail, on files whose names end so."""
    where, name = (Path, call) if call == "replace" else (os, call)
    real = getattr(where, name)

    def failing(first, *rest, **named):
        if str(first).endswith(ending):
            raise OSError(number, os.strerror(number))
        return real(first, *rest, **named)

    monkeypatch.setattr(where, name, failing)
