# SPDX-License-Identifier: GPL-2.0-only
"""Run selftests and add up their results. A test is any program that prints KTAP (or TAP); one that
prints neither is one test, judged by its exit status: 0 passed, 4 skipped, anything else failed.

usage: run_tests.py [NAME...]      NAME as in unit/window, e2e/counts; a directory is all in it

Output goes to $O/test-logs/NAME.log and is shown when something in it failed. The last line is
`N passed, N failed, N skipped`; exit 1 when anything failed or nothing was run.
SMTPLIMIT_SKIP_IS_FAILURE=1 counts what was skipped as failed. SMTPLIMIT_TEST_SECONDS limits a test.
"""
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
SECONDS = int(os.environ.get("SMTPLIMIT_TEST_SECONDS", "900"))
FUZZ_SECONDS = os.environ.get("FUZZ_SECONDS", "20")
GRACE_SECONDS = 30      # for a test's own cleanup, once it was asked to end
SHOWN_LINES = 120

POINT = re.compile(r"\s*(ok|not ok)\b(?:\s+\d+)?(.*)")
PLAN = re.compile(r"1\.\.(\d+)\s*(#\s*SKIP\b.*)?", re.IGNORECASE)
SKIP = re.compile(r"#\s*SKIP\b", re.IGNORECASE)


def discover():
    """{name: command} of every test, cheap ones first."""
    tests = {}
    for kind, suffix in (("unit", "_test"), ("fuzz", "_fuzz"), ("prog", "_test")):
        for source in sorted((TOP / "selftests" / kind).glob(f"*{suffix}.c")):
            stem = source.stem.removesuffix(suffix)
            tests[f"{kind}/{stem}"] = [BUILD / kind / stem]
            if kind == "fuzz":
                corpus = source.with_name(f"{stem}_corpus")
                grown = BUILD / "fuzz" / f"{stem}-corpus"
                tests[f"fuzz/{stem}"] += [f"-max_total_time={FUZZ_SECONDS}", "-verbosity=0", grown]
                tests[f"fuzz/{stem}"] += [corpus] if corpus.is_dir() else []
    for source in sorted(LIB.glob("*_test.py")):
        tests[f"lib/{source.stem.removesuffix('_test')}"] = [PYTHON, source]
    if (TOP / "scripts" / "style-check").exists():
        tests["style"] = [TOP / "scripts" / "style-check"]
    for kind in ("e2e", "bench"):
        for source in sorted((TOP / "selftests" / kind).glob("*.py")):
            tests[f"{kind}/{source.stem}"] = [PYTHON, source]
    return {name: [str(word) for word in command] for name, command in tests.items()}


def chosen(tests, names):
    picked = {}
    for name in names:
        found = {t: c for t, c in tests.items() if t == name or t.startswith(name.rstrip("/") + "/")}
        if not found:
            sys.exit(f"run_tests: no such test: '{name}'; there are: {' '.join(tests)}")
        picked.update(found)
    return picked or tests


def stop(child):
    """Ask a test to clean up and end; then make it."""
    for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        try:
            os.killpg(child.pid, number)
            child.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def execute(command, log):
    """Run one test with its output in the file `log`; (exit status, None or what went wrong)."""
    environment = {**os.environ, "O": str(BUILD), "PYTHONPATH": str(LIB), "PYTHONUNBUFFERED": "1",
                   "PYTHONDONTWRITEBYTECODE": "1"}
    if command[0].startswith(str(BUILD / "fuzz")):
        for word in command[1:]:
            if not word.startswith("-"):
                os.makedirs(word, exist_ok=True)
    with open(log, "wb") as out:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, cwd=TOP,
                                     stderr=subprocess.STDOUT, env=environment,
                                     start_new_session=True)
        except OSError as error:
            return 127, f"cannot be run: {error}"
        try:
            return child.wait(SECONDS), None
        except subprocess.TimeoutExpired:
            stop(child)
            return -1, f"not done after {SECONDS} s"
        except BaseException:
            stop(child)
            raise


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


def run_one(name, command, skip_is_failure):
    log = BUILD / "test-logs" / (name.replace("/", "-") + ".log")
    begun = time.monotonic()
    status, problem = execute(command, log)
    text = log.read_text(encoding="utf-8", errors="backslashreplace")
    counts = judge(text, status, problem)
    if skip_is_failure:
        counts[1], counts[2] = counts[1] + counts[2], 0
    passed, failed, skipped = counts
    word = "FAILED" if failed else "skipped" if skipped and not passed else "ok"
    print(f"{word:8}{name}: {passed} passed, {failed} failed, {skipped} skipped"
          f" ({time.monotonic() - begun:.1f} s)", flush=True)
    if failed:
        show(text, status, problem, log)
    elif skipped:
        for line in text.splitlines():
            if SKIP.search(line):
                print("        " + line.strip())
    return counts


def show(text, status, problem, log):
    lines = text.splitlines()
    if len(lines) > SHOWN_LINES:
        print(f"        ... {len(lines) - SHOWN_LINES} lines before: {log}")
    for line in lines[-SHOWN_LINES:]:
        print("        " + line)
    print(f"        exit status {status}{': ' + problem if problem else ''}", flush=True)


def main(names):
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    skip_is_failure = os.environ.get("SMTPLIMIT_SKIP_IS_FAILURE") == "1"
    (BUILD / "test-logs").mkdir(parents=True, exist_ok=True)
    tests = discover()
    if not names:
        tests = {name: command for name, command in tests.items() if not name.startswith("bench/")}
    totals = [0, 0, 0]
    for name, command in chosen(tests, names).items():
        totals = [a + b for a, b in zip(totals, run_one(name, command, skip_is_failure))]
    print("{} passed, {} failed, {} skipped".format(*totals), flush=True)
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
