/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_wire.c - see tls_wire.h. Each kind of TLS implements one try; waiting and trying again is
 * done in one place, with the arguments that the library demands.
 */
#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tls_wire.h"

#define OBJECTS_TRIED 64
#define BLOCKS_KEPT   256
#define BLOCK_BIG     2048

struct wire_kind {
	const char *name;
	int (*start)(struct wire *w, const void *at);
	/* One try each: bytes, 0 (handshake: done; read: end), WIRE_AGAIN or WIRE_ERROR. */
	ssize_t (*handshake)(struct wire *w);
	ssize_t (*read)(struct wire *w, void *buffer, size_t size);
	ssize_t (*write)(struct wire *w, const void *data, size_t size, bool again);
};

static ssize_t plain_result(struct wire *w, ssize_t result, short wants)
{
	if (result >= 0)
		return result;
	w->wants = wants;
	return errno == EAGAIN ? WIRE_AGAIN : WIRE_ERROR;
}

static ssize_t plain_read(struct wire *w, void *buffer, size_t size)
{
	return plain_result(w, recv(w->fd, buffer, size, 0), POLLIN);
}

static ssize_t plain_write(struct wire *w, const void *data, size_t size, bool again)
{
	(void)again;
	return plain_result(w, send(w->fd, data, size, MSG_NOSIGNAL), POLLOUT);
}

/* OpenSSL */

/* Big blocks that were freed are given out again, the last one first, as allocators with size
 * classes do, and malloc where no other call came between. */
static void *kept[BLOCKS_KEPT];
static size_t kept_count;
static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;

static void *kept_malloc(size_t size, const char *file, int line)
{
	void *found = NULL;

	(void)file;
	(void)line;
	pthread_mutex_lock(&keeping);
	for (size_t i = kept_count; i-- > 0 && !found && size >= BLOCK_BIG;) {
		size_t room = malloc_usable_size(kept[i]);

		if (room >= size && room < size + 64) {
			found = kept[i];
			kept[i] = kept[--kept_count];
		}
	}
	pthread_mutex_unlock(&keeping);
	return found ? found : malloc(size);
}

static void kept_free(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	pthread_mutex_lock(&keeping);
	if (block && malloc_usable_size(block) >= BLOCK_BIG && kept_count < BLOCKS_KEPT) {
		kept[kept_count++] = block;
		block = NULL;
	}
	pthread_mutex_unlock(&keeping);
	free(block);
}

static void *kept_realloc(void *block, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(block, size);
}

void wire_setup(void)
{
	if (!CRYPTO_set_mem_functions(kept_malloc, kept_realloc, kept_free))
		exit(1);
}

static SSL_CTX *ssl_context(void)
{
	static SSL_CTX *context;

	if (!context) {
		context = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	}
	return context;
}

/* An SSL at an address that was free a moment ago: the first few may get another one. */
static SSL *ssl_new_at(const void *at)
{
	SSL *tried[OBJECTS_TRIED], *found = NULL;
	size_t count = 0;

	while (!found && count < OBJECTS_TRIED) {
		SSL *ssl = SSL_new(ssl_context());

		if (!at || ssl == at)
			found = ssl;
		else
			tried[count++] = ssl;
	}
	while (count > 0)
		SSL_free(tried[--count]);
	return found;
}

static int ssl_start(struct wire *w, const void *at)
{
	w->ssl = ssl_new_at(at);
	if (!w->ssl)
		return -1;
	return SSL_set_fd(w->ssl, w->fd) == 1 ? 0 : -1;
}

static ssize_t ssl_result(struct wire *w, int result)
{
	int error = SSL_get_error(w->ssl, result);

	w->wants = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return WIRE_AGAIN;
	return error == SSL_ERROR_ZERO_RETURN ? WIRE_END : WIRE_ERROR;
}

static ssize_t ssl_handshake(struct wire *w)
{
	int result = SSL_connect(w->ssl);

	return result == 1 ? 0 : ssl_result(w, result);
}

static ssize_t ssl_read(struct wire *w, void *buffer, size_t size)
{
	size_t got = 0;
	int result;

	result = w->ex ? SSL_read_ex(w->ssl, buffer, size, &got) : SSL_read(w->ssl, buffer, size);
	if (result <= 0)
		return ssl_result(w, result);
	return w->ex ? (ssize_t)got : result;
}

static ssize_t ssl_write(struct wire *w, const void *data, size_t size, bool again)
{
	size_t put = 0;
	int result;

	(void)again;
	result = w->ex ? SSL_write_ex(w->ssl, data, size, &put) : SSL_write(w->ssl, data, size);
	if (result <= 0)
		return ssl_result(w, result);
	return w->ex ? (ssize_t)put : result;
}

/* OpenSSL between memory BIOs */

static int memory_start(struct wire *w, const void *at)
{
	w->ssl = ssl_new_at(at);
	if (!w->ssl)
		return -1;
	if (w->tls12)
		SSL_set_max_proto_version(w->ssl, TLS1_2_VERSION);
	SSL_set_bio(w->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	w->stashed = 0;
	return 0;
}

static int memory_flush(struct wire *w)
{
	char out[16384];
	int size;

	while ((size = BIO_read(SSL_get_wbio(w->ssl), out, sizeof(out))) > 0) {
		for (int sent = 0; sent < size;) {
			ssize_t result = send(w->fd, out + sent, size - sent, MSG_NOSIGNAL);

			if (result < 0 && errno == EAGAIN)
				poll(&(struct pollfd){.fd = w->fd, .events = POLLOUT}, 1, -1);
			else if (result < 0)
				return -1;
			else
				sent += result;
		}
	}
	return 0;
}

ssize_t wire_pull(struct wire *w)
{
	ssize_t got = recv(w->fd, w->stash + w->stashed, sizeof(w->stash) - w->stashed, 0);

	if (got > 0)
		w->stashed += got;
	return got;
}

/* Give the object what was left aside, else what the socket has. 1: fed. */
static ssize_t memory_feed(struct wire *w)
{
	ssize_t got = w->stashed ? 1 : wire_pull(w);

	if (got <= 0)
		return got ? plain_result(w, got, POLLIN) : WIRE_END;
	BIO_write(SSL_get_rbio(w->ssl), w->stash, w->stashed);
	w->stashed = 0;
	return 1;
}

static ssize_t memory_handshake(struct wire *w)
{
	ssize_t result = WIRE_AGAIN;

	while (result == WIRE_AGAIN) {
		ssize_t fed = memory_feed(w);

		if (fed <= 0)
			return fed ? fed : WIRE_ERROR;
		result = ssl_handshake(w);
		if (memory_flush(w))
			return WIRE_ERROR;
	}
	return result;
}

static ssize_t memory_read(struct wire *w, void *buffer, size_t size)
{
	ssize_t result = WIRE_AGAIN;

	/* As event loops do, this feeds what has come before it asks the library. */
	if (w->stashed)
		memory_feed(w);
	while (result == WIRE_AGAIN) {
		ssize_t fed;

		result = ssl_read(w, buffer, size);
		if (result != WIRE_AGAIN)
			break;
		fed = memory_feed(w);
		if (fed <= 0)
			return fed;
	}
	return result;
}

static ssize_t memory_write(struct wire *w, const void *data, size_t size, bool again)
{
	ssize_t result = ssl_write(w, data, size, again);

	return memory_flush(w) ? WIRE_ERROR : result;
}

/* GnuTLS */

static int gtls_start(struct wire *w, const void *at)
{
	static gnutls_certificate_credentials_t credentials;

	(void)at;
	if (!credentials)
		gnutls_certificate_allocate_credentials(&credentials);
	if (gnutls_init(&w->gnutls, GNUTLS_CLIENT) < 0)
		return -1;
	gnutls_set_default_priority(w->gnutls);
	gnutls_credentials_set(w->gnutls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(w->gnutls, w->fd);
	return 0;
}

static ssize_t gtls_result(struct wire *w, ssize_t result)
{
	if (result >= 0)
		return result;
	w->wants = gnutls_record_get_direction(w->gnutls) ? POLLOUT : POLLIN;
	return gnutls_error_is_fatal(result) ? WIRE_ERROR : WIRE_AGAIN;
}

static ssize_t gtls_shake(struct wire *w)
{
	return gtls_result(w, gnutls_handshake(w->gnutls));
}

static ssize_t gtls_read(struct wire *w, void *buffer, size_t size)
{
	return gtls_result(w, gnutls_record_recv(w->gnutls, buffer, size));
}

static ssize_t gtls_write(struct wire *w, const void *data, size_t size, bool again)
{
	if (again && w->null)
		return gtls_result(w, gnutls_record_send(w->gnutls, NULL, 0));
	return gtls_result(w, gnutls_record_send(w->gnutls, data, size));
}

static const struct wire_kind kinds[] = {
	{"plain", NULL, NULL, plain_read, plain_write},
	{"openssl", ssl_start, ssl_handshake, ssl_read, ssl_write},
	{"memory", memory_start, memory_handshake, memory_read, memory_write},
	{"gnutls", gtls_start, gtls_shake, gtls_read, gtls_write},
};

static const struct wire_kind *kind_of(const struct wire *w)
{
	return w->kind ? w->kind : &kinds[0];
}

static void wire_wait(const struct wire *w)
{
	poll(&(struct pollfd){.fd = w->fd, .events = w->wants}, 1, -1);
}

int wire_begin(struct wire *w, const char *name, const void *at)
{
	for (size_t i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kinds[i].name, name))
			w->kind = &kinds[i];
	}
	if (!w->kind || w->kind->start(w, at))
		return -1;
	if (w->kind->start != memory_start)
		return 0;
	return ssl_handshake(w) == WIRE_AGAIN ? memory_flush(w) : -1;
}

int wire_handshake(struct wire *w)
{
	ssize_t result;

	while ((result = w->kind->handshake(w)) == WIRE_AGAIN)
		wire_wait(w);
	return result ? -1 : 0;
}

const void *wire_object(const struct wire *w)
{
	return w->ssl ? (const void *)w->ssl : (const void *)w->gnutls;
}

ssize_t wire_read(struct wire *w, void *buffer, size_t size)
{
	ssize_t got;

	while ((got = kind_of(w)->read(w, buffer, size)) == WIRE_AGAIN) {
		w->reads++;
		wire_wait(w);
	}
	return got;
}

/* One call of the library as the program sees it, tried until it takes something. */
static ssize_t wire_put(struct wire *w, const char *data, size_t size)
{
	char *copies[2] = {malloc(size), malloc(size)};
	bool again = false;
	ssize_t put;

	memcpy(copies[0], data, size);
	memcpy(copies[1], data, size);
	for (int i = 0;;) {
		put = kind_of(w)->write(w, copies[i], size, again);
		if (put != WIRE_AGAIN)
			break;
		again = true;
		w->writes++;
		if (w->moving) {
			memset(copies[i], '!', size);
			i = !i;
			memcpy(copies[i], data, size);
		}
		wire_wait(w);
	}
	free(copies[0]);
	free(copies[1]);
	return put;
}

int wire_write(struct wire *w, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0) {
		size_t piece = w->piece && w->piece < size ? w->piece : size;
		ssize_t put = wire_put(w, next, piece);

		if (put <= 0)
			return WIRE_ERROR;
		next += put;
		size -= put;
	}
	return 0;
}

int wire_cork(struct wire *w, bool on)
{
	int result;

	if (!w->gnutls)
		return -1;
	if (on) {
		gnutls_record_cork(w->gnutls);
		return 0;
	}
	while ((result = gnutls_record_uncork(w->gnutls, w->waits ? GNUTLS_RECORD_WAIT : 0)) < 0) {
		if (gnutls_error_is_fatal(result))
			return -1;
		w->writes++;
		w->wants = POLLOUT;
		wire_wait(w);
	}
	return 0;
}

void wire_bye(struct wire *w)
{
	if (w->ssl)
		SSL_shutdown(w->ssl);
	if (w->ssl && w->kind->start == memory_start)
		memory_flush(w);
	if (w->gnutls)
		gnutls_bye(w->gnutls, GNUTLS_SHUT_WR);
}

void wire_free(struct wire *w)
{
	if (w->ssl)
		SSL_free(w->ssl);
	if (w->gnutls)
		gnutls_deinit(w->gnutls);
	w->ssl = NULL;
	w->gnutls = NULL;
	w->kind = NULL;
}
