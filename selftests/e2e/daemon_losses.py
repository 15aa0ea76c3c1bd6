# SPDX-License-Identifier: GPL-2.0-only
"""`status` shows exactly as many late answers, lost reports and senseless requests as the clients know of,
also after restarts and an upgrade."""
import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import PYTHON  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

RELAY, CUSTOMER = 20009, 20001
QUESTION = "uid=20001 sender=user@one.test\n"
ANSWER = "ok uid:20001\n"
OPTIONS = {"watch": {"relay_users": RELAY}}
EVENTS = 3000

# Says each line of argv[2] to the socket argv[1] over a connection of its own, all at once; prints what they heard.
TALK = """
import json, socket, sys
def begin(line):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[1])
    try:
        s.sendall(line.encode())
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass    # a stranger may be turned away before
    return s
def hear(s):
    heard = b""
    try:
        while more := s.recv(4096):
            heard += more
    except ConnectionResetError:
        pass
    s.close()
    return heard.decode()
width, lines = int(sys.argv[2]), json.load(sys.stdin)
heard = []
for at in range(0, len(lines), width):
    heard += [hear(s) for s in [begin(line) for line in lines[at:at + width]]]
print(json.dumps(heard))
"""


def talk(host, lines, socket="exim", uid=RELAY, width=100):
    """What was heard for each line, said by a user; so many connections at once."""
    done = host.run_as(uid, [PYTHON, "-c", TALK, host.dir / "run" / socket, width], json.dumps(lines))
    equal(done.returncode, 0, f"exit of the client ({done.stderr})")
    return json.loads(done.stdout)


def losses(host):
    """Those that are not zero."""
    return {name: count for name, count in host.status()["losses"].items() if count}


def shows(host, want, timeout=20):
    """Wait until these are the losses, and no others; text, JSON and the map say the same."""
    try:
        wait_for(lambda: losses(host) == want, timeout)
    except TimeoutError:
        raise AssertionError(f"losses: got {losses(host)}, want {want}") from None
    entry = host.map("smtpl_losses")[0]
    equal({name: entry[name] for name in entry if entry[name] and not name.endswith("_ns")}, want, "smtpl_losses")
    lines = [line.split() for line in host.cli("status").stdout.splitlines()]
    shown = {line[0]: int(line[1]) for line in lines if len(line) > 2 and line[0] in entry}
    equal(shown, want, "the text of status")


def problems(host, name):
    return [line for line in host.status()["problems"] if line.startswith(name + " ")]


def stopped(host):
    host.daemon.send_signal(signal.SIGSTOP)


def goes_on(host):
    host.daemon.send_signal(signal.SIGCONT)
    scenes.looked(host)


def ask_in_vain(host, count):
    """While the daemon stands still; the number of questions without an answer."""
    stopped(host)
    heard = talk(host, [QUESTION] * count)
    goes_on(host)
    return heard.count("")


def test_questions_answered_too_late(host):
    equal(talk(host, [QUESTION] * 50), [ANSWER] * 50, "answers of a daemon that runs")
    shows(host, {})
    equal(problems(host, "policy_late"), [], "problems before")
    equal(ask_in_vain(host, 70), 70, "questions without an answer")     # more than are asked at once
    equal(talk(host, [QUESTION] * 50), [ANSWER] * 50, "answers when it goes on")
    shows(host, {"policy_late": 70})
    found = problems(host, "policy_late")
    true(len(found) == 1 and found[0].startswith("policy_late is 70, and last grew at 20"), f"problems: {found}")
    true("policy_late grew by " in host.log(), f"the log:\n{host.log()}")     # the rest of them a minute later


def test_requests_that_make_no_sense(host):
    heard = talk(host, ["uid=x\n"] * 5 + [QUESTION] + ["x" * 5000 + "\n"] * 2)
    equal([line.partition(" ")[0] for line in heard], ["error"] * 5 + ["ok"] + ["error"] * 2, "answers")
    talk(host, ["nothing\n"] * 3 + ["exim event=tcp:connect id=1\n"], "feed")
    talk(host, ["request=other\nno word\n\n"], "policy")
    want = {"policy_late": 70, "policy_malformed": 7 + 3 + 1}
    shows(host, want)
    equal(talk(host, [QUESTION] * 4, uid=CUSTOMER), [""] * 4, "what a stranger hears")
    shows(host, {**want, "policy_strangers": 4})
    equal(problems(host, "policy_malformed"), [], "problems by oddities")


def test_reports_that_nobody_takes(host):
    """What comes while the daemon stands still is kept up to a bound: told and lost are all."""
    lines = [f"exim event=msg:delivery relay={RELAY} id=1 sender64=dUBvbmUudGVzdA== rcpt64=dUBmYXIudGVzdA==\n"]
    stopped(host)
    talk(host, lines * EVENTS, "feed")
    goes_on(host)

    def all_there():
        told = sum(sum(feed["told"].values()) for feed in host.status()["feeds"])
        lost = losses(host).get("reports_lost", 0)
        return told > 1000 and lost and told + lost == EVENTS
    wait_for(all_there, 30, f"reports, told and lost, to be {EVENTS}: {host.status()['feeds']}, {losses(host)}")
    equal(len(problems(host, "reports_lost")), 1, "problems")


def test_totals_go_on_over_restarts(host):
    before = losses(host)
    host.stop()
    shows(host, before)
    host.start()
    shows(host, before)
    equal(ask_in_vain(host, 3), 3, "questions without an answer")
    after = {**before, "policy_late": before["policy_late"] + 3}
    shows(host, after)
    host.kill()
    host.start()
    talk(host, ["uid=x\n"])
    shows(host, {**after, "policy_malformed": after["policy_malformed"] + 1})


def test_upgrade_from_a_version_without_losses(host):
    """Its pins have no such map: status says nothing of losses, and the next daemon makes it."""
    scenes.is_delivered(scenes.good(host, CUSTOMER, 2))
    scenes.total_is(host, CUSTOMER, delivered=2)
    host.stop()
    host.pin("smtpl_losses").unlink()
    equal(losses(host), {}, "losses without the map")
    host.start()
    shows(host, {})
    talk(host, ["uid=x\n"])
    shows(host, {"policy_malformed": 1})
    scenes.total_is(host, CUSTOMER, delivered=2)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running(OPTIONS))
