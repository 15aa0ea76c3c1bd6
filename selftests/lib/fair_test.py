#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The fairness simulator gives the same figures for the same seed, for the product and for a rule."""
import functools
import os
import pathlib
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "selftests" / "lib"), str(TOP / "selftests" / "fair")]
import ktap  # noqa: E402
import days  # noqa: E402
import judges  # noqa: E402
import report  # noqa: E402
import small_world  # noqa: E402

FAIRSIM = pathlib.Path(os.environ.get("O", TOP / "build")) / "fair" / "fairsim"
SEED = 1


class Day:
    """A day of the small world, in a folder of its own."""

    def __init__(self, day):
        self.folder = tempfile.TemporaryDirectory()
        self.path, self.kinds, self.attempts = days.make(
            small_world, self.folder.name, False, SEED, day, "exim", small_world.GREYLISTING)

    def judge(self, name, options=""):
        return days.judge(str(FAIRSIM), self.path, self.kinds, judges.how(name), options)

    def summary(self, name, options=""):
        return report.summary([self.judge(name, options)])

    def is_judged(self, name, **want):
        """By the same figures as when they were noted. A change of the rule that is meant changes those of
        the product: look at what fair/run says of all days, then note the new ones."""
        got = self.summary(name)
        ktap.equal({key: got[key] for key in want}, want, name)


day_of = functools.cache(Day)


def test_a_day_is_the_same_each_time():
    ktap.equal(day_of("plain").attempts, 38698, "attempts of the plain day")
    ktap.equal(day_of("listed").attempts, 36168, "attempts of the day of the listing")


def test_the_product():
    day_of("plain").is_judged("product", wrong=1, times=1, lost=8, caught=100, before=7, left=584)
    day_of("plain").is_judged("product-wire", wrong=1, caught=100)
    day_of("listed").is_judged("product", wrong=0, caught=100, before=8, left=626)


def test_the_defaults():
    day_of("plain").is_judged("defaults", wrong=2, times=2, lost=797, caught=100, before=7, left=422)
    day_of("listed").is_judged("defaults", wrong=2, caught=100)


def test_a_rule_of_the_simulator():
    day_of("plain").is_judged("R0, min 7", wrong=2)
    day_of("listed").is_judged("R0, min 7", wrong=2, times=2, lost=796, caught=100, before=9, left=591)


def test_who_is_never_judged_loses_nothing():
    result = day_of("plain").judge("rules:min=1000000")
    ktap.equal(sum(r["n"] for r in result.rows), 0, "suspensions")
    ktap.equal(sum(r["lost"] for r in result.rows), 0, "mails lost")


def test_replies_that_cannot_be_read_are_unexplained():
    shares = [day_of("plain").summary("R0", f",noise={p},silent=1")["unexplained"] for p in (0, 50, 100)]
    ktap.true(0 < shares[0] < 5 and 40 < shares[1] < 60, f"shares of unexplained replies: {shares}")
    ktap.equal(shares[2], 100, "share of unexplained replies where none can be read")


def test_a_name_that_is_no_class_is_refused():
    run = subprocess.run([FAIRSIM, day_of("plain").path, "rules", "ignore=lsited"], check=False, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ktap.equal((run.returncode, run.stderr), (2, 'fairsim: "lsited" is no class of replies\n'))


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
