"""Lines and CSV records: whatever a file holds, each line counts once and costs little."""

import csv
import io
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.engine import lines
from counterfoil.engine.lines import read_lines, read_records
from counterfoil.errors import CounterfoilError
from counterfoil.limits import IMPORT_LINE_BYTES_MAX


def records(data):
    """The records, and how many bytes were parsed for them."""
    parsed = 0

    def reader(texts, **options):
        return csv.reader(counted(texts), **options)

    def counted(texts):
        nonlocal parsed
        for text in texts:
            parsed += len(text.encode())
            yield text

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "csv", SimpleNamespace(reader=reader, Error=csv.Error))
        found = list(read_records(read_lines(io.BytesIO(data))))
    return found, parsed


def numbers(data):
    """Each line that is not empty."""
    return [number for number, line in enumerate(data.split(b"\n"), start=1) if line.strip(b"\r")]


def shape(found):
    return [(line, "bad" if isinstance(fields, CounterfoilError) else fields) for line, _, fields in found]


@pytest.mark.parametrize(
    "line",
    [
        b'a","\n',
        b'"\n',
        b'",\n',
        b',"\n',
        b'"a"\n',
        b'""\n',
        b'a,"b\n',
        b'","' + b"x" * 5_000 + b"\n",
        b'"\n\n\n',
    ],
)
@pytest.mark.parametrize("before", [b"", b'"', b'a,"\n'])
def test_no_line_is_parsed_more_than_twice_however_its_quotes_stand(line, before):
    data = before + line * (5 * IMPORT_LINE_BYTES_MAX // len(line))
    found, parsed = records(data)
    assert len(data) // 2 < parsed <= 2 * len(data)
    # Row numbers stay right.
    assert set(numbers(data)) <= covered(found)


@given(st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\r\n", b"\xff"]), max_size=60).map(b"".join))
def test_each_line_that_is_not_empty_is_in_one_record(data):
    found, parsed = records(data)
    assert parsed <= 2 * len(data)
    assert set(numbers(data)) <= covered(found)


def covered(found):
    """The lines that the records hold; none of them is in two."""
    taken = [line + more for line, data, _ in found for more in range(data.count(b"\n") + 1)]
    assert len(taken) == len(set(taken))
    assert taken == sorted(taken)
    return set(taken)


@given(st.lists(st.lists(st.text(), min_size=2), max_size=10))
def test_what_a_writer_of_csv_wrote_is_read_as_it_was(rows):
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    data = text.getvalue().encode("utf-8", "surrogatepass")
    found, parsed = records(data)
    assert [fields for _, _, fields in found] == rows
    assert parsed == len(data)


def test_a_record_of_several_lines_reads_behind_a_stray_quote():
    found, _ = records(b'c,"5,x\nd,6,y\ne,7,"a\nb"\nf,8,z\n')
    assert shape(found) == [
        (1, "bad"),
        (2, ["d", "6", "y"]),
        (3, ["e", "7", "a\nb"]),
        (5, ["f", "8", "z"]),
    ]


def test_of_a_record_beyond_its_bound_the_first_line_is_refused_and_each_other_is_a_record():
    many = IMPORT_LINE_BYTES_MAX // 4
    found, _ = records(b'c,"5\n' + b"d,6\n" * (many + 10))
    assert shape(found)[:2] == [(1, "bad"), (2, ["d", "6"])]
    assert found[0][2].code == "too-large"
    assert len(found) == 1 + many + 10
    assert [line for line, _, _ in found] == list(range(1, many + 12))
