/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parser_packet.h - the packets of BPF_PROG_TEST_RUN, by which parser_test and parser.bpf.c
 * exchange bytes and results.
 */
#ifndef SELFTESTS_PARSER_PACKET_H
#define SELFTESTS_PARSER_PACKET_H

enum parser_packet {
	PARSER_CLIENT = 1,
	PARSER_SERVER,
	PARSER_END_CLIENT,
	PARSER_END_LOST,
	PARSER_DESYNC,
};

/* The kernel wants at least an Ethernet header. */
#define PARSER_HEADER 32

/* The most bytes in one packet; the result for a run of them; that without a session. */
#define PARSER_BYTES		    1024
#define PARSER_RESULT(event, taken) ((event) << 16 | (taken))
#define PARSER_ERROR		    0xffffffffu

#endif
