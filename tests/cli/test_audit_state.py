"""What an audit remembers: it never goes back, one audit at a time uses it, and half of it is none."""

import os
from pathlib import Path

import pytest

from counterfoil.cli.auditing import state as state_module
from counterfoil.cli.auditing.state import open_state
from counterfoil.core.encoding import encode_base64
from counterfoil.errors import EngineError
from tests.cli.test_packs import AUDIT, CUSTOMERS, KEY, engine_of, write
from tests.core.logs import KEYS, Log, pack_of
from tests.core.test_pack_audit import written
from tests.support import delta, refused

STATE = ("--state", "state")


@pytest.fixture
def packed(cf):
    """A pack of seven logs of three deltas, in the folder."""
    write(engine_of("5", "-2", "1", customers=CUSTOMERS))
    return cf


class TestState:
    def test_the_newest_checkpoint_of_each_log_is_remembered(self, packed):
        assert packed(*AUDIT, "--state", "state").status == 0
        assert packed(*AUDIT, "--state", "state").status == 0
        assert len(Path("state").read_text().splitlines()) == 9

    def test_a_log_that_goes_on_is_remembered_anew(self, cf):
        engine = engine_of("5")
        write(engine)
        assert cf(*AUDIT, "--state", "state").status == 0
        first = Path("state").read_bytes()
        engine.record(delta("3"))
        engine.checkpoint("alice")
        write(engine)
        assert cf(*AUDIT, "--state", "state").status == 0
        assert Path("state").read_bytes() != first

    def test_one_that_does_not_go_on_is_a_fork_with_both_checkpoints_written_out(self, cf):
        write(engine_of("5", "1"))
        assert cf(*AUDIT, "--state", "state").status == 0
        first = Path("state").read_bytes()
        engine = engine_of("6", "1", "1", randomness=2)
        engine.record(delta("1"))
        engine.checkpoint("alice")
        write(engine)
        outcome = cf(*AUDIT, "--state", "state")
        assert (outcome.status, outcome.code) == (12, "fork")
        assert outcome.out.count("— ledger.example.com/") == 2
        assert Path("state").read_bytes() == first
        finding = cf(*AUDIT, "--state", "state", "--json").findings[0]
        for note in (finding["facts"]["first"], finding["facts"]["second"]):
            Path("note.checkpoint").write_text(note)
            assert cf("verify", "note.checkpoint", "--key", KEY).status == 0

    def test_an_older_pack_does_not_reach_what_was_seen_and_both_checkpoints_are_written_out(self, cf):
        engine = engine_of("5")
        write(engine, "old.pack")
        engine.record(delta("3"))
        engine.checkpoint("alice")
        write(engine)
        assert cf(*AUDIT, "--state", "state").status == 0
        outcome = cf("audit", "old.pack", "--key", KEY, "--state", "state")
        assert outcome.code == "index-mismatch"
        assert outcome.out.count("— ledger.example.com/") == 2
        assert "an older pack? audit it without --state" in outcome.err
        # The notes stand above, and not a second time on one line.
        assert "\\n" not in outcome.err

    def test_logs_that_were_seen_and_are_in_no_pack_are_all_listed_and_some_are_named(self, packed):
        packed(*AUDIT, "--state", "state")
        seen = [finding["origin"] for finding in packed(*AUDIT, "--json").findings if finding.get("origin")]
        write(engine_of("5", customers=["zoe"]), "q.pack")
        outcome = packed("audit", "q.pack", "--key", KEY, "--state", "state", "--json")
        assert outcome.status == 0
        summary = outcome.findings[-1]["summary"]
        assert summary["absent"] == seen
        named = "7 logs seen before are in no pack now, among them: " + ", ".join(seen[:3])
        assert named in summary["notChecked"]
        assert len(Path("state").read_text().splitlines()) == 10

    def test_a_single_log_that_is_in_no_pack_is_named_too(self, cf):
        write(engine_of("5"))
        cf(*AUDIT, "--state", "state")
        write(engine_of("5", customers=["zoe"]), "q.pack")
        outcome = cf("audit", "q.pack", "--key", KEY, "--state", "state")
        assert "1 log seen before is in no pack now: ledger.example.com/" in outcome.out

    def test_it_goes_with_packs_alone(self, kept):
        assert kept("audit", "--all", "--state", "state").code == "usage"

    def test_what_it_remembers_is_verified_with_the_keys_of_the_caller(self, packed):
        packed(*AUDIT, "--state", "state")
        text = Path("state").read_text()
        Path("state").write_text(text.replace("\\n5\\n", "\\n4\\n"))
        assert text != Path("state").read_text()
        assert packed(*AUDIT, "--state", "state").code == "bad-signature"


# One log, its checkpoints at 4 and 8; and the same that went on differently behind 4.
LOG = Log(8, seals={3})
OTHER = Log(8, seals={3}, seed=1)
[LOGS_KEY] = KEYS.keys


def pack(*lines, name="p.pack"):
    Path(name).write_bytes(b"\n".join(written(pack_of(*lines))))


def audit(cf, *options):
    return cf("audit", "p.pack", "--key", LOGS_KEY, *STATE, *options)


class TestItNeverGoesBack:
    def remembered(self):
        with open_state("state") as state:
            return {origin: checkpoint.size for origin, checkpoint in state.remembered.items()}

    def test_whatever_a_carrier_takes_out_of_a_pack(self, cf):
        pack(LOG)
        assert audit(cf).status == 0
        # The newest checkpoint was dropped, and the end counts what is left: the entries are all there.
        pack(LOG.lines()[:-1])
        outcome = audit(cf)
        assert outcome.status == 0
        assert f"1 log has no checkpoint as new as one seen before: {LOG.origin}" in outcome.out
        assert audit(cf, "--json").findings[-1]["summary"]["older"] == [LOG.origin]
        assert self.remembered() == {LOG.origin: 8}
        # All behind the older checkpoint was dropped.
        pack(LOG.lines()[:6])
        assert audit(cf).code == "index-mismatch"
        pack(OTHER)
        assert audit(cf).status == 12
        assert self.remembered() == {LOG.origin: 8}

    def test_a_newer_checkpoint_takes_the_place_of_an_older_one(self, cf):
        pack(LOG.lines()[:6])
        audit(cf)
        assert self.remembered() == {LOG.origin: 4}
        pack(LOG)
        assert audit(cf, "--json").findings[-1]["summary"]["older"] == []
        assert self.remembered() == {LOG.origin: 8}

    def test_of_several_packs_one_that_is_as_new_is_enough(self, cf):
        pack(LOG)
        audit(cf)
        pack(LOG.lines()[:-1], name="q.pack")
        for names in (("p.pack", "q.pack"), ("q.pack", "p.pack")):
            findings = cf("audit", *names, "--key", LOGS_KEY, *STATE, "--json").findings
            assert findings[-1]["summary"]["older"] == []

    def test_what_is_remembered_is_never_larger_than_what_is_written(self, cf):
        del cf
        with open_state("state") as state:
            state.remember({LOG.origin: LOG.checkpoint(8)})
        with open_state("state") as state:
            state.remember({LOG.origin: LOG.checkpoint(4)})
        assert self.remembered() == {LOG.origin: 8}

    def test_a_document_that_was_kept_is_newer_than_the_packs_too(self, cf):
        pack(LOG.lines()[:-1])
        Path("kept.checkpoint").write_text(LOG.note)
        outcome = cf("audit", "p.pack", "--key", LOGS_KEY, "--held", "kept.checkpoint", "--json")
        assert outcome.findings[-1]["summary"]["older"] == [LOG.origin]


class TestWhatCarriersAdd:
    @pytest.mark.parametrize("name", ["é" * 60_000, "n"])
    def test_lines_of_nobodys_key_are_not_remembered(self, cf, name):
        note = LOG.note + f"— {name} {encode_base64(b'abcdx')}\n"
        pack([*LOG.lines()[:-1], {"checkpoint": note}])
        assert audit(cf).status == 0
        padded = Path("state").read_bytes()
        assert audit(cf).status == 0
        Path("state").unlink()
        pack(LOG)
        assert audit(cf).status == 0
        assert Path("state").read_bytes() == padded


class TestOneAtATime:
    def test_a_second_audit_is_refused_before_it_reads(self, packed):
        with open_state("state"):
            outcome = packed(*AUDIT, *STATE)
        assert (outcome.status, outcome.code, outcome.out) == (74, "store-unavailable", "")
        assert packed(*AUDIT, *STATE).status == 0

    def test_another_state_is_nobodys_business(self, packed):
        with open_state("other"):
            assert packed(*AUDIT, *STATE).status == 0

    def test_nothing_is_left_beside_it(self, packed):
        before = set(Path().iterdir())
        assert packed(*AUDIT, *STATE).status == 0
        assert set(Path().iterdir()) - before == {Path("state")}

    def test_what_a_killed_one_left_holds_off_nobody_and_stays(self, packed):
        Path(".state.lock").touch()
        assert packed(*AUDIT, *STATE).status == 0
        assert Path(".state.lock").read_bytes() == b""

    def test_what_a_killed_one_left_is_a_lock_again(self, packed):
        Path(".state.lock").touch()
        with open_state("state"):
            assert packed(*AUDIT, *STATE).code == "store-unavailable"

    @pytest.mark.parametrize(
        "make",
        [
            lambda path: path.write_text("mine"),
            lambda path: path.symlink_to("elsewhere"),
            lambda path: path.symlink_to("p.pack"),
            os.mkfifo,
            Path.mkdir,
        ],
    )
    def test_what_is_no_lock_and_has_its_name_is_refused_and_left_alone(self, packed, make):
        lock = Path(".state.lock")
        make(lock)
        before = lock.lstat(), Path("p.pack").read_bytes(), set(Path().iterdir())
        outcome = packed(*AUDIT, *STATE)
        assert (outcome.code, outcome.out) == ("usage", "")
        assert before == (lock.lstat(), Path("p.pack").read_bytes(), set(Path().iterdir()))

    def test_so_is_the_state_of_another_audit(self, packed):
        assert packed(*AUDIT, "--state", ".state.lock").status == 0
        before = Path(".state.lock").read_bytes()
        assert packed(*AUDIT, *STATE).code == "usage"
        assert Path(".state.lock").read_bytes() == before

    def test_what_took_the_place_of_a_lock_or_was_written_into_it_is_left_alone(self, packed):
        del packed
        for change in (lambda lock: lock.write_text("mine"), lambda lock: Path("mine").replace(lock)):
            Path("mine").write_text("mine")
            with open_state("state"):
                change(Path(".state.lock"))
            assert Path(".state.lock").read_text() == "mine"
            Path(".state.lock").unlink()

    def test_a_lock_that_is_gone_when_it_is_taken_is_none(self, packed, monkeypatch):
        taken = []

        def flock(handle, how, real=state_module.fcntl.flock):
            real(handle, how)
            taken.append(handle)
            if len(taken) < 3:
                # The audit before ended between the two calls; another has begun, or not yet.
                Path(".state.lock").unlink()
                if len(taken) == 2:
                    Path(".state.lock").touch()

        monkeypatch.setattr(state_module.fcntl, "flock", flock)
        assert packed(*AUDIT, *STATE).status == 0
        assert len(taken) == 3


class TestHalfAState:
    @pytest.fixture
    def whole(self, packed):
        """The bytes of a state of seven logs."""
        packed(*AUDIT, *STATE)
        return Path("state").read_bytes()

    def read(self, data):
        Path("state").write_bytes(data)
        with open_state("state") as state:
            return state.remembered

    def test_one_that_was_cut_anywhere_is_refused(self, whole):
        assert len(self.read(whole)) == len(self.read(whole[:-1])) == 7
        lines = [place + 1 for place, byte in enumerate(whole) if byte == 0x0A]
        for size in {*range(0, len(whole) - 1, 7), *lines[:-1]}:
            with refused("usage"):
                self.read(whole[:size])

    def test_lines_that_changed_places_stand_twice_or_are_gone_are_refused(self, whole):
        header, first, second, *rest = whole.splitlines(keepends=True)
        for lines in (
            [header, second, first, *rest],
            [header, first, first, second, *rest],
            [header, second, *rest],
            [header, *rest],
            [header, first, second, *rest, rest[-1]],
            [header, first, second, *rest, b"\n"],
            [header, first, second, *rest[:-1], b'{"logs":"6"}\n'],
            [header, first, second, *rest[:-1], b'{"logs":7}\n'],
        ):
            with refused("usage"):
                self.read(b"".join(lines))

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"x\n",
            *(b"counterfoil/audit-state@v1\n" + rest for rest in (b"", b"{}\n", b'"x"\n', b"[]\n", b"\n")),
        ],
    )
    def test_a_file_that_is_no_state_is_refused_and_left_alone(self, packed, content):
        Path("state").write_bytes(content)
        outcome = packed(*AUDIT, *STATE)
        assert (outcome.code, outcome.out) == ("usage", "")
        assert Path("state").read_bytes() == content

    def test_an_empty_one_is_whole(self, cf):
        del cf
        assert self.read(b'counterfoil/audit-state@v1\n{"logs":"0"}\n') == {}


class TestWriting:
    @pytest.mark.parametrize("make", [lambda path: path.symlink_to("elsewhere"), os.mkfifo, Path.mkdir])
    def test_what_is_no_plain_file_is_refused_before_anything_is_audited(self, packed, make):
        make(Path("state"))
        outcome = packed(*AUDIT, *STATE)
        assert (outcome.code, outcome.out) == ("usage", "")
        assert not Path("elsewhere").exists()

    @pytest.mark.parametrize("name", ["nowhere/state", "p.pack/state", "p.pack", "-"])
    def test_so_is_a_name_at_which_none_can_be(self, packed, name):
        outcome = packed(*AUDIT, "--state", name)
        assert (outcome.code, outcome.out) == ("usage", "")

    def test_it_is_on_the_disk_before_it_has_its_name_and_so_is_the_name(self, packed, monkeypatch):
        done = []

        def fsync(handle, real=os.fsync):
            done.append(Path(f"/proc/self/fd/{handle}").readlink())
            real(handle)

        def replace(path, target, real=Path.replace):
            done.append(target)
            return real(path, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)
        assert packed(*AUDIT, *STATE).status == 0
        draft, name, folder = done
        assert draft.name.endswith(".new")
        assert (name, folder) == (Path("state"), Path.cwd())

    @pytest.mark.parametrize("note", ['"x"', "", '"', "[]"])
    def test_what_would_not_be_read_again_is_not_written(self, packed, monkeypatch, note):
        packed(*AUDIT, *STATE)
        before = Path("state").read_bytes(), set(Path().iterdir())
        monkeypatch.setattr(state_module.json, "dumps", lambda _: note)
        with pytest.raises(EngineError, match="internal"), open_state("state") as state:
            state.remember({})
        assert before == (Path("state").read_bytes(), set(Path().iterdir()))
