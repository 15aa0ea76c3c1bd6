# SPDX-License-Identifier: GPL-2.0-only
# TLS inside the virtual machine, for vm_smoke.sh (busybox sh): bob (uid 1001) delivers by STARTTLS and
# by TLS from the first byte, with the real libssl, and the probes count it exactly. Emulation is slow
# and attaching takes its time: a client says nothing in TLS before the probes are in it.

SUBMISSION=587
SMTPS=465

# How probes are attached on this kernel.
tls_way_wanted() {
	case $(uname -r) in
	6.1.*) echo "perf uprobes" ;;
	*) echo uprobe_multi ;;
	esac
}

# tls_stat NAME: a counter of `status -j`.
tls_stat() { smtplimit status -j | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p"; }
# Sessions seen, and of them late; not bound; opaque.
tls_stats() {
	echo "$(tls_stat tls_sessions)/$(tls_stat tls_late)/$(tls_stat tls_unbound)/$(
		tls_stat tls_opaque)"
}
tls_stats_are() { [ "$(tls_stats)" = "$1" ]; }

# What follows would wait in vain as well.
tls_wait() { wait_for "$@" || conclude; }

has_probes() {
	bpftool map dump pinned /sys/fs/bpf/smtplimit/v1/smtpl_tls_pids 2>&1 | tr -d ' \n' |
		grep -q "\"key\":$1,\"value\":{\"since_ns\":[1-9][0-9]*,\"last_ns\":[0-9]*,\"files\":[1-9]"
}

# tls_begin HOW PORT RCPT...: bob's client (-s, -i), connected, probed and waiting; step lets it go on.
tls_begin() {
	local how="$1" port="$2"

	shift 2
	smtp_smoke client -u 1001 -w "$how" "$V4" "$port" me@bob.test "$@" \
		</tmp/steps >/tmp/client.log 2>&1 &
	CLIENT=$!
	tls_wait "probes are in the client" has_probes "$CLIENT"
}
step() { echo >/tmp/steps; }

# tls_deliver HOW PORT RCPT[,RCPT]...: a mail for each list, in one session.
tls_deliver() {
	tls_begin "$@"
	shift 2
	for _ in connected "$@"; do
		step
	done
	wait "$CLIENT"
	expect "the session came to its end" 0 "$?"
	expect_text "it was under TLS" "^TLS$" /tmp/client.log
}

tls_count_exactly() {
	tls_deliver -s "$SUBMISSION" 250@a.test,550@b.test
	tls_wait "a session was seen" tls_stats_are 1/0/0/0
	expect "bob's attempts by STARTTLS" 2/0/1/0 "$(attempts bob)"
	tls_deliver -i "$SMTPS" d450@c.test 250@d.test,550@e.test
	tls_wait "two sessions were seen" tls_stats_are 2/0/0/0
	expect "bob's attempts by implicit TLS too" 3/1/2/0 "$(attempts bob)"
	expect "none was opaque" 0 "$(figure bob total opaque)"
}

# Suspended inside a TLS session: not one mail more.
tls_cut() {
	tls_begin -s "$SUBMISSION" 250@f.test 250@g.test
	step
	step
	tls_wait "bob's mail is delivered" attempts_are bob 4/1/2/0
	smtplimit suspend bob
	expect "suspend bob" 0 "$?"
	tls_wait "bob is suspended" is_suspended bob
	step
	wait "$CLIENT"
	expect "his session ends" 1 "$?"
	expect_text "by a reset" "connection abort" /tmp/client.log
	expect "bob's attempts after the cut" 4/1/2/0 "$(attempts bob)"
	smtplimit release bob
	expect "release bob" 0 "$?"
	tls_wait "bob is released" not_suspended bob
}
attempts_are() { [ "$(attempts "$1")" = "$2" ]; }

# Where user/tls/guard.c sees that somebody waits.
tls_can_be_guarded() {
	local name

	for name in percpu_rwsem_wait proc_map_files_readdir map_files_d_revalidate m_start; do
		expect_text "the kernel has $name" " $name$" /proc/kallsyms
	done
}

tls_sees() {
	local way

	way=$(sed -n 's/^[^ ]* *TLS by uprobes: \([^,]*\).*/\1/p' /tmp/check.log)
	echo "TLS by $way" >/tmp/notes
	expect "TLS is seen by" "$(tls_way_wanted)" "$way"
	tls_can_be_guarded
	mkfifo /tmp/steps
	# Open for both: neither side waits for the other, and no step is lost.
	exec 3<>/tmp/steps
	remote smtp_smoke server -c /test/cert.pem "$SUBMISSION" >/tmp/starttls.log 2>&1 &
	remote smtp_smoke server -c /test/cert.pem -i "$SMTPS" >/tmp/smtps.log 2>&1 &
	tls_wait "the server with STARTTLS listens" logged listening /tmp/starttls.log
	tls_wait "the server with implicit TLS listens" logged listening /tmp/smtps.log
	tls_count_exactly
	tls_cut
	exec 3>&-
}
