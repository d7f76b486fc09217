"""The runner judges answers, and no process, however it behaves, makes it fail."""

import itertools
import json
import os
import signal
import sys
from dataclasses import replace

import pytest

from counterfoil.conformance.process import LINE_BYTES_MAX
from counterfoil.conformance.runner import RESTARTS_MAX, format_report, run
from counterfoil.conformance.vectors import Case, load_vectors
from tests.support import refused

# A fake implementation: `request` is what came in, and every statement may use `say` and `answer`.
FAKE = """
import json, os, sys, time
def say(line): sys.stdout.write(line + "\\n"); sys.stdout.flush()
def answer(result="ok", output={{}}, of=None):
    say(json.dumps({{"id": of or request["id"], "result": result, "output": output}}))
number = 0
{before}
for line in sys.stdin:
    request, number = json.loads(line), number + 1
    {each}
{after}
"""
RIGHT = 'answer(request["want"], {"n": request["n"]})'


def fake(each=RIGHT, before="", after=""):
    return [sys.executable, "-S", "-E", "-c", FAKE.format(each=each, before=before, after=after)]


def case(number, result="ok", topic="a"):
    output = {"n": str(number)} if result == "ok" else None
    asked = {"want": result, "n": str(number)}
    return Case(
        f"{topic}/{number}",
        topic,
        f"comment {number}",
        "docs/spec/x.md#step-1",
        "echo",
        asked,
        result,
        output,
    )


FIVE = [case(0), case(1, "malformed"), case(2), case(3, "too-large", "b"), case(4, topic="b")]


def got(report):
    return {failure.case.id: failure.got for failure in report.failures}


def counts(report):
    return {count.topic: (count.passed, count.failed, count.unsupported) for count in report.counts}


def test_right_answers_pass():
    report = run(fake(), FIVE)
    assert counts(report) == {"a": (3, 0, 0), "b": (2, 0, 0)}
    assert report.conforms


def test_the_request_is_the_input_with_id_and_operation_on_one_ascii_line(tmp_path):
    seen = tmp_path / "seen"
    asked = Case(
        "a/1",
        "a",
        "x",
        "x",
        "echo",
        {"text": "\u2028\u00e9\n\ud83e", "want": "ok", "n": "1"},
        "ok",
        {"n": "1"},
    )
    each = f"open({str(seen)!r}, 'a').write(line); {RIGHT}"
    assert run(fake(each), [asked]).conforms
    text = seen.read_bytes().decode("ascii")
    assert text.count("\n") == 1
    assert json.loads(text) == {"id": "a/1", "op": "echo", **asked.input}


def test_a_liar_who_accepts_everything_fails_what_must_be_refused():
    report = run(fake('answer("ok", {"n": request["n"]})'), FIVE)
    assert got(report) == {"a/1": "ok", "b/3": "ok"}
    assert counts(report) == {"a": (2, 1, 0), "b": (1, 1, 0)}
    assert not report.conforms


def test_a_liar_who_refuses_everything_fails_what_must_pass():
    assert got(run(fake('answer("malformed")'), FIVE)) == {
        "a/0": "malformed",
        "a/2": "malformed",
        "b/3": "malformed",
        "b/4": "malformed",
    }


@pytest.mark.parametrize(
    "output", ["{}", "None", "[]", '{"n": 0}', '{"n": "00"}', '{"n": "0", "m": "0"}', '{"n": [0] * 1000}']
)
def test_an_output_that_is_not_equal_fails(output):
    report = run(fake(f'answer("ok", {output})'), [case(0)])
    assert got(report)["a/0"].startswith("ok with another output: output")
    assert len(got(report)["a/0"]) < 250


@pytest.mark.parametrize(
    ("want", "given", "said"),
    [
        ({"a": {"b": "1"}, "c": "2"}, {"a": {"b": "7"}, "c": "2"}, 'output.a.b is "7", want "1"'),
        ({"a": ["1", "2"]}, {"a": ["1", "3"]}, 'output.a[1] is "3", want "2"'),
        ({"a": ["1", "2"]}, {"a": ["1"]}, "output.a has 1 items, want 2"),
        ({"a": "1"}, {}, 'output."a" is missing'),
        ({"a": "1"}, {"a": "1", "b\n": "2"}, 'output."b\\n" is too much'),
    ],
)
def test_of_an_output_that_differs_it_is_said_where(want, given, said):
    asked = replace(case(0), output=want)
    assert got(run(fake(f'answer("ok", {given})'), [asked]))["a/0"] == f"ok with another output: {said}"


@pytest.mark.parametrize("result", ['"fine"', '"OK"', "None", "True", "1", '["ok"]', "{}"])
def test_a_result_that_is_no_code_fails(result):
    report = run(fake(f'answer({result}, {{"n": "0"}})'), [case(0)])
    assert got(report)["a/0"].endswith("which is no code")


def test_an_operation_that_is_not_implemented_is_counted_apart_and_not_as_passed():
    report = run(fake('answer("unsupported") if number == 1 else ' + RIGHT), FIVE)
    assert counts(report) == {"a": (2, 0, 1), "b": (2, 0, 0)}
    assert report.failures == ()
    assert not report.conforms


def test_a_process_that_dies_fails_the_case_it_was_asked_and_is_started_again():
    report = run(fake('os._exit(3) if request["n"] == "2" else ' + RIGHT), FIVE)
    assert got(report) == {"a/2": "the process ended with status 3"}
    assert counts(report) == {"a": (2, 1, 0), "b": (2, 0, 0)}


def test_a_process_that_is_killed_is_said_to_be():
    report = run(fake("os.kill(os.getpid(), 9)"), [case(0)])
    assert got(report) == {"a/0": "the process was ended by signal 9"}


def test_a_process_that_closes_its_output_and_lives_on_is_ended():
    report = run(fake("os.close(1); time.sleep(600)"), [case(0)])
    assert got(report) == {"a/0": "the process closed its output"}


def test_a_process_that_hangs_fails_the_case_it_was_asked_and_is_started_again():
    report = run(fake('time.sleep(600) if request["n"] == "1" else ' + RIGHT), FIVE, answer_seconds=3.0)
    assert got(report) == {"a/1": "the process gave no answer within 3 seconds"}


def test_a_process_that_never_reads_does_not_block_the_runner():
    large = Case("a/0", "a", "x", "x", "echo", {"text": "x" * 3_000_000}, "ok", {})
    report = run(fake(before="time.sleep(600)"), [large], answer_seconds=0.2)
    assert got(report) == {"a/0": "the process gave no answer within 0.2 seconds"}


def test_a_process_that_fails_again_and_again_is_given_up():
    cases = [case(number) for number in range(RESTARTS_MAX + 5)]
    report = run(fake("os._exit(1)"), cases)
    assert (
        list(got(report).values())
        == ["the process ended with status 1"] * (RESTARTS_MAX + 1)
        + [f"not asked: the process failed {RESTARTS_MAX + 1} times"] * 4
    )


@pytest.mark.parametrize("line", ["", "garbage", "{", "[1]", "null", '"ok"', "\x1b[2J", "NaN", "[" * 100_000])
def test_a_line_that_is_no_answer_fails(line):
    report = run(fake(f'say({line!r}) if request["n"] == "1" else {RIGHT}'), FIVE)
    assert list(got(report)) == ["a/1"]
    assert got(report)["a/1"].startswith("the process wrote a line that is no JSON object")
    assert got(report)["a/1"].isprintable()


def test_bytes_that_are_no_utf_8_fail():
    report = run(fake('os.write(1, b"\\xff\\xfe\\n")'), [case(0)])
    assert got(report)["a/0"].startswith("the process wrote a line that is no JSON object")


def test_an_answer_to_another_case_fails_and_what_follows_is_in_step_again():
    each = 'answer("ok", {"n": request["n"]}, of="a/0") if request["n"] == "2" else ' + RIGHT
    assert got(run(fake(each), FIVE)) == {"a/2": 'the process answered the id "a/0" instead'}


def test_an_answer_without_an_id_fails():
    assert got(run(fake('say("{}")'), [case(0)])) == {"a/0": "the process answered the id null instead"}


def test_answers_in_another_order_fail():
    # It keeps the first request back, and answers it after the second.
    each = f"kept = request if number == 1 else kept\n    if number > 1: {RIGHT}; request = kept; {RIGHT}"
    report = run(fake(each, before="kept = None"), FIVE[:2], answer_seconds=1.0)
    assert list(got(report)) == ["a/0", "a/1"]


def test_a_line_before_the_first_answer_fails():
    report = run(fake(before='say("ready")'), [case(0)])
    assert list(got(report)) == ["a/0"]


def test_a_line_after_the_last_answer_is_a_problem():
    report = run(fake(after='say("bye")'), [case(0)])
    assert report.failures == ()
    assert report.problems == ('the process wrote a line after the last answer: "bye"',)
    assert not report.conforms


def test_an_answer_that_is_given_twice_is_noticed():
    report = run(fake(f"{RIGHT}; {RIGHT}"), [case(0)])
    assert report.problems != ()
    assert not report.conforms


def test_another_status_than_0_at_the_end_is_a_problem():
    report = run(fake(after="sys.exit(4)"), [case(0)])
    assert report.problems == ("the process ended with status 4",)


def test_a_process_that_does_not_end_is_a_problem_and_is_ended():
    report = run(fake(after="time.sleep(600)"), [case(0)], answer_seconds=3.0)
    assert report.problems == ("the process did not end within 3 seconds after its input ended",)


@pytest.mark.parametrize("ending", ["\\n", ""])
def test_a_line_that_is_too_long_fails_and_is_not_kept(ending):
    each = f'sys.stdout.write("x" * {LINE_BYTES_MAX + 1} + "{ending}"); sys.stdout.flush(); os._exit(0)'
    report = run(fake(each), [case(0)])
    assert got(report) == {"a/0": f"the process wrote a line of over {LINE_BYTES_MAX} bytes"}


def test_a_process_that_floods_its_output_is_stopped():
    report = run(fake('\n    while True: say("x" * 1000)'), [case(0)])
    assert list(got(report)) == ["a/0"]


@pytest.fixture
def held(tmp_path):
    """A named pipe and our end of it: a read blocks while somebody holds the other, and is empty once nobody does."""
    path = tmp_path / "held"
    os.mkfifo(path)
    ours = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, ours
    os.close(ours)


def test_the_child_of_a_shell_is_ended_with_it(held):
    path, ours = held
    report = run(
        ["sh", "-c", f"exec 3>{path}; echo ready >&3; (sleep 30; echo alive >&3); true"],
        [case(0)],
        answer_seconds=2.0,
    )
    assert got(report) == {"a/0": "the process gave no answer within 2 seconds"}
    # A kill is not waited for where it strikes a grandchild.  The command was started again after its failure.
    os.set_blocking(ours, True)
    assert b"".join(iter(lambda: os.read(ours, 100), b"")) == b"ready\n" * 2


@pytest.mark.parametrize(
    ("keeps", "said"),
    [("pass", "gave no answer within 3 seconds"), ("os.close(1)", "ended with status 3")],
)
def test_a_child_in_a_session_of_its_own_is_not_waited_for(held, keeps, said):
    # It keeps both pipes, or the one that we write to.
    path, ours = held
    each = f"""
    if request["n"] != "1": {RIGHT}
    elif os.fork(): os._exit(3)
    else: os.setsid(); os.write(held, b"%d" % os.getpid()); {keeps}; time.sleep(30); os._exit(0)"""
    before = f"held = os.open({str(path)!r}, os.O_WRONLY)"
    report = run(fake(each, before), [case(0), case(1)], answer_seconds=3.0)
    assert got(report) == {"a/1": f"the process {said}"}
    child = int(os.read(ours, 100))
    with pytest.raises(BlockingIOError):  # it lives
        os.read(ours, 100)
    os.kill(child, signal.SIGKILL)


def test_a_run_has_an_end_however_slow_each_answer_is():
    report = run(fake(), FIVE, run_seconds=600, clock=itertools.count(0, 200).__next__)
    assert got(report) == dict.fromkeys(("a/2", "b/3", "b/4"), "not asked: the time for the run was over")
    assert report.problems == ()


def test_an_answer_may_take_no_longer_than_what_is_left_of_the_run():
    report = run(fake("time.sleep(600)"), [case(0)], run_seconds=0.2, clock=lambda: 0.0)
    assert got(report) == {"a/0": "the process gave no answer within 0.2 seconds"}


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for():
    each = "\n    while True: sys.stdout.write('x'); sys.stdout.flush(); time.sleep(0.01)"
    report = run(fake(each), [case(0)], answer_seconds=0.5)
    assert got(report) == {"a/0": "the process gave no answer within 0.5 seconds"}


def test_a_command_that_cannot_be_started_is_a_mistake_of_the_caller(tmp_path):
    with refused("usage"):
        run([str(tmp_path / "nowhere")], FIVE)
    with refused("usage"):
        run([], FIVE)
    with refused("usage"):
        run(["a\0b"], FIVE)


def test_the_report_names_every_failure_and_ends_in_the_sums():
    report = run(fake('answer("ok", {"n": request["n"]})', after='say("bye")'), FIVE)
    assert list(format_report(report)) == [
        "FAIL a/1: want malformed, got ok",
        "     comment 1 (docs/spec/x.md#step-1)",
        "FAIL b/3: want too-large, got ok",
        "     comment 3 (docs/spec/x.md#step-1)",
        'FAIL the process wrote a line after the last answer: "bye"',
        "",
        "topic  passed  failed  unsupported",
        "a           2       1            0",
        "b           1       1            0",
        "all         3       2            0",
    ]


def test_the_report_of_a_run_without_failures_is_the_table_alone():
    assert next(iter(format_report(run(fake(), FIVE)))).split() == [
        "topic",
        "passed",
        "failed",
        "unsupported",
    ]


def test_our_own_implementation_conforms():
    program = "import sys; from counterfoil.cli.respond import respond; respond(sys.stdin, sys.stdout)"
    report = run([sys.executable, "-c", program], load_vectors())
    assert "\n".join(format_report(report)).startswith("topic")
    assert report.conforms
