// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls.bpf.c - reads the plaintext of TLS sessions. One program stands on the entries and RETs of the TLS
 * functions of a library (headers/tls.h); a hook on a trace point says which socket a thread reads. While
 * the thread is inside such a function, that socket is the TLS object's.
 *
 * A program that hands its library buffers, not sockets (memory BIOs), reads the socket first and then
 * calls the library. There the socket is a candidate for the object of the next call that reads or
 * shakes hands, for that one alone, and it is bound when plaintext comes of it. A thread that reads
 * another socket in between does it in another way: none of its objects is bound so.
 */
#include <linux/ptrace.h>
#include "kernel.h"
#include "plaintext.h"

enum tls_direction {
	TLS_READS = 0,
	TLS_WRITES,
	TLS_UNCORKS, /* its own writes were counted when they were corked (GnuTLS) */
	TLS_SHAKES, /* its return is not seen: OpenSSL leaves by an indirect jump */
	TLS_DIRECTIONS,
};

struct tls_call {
	__u64 object;
	__u64 buf;
	__u64 size;
	__u64 done; /* where the _ex functions write how many bytes it were */
	__u64 sp;   /* at the entry, and at the RET again; 0: no call */
	__u64 back; /* where it returns to */
	__u32 function; /* enum smtpl_tls_function */
	__u32 pad;
};

/* A program may write from a callback of its read: so a call for each direction. */
struct tls_thread {
	struct tls_call calls[TLS_DIRECTIONS];
	__u64 last;  /* cookie of a TLS session's socket that was read outside of any call; 0: none */
	__u64 bound; /* cookie of the session that it last read or wrote */
	__u32 family; /* process that it was forked from in the middle of a session; 0: none */
	__u32 gathers; /* it reads several sockets before it calls the library: `last` says nothing */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tls_thread);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_thrds SEC(".maps");

struct tls_object_key {
	__u64 object;
	__u32 pid; /* or that of the family */
	__u32 pad;
};

struct tls_object {
	__u64 cookie;    /* of the session that it is bound to; 0: none */
	__u64 candidate; /* the same, not bound yet */
	__u64 again;     /* what a write that has to be repeated was about (GnuTLS) */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SMTPL_TLS_OBJECTS_MAX);
	__type(key, struct tls_object_key);
	__type(value, struct tls_object);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_objs SEC(".maps");

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

static __always_inline __u32 tls_direction(__u32 function)
{
	switch (function) {
	case SMTPL_TLS_READ:
	case SMTPL_TLS_READ_EX:
		return TLS_READS;
	case SMTPL_TLS_UNCORK:
		return TLS_UNCORKS;
	case SMTPL_TLS_HANDSHAKE:
		return TLS_SHAKES;
	default:
		return TLS_WRITES;
	}
}

static __always_inline struct tls_call *tls_call(struct tls_thread *thread, __u32 direction)
{
	if (direction == TLS_READS)
		return &thread->calls[TLS_READS];
	if (direction == TLS_WRITES)
		return &thread->calls[TLS_WRITES];
	return direction == TLS_UNCORKS ? &thread->calls[TLS_UNCORKS] : &thread->calls[TLS_SHAKES];
}

/* Of a task, made where there is none. */
static __always_inline struct tls_thread *tls_thread(struct task_struct *task)
{
	return bpf_task_storage_get(&smtpl_tls_thrds, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline struct tls_object *tls_object_get(const struct tls_object_key *key)
{
	struct tls_object *object = bpf_map_lookup_elem(&smtpl_tls_objs, key);
	struct tls_object fresh = {};

	if (object)
		return object;
	bpf_map_update_elem(&smtpl_tls_objs, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&smtpl_tls_objs, key);
}

/* The session under way that `cookie` names. The cookie is read through a copy: a key must be on the
 * stack for 6.1. */
static __always_inline struct smtpl_session *tls_session(__u64 cookie)
{
	struct smtpl_session *t = cookie ? bpf_map_lookup_elem(&smtpl_tls, &cookie) : NULL;

	return t && !t->end ? t : NULL;
}

/* The session that the object is bound to, which a session's end can have undone. */
static __always_inline struct smtpl_session *tls_bound(const struct tls_object_key *key,
						       const struct tls_object *object)
{
	struct smtpl_session *t = tls_session(object->cookie);

	return t && t->tls.object == key->object && t->tls.pid == key->pid ? t : NULL;
}

static __always_inline void tls_bind(const struct tls_object_key *key, struct tls_object *object,
				     struct smtpl_session *t)
{
	/* It was another object's, or another process': who knows what passed there. */
	if (t->tls.object)
		plaintext_missed(t);
	t->tls.object = key->object;
	t->tls.pid = key->pid;
	t->tls_calls = 0;
	object->cookie = t->cookie;
	object->candidate = 0;
}

/* Plaintext came of an object without a session: the candidate, if it is nobody else's. */
static __always_inline struct smtpl_session *tls_bind_candidate(const struct tls_object_key *key,
								struct tls_object *object)
{
	struct smtpl_session *t = tls_session(object->candidate);

	object->candidate = 0;
	if (!t || t->tls.object)
		return NULL;
	tls_bind(key, object, t);
	return t;
}

/* --- calls ---------------------------------------------------------------------------------- */

/* Is the thread, whose stack is at `sp`, still inside? Returns of handshakes are not seen: then the slot
 * of the return address is beyond the stack, or something else is in it by now. */
static __always_inline bool tls_inside(const struct tls_call *call, __u64 sp)
{
	__u64 back = 0;

	if (!call->sp || sp >= call->sp)
		return false;
	if (!call->back)
		return true;
	return bpf_probe_read_user(&back, sizeof(back), (const void *)call->sp) == 0 && back == call->back;
}

/* What this thread read last was for this object. */
static __always_inline void tls_take_last(const struct tls_object_key *key, struct tls_thread *thread,
					  __u32 direction)
{
	struct smtpl_session *t = tls_session(thread->last);
	struct tls_object *object;

	thread->last = 0;
	if (!t || t->tls.object)
		return;
	object = tls_object_get(key);
	if (!object)
		return;
	object->candidate = t->cookie;
	if (direction == TLS_SHAKES && t->plain.phase == SMTP_TLS_NEW)
		t->plain.whole = 1;
}

/* A call is under way. One of the same direction before it, whose return was not seen, may have brought
 * something. */
static __always_inline void tls_mark_call(const struct tls_object_key *key, __u32 direction)
{
	struct tls_object *object = bpf_map_lookup_elem(&smtpl_tls_objs, key);
	struct smtpl_session *t = object ? tls_bound(key, object) : NULL;

	if (!t)
		return;
	if (t->tls_calls & 1 << direction)
		plaintext_missed(t);
	t->tls_calls |= 1 << direction;
}

/* A process that has forked shares what it had: the other may go on with it. */
static __always_inline void tls_free(const struct tls_object_key *key)
{
	const struct tls_object *object = bpf_map_lookup_elem(&smtpl_tls_objs, key);
	const struct smtpl_session *t = object ? tls_bound(key, object) : NULL;

	if (object && !(t && t->tls_shared))
		bpf_map_delete_elem(&smtpl_tls_objs, key);
}

static __always_inline int tls_enter(struct pt_regs *ctx, __u32 function, __u32 pid)
{
	struct tls_object_key key = {.object = PT_REGS_PARM1(ctx)};
	__u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	__u32 direction = tls_direction(function);
	struct tls_thread *thread = tls_thread(bpf_get_current_task_btf());
	struct tls_call *call;

	/* No load from the context at an offset that it computes. */
	opaque_to_clang(fourth);
	opaque_to_clang(fifth);
	if (!thread)
		return 0;
	key.pid = thread->family ? thread->family : pid;
	if (function == SMTPL_TLS_FREE) {
		tls_free(&key);
		return 0;
	}
	if (direction == TLS_WRITES && tls_inside(&thread->calls[TLS_UNCORKS], PT_REGS_SP(ctx)))
		return 0;
	if ((direction == TLS_READS || direction == TLS_SHAKES) && thread->last)
		tls_take_last(&key, thread, direction);
	if (direction == TLS_READS || direction == TLS_WRITES)
		tls_mark_call(&key, direction);
	call = tls_call(thread, direction);
	call->object = key.object;
	call->buf = PT_REGS_PARM2(ctx);
	call->size = PT_REGS_PARM3(ctx);
	call->done = function == SMTPL_TLS_WRITE_EX2 ? fifth : fourth;
	call->function = function;
	call->sp = PT_REGS_SP(ctx);
	if (bpf_probe_read_user(&call->back, sizeof(call->back), (const void *)call->sp))
		call->back = 0;
	return 0;
}

/* Bytes that the call has brought; 0: none, or it failed. */
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

/* gnutls_record_send(): what was to be sent is with GnuTLS when it returns GNUTLS_E_AGAIN or
 * GNUTLS_E_INTERRUPTED, and may be repeated without a buffer. */
static __always_inline void tls_note_again(struct tls_object *object, const struct tls_call *call)
{
	if (call->buf && call->function == SMTPL_TLS_WRITE)
		object->again = call->buf;
}

static __always_inline void tls_pass(struct smtpl_session *t, __u32 direction, __u64 buf, __u64 bytes)
{
	const struct feed_source from = {.memory = (const void *)buf};

	if (bytes > PLAINTEXT_MAX || !buf)
		plaintext_missed(t);
	else if (direction == TLS_READS)
		plaintext_read(t, &from, bytes);
	else
		plaintext_wrote(t, &from, bytes);
}

static __always_inline int tls_leave(struct pt_regs *ctx, __u32 function, __u32 pid)
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
	key.pid = thread->family ? thread->family : pid;
	object = bpf_map_lookup_elem(&smtpl_tls_objs, &key);
	if (!object)
		return 0;
	bytes = tls_result(ctx, call);
	t = tls_bound(&key, object);
	if (t)
		t->tls_calls &= ~(1 << direction);
	else if (bytes)
		t = tls_bind_candidate(&key, object);
	if (!t)
		return 0;
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
		return tls_leave(ctx, cookie & ~SMTPL_TLS_RETURN, pid);
	return tls_enter(ctx, cookie, pid);
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

/* The session's copy, made when its process first reads. */
static __always_inline struct smtpl_session *tls_session_get(struct smtpl_session *s)
{
	__u64 cookie = s->cookie;
	struct smtpl_session *t = bpf_map_lookup_elem(&smtpl_tls, &cookie);
	long err;

	if (t)
		return t;
	err = bpf_map_update_elem(&smtpl_tls, &cookie, s, BPF_NOEXIST);
	if (err == -E2BIG)
		stats_add(tls_full, 1);
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
					    __u32 pid)
{
	struct tls_object_key key = {.object = call->object, .pid = pid};
	struct tls_object *object = tls_object_get(&key);

	if (call->function == SMTPL_TLS_HANDSHAKE && t->plain.phase == SMTP_TLS_NEW)
		t->plain.whole = 1;
	if (object && !(object->cookie == t->cookie && t->tls.object == key.object &&
			t->tls.pid == key.pid))
		tls_bind(&key, object, t);
}

/* Another process than the one that connected reads: it is the one to get probes. */
static __always_inline void tls_ask_reader(struct smtpl_session *s, __u32 pid)
{
	if (pid == s->pid || s->tls_asked)
		return;
	s->tls_asked = 1;
	tls_ask(s, pid, false);
}

/* Outside of any call. 0: a socket that is to be bound to no object. */
static __always_inline void tls_read_outside(struct tls_thread *thread, __u64 cookie)
{
	if (thread->last && thread->last != cookie)
		thread->gathers = 1;
	thread->last = thread->gathers ? 0 : cookie;
}

/* Any socket of any process. */
static __always_inline int tls_read_other(void)
{
	struct tls_thread *thread = bpf_task_storage_get(&smtpl_tls_thrds, bpf_get_current_task_btf(),
							 NULL, 0);

	if (thread && thread->last)
		tls_read_outside(thread, 0);
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

	if (!watched_port(bpf_ntohs(sk->__sk_common.skc_dport)))
		return tls_read_other();
	s = bpf_sk_storage_get(&smtpl_session, sk, NULL, 0);
	if (!s || s->tls_wire != SESSION_TLS_BOTH)
		return tls_read_other();
	known = bpf_map_lookup_elem(&smtpl_tls_pids, &pid);
	if (!known) {
		tls_ask_reader(s, pid);
		return 0;
	}
	known->last_ns = bpf_ktime_get_boot_ns();
	if (!known->since_ns && smtpl_tls_mode != SMTPL_TLS_LIBRARY)
		return 0;
	thread = tls_thread(bpf_get_current_task_btf());
	t = tls_session_get(s);
	if (!thread || !t)
		return 0;
	if (t->cut)
		s->cut = 1;
	call = tls_innermost(thread);
	if (call)
		tls_read_inside(t, call, thread->family ? thread->family : pid);
	else
		tls_read_outside(thread, t->tls.object ? 0 : t->cookie);
	return 0;
}

/* A process in the middle of a session forks, as Exim does to go on with it in another: the child has the
 * TLS object as well, and no probes yet. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(smtpl_tls_fork, struct task_struct *parent, struct task_struct *child)
{
	struct tls_thread *thread, *made;
	struct smtpl_session *t;

	if (parent->tgid == child->tgid)
		return 0;
	thread = bpf_task_storage_get(&smtpl_tls_thrds, parent, NULL, 0);
	t = thread ? tls_session(thread->bound) : NULL;
	if (!t)
		return 0;
	made = tls_thread(child);
	if (!made)
		return 0;
	made->family = thread->family ? thread->family : parent->tgid;
	made->bound = thread->bound;
	t->tls_shared = 1;
	tls_ask(t, child->tgid, false);
	return 0;
}

char _license[] SEC("license") = "GPL";
