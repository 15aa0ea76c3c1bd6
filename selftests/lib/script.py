# SPDX-License-Identifier: GPL-2.0-only
"""What the test server shall answer, written into the addresses that a client sends.

A local part (or the first label of the EHLO name) may begin with directives, closed by '-' (EHLO: by
the dot); several are joined by '_':

    r550.5.1.1-bob@x      RCPT is refused with 550 5.1.1
    r451+250-bob@x        the first time 451, from then on 250
    d554-, e552-, m451-   the reply to DATA, to the end of data, to MAIL (in the sender's address)
    h550.u20001.test      the reply to EHLO and HELO; h502e: to EHLO alone
    p550-                 with PRDR: this recipient's reply after the data
    edrop-, rrst-         the connection is closed, or reset, instead of a reply
    ebye250-              the connection is reset right behind the reply
    eearly552-            the reply comes before the end of the data
    r550w200x3-           waits 200 ms first; the reply has 3 lines
    r550.5.7.1tis.listed- the reply's text, with blanks for the dots

The server remembers how often it was asked by the whole address.
"""
import re
from dataclasses import dataclass

_ACT = re.compile(
    r"(?:(?P<action>drop|rst|early|bye)?(?P<code>[2-5]\d\d)?)"
    r"(?:\.(?P<enhanced>[245]\.\d{1,3}\.\d{1,3}))?(?P<only>e)?"
    r"(?:w(?P<wait>\d+))?(?:x(?P<lines>\d+))?(?:t(?P<text>[a-z.]+))?")


@dataclass(frozen=True)
class Act:
    code: int = 250
    enhanced: str = ""
    action: str = ""      # "", drop, rst, early, bye
    wait_ms: int = 0
    lines: int = 1
    ehlo_only: bool = False
    text: str = ""

    def reply(self, text="as asked"):
        text = self.text or text
        text = f"{self.enhanced} {text}" if self.enhanced else text
        more = "".join(f"{self.code}-{text}\r\n" for _ in range(self.lines - 1))
        return f"{more}{self.code} {text}\r\n".encode()


def parse_act(text):
    found = _ACT.fullmatch(text)
    if not found or not (found["code"] or found["action"] in ("drop", "rst")):
        return None
    return Act(int(found["code"] or 0), found["enhanced"] or "", found["action"] or "",
               int(found["wait"] or 0), int(found["lines"] or 1), bool(found["only"]),
               (found["text"] or "").replace(".", " "))


def parse(head):
    """{stage: [Act, ...]} of a text of directives, or {} when it is not one."""
    stages = {}
    for directive in head.split("_"):
        acts = [parse_act(a) for a in directive[1:].split("+")]
        if directive[:1] not in tuple("hmrdep") or None in acts:
            return {}
        stages[directive[0]] = acts
    return stages


def of_address(address):
    head, dash, _ = address.partition("-")
    return parse(head) if dash and "@" not in head else {}


def of_ehlo(name):
    return parse(name.partition(".")[0])


class Memory:
    """How often each (stage, address) was asked: picks the act whose turn it is."""

    def __init__(self):
        self.asked = {}

    def act(self, stage, address, stages):
        acts = stages.get(stage)
        if not acts:
            return None
        turn = self.asked.get((stage, address), 0)
        if len(acts) > 1:
            self.asked[stage, address] = turn + 1
        return acts[min(turn, len(acts) - 1)]
