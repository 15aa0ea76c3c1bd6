# SPDX-License-Identifier: GPL-2.0-only
"""KTAP output for tests written in Python, and the exact comparisons that they make.

A test file holds functions; main() runs them in order and prints one result line each. A function
fails by raising (AssertionError or anything else), skips by raising Skip. Exit status: 0 all
passed, 1 something failed, 4 nothing could be run.
"""
import signal
import sys
import time
import traceback

EXIT_SKIP = 4
LONG_S = 10     # what takes longer says how long


class Skip(Exception):
    """This test cannot run here; the text says why."""


class Interrupted(BaseException):
    """A signal asked the test to end: cleanups run, then the process exits."""


def _on_signal(number, _frame):
    raise Interrupted(signal.Signals(number).name)


def diagnose(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def _name(function):
    return function.__name__.removeprefix("test_").replace("_", " ")


def _run_one(number, function, arguments):
    begun = time.monotonic()
    try:
        function(*arguments)
    except Skip as why:
        print(f"ok {number} {_name(function)} # SKIP {why}", flush=True)
        return "skip"
    except Exception:
        diagnose(traceback.format_exc())
        print(f"not ok {number} {_name(function)}", flush=True)
        return "fail"
    took_s = time.monotonic() - begun
    if took_s > LONG_S:
        diagnose(f"took {took_s:.0f} s:")
    print(f"ok {number} {_name(function)}", flush=True)
    return "pass"


def _report(results):
    if "fail" in results:
        return 1
    return 0 if "pass" in results or not results else EXIT_SKIP


def plan(count):
    print(f"KTAP version 1\n1..{count}", flush=True)


def run(functions, arguments=(), first=1):
    """Run each function with the arguments; what became of each."""
    return [_run_one(n, f, arguments) for n, f in enumerate(functions, first)]


def tests(namespace):
    """The functions of a module whose name begins with test_, in the order of the file."""
    return [f for name, f in namespace.items() if name.startswith("test_")]


def _run_with(fixture, functions, alone):
    """The functions that take the fixture, then those that do without."""
    plan(len(functions) + len(alone))
    try:
        with fixture as made:
            results = run(functions, [made])
    except Skip as why:
        results = ["skip"] * len(functions)
        for n, function in enumerate(functions, 1):
            print(f"ok {n} {_name(function)} # SKIP {why}", flush=True)
    return results + run(alone, first=len(functions) + 1)


def main(functions, fixture=None, alone=()):
    """Run the functions, inside the context manager `fixture` if given, then `alone`, and exit.

    When the fixture itself cannot be made nothing runs and the test has failed; when it raises Skip
    its functions are skipped."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _on_signal)
    try:
        if fixture is None:
            plan(len(functions))
            results = run(functions)
        else:
            results = _run_with(fixture, functions, alone)
    except Interrupted as why:
        print(f"Bail out! {why}", flush=True)
        sys.exit(1)
    except Exception:
        diagnose(traceback.format_exc())
        print("not ok 0 fixture", flush=True)
        sys.exit(1)
    sys.exit(_report(results))
