# SPDX-License-Identifier: GPL-2.0-only
"""TLS sessions that nobody looks into are counted as opaque sessions and never as outcomes, and are
refused all the same. They begin by STARTTLS or with the first byte."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import REMOTE4, REMOTE6  # noqa: E402
from ktap import equal, true  # noqa: E402

UID, MALLORY = 20001, 20002
FIELDS = compare.FIELDS + ("opaque",)
STARTTLS = ("--ssl-reqd", "--insecure")


def smtps(host, uid, rcpt, to=REMOTE4):
    at = f"[{to}]" if ":" in to else to
    done = host.run_as(uid, ["/usr/bin/curl", "-sSvk", f"smtps://{at}:465/u{uid}.test", "--mail-from",
                             "user@one.test", "--mail-rcpt", rcpt, "--upload-file", "-"],
                       "Subject: test\r\n\r\nhello\r\n")
    return done.returncode == 0, done.stdout + done.stderr


def test_starttls(host):
    for to in (REMOTE4, REMOTE6):
        for act in ("", "r550"):
            sent = clients.curl(host, UID, "user@one.test", scenes.fresh(act), to=to, more=STARTTLS)
            equal(sent.ok, act == "", f"delivery: {sent.text}")
    equal(host.tally().total(UID)["opaque"], 4, "opaque sessions by the server's tally")
    compare.map_equals(host, host.tally(), FIELDS)


def test_refused_before_starttls(host):
    """What comes in clear before is read: the greeting and EHLO."""
    scenes.mail(host, UID, [""], ehlo=f"h550.u{UID}.test")
    compare.map_equals(host, host.tally(), FIELDS)


def test_tls_from_the_first_byte(host):
    for to in (REMOTE4, REMOTE6):
        for act in ("", "r550"):
            ok, text = smtps(host, UID, scenes.fresh(act)[0], to)
            equal(ok, act == "", f"delivery: {text}")
    equal(host.tally().total(UID)["opaque"], 8, "opaque sessions by the server's tally")
    compare.map_equals(host, host.tally(), FIELDS)
    compare.status_equals(host, host.tally(), fields=FIELDS)


def test_refused_all_the_same(host):
    account = scenes.suspend(host, MALLORY)
    sent = clients.curl(host, MALLORY, "user@one.test", scenes.fresh("", 1), more=STARTTLS)
    true("550 5.7.1 Domain" in sent.text and account["until"] in sent.text, f"no text: {sent.text}")
    ok, text = smtps(host, MALLORY, scenes.fresh("", 1)[0])
    true(not ok and "refused" in text, f"port 465: {text}")
    equal(host.tally().total(MALLORY)["opaque"], 0, "opaque sessions of the suspended")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running({"watch": {"tls": "off"}}, server={"tls": True}))
