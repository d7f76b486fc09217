"""Signed notes and verifier keys: every byte of a good one counts."""

# ruff: noqa: RUF001  -- look-alikes are what is refused

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.encoding import encode_base64
from counterfoil.core.note import (
    Note,
    SignatureLine,
    VerifierKey,
    check_key_name,
    format_note,
    key_id,
    parse_note,
    parse_verifier_key,
    sign_note,
    signature_line,
    verifier_key,
    verify_note,
)
from tests.core.common import code_of
from tests.support import refused

# The example of Go's sumdb/note, with its key.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of C2SP signed-note.
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def signer(name):
    return SigningKey(hashlib.sha256(name.encode()).digest())


def key_of(name):
    return verifier_key(name, signer(name).public_key)


def unknown_line(number):
    return f"— witness.example/{number} {encode_base64(number.to_bytes(4, 'big') + bytes(76))}\n"


def opened(note, *keys):
    return verify_note(parse_note(note), keys)


NAME = "log.example"
KEY = key_of(NAME)
TEXT = "a first line\n\nand – after a blank one – a last\n"
NOTE = sign_note(TEXT, NAME, signer(NAME))
LINE = NOTE.removeprefix(TEXT + "\n")


class TestPublishedExamples:
    @pytest.mark.parametrize(("note", "key"), [(PETER_NOTE, PETER), (FOO_NOTE, FOO)], ids=["sumdb", "c2sp"])
    def test_they_verify_and_come_back_byte_for_byte(self, note, key):
        parsed = parse_note(note)
        assert format_note(parsed) == note
        assert [str(found) for found in verify_note(parsed, [parse_verifier_key(key)])] == [key]
        assert parse_note(note.encode()) == parsed

    def test_under_the_key_of_the_other_nothing_is_known(self):
        with refused("unknown-key"):
            opened(PETER_NOTE, parse_verifier_key(FOO))


class TestVerifierKeys:
    @given(
        st.binary(min_size=32, max_size=32),
        st.text(min_size=1).filter(lambda name: code_of(check_key_name, name) == "ok"),
    )
    def test_a_key_is_read_back(self, seed, name):
        key = verifier_key(name, SigningKey(seed).public_key)
        assert parse_verifier_key(str(key)) == key

    @pytest.mark.parametrize("text", [PETER, FOO, str(KEY)])
    def test_every_byte_bumped_dropped_or_doubled_is_refused(self, text):
        count = 0
        for place in range(len(text)):
            for step in range(1, 128):
                bumped = chr((ord(text[place]) + step) % 128)
                with refused("malformed"):
                    parse_verifier_key(text[:place] + bumped + text[place + 1 :])
                count += 1
            for mutant in (text[:place] + text[place + 1 :], text[:place] + text[place] + text[place:]):
                with refused("malformed"):
                    parse_verifier_key(mutant)
        assert count == 127 * len(text)

    @pytest.mark.parametrize("text", [PETER, FOO])
    def test_every_part_of_a_key_is_refused(self, text):
        for start, end in itertools.combinations(range(len(text) + 1), 2):
            if (start, end) != (0, len(text)):
                with refused("malformed"):
                    parse_verifier_key(text[start:end])

    @pytest.mark.parametrize("text", [
        "", "+", "++", "+++", PETER + "\n", " " + PETER, PETER + " ", PETER + "=", PETER + "+",
        PETER.replace("+", "++", 1), PETER.upper(), PETER.lower(), PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("c74f20a3", "00000000"),
        PETER.replace("PeterNeumann", ""), PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER.replace("PeterNeumann", "Peter\u00a0Neumann"), PETER.replace("PeterNeumann", "Peter\u2028"),
        PETER.replace("PeterNeumann", "\ud800"), PETER.replace("10TW", "10TX"),
        PETER.replace("ARpc", "ARp\n"), "a+b+c", "a+00000000+", "a+00000000+AQ==",
    ], ids=lambda text: ascii(text)[:30])  # fmt: skip
    def test_what_is_no_key_is_malformed(self, text):
        with refused("malformed"):
            parse_verifier_key(text)

    @pytest.mark.parametrize("kind", [0, 2, 4, 5, 6, 255])
    def test_a_key_of_another_algorithm_is_malformed_though_its_id_is_right(self, kind):
        typed = bytes([kind]) + KEY.public_key
        identifier = hashlib.sha256(NAME.encode() + b"\n" + typed).digest()[:4].hex()
        with refused("malformed"):
            parse_verifier_key(f"{NAME}+{identifier}+{encode_base64(typed)}")

    def test_a_key_under_another_name_has_another_id(self):
        assert key_id("a", KEY.public_key) != key_id("b", KEY.public_key)
        with refused("malformed"):
            parse_verifier_key(str(KEY).replace(NAME, "log.examplf"))

    def test_over_4_096_characters_it_is_too_large(self):
        with refused("malformed"):
            parse_verifier_key("a" * 4_096)
        with refused("too-large"):
            parse_verifier_key("a" * 4_097)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "+",
            "a+b",
            " ",
            "a b",
            "a\tb",
            "a\nb",
            "\u00a0",
            "a\u2003",
            "\u2028",
            "\u3000",
            "\x85",
            "\x1f",
            "\ud800",
        ],
        ids=ascii,
    )
    def test_white_space_and_plus_are_no_names(self, name):
        with refused("malformed"):
            check_key_name(name)
        with refused("malformed"):
            verifier_key(name, KEY.public_key)

    @pytest.mark.parametrize(
        "name",
        ["a", "—", "é", "日本", "\U0001f600", "a\u200db", "\u00ad", "\ue000", "\u0378", "x" * 1_000],
        ids=ascii,
    )
    def test_every_other_character_is_allowed(self, name):
        check_key_name(name)
        note = sign_note(TEXT, name, signer(name))
        assert opened(note, key_of(name)) == (key_of(name),)


class TestReading:
    @pytest.mark.parametrize("note", [PETER_NOTE, FOO_NOTE, NOTE], ids=["sumdb", "c2sp", "ours"])
    def test_every_byte_bumped_is_refused(self, note):
        keys = [parse_verifier_key(PETER), parse_verifier_key(FOO), KEY]
        data = note.encode()
        codes = set()
        for place in range(len(data)):
            for step in (1, 2, 4, 8, 16, 32, 64, 128, 255):
                mutant = data[:place] + bytes([(data[place] + step) % 256]) + data[place + 1 :]
                codes.add(code_of(opened, mutant, *keys))
        assert codes == {"malformed", "unknown-key", "bad-signature"}

    @pytest.mark.parametrize("note", [PETER_NOTE, FOO_NOTE], ids=["sumdb", "c2sp"])
    def test_every_part_of_a_note_is_refused(self, note):
        keys = [parse_verifier_key(PETER), parse_verifier_key(FOO)]
        codes = set()
        for start, end in itertools.combinations(range(len(note) + 1), 2):
            if (start, end) != (0, len(note)):
                codes.add(code_of(opened, note[start:end], *keys))
        assert codes == {"malformed", "bad-signature"}

    @given(
        st.text(
            st.characters(min_codepoint=0x20, exclude_categories=["Cs"]) | st.just("\n"),
            min_size=1,
            max_size=60,
        ),
        st.binary(min_size=1, max_size=100),
    )
    def test_any_text_is_read_back(self, text, signature):
        note = Note(text + "\n", (SignatureLine("a", b"id-0", signature), SignatureLine("b", b"id-0", b"x")))
        code = code_of(parse_note, format_note(note))
        if text.startswith("\ufeff"):
            assert code == "malformed"
        else:
            assert parse_note(format_note(note)) == note

    @given(
        st.lists(
            st.sampled_from(
                [
                    "a",
                    "\n",
                    "\n\n",
                    "— ",
                    "a b",
                    " ",
                    LINE,
                    TEXT,
                    "— log.example ",
                    "sZ/TIQ==",
                    "\r",
                    "\x00",
                    "é",
                    "\ufeff",
                    "\u2028",
                ]
            ),
            max_size=12,
        ).map("".join)
        | st.text()
    )
    def test_what_is_read_comes_back_byte_for_byte(self, text):
        code = code_of(parse_note, text)
        assert code in ("ok", "malformed")
        if code == "ok":
            assert format_note(parse_note(text)) == text

    @pytest.mark.parametrize("note", [
        "", "\n", "\n\n", "a\n", "a\n\n", LINE, "\n" + LINE, "\n\n" + LINE, TEXT, TEXT + LINE,
        TEXT.strip() + LINE, NOTE[:-1], NOTE + "\n", NOTE + "a\n", NOTE + "\n\n", NOTE.replace("\n", "\r\n"),
        NOTE.replace("—", "-"), NOTE.replace("—", "–"), NOTE.replace("— ", "—"),
        NOTE.replace("— log", "—  log"), NOTE.replace("— log", " — log"), NOTE.replace("— log", "—\u00a0log"),
        NOTE.replace("log.example ", "log.example  "), NOTE.replace("log.example ", "log.example\t"),
        NOTE.replace("log.example", "log+example"), NOTE.replace("log.example", ""),
        NOTE.replace("log.example", "log\u2003example"), NOTE[:-1] + " \n", NOTE[:-1] + "\x00\n",
        NOTE[:-2] + "\n", NOTE[:-1] + "=\n", NOTE.replace("a first", "a\tfirst"),
        NOTE.replace("a first", "a\x00first"), NOTE.replace("a first", "a\x1bfirst"), "\ufeff" + NOTE,
        NOTE.replace("a", "\ud800", 1),
        TEXT + "\n— a AAAA\n", TEXT + "\n— a AAAAAA==\n", TEXT + "\n— a \n", TEXT + "\n— a AAAAAAB=\n",
        TEXT + "\n— a AAAAA-_=\n", TEXT + "\n" + LINE + "\n" + LINE[:-1],
    ], ids=lambda note: ascii(note)[-24:])  # fmt: skip
    def test_what_is_no_note_is_malformed(self, note):
        with refused("malformed"):
            parse_note(note)

    def test_the_last_blank_line_separates_text_and_signatures(self):
        text = f"{NOTE}\n\n"
        note = sign_note(text, NAME, signer(NAME))
        assert parse_note(note).text == text
        assert opened(note, KEY) == (KEY,)

    @pytest.mark.parametrize(
        "data",
        [
            NOTE.encode("utf-16"),
            NOTE.encode().replace(b"\xe2\x80\x94", b"\xe2\x80"),
            b"\xff" + NOTE.encode(),
            NOTE.encode().replace(b"a", b"\xc0\x80", 1),
            NOTE.encode().replace(b"a", b"\xed\xa0\x80", 1),
        ],
    )
    def test_what_is_not_utf_8_is_malformed(self, data):
        with refused("malformed"):
            parse_note(data)

    def test_over_262_144_bytes_it_is_too_large(self):
        fits = "x" * (262_144 - len(LINE.encode()) - 2) + "\n\n" + LINE
        assert len(parse_note(fits).text) == 262_144 - len(LINE.encode()) - 1
        for larger in ("x" + fits, ("x" + fits).encode(), "é" * 131_073, b"\xff" * 262_145):
            with refused("too-large"):
                parse_note(larger)

    @pytest.mark.parametrize(
        ("size", "code"), [(4, "malformed"), (5, "ok"), (68, "ok"), (8_196, "ok"), (8_197, "malformed")]
    )
    def test_a_signature_has_1_to_8_192_bytes_behind_its_id(self, size, code):
        assert code_of(parse_note, f"a\n\n— b {encode_base64(bytes(size))}\n") == code


class TestVerifying:
    @pytest.mark.parametrize("place", [0, 1, 31, 63])
    def test_64_lines_are_read_wherever_the_known_one_stands(self, place):
        lines = [unknown_line(number) for number in range(63)]
        note = f"{TEXT}\n{''.join([*lines[:place], LINE, *lines[place:]])}"
        assert len(parse_note(note).signatures) == 64
        assert opened(note, KEY) == (KEY,)

    def test_65_lines_are_malformed(self):
        lines = [unknown_line(number) for number in range(64)]
        with refused("malformed"):
            parse_note(f"{TEXT}\n{LINE}{''.join(lines)}")

    def test_only_unknown_lines_are_an_unknown_key(self):
        with refused("unknown-key") as caught:
            opened(f"{TEXT}\n{unknown_line(1)}{unknown_line(2)}", KEY)
        assert caught.value.facts["lines"] == "witness.example/1+00000001, witness.example/2+00000002"
        for keys in (
            [],
            [key_of("other.example")],
            [VerifierKey(NAME, b"none", KEY.public_key)],
            [VerifierKey("x", KEY.key_id, KEY.public_key)],
        ):
            with refused("unknown-key"):
                opened(NOTE, *keys)

    def test_what_a_refusal_says_of_unknown_lines_is_short_however_long_their_names_are(self):
        named = {}
        for count in (1, 3, 200_000):
            lines = (SignatureLine("n" * count, b"abcd", b"x"),)
            with refused("unknown-key") as caught:
                verify_note(Note("text\n", lines), [])
            named[count] = caught.value.facts["lines"]
        assert named[1] == "n+61626364"
        assert len(named[200_000]) < 1_100
        assert named[200_000].startswith("nnn")

    def test_one_bad_line_of_a_known_key_fails_the_note_whatever_the_others_say(self):
        other = key_of("other.example")
        good = signature_line(TEXT, "other.example", signer("other.example"))
        bad = SignatureLine(NAME, KEY.key_id, bytes(64))
        for lines in ((good, bad), (bad, good)):
            note = Note(TEXT, lines)
            with refused("bad-signature"):
                verify_note(note, [KEY, other])
            # To whom does not know its key, it is a line like any other.
            assert verify_note(note, [other]) == (other,)

    def test_the_keys_come_back_in_the_order_of_the_lines(self):
        names = ["b.example", "a.example", "c.example"]
        note = Note(TEXT, tuple(signature_line(TEXT, name, signer(name)) for name in names))
        keys = [key_of(name) for name in names]
        for given_keys in itertools.permutations(keys):
            assert verify_note(note, given_keys) == tuple(keys)

    @pytest.mark.parametrize("size", [1, 63, 65, 68, 76, 128, 2_428])
    def test_a_known_line_of_another_length_is_a_bad_signature(self, size):
        with refused("bad-signature"):
            verify_note(Note(TEXT, (SignatureLine(NAME, KEY.key_id, bytes(size)),)), [KEY])

    def test_two_lines_of_one_name_and_id_are_malformed(self):
        twice = f"{NOTE}{LINE}"
        apart = f"{TEXT}\n{LINE}{unknown_line(1)}— {NAME} {encode_base64(KEY.key_id + bytes(64))}\n"
        for note in (twice, apart, f"{TEXT}\n{unknown_line(1)}{unknown_line(1)}"):
            with refused("malformed"):
                parse_note(note)

    def test_one_name_with_two_ids_and_one_id_under_two_names_are_different_lines(self):
        note = f"{TEXT}\n{LINE}— {NAME} {encode_base64(b'idid' + bytes(64))}\n— other {encode_base64(KEY.key_id + bytes(64))}\n"
        assert opened(note, KEY) == (KEY,)

    def test_two_keys_of_one_name_and_id_are_malformed_and_one_key_given_twice_is_one(self):
        other = VerifierKey(NAME, KEY.key_id, key_of("other").public_key)
        with refused("malformed"):
            opened(NOTE, KEY, other)
        assert opened(NOTE, KEY, KEY) == (KEY,)

    def test_a_signature_over_another_text_is_bad(self):
        for text in (TEXT + "\n", TEXT.replace("a ", "b "), "a\n", TEXT + "more\n"):
            with refused("bad-signature"):
                opened(f"{text}\n{LINE}", KEY)
