/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_object.h - what is known of the threads that call a TLS library, of the TLS objects that they
 * hand it, and to which session each object is bound.
 */
#ifndef SMTPL_TLS_OBJECT_H
#define SMTPL_TLS_OBJECT_H

#include "plaintext.h"

#define TLS_HELLO_MAX 512 /* bytes: RFC 5321 4.5.3.1.4 */

enum tls_direction {
	TLS_READS = 0,
	TLS_WRITES,
	TLS_UNCORKS,	/* its own writes were counted when they were corked (GnuTLS) */
	TLS_HANDSHAKES, /* its return is not seen: OpenSSL leaves by an indirect jump */
	TLS_DIRECTIONS,
};

struct tls_call {
	__u64 object;
	__u64 buf;
	__u64 done;	/* where the _ex functions write how many bytes it were */
	__u64 sp;	/* at the entry, and at the RET again; 0: no call */
	__u64 back;	/* where it returns to */
	__u32 function; /* enum smtpl_tls_function */
	__u32 pad;
};

/* A program may write from a callback of its read: so a call for each direction. */
struct tls_thread {
	struct tls_call calls[TLS_DIRECTIONS];
	/* cookie of a TLS session's socket that was read outside of any call; 0: none */
	__u64 last;
	__u64 bound;   /* cookie of the session that it last read or wrote */
	__u64 owner;   /* of its objects: its process */
	__u64 exec_id; /* as it was then: after another exec the objects are gone */
	/* it reads several sockets before it calls the library: `last` says nothing */
	__u32 gathers;
	__u32 other; /* since the last call it has read a socket of which nothing is known */
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
	__u64 owner;
};

struct tls_object {
	__u64 cookie;	 /* of the session that it is bound to; 0: none */
	__u64 candidate; /* the same, not bound yet */
	__u64 again;	 /* what a write that has to be repeated was about (GnuTLS) */
	__u32 writes;	 /* before it was bound */
	__u32 hello;	 /* the first of them was EHLO, and nothing else */
	__u32 whole;	 /* its handshake was seen */
	__u32 direct;	 /* it reads a socket by itself, which is no mail session's */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SMTPL_TLS_OBJECTS_MAX);
	__type(key, struct tls_object_key);
	__type(value, struct tls_object);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} smtpl_tls_objs SEC(".maps");

static __always_inline __u32 tls_direction(__u32 function)
{
	switch (function) {
	case SMTPL_TLS_READ:
	case SMTPL_TLS_READ_EX:
		return TLS_READS;
	case SMTPL_TLS_UNCORK:
		return TLS_UNCORKS;
	case SMTPL_TLS_HANDSHAKE:
		return TLS_HANDSHAKES;
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
	return direction == TLS_UNCORKS ? &thread->calls[TLS_UNCORKS] :
					  &thread->calls[TLS_HANDSHAKES];
}

/* Of a task, made where there is none. */
static __always_inline struct tls_thread *tls_thread(struct task_struct *task)
{
	struct tls_thread *thread =
		bpf_task_storage_get(&smtpl_tls_thrds, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (thread && (!thread->owner || thread->exec_id != task->self_exec_id)) {
		thread->exec_id = task->self_exec_id;
		thread->owner = task->group_leader->start_boottime + task->self_exec_id +
				((__u64)task->tgid << 48);
	}
	return thread;
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

/* The session under way that `cookie` names. The cookie is read through a copy: a key must be on
 * the stack for 6.1. */
static __always_inline struct smtpl_session *tls_session(__u64 cookie)
{
	struct smtpl_session *t = cookie ? bpf_map_lookup_elem(&smtpl_tls, &cookie) : NULL;

	return t && !t->end ? t : NULL;
}

/* The session that the object is bound to; NULL: none, or it has ended. */
static __always_inline struct smtpl_session *tls_bound(const struct tls_object_key *key,
						       const struct tls_object *object)
{
	struct smtpl_session *t = tls_session(object->cookie);

	return t && t->tls.object == key->object && (t->tls.owner == key->owner || t->tls_shared) ?
		       t :
		       NULL;
}

static __always_inline void tls_bind(const struct tls_object_key *key, struct tls_object *object,
				     struct smtpl_session *t)
{
	t->plain.whole = object->whole && !object->writes;
	/* It was bound to another object, or by another process: what passed there is not known. */
	if (t->tls.object) {
		plaintext_missed(t);
		t->plain.whole = 0;
	}
	t->tls.object = key->object;
	t->tls.owner = key->owner;
	t->tls_calls[TLS_READS] = 0;
	t->tls_calls[TLS_WRITES] = 0;
	object->cookie = t->cookie;
	object->candidate = 0;
	if (object->hello && object->writes == 1)
		smtp_tls_said_hello(&t->plain, &t->smtp);
	object->writes = 0;
	object->hello = 0;
}

/* Probes that come while the client waits for the greeting see no socket before it says EHLO. */
static __always_inline void tls_note_unbound(struct tls_object *object, __u64 buf, __u64 bytes)
{
	const struct stream_source from = {.memory = (const void *)buf};
	__u8 last = 0;

	if (object->writes++ || bytes > TLS_HELLO_MAX)
		return;
	object->hello = smtp_tls_is_hello(plaintext_word(&from, bytes)) &&
			stream_load(&from, bytes - 1, &last, 1) == 0 && last == '\n';
}

/* Plaintext came from an object without a session: bind its candidate, unless that is taken. */
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

/* Is the thread, whose stack is at `sp`, still inside? The return of a handshake is not seen: after
 * it the slot of the return address is beyond the stack, or holds something else. */
static __always_inline bool tls_inside(const struct tls_call *call, __u64 sp)
{
	__u64 back = 0;

	if (!call->sp || sp >= call->sp)
		return false;
	if (!call->back)
		return true;
	return bpf_probe_read_user(&back, sizeof(back), (const void *)call->sp) == 0 &&
	       back == call->back;
}

#endif
