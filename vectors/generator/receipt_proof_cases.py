"""Receipts that are refused at step 1 because of their proof or its checkpoint."""

from __future__ import annotations

from generator.entry_parts import bad_origins
from generator.example import KEY
from generator.model import Case
from generator.mutate import STRAY, stray_bit
from generator.receipt_parts import (
    CHECKPOINT,
    ORIGIN,
    PATH,
    ROOT,
    TEXT,
    Receipt,
    changed,
    plain,
    proof,
    refuse_form,
    signed,
    signed_checkpoint,
)
from generator.signing import b64, checkpoint_text, note, signature_line


def _proofs() -> list[Case]:
    good = proof()
    body = "".join(b64(item) + "\n" for item in PATH)
    texts = [
        ("empty", "an empty proof", ""),
        ("checkpoint-alone", "a checkpoint without proof", CHECKPOINT),
        ("extra", "an `extra` line, which nothing signs", good.replace("\nindex", "\nextra AAAA\nindex")),
        ("extra-empty", "an empty `extra` line", good.replace("\nindex", "\nextra \nindex")),
        (
            "extra-behind",
            "an `extra` line behind the index",
            good.replace("index 2\n", "index 2\nextra AAAA\n"),
        ),
        ("header-v2", "another version in the first line", good.replace("@v1", "@v2", 1)),
        ("header-missing", "no first line", good.partition("\n")[2]),
        ("header-case", "the first line in upper case", good.replace("c2sp.org", "C2SP.org", 1)),
        ("header-space", "a space behind the first line", good.replace("@v1\n", "@v1 \n", 1)),
        ("index-missing", "no index", good.replace("index 2\n", "")),
        (
            "index-alone",
            "neither the first line nor `index`",
            good.removeprefix("c2sp.org/tlog-proof@v1\nindex "),
        ),
        ("index-upper", "`Index` for `index`", good.replace("index", "Index", 1)),
        ("index-no-space", "no space behind `index`", good.replace("index 2", "index2")),
        ("index-two-spaces", "two spaces behind `index`", good.replace("index 2", "index  2")),
        ("index-leading-zero", "the index with a leading zero", proof(index="02")),
        ("index-plus", "the index with a plus sign", proof(index="+2")),
        ("index-minus", "the index with a minus sign", proof(index="-2")),
        ("index-two-to-63", "the index 2^63", proof(index=2**63)),
        ("index-full-width", "the index as a full-width digit", proof(index="\uff12")),
        ("index-space-end", "a space behind the index", proof(index="2 ")),
        ("index-twice", "the index twice", good.replace("index 2\n", "index 2\nindex 2\n")),
        ("hash-31-bytes", "a hash of 31 bytes", proof(path=[PATH[0][:31], PATH[1]])),
        ("hash-33-bytes", "a hash of 33 bytes", proof(path=[PATH[0] + b"\0", PATH[1]])),
        ("hash-hex", "a hash in hex", good.replace(b64(PATH[0]), PATH[0].hex())),
        (
            "hash-tail-bits",
            "a hash with a stray bit in its last character",
            good.replace(b64(PATH[0]), stray_bit(b64(PATH[0]))),
        ),
        ("hash-no-padding", "a hash without padding", good.replace("=\n", "\n", 1)),
        ("hash-space", "a space behind a hash", good.replace("=\n", "= \n", 1)),
        ("hashes-64", "64 hashes", proof(path=[STRAY] * 64)),
        ("no-empty-line", "no empty line before the checkpoint", good.replace("\n\n", "\n", 1)),
        ("two-empty-lines", "two empty lines before the checkpoint", good.replace("\n\n", "\n\n\n", 1)),
        (
            "empty-line-early",
            "an empty line before the last hash",
            f"c2sp.org/tlog-proof@v1\nindex 2\n{b64(PATH[0])}\n\n{b64(PATH[1])}\n\n{CHECKPOINT}",
        ),
        ("crlf", "lines end in carriage return and newline", good.replace("\n", "\r\n")),
        ("bom", "U+FEFF before the first line", "\ufeff" + good),
        ("newline-before", "an empty line before the first line", "\n" + good),
        ("no-final-newline", "no newline at the end", good[:-1]),
        ("final-newline-twice", "one more newline at the end", good + "\n"),
        ("text-behind", "a line behind the signature", good + "and more\n"),
        ("no-checkpoint", "no checkpoint", f"c2sp.org/tlog-proof@v1\nindex 2\n{body}\n"),
        ("no-signature", "a checkpoint without signature line", proof(checkpoint=TEXT + "\n")),
    ]
    return refuse_form(
        [(f"proof-{slug}", comment, changed(plain, "proof", to=written)) for slug, comment, written in texts]
    )


def _checkpoints() -> list[Case]:
    line = KEY.line(ORIGIN, TEXT)
    fillers = [signature_line(f"w{n}.example.org", bytes(4), bytes(64)) for n in range(64)]
    notes = [
        ("extension-line", "a fourth line, signed", signed(TEXT + "more\n")),
        ("two-lines", "no root, signed", signed(f"{ORIGIN}\n4\n")),
        ("empty-line", "an empty line behind the root, signed", signed(TEXT + "\n")),
        ("size-leading-zero", "size 04, signed", signed_checkpoint(size="04")),
        ("size-plus", "size +4, signed", signed_checkpoint(size="+4")),
        ("size-two-to-63", "size 2^63, signed", signed_checkpoint(size=2**63)),
        ("size-0-other-root", "size 0 with another root, signed", signed_checkpoint(size=0)),
        ("root-31-bytes", "a root of 31 bytes, signed", signed_checkpoint(root=ROOT[:31])),
        (
            "root-tail-bits",
            "the root with a stray bit in its last character, signed",
            signed(TEXT.replace(b64(ROOT), stray_bit(b64(ROOT)))),
        ),
        ("signature-twice", "the same signature line twice", note(TEXT, line, line)),
        ("signatures-65", "65 signature lines", note(TEXT, line, *fillers)),
        ("signature-hyphen", "a hyphen instead of the em dash", CHECKPOINT.replace("\u2014", "-")),
        (
            "signature-tail-bits",
            "the signature with a stray bit in its last character",
            note(TEXT, _stray_line(line)),
        ),
    ]
    cases: list[tuple[str, str, Receipt | str]] = [
        (f"checkpoint-{slug}", comment, changed(plain, "proof", to=proof(checkpoint=written)))
        for slug, comment, written in notes
    ]
    cases += [
        (
            f"checkpoint-{slug}",
            f"{comment}, signed",
            changed(plain, "proof", to=proof(checkpoint=_under(origin))),
        )
        for slug, comment, origin in bad_origins(ORIGIN)
    ]
    return refuse_form(cases)


def _under(origin: str) -> str:
    """Return the checkpoint of the same tree under another origin, signed by the operator."""
    written = checkpoint_text(origin, 4, ROOT)
    return note(written, KEY.line(origin, written))


def _stray_line(line: str) -> str:
    head, _, encoded = line[:-1].rpartition(" ")
    return f"{head} {stray_bit(encoded)}\n"


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_proofs(), *_checkpoints()]
