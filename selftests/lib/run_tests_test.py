# SPDX-License-Identifier: GPL-2.0-only
"""The runner of the selftests must itself notice what fails: each kind of end that a test can come
to, what may run beside what, and that nothing goes on when it is told to end."""
import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import ktap
import run_tests
from system import wait_for


@contextlib.contextmanager
def own_build():
    before = run_tests.BUILD
    with tempfile.TemporaryDirectory() as directory:
        run_tests.BUILD = Path(directory)
        os.mkdir(run_tests.BUILD / "test-logs")
        yield run_tests.BUILD
    run_tests.BUILD = before


def results_of(programs, seconds=20, skip_is_failure=False):
    """What the runner makes of tests that are these Python programs, {name: text}, and what it prints."""
    with own_build():
        run_tests.SECONDS = seconds
        tests = [run_tests.Test(name, [sys.executable, "-c", text], text)
                 for name, text in programs.items()]
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            counts = run_tests.run_all(tests, skip_is_failure)
    return counts, shown.getvalue()


def counts_of(program, **options):
    return results_of({"lib/x": program}, **options)


def expect(program, want, **options):
    ktap.equal(counts_of(program, **options)[0], want, program)


def test_results_are_added_up():
    expect("print('1..3\\nok 1 - a\\nok 2 b # SKIP why\\nok 3 c')", [2, 0, 1])


def test_failed_point_and_its_output_is_shown():
    program = "print('1..2\\nok 1 a\\n# the reason\\nnot ok 2 b'); raise SystemExit(1)"
    counts, shown = counts_of(program)
    ktap.equal(counts, [1, 1, 0], program)
    ktap.true("# the reason" in shown, "output of a failed test is shown")


def test_passed_output_is_not_shown():
    shown = counts_of("print('1..1\\n# noise\\nok 1 a')")[1]
    ktap.true("noise" not in shown, "output of a passed test is not shown")


def test_ended_early():
    expect("print('1..3\\nok 1 a')", [1, 1, 0])


def test_status_without_failed_point():
    expect("print('1..1\\nok 1 a'); raise SystemExit(3)", [1, 1, 0])
    expect("import os; print('1..1\\nok 1 a', flush=True); os.abort()", [1, 1, 0])


def test_plain_program():
    expect("pass", [1, 0, 0])
    expect("raise SystemExit(2)", [0, 1, 0])
    expect("raise SystemExit(4)", [0, 0, 1])


def test_skipped_whole_and_skip_as_failure():
    expect("print('1..0 # SKIP no root'); raise SystemExit(4)", [0, 0, 1])
    expect("print('1..0 # SKIP no root'); raise SystemExit(4)", [0, 1, 0], skip_is_failure=True)


def test_time_limit():
    expect("print('1..1', flush=True); import time; time.sleep(60)", [0, 1, 0], seconds=0.5)


def test_program_that_is_not_there():
    with own_build():
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            counts = run_tests.run_all([run_tests.Test("lib/x", ["/nonexistent"])], False)
    ktap.equal(counts, [0, 1, 0], "a program that is not there")
    ktap.true("cannot be run: " in shown.getvalue(), shown.getvalue())


def test_results_of_all_are_added_up():
    programs = {f"e2e/{n}": f"print('1..2\\nok 1 a\\n{word} 2 b')"
                for n, word in enumerate(["ok", "not ok", "ok"])}
    ktap.equal(results_of(programs)[0], [5, 1, 0], "three tests")


# Writes that it begins and, a moment later, that it ends.
SPAN = """
import sys, time
with open({path!r}, "a", buffering=1) as out:
    out.write("+{name}\\n"); time.sleep(0.1); out.write("-{name}\\n")
"""


def spans(lanes, **tests):
    """What tests of these names and marks write, one after another."""
    with tempfile.NamedTemporaryFile("r") as out:
        before, run_tests.LANES = run_tests.LANES, lanes
        try:
            results_of({f"e2e/{name}": SPAN.format(path=out.name, name=name) + marks
                        for name, marks in tests.items()})
        finally:
            run_tests.LANES = before
        return out.read().split()


# Ends when the other one has begun.
MEETS = """
import time
with open({path!r}, "a") as out:
    out.write("x")
while open({path!r}).read() != "xx":
    time.sleep(0.01)
"""


def test_beside_each_other():
    with tempfile.NamedTemporaryFile("r") as out:
        programs = {f"e2e/{name}": MEETS.format(path=out.name) for name in "ab"}
        ktap.equal(results_of(programs)[0], [2, 0, 0], "two that wait for each other")
    ktap.equal(spans(1, a="", b=""), ["+a", "-a", "+b", "-b"], "what runs in one lane")


def test_alone_and_behind_all_others():
    got = spans(3, x="# ALONE: it measures", a="", y="# ALONE: it measures", b="")
    ktap.equal(got[4:], ["+x", "-x", "+y", "-y"], "what runs by itself")


def test_long_ones_start_first():
    got = spans(1, a="", b="# SECONDS: 30", c="# SECONDS: 100")
    ktap.equal(got[::2], ["+c", "+b", "+a"], "the order")


def test_fuzzers_fill_one_lane():
    """They come first, but not beside each other."""
    one, other, busy = (run_tests.Test(name, ["x"], "# SECONDS: 100")
                        for name in ("fuzz/a", "fuzz/b", "e2e/a"))
    ktap.equal(run_tests.ordered([busy, one, other]), [one, other, busy], "the order")
    ktap.true(run_tests.may_start(busy, [one]) and not run_tests.may_start(other, [one]), "two at once")
    ktap.true(run_tests.may_start(other, [busy]), "none beside another test")


def test_marks_are_comments_of_their_own():
    for text in ("# ALONE: why", "a = 1\n    #  ALONE: why\n", " * ALONE: why\n */", "/* ALONE: why */"):
        ktap.equal(run_tests.Test("e2e/x", ["x"], text).alone, "why", text)
    for text in ("a = 1  # ALONE: why", "ALONE: why", "# not ALONE: why", "# ALONE:"):
        ktap.equal(run_tests.Test("e2e/x", ["x"], text).alone, "", text)
    ktap.true(run_tests.Test("bench/x", ["x"]).alone, "a benchmark runs beside others")


def test_every_e2e_test_says_what_it_tests():
    for test in run_tests.discover().values():
        if test.name.startswith("e2e/"):
            ktap.true(test.sentence.endswith(".") and 40 < len(test.sentence) < 170,
                      f"{test.name}: one sentence, not longer than two lines: {test.sentence}")


ENDS = """
import os, sys, time
import ktap
def say(text):
    path = sys.argv[0] + ".state"
    with open(path + ".new", "w") as out:
        out.write(text)
    os.rename(path + ".new", path)
def waits():
    try:
        say("runs")
        time.sleep(60)
    finally:
        time.sleep(0.5)
        say("cleaned up")
ktap.main([waits])
"""


def test_all_are_stopped_and_may_clean_up():
    """The runner is told to end while two tests run and a third one waits."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with tempfile.TemporaryDirectory() as directory:
            lib = Path(directory, "selftests", "lib")
            lib.mkdir(parents=True)
            for name in ("run_tests.py", "ktap.py"):
                (lib / name).write_bytes((run_tests.LIB / name).read_bytes())
            for name in "abc":
                (lib / f"{name}_test.py").write_text(ENDS)
            runner = subprocess.Popen(
                [sys.executable, lib / "run_tests.py"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, env={**os.environ, "O": directory, "SMTPLIMIT_TEST_LANES": "2"})

            def states():
                return sorted(path.read_text() for path in lib.glob("*.state"))
            wait_for(lambda: states() == ["runs"] * 2, 20, "two tests to run")
            runner.send_signal(number)
            shown = runner.communicate(timeout=20)[0]
            ktap.equal(states(), ["cleaned up"] * 2, f"the tests after {number.name}")
            ktap.true(runner.returncode not in (0, None), "exit of the runner")
            ktap.equal(shown.splitlines(), [f"stopping lib/{name} by SIGTERM" for name in "ab"], "output")


def test_ktap_main_reports_what_fails():
    prefix = f"import sys; sys.path.insert(0, {str(run_tests.LIB)!r}); import ktap\n"
    prefix += "def good(): pass\ndef bad(): ktap.equal(1, 2)\ndef skips(): raise ktap.Skip('why')\n"
    expect(prefix + "ktap.main([good, bad, skips])", [1, 1, 1])
    expect(prefix + "ktap.main([skips])", [0, 0, 1])
    expect(prefix + "import contextlib\n@contextlib.contextmanager\ndef broken():\n"
           " raise OSError('x')\n yield\nktap.main([good], broken())", [0, 1, 0])


ktap.main(ktap.tests(globals()))
