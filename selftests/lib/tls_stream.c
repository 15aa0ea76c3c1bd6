/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_stream.c - see tls_stream.h. By SSL_read and SSL_write, which block.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include "tls_stream.h"

/* What stdio expects where a call on the TLS object returned n: 0 at the end, -1 and errno. */
static ssize_t tls_result(SSL *ssl, int n)
{
	int error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, n);

	if (error == SSL_ERROR_NONE)
		return n;
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error != SSL_ERROR_SYSCALL)
		errno = EPROTO;
	return -1;
}

static ssize_t tls_read(void *ssl, char *buffer, size_t size)
{
	return tls_result(ssl, SSL_read(ssl, buffer, size));
}

/* stdio takes only 0 for an error. */
static ssize_t tls_write(void *ssl, const char *buffer, size_t size)
{
	ssize_t n = tls_result(ssl, SSL_write(ssl, buffer, size));

	return n > 0 ? n : 0;
}

static SSL_CTX *tls_context(const char *pem)
{
	SSL_CTX *context = SSL_CTX_new(pem ? TLS_server_method() : TLS_client_method());

	if (context && pem &&
	    (SSL_CTX_use_certificate_chain_file(context, pem) != 1 ||
	     SSL_CTX_use_PrivateKey_file(context, pem, SSL_FILETYPE_PEM) != 1)) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

static SSL *tls_begin(int fd, const char *pem)
{
	SSL_CTX *context = tls_context(pem);
	SSL *ssl = context ? SSL_new(context) : NULL;

	SSL_CTX_free(context); /* the object holds it */
	if (ssl && SSL_set_fd(ssl, fd) == 1 && (pem ? SSL_accept(ssl) : SSL_connect(ssl)) == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

int tls_streams(int fd, const char *pem, FILE **in, FILE **out)
{
	SSL *ssl = tls_begin(fd, pem);

	if (!ssl) {
		const char *why = ERR_reason_error_string(ERR_peek_last_error());

		printf("no TLS: %s\n", why ?: "connection lost");
		return -1;
	}
	*in = fopencookie(ssl, "r", (cookie_io_functions_t){.read = tls_read});
	*out = fopencookie(ssl, "w", (cookie_io_functions_t){.write = tls_write});
	return *in && *out ? 0 : -1;
}
