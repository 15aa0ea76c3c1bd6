// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls.bpf.c - reads the plaintext of TLS sessions. One program stands on the entries and RETs of
 * the TLS functions of a library (headers/tls.h); another, on a trace point, sees which socket a
 * thread reads. While the thread is inside such a function, that socket is the TLS object's.
 *
 * A program that hands its library buffers, not sockets (memory BIOs), reads the socket first and
 * then calls the library. There the socket is a candidate for the object of the next call that
 * reads or shakes hands, for that one alone, and it is bound when plaintext comes of it. A thread
 * that reads another socket in between works differently: none of its objects is bound so.
 */
#include <linux/ptrace.h>
#include "kernel.h"
#include "tls_object.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMTPL_TLS_FILES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct smtpl_tls_file_key);
	__type(value, struct smtpl_tls_file);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smtpl_tls_state);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_state SEC(".maps");

/* --- calls ---------------------------------------------------------------------------------- */

/* The socket that this thread read last becomes the candidate of this object. */
static __always_inline void tls_propose_last(const struct tls_object_key *key,
					     struct tls_thread *thread, __u32 direction)
{
	struct smtpl_session *t = tls_session(thread->last);
	struct tls_object *object;

	thread->last = 0;
	if (!t || t->tls.object || thread->other)
		return;
	object = tls_object_get(key);
	if (!object || object->direct)
		return;
	object->candidate = t->cookie;
	if (direction == TLS_HANDSHAKES)
		object->whole = 1;
}

/* Notes that a call is under way. If the return of one before it, of the same direction, was not
 * seen, bytes of that one may have been missed. */
static __always_inline void tls_mark_call(const struct tls_object_key *key, __u32 direction)
{
	struct tls_object *object = bpf_map_lookup_elem(&smtpl_tls_objs, key);
	struct smtpl_session *t = object ? tls_bound(key, object) : NULL;

	if (!t)
		return;
	if (t->tls_calls[direction & 1])
		plaintext_missed(t);
	t->tls_calls[direction & 1] = 1;
}

static __always_inline int tls_enter(struct pt_regs *ctx, __u32 function)
{
	struct tls_object_key key = {.object = PT_REGS_PARM1(ctx)};
	__u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	__u32 direction = tls_direction(function);
	struct tls_thread *thread = tls_thread(bpf_get_current_task_btf());
	struct tls_call *call;

	/* Else clang loads from the context at a computed offset, which the verifier refuses. */
	opaque_to_clang(fourth);
	opaque_to_clang(fifth);
	if (!thread)
		return 0;
	key.owner = thread->owner;
	if (function == SMTPL_TLS_FREE) {
		bpf_map_delete_elem(&smtpl_tls_objs, &key);
		return 0;
	}
	if (direction == TLS_WRITES && tls_inside(&thread->calls[TLS_UNCORKS], PT_REGS_SP(ctx)))
		return 0;
	if (direction == TLS_READS || direction == TLS_HANDSHAKES) {
		if (thread->last)
			tls_propose_last(&key, thread, direction);
		thread->other = 0;
	}
	if (direction == TLS_READS || direction == TLS_WRITES)
		tls_mark_call(&key, direction);
	/* The handshake's return is not seen, but a call that is still under way has its stack
	 * above this call's. */
	if (thread->calls[TLS_HANDSHAKES].sp <= PT_REGS_SP(ctx))
		thread->calls[TLS_HANDSHAKES].sp = 0;
	call = tls_call(thread, direction);
	call->object = key.object;
	call->buf = PT_REGS_PARM2(ctx);
	call->done = function == SMTPL_TLS_WRITE_EX2 ? fifth : fourth;
	call->function = function;
	call->sp = PT_REGS_SP(ctx);
	if (bpf_probe_read_user(&call->back, sizeof(call->back), (const void *)call->sp))
		call->back = 0;
	return 0;
}

/* Bytes that the call has passed; 0: none, or it failed. */
static __always_inline __u64 tls_result(struct pt_regs *ctx, const struct tls_call *call)
{
	__s32 result = PT_REGS_RC(ctx); /* int, or ssize_t of at most a record */
	__u64 done = 0;

	if (result <= 0)
		return 0;
	if (call->function == SMTPL_TLS_READ || call->function == SMTPL_TLS_WRITE)
		return result;
	if (bpf_probe_read_user(&done, sizeof(done), (const void *)call->done))
		return PLAINTEXT_MAX + 1ull;
	return done;
}

/* GnuTLS holds what was to be sent when gnutls_record_send() returns GNUTLS_E_AGAIN or
 * GNUTLS_E_INTERRUPTED, and the call may be repeated without a buffer. */
static __always_inline void tls_note_again(struct tls_object *object, const struct tls_call *call)
{
	if (call->buf && call->function == SMTPL_TLS_WRITE)
		object->again = call->buf;
}

static __always_inline void tls_pass(struct smtpl_session *t, __u32 direction, __u64 buf,
				     __u64 bytes)
{
	const struct stream_source from = {.memory = (const void *)buf};

	if (bytes > PLAINTEXT_MAX || !buf)
		plaintext_missed(t);
	else if (direction == TLS_READS)
		plaintext_read(t, &from, bytes);
	else
		plaintext_wrote(t, &from, bytes);
}

static __always_inline int tls_return(struct pt_regs *ctx, __u32 function)
{
	__u32 direction = tls_direction(function);
	struct tls_object_key key = {};
	struct tls_thread *thread;
	struct tls_object *object;
	struct smtpl_session *t;
	struct tls_call *call;
	__u64 bytes;

	thread = bpf_task_storage_get(&smtpl_tls_thrds, bpf_get_current_task_btf(), NULL, 0);
	if (!thread)
		return 0;
	call = tls_call(thread, direction);
	if (!call->sp || call->sp != PT_REGS_SP(ctx))
		return 0;
	call->sp = 0;
	if (direction == TLS_UNCORKS)
		return 0;
	key.object = call->object;
	key.owner = thread->owner;
	bytes = tls_result(ctx, call);
	/* An object gets its entry when it has written: many that do nothing push no other out. */
	object = bytes && direction == TLS_WRITES ? tls_object_get(&key) :
						    bpf_map_lookup_elem(&smtpl_tls_objs, &key);
	if (!object)
		return 0;
	t = tls_bound(&key, object);
	if (t)
		t->tls_calls[direction & 1] = 0;
	else if (bytes)
		t = tls_bind_candidate(&key, object);
	if (!t) {
		if (bytes && direction == TLS_WRITES)
			tls_note_unbound(object, call->buf, bytes);
		else if (bytes)
			object->whole = 0;
		return 0;
	}
	thread->bound = t->cookie;
	if (!bytes)
		tls_note_again(object, call);
	else
		tls_pass(t, direction, call->buf ? call->buf : object->again, bytes);
	return 0;
}

SEC("uprobe")
int smtpl_tls_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (!bpf_map_lookup_elem(&smtpl_tls_pids, &pid))
		return 0;
	if (cookie & SMTPL_TLS_RETURN)
		return tls_return(ctx, cookie & ~SMTPL_TLS_RETURN);
	return tls_enter(ctx, cookie);
}

/* --- sockets -------------------------------------------------------------------------------- */

/* The innermost call that the thread is in; NULL: none. */
static __always_inline const struct tls_call *tls_innermost(const struct tls_thread *thread)
{
	const struct pt_regs *regs = (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	const struct tls_call *inner = NULL;
	__u64 sp = PT_REGS_SP(regs);

	for (int i = 0; i < TLS_DIRECTIONS; i++) {
		const struct tls_call *call = &thread->calls[i];

		if (tls_inside(call, sp) && (!inner || call->sp < inner->sp))
			inner = call;
	}
	return inner;
}

#define TLS_DEAD_NS 1000000000ull /* how long an ended session stays in smtpl_tls */

/* Removes two sessions, if they ended a while ago, with each new one. */
static __always_inline void tls_remove_ended(void)
{
	__u64 now = bpf_ktime_get_boot_ns();

	for (int i = 0; i < 2; i++) {
		struct smtpl_tls_dead dead;

		if (bpf_map_peek_elem(&smtpl_tls_dead, &dead) || now - dead.time_ns < TLS_DEAD_NS ||
		    bpf_map_pop_elem(&smtpl_tls_dead, &dead))
			break;
		bpf_map_delete_elem(&smtpl_tls, &dead.cookie);
	}
}

/* How many sessions of the uid are followed. NULL: not known. */
static __always_inline __s32 *tls_share(const struct smtpl_session *s)
{
	__u32 uid = s->uid;
	__s32 none = 0;

	bpf_map_update_elem(&smtpl_tls_uids, &uid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&smtpl_tls_uids, &uid);
}

static __always_inline long tls_follow(struct smtpl_session *s)
{
	__s32 *open = tls_share(s);
	__u64 cookie = s->cookie;
	long err;

	if (open && *open >= SMTPL_TLS_SESSIONS_PER_UID && s->role != SMTPL_ROLE_RELAY)
		return -E2BIG;
	tls_remove_ended();
	err = bpf_map_update_elem(&smtpl_tls, &cookie, s, BPF_NOEXIST);
	if (!err && open)
		__sync_fetch_and_add(open, 1);
	return err;
}

/* The session's copy, made when its process first reads. */
static __always_inline struct smtpl_session *tls_session_get(struct smtpl_session *s)
{
	__u64 cookie = s->cookie;
	struct smtpl_session *t = bpf_map_lookup_elem(&smtpl_tls, &cookie);
	long err;

	if (t)
		return t;
	err = tls_follow(s);
	if (err == -E2BIG && !s->tls_full) {
		s->tls_full = 1;
		stats_add(tls_full, 1);
	}
	t = bpf_map_lookup_elem(&smtpl_tls, &cookie);
	if (err || !t)
		return t;
	t->tls.uid = t->uid;
	t->lock = 0;
	t->end = 0;
	t->ended = 0;
	t->tls_wire = SESSION_TLS_NO;
	t->in.synced = 0;
	smtp_tls_begin(&t->smtp);
	return t;
}

static __always_inline void tls_read_inside(struct smtpl_session *t, const struct tls_call *call,
					    __u64 owner)
{
	struct tls_object_key key = {.object = call->object, .owner = owner};
	struct tls_object *object = tls_object_get(&key);

	if (!object)
		return;
	if (call->function == SMTPL_TLS_HANDSHAKE)
		object->whole = 1;
	if (tls_bound(&key, object) != t)
		tls_bind(&key, object, t);
}

/* A process without probes reads. If it is not the one that connected, probes are asked for in this
 * one. What it has done with a session that was followed is not known. */
static __always_inline void tls_read_unseen(struct smtpl_session *s, __u32 pid)
{
	struct smtpl_session *t = tls_session(s->cookie);

	if (t)
		t->plain.whole = 0;
	if (t && t->plain.phase == SMTP_TLS_IN_STEP) {
		plaintext_missed(t);
		t->plain.missed = 1;
	}
	if (pid == s->pid || s->tls_asked)
		return;
	s->tls_asked = 1;
	tls_ask(s, pid, false);
}

/* Is the session's object still the session's? It may have been freed, or pushed out of the map:
 * then the plaintext since is not known, and another object may be bound. */
static __always_inline void tls_check_object(struct smtpl_session *t)
{
	struct tls_object_key key = {.object = t->tls.object, .owner = t->tls.owner};
	const struct tls_object *object = bpf_map_lookup_elem(&smtpl_tls_objs, &key);

	if (object && object->cookie == t->cookie)
		return;
	plaintext_missed(t);
	t->tls.object = 0;
}

/* Notes a socket that was read outside of any call; 0: one that is to be bound to no object. */
static __always_inline void tls_read_outside(struct tls_thread *thread, __u64 cookie)
{
	if (thread->last && thread->last != cookie)
		thread->gathers = 1;
	thread->last = thread->gathers ? 0 : cookie;
}

/* The object that the thread is reading for has a socket of its own. */
static __always_inline void tls_mark_direct(const struct tls_thread *thread)
{
	const struct tls_call *call = tls_innermost(thread);
	struct tls_object_key key = {.owner = thread->owner};
	struct tls_object *object;

	if (!call)
		return;
	key.object = call->object;
	object = tls_object_get(&key);
	if (!object)
		return;
	object->direct = 1;
	object->candidate = 0;
}

/* Any socket of any process. `plain`: what is read there is not TLS. */
static __always_inline int tls_read_other(bool plain)
{
	struct tls_thread *thread =
		bpf_task_storage_get(&smtpl_tls_thrds, bpf_get_current_task_btf(), NULL, 0);

	if (!thread)
		return 0;
	tls_mark_direct(thread);
	tls_read_outside(thread, 0);
	if (!plain)
		thread->other = 1;
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(smtpl_tls_recv, struct sock *sk)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	const struct tls_call *call;
	struct smtpl_tls_pid *known;
	struct tls_thread *thread;
	struct smtpl_session *s, *t;

	/* The kernel itself reads, for kTLS and the like: the interrupted process has no part in
	 * it. */
	if (!sk->sk_lock.owned)
		return 0;
	if (!watched_port(bpf_ntohs(sk->__sk_common.skc_dport)))
		return tls_read_other(false);
	s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);
	if (!s || s->tls_wire != SESSION_TLS_BOTH)
		return tls_read_other(s && !s->tls_wire);
	known = bpf_map_lookup_elem(&smtpl_tls_pids, &pid);
	if (known)
		known->last_ns = bpf_ktime_get_boot_ns();
	if (!known || (!known->since_ns && smtpl_tls_mode != SMTPL_TLS_LIBRARY)) {
		tls_read_unseen(s, pid);
		return 0;
	}
	thread = tls_thread(bpf_get_current_task_btf());
	t = tls_session_get(s);
	if (!thread || !t)
		return 0;
	t->tls.pid = pid;
	t->tls_probed |= known->since_ns != 0;
	if (t->cut)
		s->cut = 1;
	call = tls_innermost(thread);
	if (call) {
		tls_read_inside(t, call, thread->owner);
		return 0;
	}
	if (t->tls.object)
		tls_check_object(t);
	tls_read_outside(thread, t->tls.object ? 0 : t->cookie);
	return 0;
}

/* A process in the middle of a session forks, as Exim does to go on with it in another: the child
 * has the TLS object as well, and no probes yet. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(smtpl_tls_fork, struct task_struct *parent, struct task_struct *child)
{
	struct tls_object_key key = {};
	struct tls_thread *thread;
	struct tls_object *object;
	struct smtpl_session *t;

	if (parent->tgid == child->tgid)
		return 0;
	thread = bpf_task_storage_get(&smtpl_tls_thrds, parent, NULL, 0);
	if (!thread || thread->exec_id != parent->self_exec_id)
		return 0;
	t = tls_session(thread->bound);
	if (!t)
		return 0;
	thread = tls_thread(child);
	if (!thread)
		return 0;
	key.object = t->tls.object;
	key.owner = thread->owner;
	object = tls_object_get(&key);
	if (!object)
		return 0;
	object->cookie = t->cookie;
	thread->bound = t->cookie;
	t->tls_shared = 1;
	tls_ask(t, child->tgid, false);
	return 0;
}

char _license[] SEC("license") = "GPL";
