# SPDX-License-Identifier: GPL-2.0-only
"""scripts/demo: a user whose mail is refused again and again is suspended, another is not, and the
suspension ends. Exits 1 when anything goes otherwise than told."""
import os
import signal
import sys

import clients
import scenes
from system import wait_for

MALLORY, BOB = 5, 33       # games and www-data: users that every Debian has
SUSPEND_S = 10


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"\n== {text}")


def show(text):
    for line in text.rstrip().splitlines():
        say(f"   {line}")


def send(host, uid, name, recipient, domain):
    """One mail by swaks; the server's last word on it."""
    sent = clients.swaks(host, uid, f"{name}@{domain}", [recipient])
    replies = [line[4:] for line in sent.text.splitlines() if line.startswith(("<- ", "<**"))]
    refused = [line for line in replies if line[:1] in "45"]
    last = refused[0] if refused else replies[-2] if len(replies) > 1 else sent.text.strip()
    say(f"   {name} -> {recipient}: {last}")
    return sent


def status(host):
    show(host.cli("status").stdout)


def demo(host):
    step("games sends with swaks to a server that refuses every second recipient (r550... in its name)")
    for n in range(1, 5):
        send(host, MALLORY, "games", f"friend{n}@far.test", "shop.example")
        send(host, MALLORY, "games", f"r550.5.1.1-stranger{n}@far.test", "shop.example")
    step("www-data sends as well, with better addresses")
    send(host, BOB, "www-data", "customer@far.test", "blog.example")
    scenes.window_is(host, MALLORY, delivered=4, failed=4)
    scenes.window_is(host, BOB, delivered=1)
    step("smtplimit status: half of games' mails failed, but fewer than 5 of them")
    status(host)

    step("one more refusal makes it 5 of 9")
    send(host, MALLORY, "games", "r550.5.1.1-stranger5@far.test", "shop.example")
    scenes.is_suspended(host, MALLORY)
    scenes.window_is(host, MALLORY, delivered=4, failed=5)
    step("smtplimit status: games is suspended (here for 10 seconds, usually for 60 minutes)")
    status(host)

    step("the next mail of games gets an instant bounce and never reaches the server")
    arrived = len(scenes.arrivals(host, MALLORY))
    sent = send(host, MALLORY, "games", "friend1@far.test", "shop.example")
    if "has exceeded the max defers and failures per hour" not in sent.text:
        raise AssertionError("the bounce has another text")
    if len(scenes.arrivals(host, MALLORY)) != arrived:
        raise AssertionError("it reached the server")
    step("www-data is not affected")
    if not send(host, BOB, "www-data", "customer@far.test", "blog.example").ok:
        raise AssertionError("www-data is refused, too")

    step("waiting for the end of the suspension")
    wait_for(lambda: not scenes.kernel_suspension(host, MALLORY), SUSPEND_S + 5, "the end")
    if not send(host, MALLORY, "games", "friend2@far.test", "shop.example").ok:
        raise AssertionError("still refused")
    scenes.window_is(host, MALLORY, delivered=1)
    step("smtplimit status: games may send again, its window began empty")
    status(host)


def main():
    # The end of the program by a signal must not skip the cleanup.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.chdir("/")
    say("A host of its own: two network namespaces, one with smtplimit, one with an SMTP server.")
    try:
        with scenes.running({"limit": {"suspend": f"{SUSPEND_S}s"}}) as host:
            demo(host)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        print(f"demo: failed: {error}", file=sys.stderr)
        return 1
    say("\nDone; everything is removed again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
