# SPDX-License-Identifier: GPL-2.0-only
"""TLS sessions in programs that do odd things with sockets, objects and processes are settled once
and charged to no other, and nothing of them stays in the maps."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
import tls_script  # noqa: E402
from host import bpftool  # noqa: E402
from ktap import equal  # noqa: E402
from tls_script import Client, Watch  # noqa: E402

# An SSL_read whose RET is another function's as well, which it calls itself, and which returns 64 there.
# What it reads it does not read by SSL_read of libssl.
SHARED_RET = """
#include <openssl/ssl.h>
int real_read(SSL *ssl, void *to, int size)
{
	BIO *bio = BIO_new(BIO_f_ssl());
	int got;

	BIO_set_ssl(bio, ssl, BIO_NOCLOSE);
	got = BIO_read(bio, to, size);
	BIO_free(bio);
	return got;
}
__asm__(".text\\n"
	".globl SSL_read\\n"
	".type SSL_read, @function\\n"
	"SSL_read: push %rdi; push %rsi; push %rdx\\n"
	"call inner\\n"
	"pop %rdx; pop %rsi; pop %rdi\\n"
	"sub $8, %rsp; call real_read@PLT; add $8, %rsp\\n"
	"1: ret\\n"
	".size SSL_read, .-SSL_read\\n"
	"inner: mov $64, %eax; jmp 1b\\n");
"""
LATER = "198.51.100.8"          # the greeting does not come along with the end of the handshake
SERVER = {**tls_script.SERVER, "special": {LATER: {"greeting": "220w200"}}}
SESSIONS_PER_UID = 16384 // 8   # headers/tls.h
_uids = iter(range(22000, 23000))


def mixed(tag):
    return f"me@{tag}.test", [scenes.fresh(act)[0] for act in ("", "r550", "r451")]


def entries(host, uid):
    """The sessions of a uid that are followed and not over."""
    return [t for t in host.map("smtpl_tls").values() if t["uid"] == uid and not t["end"]]


def nothing_left(host, uid):
    scenes.wait_for(lambda: not entries(host, uid), 10, f"no session of uid {uid} in the map")


def test_disconnected_and_closed(host):
    """By connect(AF_UNSPEC), which leaves the socket without a port."""
    for kind in tls_script.PROBED:
        watch, client, uid = Watch(host), Client(host), next(_uids)
        session = client.open(uid, kind)
        session.message(*mixed("whole"))
        session.talk("MAIL FROM:<me@cut.test>")
        session.say(f"RCPT TO:<{scenes.fresh('rdrop')[0]}>")
        session.do("drop")
        session.close()
        watch.exact(uid, tls_sessions=1)
        nothing_left(host, uid)


def test_another_object_at_the_address_in_a_forked_child(host):
    """The child lets go of the session's object and speaks to another server; its parent holds the
    socket."""
    for kind in ("openssl", "memory"):
        watch, client, uid = Watch(host), Client(host), next(_uids)
        session = client.open(uid, kind)
        session.message(*mixed("parent"))
        child = client.fork()
        client.probed(child)
        session.do("free")
        other = client.session(0, port=443)
        other.tls(kind, at=session.object)
        equal(other.object, session.object, "address of the next object")
        other.hello()
        other.message(*mixed("elsewhere"))
        client.exit()
        session.close()
        watch.exact(uid, tls_sessions=1)


def test_handshake_in_one_process_and_speech_in_another(host):
    """What was said while the child had no probes is not the beginning."""
    for kind in tls_script.PROBED:
        for port in (25, 465):
            watch, client, uid = Watch(host), Client(host), next(_uids)
            session = client.session(uid, LATER, port)
            client.probed()
            session.greet()
            session.set("tls12")
            session.tls(kind)
            with tls_script.prober_stopped(host):
                child = client.fork()
                session.hello()
                session.talk("MAIL FROM:<me@before.test>")
            client.probed(child)
            for rcpt in scenes.fresh("", 2):
                session.talk(f"RCPT TO:<{rcpt}>")
            session.talk("DATA", 354)
            session.say("hello", ".")
            session.expect(250)
            session.message(*mixed("behind"))
            session.quit()
            client.exit()
            session.close()
            expected = host.tally()
            del expected.cells[uid, "before.test"]
            expected.bump(uid, "", "unknown")
            watch.counted(expected, uid)
            watch.stats_are(tls_sessions=1, tls_late=1)


def test_socket_of_one_read_before_another_object(host):
    """Memory BIOs and sockets in one thread: what was read is fed later, another object is read first."""
    watch, client, own = Watch(host), Client(host), [next(_uids) for _ in range(2)]
    other = client.open(0, probed=False, port=443)
    session = client.session(own[0], LATER, 465)
    client.probed()
    session.set("tls12")
    session.tls("memory")
    session.do("pull")
    other.message(*mixed("elsewhere"))
    session.hello()
    session.message(*mixed("own"))
    session.quit()
    other.quit()
    watch.exact(own[0], tls_sessions=1)


def test_ret_that_another_function_uses(host):
    """It is a return of the function that was entered only where the stack is as it was then."""
    library = host.dir / "shared_ret.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-lssl"],
                   input=SHARED_RET, text=True, check=True)
    watch, client, uid = Watch(host), Client(host, preload=library), next(_uids)
    session = client.open(uid)
    session.message(*mixed("one"))
    session.message(*mixed("two"))
    session.quit()
    watch.exact(uid, tls_sessions=1)


def push_out(host, address):
    key = next(k for k in host.map("smtpl_tls_objs") if k[0] == int(address, 16))
    words = [str(byte) for part in key for byte in part.to_bytes(8, "little")]
    bpftool("map", "delete", "pinned", host.pin("smtpl_tls_objs"), "key", *words)


def test_objects_pushed_out(host):
    """smtpl_tls_objs is full, and what is in use is pushed out: one message is unknown."""
    for kind in tls_script.PROBED:
        for at, domain in (("mail", ""), ("rcpt", "lost.test"), ("data", "lost.test")):
            watch, client, uid = Watch(host), Client(host), next(_uids)
            session = client.open(uid, kind)
            session.message(*mixed("first"))
            for name, line, code in (("mail", "MAIL FROM:<me@lost.test>", 250),
                                     ("rcpt", f"RCPT TO:<{scenes.fresh()[0]}>", 250),
                                     ("data", "DATA", 354)):
                session.talk(line, code)
                if at == name:
                    push_out(host, session.object)
            session.say("hello", ".")
            session.expect(250)
            session.message(*mixed("next"))
            session.quit()
            expected = host.tally()
            expected.bump(uid, "lost.test", "delivered", -1)
            expected.bump(uid, domain, "unknown")
            watch.counted(expected, uid)
            watch.stats_are(tls_sessions=1, tls_blind=1)


def test_no_room_for_a_uid(host):
    """That has as many sessions open as one may have followed: opaque. Others are followed."""
    watch, client, own = Watch(host), Client(host), [next(_uids) for _ in range(2)]
    set_open(host, own[0], SESSIONS_PER_UID)
    for uid in own:
        session = client.open(uid)
        session.message(*mixed("one"))
        session.message(*mixed("two"))
        session.quit()
    expected = host.tally()
    for domain in ("one.test", "two.test"):
        del expected.cells[own[0], domain]
    expected.bump(own[0], "", "opaque")
    watch.counted(expected, *own)
    watch.stats_are(tls_sessions=1, tls_unbound=1, tls_full=1)
    equal([host.map("smtpl_tls_uids")[uid] for uid in own], [SESSIONS_PER_UID, 0], "sessions open")


def set_open(host, uid, count):
    words = [str(byte) for part in (uid, count) for byte in part.to_bytes(4, "little")]
    bpftool("map", "update", "pinned", host.pin("smtpl_tls_uids"), "key", *words[:4],
            "value", *words[4:])


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running({"limit": {"mode": "observe"}}, server=SERVER))
