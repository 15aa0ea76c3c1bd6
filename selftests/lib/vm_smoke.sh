# SPDX-License-Identifier: GPL-2.0-only
# The smoke test inside the virtual machine: the daemon on a real kernel, from check to unload, with
# figures that must come out exactly. alice (uid 1000) is the customer, bob (1001) her neighbour; the
# server and its script are selftests/lib/smtp_smoke.c.
. /test/vm_checks.sh
. /test/vm_tls.sh

V4=10.9.0.2
V6=fd09::2

# Programs and maps in the kernel.
bpf_objects() {
	echo "$(bpftool prog show | grep -c '^[0-9]') $(bpftool map show | grep -c '^[0-9]')"
}

# figure ACCOUNT SECTION FIELD: one number of `status -j`; nothing where the account is not there.
figure() {
	smtplimit status -j | tr -d ' \n' | sed -n "s/.*\"account\":\"$1\"/&/p" |
		sed "s/.*\"account\":\"$1\"//; s/\"account\":.*//" |
		sed -n "s/.*\"$2\":{\([^}]*\)}.*/,\1,/p" | sed -n "s/.*,\"$3\":\([^,]*\),.*/\1/p"
}

# attempts ACCOUNT: delivered/deferred/failed/unknown, ever.
attempts() {
	echo "$(figure "$1" total delivered)/$(figure "$1" total deferred)/$(
		figure "$1" total failed)/$(figure "$1" total unknown)"
}

# mails ACCOUNT: delivered/deferred/failed percent, in the window.
mails() {
	echo "$(figure "$1" window delivered)/$(figure "$1" window deferred)/$(
		figure "$1" window failed) $(figure "$1" window percent)"
}

has_mails() { [ "$(mails "$1")" = "$2" ]; }
is_suspended() {
	smtplimit status -j | tr -d ' \n' |
		sed "s/.*\"account\":\"$1\"//; s/\"account\":.*//" | grep -q '"suspended":true'
}
not_suspended() { ! is_suspended "$1"; }
logged() { grep -qs "$1" "$2"; }
bpf_objects_are() { [ "$(bpf_objects)" = "$1" ]; }
ended() { [ ! -e "/proc/$1/exe" ]; }
server_connections() { grep -c '^connection' /tmp/server.log; }

# send UID ADDRESS RCPT...: one session; its replies are in /tmp/client.log.
send() {
	local uid="$1" address="$2"

	shift 2
	smtp_smoke client -u "$uid" -b 50000 "$address" 25 me@alice.test "$@" >/tmp/client.log 2>&1
}

daemon_start() {
	smtplimit run >/tmp/daemon.log 2>&1 &
	DAEMON=$!
	wait_for "the daemon says ready" logged ready /tmp/daemon.log && return
	cat /tmp/daemon.log
	conclude
}

count_exactly() {
	send 1000 "$V4" d250@a.test d250@b.test d250@c.test,450@c.test,550@c.test d450@d.test
	expect "the IPv4 session came to its end" 0 "$?"
	expect "attempts over IPv4" 3/2/1/0 "$(attempts alice)"
	send 1000 "$V6" 200@a.test,250@b.test d550@c.test
	expect "the IPv6 session came to its end" 0 "$?"
	expect "attempts over IPv6 too" 5/2/2/0 "$(attempts alice)"
	send 1000 "::ffff:$V4" d250@z.test
	expect "the v4-mapped session came to its end" 0 "$?"
	expect "attempts over v4-mapped too" 6/2/2/0 "$(attempts alice)"
	expect "connections" 3 "$(figure alice total connections)"
	wait_for "the window is 40 % bad" has_mails alice "6/2/2 40.0"
	expect "not suspended at 4 failures" false "$(is_suspended alice && echo true || echo false)"
}

# 6 delivered and 6 bad is 50 %: the second mail of this session crosses the line.
suspend() {
	local before

	send 1000 "$V4" 550@e.test d450@f.test
	wait_for "alice is suspended" is_suspended alice
	expect "attempts at the suspension" 6/3/3/0 "$(attempts alice)"

	before=$(server_connections)
	send 1000 "$V4" d250@a.test
	expect_text "she is refused over IPv4, with the text" "$REFUSAL" /tmp/client.log
	send 1000 "$V6" d250@a.test
	expect_text "she is refused over IPv6, with the text" "$REFUSAL" /tmp/client.log
	expect "nothing of it reached the server" "$before" "$(server_connections)"
	expect "attempts after the refusals" 6/3/3/0 "$(attempts alice)"
	expect "refused" 2 "$(figure alice total refused)"

	send 1001 "$V4" d250@a.test
	expect "bob still sends" 0 "$?"
	expect "bob's attempts" 1/0/0/0 "$(attempts bob)"
}
REFUSAL='^550 5\.7\.1 Domain alice\.test has exceeded the max defers and failures per hour '
REFUSAL=$REFUSAL'\(6/5 \(50%\)\) allowed\. Message discarded\. Sending is possible again at '
REFUSAL=$REFUSAL'[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z \(in (60|59) minutes\)\.$'

release() {
	smtplimit release alice
	expect "release" 0 "$?"
	wait_for "alice is released" not_suspended alice
	send 1000 "$V4" d250@a.test
	expect "she sends again" 0 "$?"
	expect "attempts after the release" 7/3/3/0 "$(attempts alice)"
	wait_for "her window began empty" has_mails alice "1/0/0 0.0"
}

# Who speaks to this host's own mail server is known, with both ends and with the client's alone.
local_callers() {
	smtp_smoke server 25 >/tmp/local.log 2>&1 &
	LOCAL=$!
	wait_for "the local server listens" logged listening /tmp/local.log
	send 1001 127.0.0.1 d250@a.test
	expect "bob speaks to the local server" 0 "$?"
	send 1000 ::1 d250@a.test
	expect "alice speaks to the local server" 0 "$?"
	expect "bob is a caller" 2 "$(callers 1001)"
	expect "alice is a caller" 2 "$(callers 1000)"
	kill "$LOCAL"
}
callers() {
	bpftool map dump pinned /sys/fs/bpf/smtplimit/v1/smtpl_callers | grep -c "\"uid\": $1,"
}

# mail (uid 8) is a mail server: its session for a suspended domain is ended, at once.
reset_relay() {
	smtplimit suspend domain:bad.test
	expect "suspend a domain" 0 "$?"
	wait_for "the domain is suspended" is_suspended domain:bad.test
	relay good.test
	expect "the mail server sends for another domain" 0 "$?"
	relay bad.test
	expect "its session for the domain ends" 1 "$?"
	expect_text "by a reset" "connection abort" /tmp/client.log
	expect "sessions cut" 1 "$(smtplimit status -j | sed -n 's/.*"sessions_cut": *\([0-9]*\).*/\1/p')"
	expect "attempts of the mail server" 1/0/0/0 "$(attempts domain:good.test)"
}
relay() {
	timeout 20 smtp_smoke client -u 8 "$V4" 25 "me@$1" d250@a.test >/tmp/client.log 2>&1
}

# The kernel side goes on without the daemon, and unload takes all of it away.
leave() {
	kill "$DAEMON"
	wait_for "the daemon ends" ended "$DAEMON"
	send 1000 "$V4" d250@a.test
	expect "counting goes on without the daemon" 8/3/3/0 "$(attempts alice)"
	smtplimit unload
	expect "unload" 0 "$?"
	wait_for "no program and no map is left" bpf_objects_are "$BPF_OBJECTS_BEFORE"
	expect "no pin is left" "" "$(ls /sys/fs/bpf)"
}

BPF_OBJECTS_BEFORE=$(bpf_objects)
smtplimit check >/tmp/check.log 2>&1
expect "check" 0 "$?"
cat /tmp/check.log
remote smtp_smoke server 25 >/tmp/server.log 2>&1 &
wait_for "the server listens" logged listening /tmp/server.log || conclude
printf '[watch]\nrelay_users = mail\n[refuse]\nrelay = reset\n' >/etc/smtplimit.conf
daemon_start
count_exactly
suspend
release
local_callers
reset_relay
tls_sees
leave
echo "# log of the daemon:"
cat /tmp/daemon.log
conclude
