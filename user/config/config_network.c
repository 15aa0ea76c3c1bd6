/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_network.c - the settings of /etc/smtplimit.conf that are lists of hosts: addresses and
 * networks, like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32.
 */
#include "config_key.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/log.h"

#define V4_BITS	     96 /* before those of an IPv4 address that is mapped */
#define NETWORK_SIZE (INET6_ADDRSTRLEN + sizeof("/128"))

bool config_networks_has(const struct config_networks *networks, const uint8_t addr[16])
{
	for (size_t i = 0; i < networks->count; i++) {
		const struct config_network *n = &networks->network[i];
		unsigned int bytes = n->bits / 8, rest = n->bits % 8;

		if (memcmp(addr, n->addr, bytes))
			continue;
		if (!rest || (addr[bytes] ^ n->addr[bytes]) >> (8 - rest) == 0)
			return true;
	}
	return false;
}

/* Network byte order; IPv4 as v4-mapped. How many bits the form has, or 0: it is no address. */
static unsigned int read_address(const char *text, uint8_t addr[16])
{
	static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(addr, v4_mapped, sizeof(v4_mapped));
	if (inet_pton(AF_INET, text, addr + sizeof(v4_mapped)) == 1)
		return 32;
	return inet_pton(AF_INET6, text, addr) == 1 ? 128 : 0;
}

/* 0, or -1 when a bit behind the network's is set, or it is no network at all. */
static int read_network(const char *item, struct config_network *network)
{
	char address[INET6_ADDRSTRLEN] = "";
	const char *slash = strchrnul(item, '/'), *end = slash + 1;
	unsigned int width, first;
	int64_t bits;

	if ((size_t)(slash - item) >= sizeof(address))
		return -1;
	memcpy(address, item, slash - item);
	width = bits = read_address(address, network->addr);
	if (!width || (*slash && (config_digits(&end, &bits) || *end || bits > width)))
		return -1;
	network->bits = 128 - width + bits;
	for (first = network->bits; first < 128; first++)
		if (network->addr[first / 8] & 0x80 >> first % 8)
			return -1;
	return 0;
}

static int read_networks(const struct config_key *key, const char *text, void *base, char *why,
			 size_t why_size)
{
	struct config_networks *networks = config_field(key, base);
	char item[CONFIG_ITEM_SIZE], quoted[CONFIG_ITEM_SIZE];
	struct config_network network;
	int more;

	while ((more = config_list_item(&text, item)) <= 0) {
		if (more < 0 || read_network(item, &network)) {
			log_escape(item, strlen(item), 1, quoted, sizeof(quoted));
			snprintf(why, why_size,
				 "\"%s\" is no host: want addresses and networks, like 192.0.2.7, "
				 "192.0.2.0/24 or 2001:db8::/32",
				 quoted);
			return -1;
		}
		if (networks->count == CONFIG_NETWORKS_MAX) {
			snprintf(why, why_size, "want at most %d hosts", CONFIG_NETWORKS_MAX);
			return -1;
		}
		networks->network[networks->count++] = network;
	}
	return 0;
}

static const char *network_text(const struct config_network *n, char text[NETWORK_SIZE])
{
	bool v4 = n->bits >= V4_BITS && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)n->addr);
	unsigned int before = v4 ? V4_BITS : 0;
	size_t used;

	inet_ntop(v4 ? AF_INET : AF_INET6, n->addr + before / 8, text, NETWORK_SIZE);
	used = strlen(text);
	if (n->bits < 128)
		snprintf(text + used, NETWORK_SIZE - used, "/%u", n->bits - before);
	return text;
}

static void write_networks(const struct config_key *key, const void *base, FILE *out)
{
	const struct config_networks *networks = config_field_const(key, base);
	char text[NETWORK_SIZE];

	for (size_t i = 0; i < networks->count; i++)
		fprintf(out, "%s%s", i ? "," : "", network_text(&networks->network[i], text));
}

static json_t *json_networks(const struct config_key *key, const void *base)
{
	const struct config_networks *networks = config_field_const(key, base);
	char text[NETWORK_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < networks->count; i++)
		json_array_append_new(list, json_string(network_text(&networks->network[i], text)));
	return list;
}

static void clear_networks(const struct config_key *key, void *base)
{
	struct config_networks *networks = config_field(key, base);

	networks->count = 0;
}

const struct config_type config_type_networks = {
	.read = read_networks,
	.write = write_networks,
	.json = json_networks,
	.clear = clear_networks,
};
