/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parser_packet.h - what parser_test and parser.bpf.c say to each other in the packets of
 * BPF_PROG_TEST_RUN. The program returns the event of the last byte.
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

/* Not shorter than an Ethernet header, which the kernel asks for. */
#define PARSER_HEADER 32
#define PARSER_ERROR  0xffffu

#endif
