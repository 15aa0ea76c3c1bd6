# SPDX-License-Identifier: GPL-2.0-only
"""The test server and its tally against dialogues written by hand: what each must be counted as is
stated here, number by number. No root needed."""
import asyncio

import ktap
import script
import server
import tally

EHLO = "EHLO u7.test"
FROM = "MAIL FROM:<me@Dom.Test.>"
DOM = (7, "dom.test")


def rcpt(address):
    return f"RCPT TO:<{address}@x.test>"


class Talk:
    """A dialogue on one connection: each step is a command and the reply codes that follow."""

    def __init__(self, config=None):
        self.config = {"ports": [0], **(config or {})}

    async def _replies(self, count):
        codes = []
        while len(codes) < count:
            line = await asyncio.wait_for(self.reader.readline(), 5)
            if not line:
                codes.append("eof")
                break
            if line[3:4] != b"-":
                codes.append(int(line[:3]))
        return codes

    async def _run(self, steps):
        made = server.Server(self.config)
        await made.listen()
        self.reader, self.writer = await asyncio.open_connection("::1", made.bound[0])
        for sent, want in steps:
            if sent is not None:
                self.writer.write(sent.encode() if isinstance(sent, str) else sent)
            ktap.equal(await self._replies(len(want)), want, f"replies to {sent!r}")
        self.writer.close()
        await asyncio.sleep(0)
        while made.open:
            await asyncio.sleep(0.001)
        return made

    def run(self, steps):
        return asyncio.run(self._run(steps))


def lockstep(*steps):
    return [(None, [220])] + [(command + "\r\n", [code]) for command, code in steps]


def cells(made):
    """What was counted, without the zeroes."""
    return {key: {cell: count for cell, count in value.items() if count}
            for key, value in made.tally.cells.items()}


def check(steps, want, config=None):
    made = Talk(config).run(steps)
    ktap.equal(cells(made), {(7, ""): {"connections": 1}, **want}, "tally")
    return made


def test_delivered_to_two():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("a"), 250), (rcpt("b"), 250), ("DATA", 354),
                   ("x\r\n.", 250), ("QUIT", 221)), {DOM: {"delivered": 2}})


def test_empty_body():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("a"), 250), ("DATA", 354), (".", 250),
                   ("QUIT", 221)), {DOM: {"delivered": 1}})


def test_dot_only_in_a_line_is_no_end():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("a"), 250), ("DATA", 354),
                   ("x.\r\n..\r\n.y\r\n\n.\n\r\n.", 250), ("QUIT", 221)), {DOM: {"delivered": 1}})


def test_recipient_refused():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("r550.5.1.1-a"), 550), (rcpt("r451-b"), 451),
                   (rcpt("c"), 250), ("DATA", 354), ("x\r\n.", 250), ("QUIT", 221)),
          {DOM: {"failed": 1, "deferred": 1, "delivered": 1}})


def test_second_time_accepted():
    made = check(lockstep((EHLO, 250), (FROM, 250), (rcpt("r451+250-a"), 451), (rcpt("r451+250-a"), 250),
                          ("DATA", 354), ("x\r\n.", 250)), {DOM: {"deferred": 1, "delivered": 1}})
    ktap.equal(tally.mails(made.tally.log), {"delivered": 1, "deferred": 0, "failed": 0}, "mails")


def test_sender_refused_and_pipelined_rest():
    steps = [(None, [220]), (EHLO + "\r\n", [250]),
             (f"MAIL FROM:<m550-me@dom.test>\r\n{rcpt('a')}\r\nDATA\r\n", [550, 503, 503]),
             ("QUIT\r\n", [221])]
    check(steps, {DOM: {"failed": 1}})


def test_all_recipients_refused_data_ignored():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("r550-a"), 550), ("DATA", 503), ("QUIT", 221)),
          {DOM: {"failed": 1}})


def test_data_refused():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("d451-a"), 250), (rcpt("b"), 250), ("DATA", 451),
                   ("QUIT", 221)), {DOM: {"deferred": 2}})


def test_end_of_data_refused():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("e554-a"), 250), (rcpt("b"), 250), ("DATA", 354),
                   ("x\r\n.", 554), ("QUIT", 221)), {DOM: {"failed": 2}})


def test_421_decides_once():
    steps = [(None, [220]), (EHLO + "\r\n", [250]),
             (f"{FROM}\r\n{rcpt('a')}\r\n{rcpt('r421-b')}\r\n{rcpt('c')}\r\nDATA\r\n",
              [250, 250, 421, "eof"])]
    check(steps, {DOM: {"deferred": 3}})


def test_dropped_before_the_end():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("a"), 250)) + [(rcpt("rdrop-b") + "\r\n", ["eof"])],
          {DOM: {"deferred": 2}})


def test_dropped_after_the_dot():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("edrop-a"), 250), ("DATA", 354))
          + [("x\r\n.\r\n", ["eof"])], {DOM: {"unknown": 1}})


def test_dropped_at_mail():
    check(lockstep((EHLO, 250)) + [("MAIL FROM:<mdrop-me@dom.test>\r\n", ["eof"])],
          {DOM: {"deferred": 1}})


def test_ehlo_refused_helo_taken():
    check(lockstep(("EHLO h502e.u7.test", 502), ("HELO h502e.u7.test", 250), (FROM, 250),
                   (rcpt("a"), 250), ("DATA", 354), (".", 250), ("QUIT", 221)), {DOM: {"delivered": 1}})


def test_ehlo_and_helo_refused_count_once():
    made = Talk().run(lockstep(("EHLO h550.u7.test", 550), ("HELO h550.u7.test", 550), ("QUIT", 221)))
    ktap.equal(cells(made), {(7, ""): {"connections": 1, "failed": 1}}, "tally")


def test_greeting_refused():
    config = {"special": {"::1": {"greeting": "554.5.3.2", "uid": 7}}}
    made = Talk(config).run([(None, [554]), (EHLO + "\r\n", [503]), ("QUIT\r\n", [221])])
    ktap.equal(cells(made), {(7, ""): {"connections": 1, "failed": 1}}, "tally")


def test_too_many_recipients_is_no_outcome():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("a"), 250), (rcpt("r452.4.5.3-b"), 452),
                   ("DATA", 354), (".", 250), ("QUIT", 221)), {DOM: {"delivered": 1}})
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("r452.4.5.3-b"), 452), ("QUIT", 221)),
          {DOM: {"deferred": 1}})


def test_callout_is_no_mail():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("a"), 250), ("RSET", 250), (FROM, 250),
                   (rcpt("r550-b"), 550), ("QUIT", 221)), {DOM: {"failed": 1}})


def test_null_sender_never_counts():
    check(lockstep((EHLO, 250), ("MAIL FROM:<>", 250), (rcpt("r550-a"), 550), (rcpt("b"), 250),
                   ("DATA", 354), (".", 250), ("QUIT", 221)), {})


def test_prdr_each_for_itself():
    check(lockstep((EHLO, 250), (FROM + " PRDR", 250), (rcpt("p550-a"), 250), (rcpt("b"), 250),
                   ("DATA", 354)) + [("x\r\n.\r\n", [353, 550, 250, 250]), ("QUIT\r\n", [221])],
          {DOM: {"failed": 1, "delivered": 1}})


def test_prdr_the_whole_is_refused():
    check(lockstep((EHLO, 250), (FROM + " PRDR", 250), (rcpt("p550-a"), 250), (rcpt("e451-b"), 250),
                   ("DATA", 354)) + [("x\r\n.\r\n", [353, 550, 250, 451]), ("QUIT\r\n", [221])],
          {DOM: {"failed": 1, "deferred": 1}})


def test_bdat():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("a"), 250))
          + [(b"BDAT 5\r\n\r\n.\r\n", [250]), (b"BDAT 6 LAST\r\nQUIT\r\n", [250]),
             ("QUIT\r\n", [221])], {DOM: {"delivered": 1}})


def test_reply_before_the_end():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("eearly552-a"), 250), ("DATA", 354))
          + [("x\r\n", [552]), ("y\r\n.\r\nNOOP\r\n", [250]), ("QUIT\r\n", [221])],
          {DOM: {"failed": 1}})


def test_reset_behind_the_reply():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("ebye250-a"), 250), ("DATA", 354))
          + [("x\r\n.\r\n", [250])], {DOM: {"delivered": 1}})


def test_replies_together():
    config = {"special": {"::1": {"together": True}}}
    check(lockstep((EHLO, 250))
          + [(f"{FROM}\r\n{rcpt('a')}\r\n{rcpt('r550-b')}\r\nDATA\r\n", [250, 250, 550, 354]),
             ("x\r\n.\r\nRSET\r\nQUIT\r\n", [250, 250, 221])],
          {DOM: {"delivered": 1, "failed": 1}}, config)


def test_multi_line_reply():
    check(lockstep((EHLO, 250), (FROM, 250), (rcpt("r550x3-a"), 550), ("QUIT", 221)),
          {DOM: {"failed": 1}})


def test_directives():
    ktap.equal(script.of_address("bob-r550@x"), {}, "no directive")
    ktap.equal(script.of_address("rx-bob@x"), {}, "not a code")
    ktap.equal(script.of_address("r250_e552.5.3.4w20x2-b@x")["e"],
               [script.Act(552, "5.3.4", "", 20, 2)], "stages")
    ktap.equal(script.Act(552, "5.3.4", "", 0, 2).reply("big"), b"552-5.3.4 big\r\n552 5.3.4 big\r\n",
               "reply")
    ktap.equal(server.path_of(b'FROM:<"a>b"@X.test> SIZE=3'), '"a>b"@X.test', "quoted path")
    ktap.equal(server.path_of(b"TO:<@a,@b:c@d>"), "c@d", "source route")
    listed = script.of_address("r550.5.7.1tis.listed-b@x")["r"][0]
    ktap.equal((listed.enhanced, listed.reply()), ("5.7.1", b"550 5.7.1 is listed\r\n"), "text")
    ktap.equal(script.of_address("r550t-b@x"), {}, "no text")
    ktap.equal(server.scripted_greeting("2001:db8:1:4e21::554"), (20001, script.Act(554)), "greeting")


def test_mails():
    def entry(outcome, recipient="a", sender="s"):
        return {"sender": sender, "recipient": recipient, "outcome": outcome}

    def mails(*outcomes):
        return tuple(tally.mails([entry(*o.split()) for o in outcomes]).values())

    ktap.equal(mails("deferred", "deferred", "deferred"), (0, 1, 0), "retries are one mail")
    ktap.equal(mails("deferred", "failed"), (0, 0, 1), "deferred, then failed")
    ktap.equal(mails("deferred", "delivered", "deferred"), (1, 1, 0), "a new mail")
    ktap.equal(mails("failed", "failed", "delivered"), (1, 0, 1), "one failing recipient")
    ktap.equal(mails(*["failed"] * 20), (0, 0, 1), "twenty mails to it")
    ktap.equal(mails(*["failed"] * 21), (0, 0, 2), "and one more")
    ktap.equal(mails("deferred a", "delivered b"), (1, 1, 0), "another recipient")
    ktap.equal(mails("deferred a@X", "delivered a@x"), (1, 0, 0), "a domain has no case")
    ktap.equal(mails("deferred A@x", "delivered a@x"), (1, 1, 0), "a local part has")
    nobody = [dict(entry("deferred", None), host=h) for h in ("h1", "h1", "h2")]
    ktap.equal(tally.mails(nobody), {"delivered": 0, "deferred": 2, "failed": 0}, "tries of a host")
    ktap.equal(tally.mails([entry("failed", None)] * 2)["failed"], 2, "refused by a host")
    ktap.equal(mails("deferred", "unknown"), (0, 1, 0), "unknown is in neither")


def test_a_false_expectation_fails():
    try:
        check(lockstep((EHLO, 250), (FROM, 250), (rcpt("r550-a"), 550), ("QUIT", 221)),
              {DOM: {"failed": 2}})
    except AssertionError:
        return
    raise AssertionError("a wrong number was taken for right")


ktap.main(ktap.tests(globals()))
