r"""The key folder: the operator's private keys on disk.

    signing-key.pem      Ed25519, PKCS#8 in PEM, encrypted where a passphrase was given
    reference-key.txt    "counterfoil/reference-key@v1\n" operator "\n" 64 hex digits "\n"
    operator.vkey        the public verifier key and a newline; for auditors, to be handed on

The folder is the owner's alone (0700), and so are the first two files (0600).  A folder is made once: nothing here
overwrites a key.  A new folder gets its name when all is in it, so that one that was cut short is no key folder: what
it leaves is a `.keys-*.new` beside it, which nobody was given and may be removed.  Private bytes stand in no message,
`repr` or pickle.

Source: docs/spec/note.md (the verifier key), docs/spec/reference.md (the reference key).
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.note import VerifierKey, parse_verifier_key, verifier_key
from counterfoil.core.reference import OPERATOR_PATTERN, check_operator
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import KEY_FILE_BYTES_MAX, REFERENCE_KEY_BYTES
from counterfoil.storage.files import is_there, make_folder, os_refusal, sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNING_KEY_FILE: Final = "signing-key.pem"
REFERENCE_KEY_FILE: Final = "reference-key.txt"
VERIFIER_KEY_FILE: Final = "operator.vkey"

_REFERENCE_KEY: Final = re.compile(
    rf"counterfoil/reference-key@v1\n({OPERATOR_PATTERN})\n([0-9a-f]{{{2 * REFERENCE_KEY_BYTES}}})\n",
    re.ASCII,
)
_OTHERS: Final = 0o077
# What OpenSSL takes.
_PASSPHRASE_BYTES_MAX: Final = 1_023


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """The keys of an operator, loaded and found to agree.

    Attributes:
        verifier_key: the operator's public key under the operator's name.
        signer: signs as the operator.
        reference_key: 32 bytes, which the customer references are made with.
    """

    verifier_key: VerifierKey
    signer: SigningKey
    reference_key: bytes = field(repr=False)

    @property
    def operator(self) -> str:
        """The operator's name."""
        return self.verifier_key.name

    def __reduce__(self) -> NoReturn:
        raise TypeError("private keys are not pickled")


def create_key_folder(
    path: Path | str,
    operator: str,
    *,
    signing_seed: bytes,
    reference_key: bytes,
    passphrase: str | None = None,
) -> KeyFolder:
    """Write the keys of an operator into a new or empty folder, durably, and load them back.

    A new folder is there as a whole or not at all.  One that is there already, an empty one that somebody prepared or
    mounted, is filled in place: a process that is killed meanwhile leaves files that do not load.

    Args:
        path: the folder.
        operator: its name, which is permanent.
        signing_seed: 32 random bytes.
        reference_key: 32 random bytes.
        passphrase: encrypts the signing key; 1 to 1,023 bytes in UTF-8.

    Raises:
        MalformedError: where the name, the seed or the reference key is none.
        EngineError: `usage`, where the folder holds keys already or the passphrase is empty, over 1,023 bytes or not UTF-8; `unsafe-settings`,
            where others may enter it; `out-of-space`, `io-error`.
    """
    path = Path(path)
    public = verifier_key(check_operator(operator), SigningKey(signing_seed).public_key)
    if len(reference_key) != REFERENCE_KEY_BYTES:
        raise MalformedError(f"reference key of {len(reference_key)} bytes, want {REFERENCE_KEY_BYTES}")
    files = {
        SIGNING_KEY_FILE: (_signing_key_pem(signing_seed, passphrase), 0o600),
        REFERENCE_KEY_FILE: (
            f"counterfoil/reference-key@v1\n{operator}\n{reference_key.hex()}\n".encode(),
            0o600,
        ),
        # Last, so that files that were cut short do not load.
        VERIFIER_KEY_FILE: (f"{public}\n".encode(), 0o644),
    }
    try:
        if path.is_dir():
            _fill(path, files)
        else:
            _make(path, files)
    except OSError as error:
        raise os_refusal(error, f"cannot write the key folder {path}") from error
    return load_key_folder(path, passphrase)


def needs_passphrase(path: Path | str) -> bool:
    """Whether the signing key in a folder is encrypted; of a folder without one it is not.

    Raises:
        EngineError: `unsafe-settings`, `io-error`, as `load_key_folder`.
    """
    file = Path(path) / SIGNING_KEY_FILE
    return is_there(file) and _is_encrypted(_read(file, private=True))


def load_key_folder(path: Path | str, passphrase: str | None = None) -> KeyFolder:
    """Load the keys of an operator, derive the public key and compare.

    Raises:
        EngineError: `usage`, where the folder or a file is missing, or the passphrase is missing, wrong or not
            needed; `unsafe-settings`, where others may read private keys; `key-mismatch`, where the files do not
            agree or are no keys; `io-error`.
    """
    path = Path(path)
    public = load_verifier_key(path)
    signer = SigningKey(_signing_seed(path / SIGNING_KEY_FILE, passphrase))
    if public.public_key != signer.public_key:
        raise EngineError(
            "key-mismatch", f"{SIGNING_KEY_FILE} in {path} is not the private half of {VERIFIER_KEY_FILE}"
        )
    return KeyFolder(public, signer, load_reference_key(path, public.name))


def load_verifier_key(path: Path | str) -> VerifierKey:
    """Load the public key alone; that the private one is its other half is not checked.

    Raises:
        EngineError: `usage`, where the folder or the file is missing; `key-mismatch`, where it is no key; `io-error`.
    """
    path = Path(path)
    if not is_there(path) or not path.is_dir():
        raise EngineError(
            "usage",
            f"there is no key folder at {path}: `counterfoil init` makes a new one; "
            "one that was lost is restored from its backup",
        )
    content = _read(path / VERIFIER_KEY_FILE, private=False)
    try:
        return parse_verifier_key(content.decode("latin-1").removesuffix("\n"))
    except MalformedError as error:
        raise EngineError("key-mismatch", f"{path / VERIFIER_KEY_FILE}: {error.message}") from error


def load_reference_key(path: Path | str, operator: str) -> bytes:
    """Load the reference key of an operator, which no passphrase protects.

    Returns:
        its 32 bytes.

    Raises:
        EngineError: `usage`, where the file is missing; `unsafe-settings`, where others may read it; `key-mismatch`,
            where it is no reference key, or another operator's; `io-error`.
    """
    path = Path(path)
    found = _REFERENCE_KEY.fullmatch(_read(path / REFERENCE_KEY_FILE, private=True).decode("latin-1"))
    if found is None:
        raise EngineError("key-mismatch", f"{path / REFERENCE_KEY_FILE} is no reference key")
    if found[1] != operator:
        raise EngineError("key-mismatch", f"the keys in {path} are of {operator} and of {found[1]}")
    return bytes.fromhex(found[2])


def _signing_key_pem(seed: bytes, passphrase: str | None) -> bytes:
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        if not passphrase:
            raise EngineError("usage", "the passphrase is empty")
        try:
            secret = passphrase.encode()
        except UnicodeEncodeError:
            raise EngineError("usage", "the passphrase is not UTF-8") from None
        if len(secret) > _PASSPHRASE_BYTES_MAX:
            raise EngineError("usage", f"the passphrase has over {_PASSPHRASE_BYTES_MAX} bytes")
        encryption = BestAvailableEncryption(secret)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _signing_seed(path: Path, passphrase: str | None) -> bytes:
    content = _read(path, private=True)
    encrypted = _is_encrypted(content)
    if encrypted and not passphrase:
        raise EngineError("usage", f"{path} is encrypted: a passphrase is needed")
    if not encrypted and passphrase is not None:
        raise EngineError("usage", f"{path} is not encrypted, but a passphrase was given")
    try:
        key = load_pem_private_key(content, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise EngineError("usage", f"the passphrase does not open {path}") from None
        raise EngineError("key-mismatch", f"{path} is no private key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise EngineError("key-mismatch", f"{path} is no Ed25519 key")
    return key.private_bytes_raw()


def _is_encrypted(content: bytes) -> bool:
    # The label of PKCS#8 says it, where the exceptions of the library do not tell the cases apart.
    return content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def _read(path: Path, *, private: bool) -> bytes:
    try:
        with path.open("rb") as file:
            if private:
                _refuse_others(path, os.fstat(file.fileno()))
            content = file.read(KEY_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise EngineError("usage", f"{path} is missing") from None
    except OSError as error:
        raise EngineError("io-error", f"cannot read {path}: {error.strerror}") from error
    if len(content) > KEY_FILE_BYTES_MAX:
        raise EngineError("key-mismatch", f"{path} is too large for a key")
    return content


def _refuse_others(path: Path, status: os.stat_result) -> None:
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        mode = "0700" if stat.S_ISDIR(status.st_mode) else "0600"
        raise EngineError("unsafe-settings", f"{path} is open to others: chmod {mode} {path}")


def _make(path: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    make_folder(path.parent)
    draft = path.with_name(f".keys-{os.urandom(8).hex()}.new")
    draft.mkdir(mode=0o700)
    try:
        _write_new(draft, files)
        # Onto a folder that somebody has filled since, this fails.
        draft.rename(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync_folder(path.parent)


def _fill(path: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    _refuse_others(path, path.stat())
    for name in files:
        if (path / name).exists():
            raise EngineError("usage", f"{path / name} is there already; keys are never overwritten")
    _write_new(path, files)
    sync_folder(path.parent)


def _write_new(folder: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Write new files durably; where that fails or is interrupted, none of them stays."""
    made = []
    try:
        for name, (content, mode) in files.items():
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            made.append(folder / name)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        sync_folder(folder)
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.unlink()
        raise
