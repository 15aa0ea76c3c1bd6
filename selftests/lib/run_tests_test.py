# SPDX-License-Identifier: GPL-2.0-only
"""The runner of the selftests must itself notice what fails: each kind of end that a test can come to."""
import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

import ktap
import run_tests


def counts_of(program, seconds=20, skip_is_failure=False):
    """What the runner makes of a test that is this Python program."""
    with tempfile.TemporaryDirectory() as directory:
        run_tests.BUILD, run_tests.SECONDS = Path(directory), seconds
        os.mkdir(run_tests.BUILD / "test-logs")
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            counts = run_tests.run_one("lib/x", [sys.executable, "-c", program], skip_is_failure)
    return counts, shown.getvalue()


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


def test_ktap_main_reports_what_fails():
    prefix = f"import sys; sys.path.insert(0, {str(run_tests.LIB)!r}); import ktap\n"
    prefix += "def good(): pass\ndef bad(): ktap.equal(1, 2)\ndef skips(): raise ktap.Skip('why')\n"
    expect(prefix + "ktap.main([good, bad, skips])", [1, 1, 1])
    expect(prefix + "ktap.main([skips])", [0, 0, 1])
    expect(prefix + "import contextlib\n@contextlib.contextmanager\ndef broken():\n"
           " raise OSError('x')\n yield\nktap.main([good], broken())", [0, 1, 0])


ktap.main(ktap.tests(globals()))
