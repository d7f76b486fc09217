"""The key folder: made once, private, and loaded only where everything agrees."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from counterfoil.core.ed25519 import verify_signature
from counterfoil.core.note import parse_verifier_key
from counterfoil.errors import CounterfoilError, EngineError, MalformedError
from counterfoil.storage.key_folder import (
    REFERENCE_KEY_FILE,
    SIGNING_KEY_FILE,
    VERIFIER_KEY_FILE,
    create_key_folder,
    load_key_folder,
    load_reference_key,
    load_verifier_key,
    needs_passphrase,
)

SEED = hashlib.sha256(b"counterfoil example signing key").digest()
REFERENCE_KEY = hashlib.sha256(b"counterfoil example reference key").digest()
PASSPHRASE = "open sesame"  # noqa: S105  -- of keys that the test makes
OPERATOR = "ledger.example.com"
VKEY = "ledger.example.com+6a9c6f98+ASQWLvgS8h+WzjdOTwXUdQ6MIGhfoMT888kpZarMYOIg"
FILES = (SIGNING_KEY_FILE, REFERENCE_KEY_FILE, VERIFIER_KEY_FILE)


def make(path, operator=OPERATOR, seed=SEED, passphrase=None):
    return create_key_folder(
        path, operator, signing_seed=seed, reference_key=REFERENCE_KEY, passphrase=passphrase
    )


@pytest.fixture
def folder(tmp_path):
    make(tmp_path / "keys")
    return tmp_path / "keys"


def refusal(code, call, *arguments):
    with pytest.raises(CounterfoilError) as caught:
        call(*arguments)
    assert caught.value.code == code
    return caught.value


def test_what_is_made_loads_and_signs_as_the_operator(folder):
    keys = load_key_folder(folder)
    assert keys.operator == OPERATOR
    assert str(keys.verifier_key) == VKEY
    assert keys.reference_key == REFERENCE_KEY
    verify_signature(keys.verifier_key.public_key, b"message", keys.signer.sign(b"message"))


def test_the_verifier_key_file_is_handed_on_as_it_is(folder):
    text = (folder / VERIFIER_KEY_FILE).read_text()
    assert text == VKEY + "\n"
    assert parse_verifier_key(text.strip()).name == OPERATOR


def test_the_reference_key_file_has_a_version_line(folder):
    expected = f"counterfoil/reference-key@v1\n{OPERATOR}\n{REFERENCE_KEY.hex()}\n"
    assert (folder / REFERENCE_KEY_FILE).read_text() == expected


def test_private_files_are_the_owners_alone(folder):
    modes = [(folder / name).stat().st_mode & 0o777 for name in FILES]
    assert modes[:2] == [0o600, 0o600]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_signing_key_is_pkcs8_and_encrypted_under_a_passphrase(tmp_path, folder):
    make(tmp_path / "locked", passphrase=PASSPHRASE)
    assert (folder / SIGNING_KEY_FILE).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    locked = (tmp_path / "locked" / SIGNING_KEY_FILE).read_bytes()
    assert locked.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert str(load_key_folder(tmp_path / "locked", PASSPHRASE).verifier_key) == VKEY


def test_the_keys_that_name_a_log_load_without_passphrase_and_signing_key(tmp_path):
    make(tmp_path / "keys", passphrase=PASSPHRASE)
    (tmp_path / "keys" / SIGNING_KEY_FILE).unlink()
    assert str(load_verifier_key(tmp_path / "keys")) == VKEY
    assert load_reference_key(tmp_path / "keys", OPERATOR) == REFERENCE_KEY
    refusal("key-mismatch", load_reference_key, tmp_path / "keys", "other.example")


@pytest.mark.parametrize("passphrase", ["", "x" * 1_024, "é" * 512, "\udcff"])
def test_a_passphrase_that_cannot_encrypt_is_refused_before_a_folder_is_made(tmp_path, passphrase):
    with pytest.raises(EngineError) as caught:
        make(tmp_path / "keys", passphrase=passphrase)
    assert caught.value.code == "usage"
    assert not (tmp_path / "keys").exists()


def test_the_longest_passphrase_opens_what_it_encrypted(tmp_path):
    make(tmp_path / "keys", passphrase="x" * 1_023)
    assert str(load_key_folder(tmp_path / "keys", "x" * 1_023).verifier_key) == VKEY


def test_a_folder_may_be_named_by_a_string(tmp_path):
    name = str(tmp_path / "keys")
    assert str(make(name).verifier_key) == VKEY
    assert str(load_key_folder(name).verifier_key) == str(load_verifier_key(name)) == VKEY
    assert load_reference_key(name, OPERATOR) == REFERENCE_KEY
    assert needs_passphrase(name) is False


@pytest.mark.parametrize("passphrase", [None, "", "open sesam", "open sesame "])
def test_another_passphrase_or_none_does_not_open_it(tmp_path, passphrase):
    make(tmp_path / "keys", passphrase=PASSPHRASE)
    refusal("usage", load_key_folder, tmp_path / "keys", passphrase)


def test_a_passphrase_for_a_key_that_has_none_is_refused(folder):
    assert "not encrypted" in refusal("usage", load_key_folder, folder, PASSPHRASE).message


def test_an_empty_passphrase_encrypts_nothing_and_is_refused(tmp_path):
    refusal("usage", make, tmp_path / "keys", OPERATOR, SEED, "")
    assert not (tmp_path / "keys" / SIGNING_KEY_FILE).exists()


def test_a_missing_folder_is_refused(tmp_path):
    refusal("usage", load_key_folder, tmp_path / "none")


def test_a_path_that_cannot_be_followed_is_an_io_error(tmp_path):
    for read in (load_key_folder, needs_passphrase):
        refusal("io-error", read, tmp_path / ("n" * 300))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    refusal("usage", load_key_folder, folder)


@pytest.mark.parametrize("name", FILES)
def test_keys_are_never_overwritten(folder, name):
    before = {each: (folder / each).read_bytes() for each in FILES}
    for other in set(FILES) - {name}:
        (folder / other).unlink()
    refusal("usage", make, folder, "other.example", bytes(32))
    assert (folder / name).read_bytes() == before[name]
    assert [each.name for each in folder.iterdir()] == [name]


def test_a_new_folder_gets_its_name_when_all_is_in_it(tmp_path, monkeypatch):
    seen = []
    rename = Path.rename

    def watched(draft, target):
        seen.append((sorted(each.name for each in draft.iterdir()), draft.stat().st_mode & 0o777))
        assert not target.exists()
        return rename(draft, target)

    monkeypatch.setattr(Path, "rename", watched)
    make(tmp_path / "keys")
    assert seen == [(sorted(FILES), 0o700)]
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]


def failing_on(call, error, number):
    """Make a function that raises an error of the system when it is called for the so-many-th time."""
    calls = iter(range(1, 100))

    def failing(*arguments):
        if next(calls) == number:
            raise OSError(error, os.strerror(error))
        return call(*arguments)

    return failing


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("prepared", [True, False])
def test_a_folder_that_cannot_be_finished_leaves_no_key(tmp_path, monkeypatch, number, error, prepared):
    if prepared:
        (tmp_path / "keys").mkdir(mode=0o700)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing_on(os.fsync, error, number))
        refusal("io-error" if error == errno.EIO else "out-of-space", make, tmp_path / "keys")
    assert [each.name for each in tmp_path.rglob("*")] == ["keys"] * prepared
    assert str(make(tmp_path / "keys").verifier_key) == VKEY


def test_who_interrupts_it_finds_no_key(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "keys")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_somebody_fills_meanwhile_is_theirs(tmp_path, monkeypatch):
    rename = Path.rename

    def second(draft, target):
        monkeypatch.undo()
        make(target, seed=bytes(32))
        return rename(draft, target)

    monkeypatch.setattr(Path, "rename", second)
    refusal("io-error", make, tmp_path / "keys")
    assert load_key_folder(tmp_path / "keys").verifier_key != parse_verifier_key(VKEY)
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]


def test_the_folders_above_are_made_and_synced(tmp_path, monkeypatch):
    synced = set()
    fsync = os.fsync

    def watched(handle):
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    make(tmp_path / "a" / "b" / "keys")
    # A name is durable when the folder that it stands in was synced.
    assert {folder.stat().st_ino for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")} <= synced


@pytest.mark.parametrize("name", FILES[:2])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_private_file_that_others_may_read_is_refused(folder, name, mode):
    (folder / name).chmod(mode)
    assert "chmod 0600" in refusal("unsafe-settings", load_key_folder, folder).message


def test_a_folder_that_others_may_enter_gets_no_keys(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o755)
    assert "chmod 0700" in refusal("unsafe-settings", make, tmp_path / "keys").message
    assert list((tmp_path / "keys").iterdir()) == []


def test_keys_of_different_operators_do_not_agree(tmp_path, folder):
    make(tmp_path / "other", operator="other.example")
    (folder / REFERENCE_KEY_FILE).write_bytes((tmp_path / "other" / REFERENCE_KEY_FILE).read_bytes())
    refusal("key-mismatch", load_key_folder, folder)


def test_a_signing_key_of_another_verifier_key_does_not_agree(tmp_path, folder):
    make(tmp_path / "other", seed=bytes(32))
    (folder / SIGNING_KEY_FILE).write_bytes((tmp_path / "other" / SIGNING_KEY_FILE).read_bytes())
    refusal("key-mismatch", load_key_folder, folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"x" * 70_000])
def test_a_file_that_is_no_key_is_refused(folder, name, content):
    (folder / name).write_bytes(content)
    refusal("key-mismatch", load_key_folder, folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + "\n",
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text[:-3] + "\n",
        lambda text: text.replace(REFERENCE_KEY.hex(), REFERENCE_KEY.hex().upper()),
    ],
)
def test_a_reference_key_is_read_strictly(folder, change):
    path = folder / REFERENCE_KEY_FILE
    path.write_bytes(change(path.read_text()).encode())
    refusal("key-mismatch", load_key_folder, folder)


def test_a_private_key_of_another_kind_is_refused(folder):
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / SIGNING_KEY_FILE).write_bytes(pem)
    refusal("key-mismatch", load_key_folder, folder)


@pytest.mark.parametrize(
    ("operator", "seed", "reference_key"),
    [("Not An Operator", SEED, REFERENCE_KEY), (OPERATOR, SEED[:31], REFERENCE_KEY), (OPERATOR, SEED, b"")],
)
def test_what_is_no_key_is_not_written(tmp_path, operator, seed, reference_key):
    with pytest.raises(MalformedError):
        create_key_folder(tmp_path / "keys", operator, signing_seed=seed, reference_key=reference_key)
    assert not (tmp_path / "keys").exists()


def test_a_file_in_the_place_of_the_folder_is_an_io_error(tmp_path):
    (tmp_path / "keys").write_bytes(b"")
    refusal("io-error", make, tmp_path / "keys")


def test_private_bytes_show_nowhere(folder):
    keys = load_key_folder(folder)
    (folder / SIGNING_KEY_FILE).chmod(0o644)
    shown = repr(keys) + str(keys)
    try:
        load_key_folder(folder)
    except CounterfoilError as error:
        shown += "".join(traceback.format_exception(error))
    for secret in (SEED, REFERENCE_KEY):
        assert secret.hex() not in shown
        assert repr(secret) not in shown


def test_keys_are_not_pickled(folder):
    with pytest.raises(TypeError):
        pickle.dumps(load_key_folder(folder))
