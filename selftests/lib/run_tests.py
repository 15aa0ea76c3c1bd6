# SPDX-License-Identifier: GPL-2.0-only
"""Run selftests beside each other and add up their results.

usage: run_tests.py [NAME...]      NAME as in unit/core/window, e2e/counts; a directory is all in it

A test is any program that prints KTAP (or TAP); one that prints neither is one test, judged by its
exit status: 0 passed, 4 skipped, anything else failed. A source file of a test may hold these lines,
in a comment that says nothing else:
    ALONE: why          nothing else may run while this test does; benchmarks always run so
    SECONDS: 90         about how long the test takes; long ones start first

SMTPLIMIT_TEST_LANES=N tests run at once, by default one more than there are processors, since most
wait. Output goes to $O/test-logs/NAME.log and is shown, when the test has ended, if something in it
failed. The last line is `N passed, N failed, N skipped`; exit 1 when anything failed or nothing ran.
SMTPLIMIT_SKIP_IS_FAILURE=1 counts what was skipped as failed. SMTPLIMIT_TEST_SECONDS limits a test.
"""
import ast
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

LIB = Path(__file__).resolve().parent
TOP = LIB.parents[1]
BUILD = Path(os.environ.get("O", TOP / "build")).absolute()
PYTHON = "/usr/bin/python3"
LANES = int(os.environ.get("SMTPLIMIT_TEST_LANES", (os.cpu_count() or 1) + 1))
SECONDS = int(os.environ.get("SMTPLIMIT_TEST_SECONDS", "900"))
FUZZ_SECONDS = os.environ.get("FUZZ_SECONDS", "20")
GRACE_SECONDS = 30      # for a test's own cleanup, once it was asked to end
SHOWN_LINES = 120

POINT = re.compile(r"\s*(ok|not ok)\b(?:\s+\d+)?(.*)")
PLAN = re.compile(r"1\.\.(\d+)\s*(#\s*SKIP\b.*)?", re.IGNORECASE)
SKIP = re.compile(r"#\s*SKIP\b", re.IGNORECASE)
MARK = re.compile(r"^[ \t]*(?:#|/?\*)[ \t]+(ALONE|SECONDS): *(.*?)[ \t]*(?:\*/)?$", re.MULTILINE)


class Test:
    """A test that may be run, and what its source says of it."""

    def __init__(self, name, command, text=""):
        self.name = name
        self.command = [str(word) for word in command]
        marks = dict(MARK.findall(text))
        self.alone = marks.get("ALONE") or ("it measures" if name.startswith("bench/") else "")
        self.seconds = int(marks.get("SECONDS", "0"))
        self.sentence = first_sentence(text) if self.command[0] == PYTHON else ""
        self.log = BUILD / "test-logs" / (name.replace("/", "-") + ".log")
        self.child = self.problem = None

    def start(self):
        environment = {**os.environ, "O": str(BUILD), "PYTHONPATH": str(LIB),
                       "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        if self.name.startswith("fuzz/"):
            for word in self.command[1:]:
                if not word.startswith("-"):
                    os.makedirs(word, exist_ok=True)
        self.begun = time.monotonic()
        self.deadline = self.begun + SECONDS
        with open(self.log, "wb") as out:
            try:
                self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out,
                                              cwd=TOP, stderr=subprocess.STDOUT, env=environment,
                                              start_new_session=True)
            except OSError as error:
                self.problem = f"cannot be run: {error}"

    def is_over(self):
        """Has it ended? When its time is over it is asked to end, then made to."""
        if not self.child or self.child.poll() is not None:
            return True
        if time.monotonic() > self.deadline:
            self.end(signal.SIGKILL if self.problem else signal.SIGTERM)
            self.problem = f"not done after {SECONDS} s"
        return False

    def end(self, number):
        self.deadline = time.monotonic() + GRACE_SECONDS
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            pass


def first_sentence(text):
    """Of the docstring of a Python program."""
    words = " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    return re.split(r"(?<=\.) ", words, maxsplit=1)[0]


def discover():
    """Every test: {name: Test}."""
    tests = []
    for kind, suffix in (("unit", "_test"), ("fuzz", "_fuzz"), ("prog", "_test")):
        folder = TOP / "selftests" / kind
        for source in sorted(folder.rglob(f"*{suffix}.c")):
            stem = str(source.relative_to(folder)).removesuffix(f"{suffix}.c")
            command = [BUILD / kind / stem]
            if kind == "fuzz":
                corpus = source.with_name(f"{stem}_corpus")
                grown = BUILD / "fuzz" / f"{stem}-corpus"
                command += [f"-max_total_time={FUZZ_SECONDS}", "-verbosity=0", grown]
                command += [corpus] if corpus.is_dir() else []
            tests.append(Test(f"{kind}/{stem}", command, source.read_text(encoding="utf-8")))
    for kind, pattern in (("lib", "*_test.py"), ("e2e", "*.py"), ("bench", "*.py")):
        for source in sorted((TOP / "selftests" / kind).glob(pattern)):
            name = f"{kind}/{source.stem.removesuffix('_test')}"
            tests.append(Test(name, [PYTHON, source], source.read_text(encoding="utf-8")))
    if (TOP / "scripts" / "style-check").exists():
        tests.append(Test("style", [TOP / "scripts" / "style-check"]))
    return {test.name: test for test in tests}


def chosen(tests, names):
    """Those that are named; all but the benchmarks when none is."""
    picked = {} if names else {n: t for n, t in tests.items() if not n.startswith("bench/")}
    for name in names:
        found = {n: t for n, t in tests.items() if n == name or n.startswith(name.rstrip("/") + "/")}
        if not found:
            sys.exit(f"run_tests: no such test: '{name}'; there are: {' '.join(tests)}")
        picked.update(found)
    return picked.values()


def ordered(tests):
    """Quick ones that show at once what is broken; fuzzers, which fill one lane; long ones before short
    ones; those that run alone."""
    kinds = ("unit/", "lib/", "style"), ("fuzz/",), ("",)

    def rank(test):
        kind = next(n for n, names in enumerate(kinds) if test.name.startswith(names))
        return bool(test.alone), kind, -test.seconds
    return sorted(tests, key=rank)


def may_start(test, running):
    """Is there a lane for it? Fuzzers use all of a processor: one at a time."""
    if test.alone or any(other.alone for other in running):
        return not running
    if test.name.startswith("fuzz/") and any(other.name.startswith("fuzz/") for other in running):
        return False
    return len(running) < LANES


def run_all(tests, skip_is_failure):
    """[passed, failed, skipped] of all these tests."""
    waiting, running, totals = ordered(tests), [], [0, 0, 0]
    try:
        while waiting or running:
            while test := next((t for t in waiting if may_start(t, running)), None):
                waiting.remove(test)
                running.append(test)
                test.start()
            for test in [test for test in running if test.is_over()]:
                running.remove(test)
                totals = [a + b for a, b in zip(totals, report(test, skip_is_failure))]
            time.sleep(0.02)
    finally:
        stop([test for test in running if test.child])
    return totals


def stop(running):
    """Ask tests to clean up and end, all at once; then make them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if running else ():
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for test in running:
            print(f"stopping {test.name} by {number.name}", flush=True)
            test.end(number)
        while running and time.monotonic() < running[-1].deadline:
            running = [test for test in running if test.child.poll() is None]
            time.sleep(0.02)


def judge(text, status, problem):
    """[passed, failed, skipped] of one test's output."""
    counts = [0, 0, 0]
    planned, points = 0, 0
    for line in text.splitlines():
        if plan := PLAN.fullmatch(line.strip()):
            planned += int(plan[1])
            counts[2] += bool(plan[2])
        elif point := POINT.fullmatch(line):
            points += 1
            skipped = SKIP.search(point[2])
            counts[2 if skipped else 0 if point[1] == "ok" else 1] += 1
    if not points and not planned and not sum(counts) and not problem:
        counts[{0: 0, 4: 2}.get(status, 1)] = 1
    elif problem or points < planned or (status not in (0, 4) and not counts[1]):
        counts[1] += 1      # ended before its time, or failed where no result line says so
    return counts


def report(test, skip_is_failure):
    """Print what became of a test that has ended, in one piece; [passed, failed, skipped]."""
    seconds = time.monotonic() - test.begun
    status = test.child.returncode if test.child else 127
    text = test.log.read_text(encoding="utf-8", errors="backslashreplace")
    counts = judge(text, status, test.problem)
    if skip_is_failure:
        counts[1], counts[2] = counts[1] + counts[2], 0
    passed, failed, skipped = counts
    word = "FAILED" if failed else "skipped" if skipped and not passed else "ok"
    lines = [f"{word:8}{test.name}: {passed} passed, {failed} failed, {skipped} skipped"
             f" ({seconds:.1f} s)"]
    lines += [f"        {test.sentence}"] if test.sentence else []
    if failed:
        lines += output_of(test, text, status)
    elif skipped:
        lines += ["        " + line.strip() for line in text.splitlines() if SKIP.search(line)]
    print("\n".join(lines), flush=True)
    return counts


def output_of(test, text, status):
    lines = text.splitlines()
    if len(lines) > SHOWN_LINES:
        yield f"        ... {len(lines) - SHOWN_LINES} lines before: {test.log}"
    yield from ("        " + line for line in lines[-SHOWN_LINES:])
    yield f"        exit status {status}{': ' + test.problem if test.problem else ''}"


def main(names):
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    (BUILD / "test-logs").mkdir(parents=True, exist_ok=True)
    totals = run_all(chosen(discover(), names), os.environ.get("SMTPLIMIT_SKIP_IS_FAILURE") == "1")
    print("{} passed, {} failed, {} skipped".format(*totals), flush=True)
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
