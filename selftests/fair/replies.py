# SPDX-License-Identifier: GPL-2.0-only
"""What the receivers of the simulated day answer: key -> alternatives of (code, enhanced, text).

Code 0: there was no reply. The texts are worded after those of the receivers and mail servers of
today, see selftests/corpus/replies.
"""
OUR_IP = "198.51.100.7"

REPLIES = {
    "ok": [(250, "2.0.0", "OK")],
    "hard/gmail": [
        (550, "5.1.1", "The account you tried to reach does not exist here. Please look for typing errors")],
    "hard/microsoft": [
        (550, "5.5.0", "Requested action not taken: this mailbox is unavailable (S2017062302)"),
        (550, "5.4.1", "Recipient address rejected: Access denied. AS(201806281) [EUR01]"),
        (550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient not found in the directory")],
    "hard/yahoo": [
        (554, "-", "delivery error: dd This user doesn't have an account with us [-20]"),
        (552, "-", "1 Requested mail action not done, mailbox not found")],
    "hard/isp": [
        (550, "-", "Requested action not taken: mailbox unavailable. See the postmaster's page, case r0103"),
        (550, "5.1.1", "User is unknown")],
    "hard/small": [
        (550, "5.1.1", "<x@y.example>: Recipient address rejected: User unknown in relay recipient table"),
        (550, "-", "\"No Such User Here\""),
        (550, "-", "Unrouteable address"),
        (550, "5.1.1", "we have no user by that name: unknown user"),
        (550, "5.7.1", "This mailbox is disabled"),
        (0, "-", "Host or domain name not found"),
        (554, "5.7.1", "<x@y.example>: Relay access denied")],
    "grey": [
        (450, "4.2.0", "<x@y.example>: Recipient address rejected: Greylisted, see the help of postgrey"),
        (451, "4.7.1", "Greylisting in action, please come back in 00:04:58"),
        (451, "-", "Rejected for now. Try again later."),
        (450, "4.7.1", "Please try later")],
    "soft": [
        (451, "4.3.0", "Lookup failed for a moment"),
        (421, "4.3.2", "The service is closing its channel"),
        (451, "4.3.0", "Something broke inside"),
        (450, "4.1.8", "Sender address rejected: Domain lookup did not end in time")],
    "conn": [(0, "-", "Connection timed out"), (0, "-", "Connection refused")],
    "dns": [(0, "-", "Name service error: Host not found, try again")],
    "full": [
        (452, "4.2.2", "The account you tried to reach is over quota. Please direct its owner to our help"),
        (452, "4.2.2", "Mailbox is full"),
        (552, "5.2.2", "<x@y.example>: Quota exceeded (mailbox for user is full)"),
        (550, "5.2.2", "the user has exceeded the storage allocated")],
    "content/gmail": [
        (550, "5.7.1", f"[{OUR_IP}] Our systems take this message for unsolicited mail. To protect our users"),
        (550, "5.7.1", f"[{OUR_IP}] This message is blocked: what is in it is a potential security issue.")],
    "content/microsoft": [
        (550, "5.7.1", "The message has spam or a virus in it"),
        (554, "5.7.1", "Message rejected because of its content")],
    "content/yahoo": [(554, "5.7.9", "Message not accepted for reasons of policy. See our senders' hub")],
    "content/isp": [
        (554, "-", "Transaction failed. Rejected for its spam content"),
        (550, "5.7.1", "We refuse this spam message")],
    "content/small": [
        (550, "-", "This was taken for SPAM and is not delivered"),
        (554, "5.7.1", "Spam message rejected"),
        (550, "5.7.1", "Refused by the content filter as junk")],
    "rate/gmail": [
        (421, "4.7.28", f"[{OUR_IP}] There is an unusual rate of unsolicited mail that comes from your IP address")],
    "rate/microsoft": [
        (451, "4.7.650", f"The mail server [{OUR_IP}] is temporarily rate limited because of its IP reputation (S775)")],
    "rate/yahoo": [
        (421, "4.7.0", f"[TSS04] Mail of {OUR_IP} is temporarily deferred after unexpected volume or users' complaints")],
    "rate/isp": [
        (450, "4.7.1", "Your host sends too many messages, slow down"),
        (421, "-", "Too many connections")],
    "rate/small": [
        (421, "-", "Too many connections at once"),
        (451, "4.7.1", "Rate limit reached, try later")],
    "listed/microsoft": [
        (550, "5.7.1", f"Unfortunately, mail from [{OUR_IP}] wasn't sent. Ask your provider for help: a part of "
                       "their network is on our block list (S3150).")],
    "listed/yahoo": [
        (553, "5.7.1", f"[BL21] We accept no connections from {OUR_IP}, as Spamhaus has it in its list")],
    "listed/small": [
        (554, "5.7.1", f"Service unavailable; Client host [{OUR_IP}] blocked using zen.spamhaus.org"),
        (550, "-", f"refused, since {OUR_IP} is in a black list: zen.spamhaus.org")],
    "auth/gmail": [(550, "5.7.26", "This mail was blocked, as its sender is unauthenticated. SPF or DKIM is required")],
    "auth/microsoft": [
        (550, "5.7.515", "Access denied, the sending domain fails the authentication level that is required.")],
    "auth/small": [(550, "5.7.23", "The SPF validation failed")],
    "outage": [
        (451, "4.7.0", "Temporary error of the server. Please try later. PRX2"),
        (421, "4.3.2", "The service is not active")],
    "bombed": [
        (450, "4.2.1", "The user you try to contact receives mail at a rate that stops further messages")],
}
NUMBERS, LINES = {}, []
for key, alternatives in REPLIES.items():
    NUMBERS[key] = range(len(LINES), len(LINES) + len(alternatives))
    LINES += alternatives


def number(key, which):
    """The line of one of the alternatives."""
    return NUMBERS[key][which % len(NUMBERS[key])]
