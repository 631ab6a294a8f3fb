/* SPDX-License-Identifier: Apache-2.0 */
/* Broker addresses. */
#include "port/linux/address.h"
#include "test/test.h"

static void expect_address(const char *text, const char *host, int port, bool tls)
{
	struct address a;
	const char *wrong = address_parse(text, &a);

	EXPECT_STR(wrong ? wrong : "", "");
	EXPECT_STR(a.host, host);
	EXPECT_EQ(a.port, port);
	EXPECT_EQ(a.tls, tls);
}

static void expect_wrong(const char *text, const char *want)
{
	struct address a;
	const char *wrong = address_parse(text, &a);

	EXPECT_STR(wrong ? wrong : "", want);
}

TEST(addresses)
{
	expect_address("tcp://localhost:1883", "localhost", 1883, false);
	expect_address("localhost", "localhost", 1883, false);
	expect_address("10.0.0.1:2000", "10.0.0.1", 2000, false);
	expect_address("MQTTS://broker.example", "broker.example", 8883, true);
	expect_address("ssl://b:9999/", "b", 9999, true);
	expect_address("tls://[fe80::1]:1", "fe80::1", 1, true);
	expect_address("[::1]", "::1", 1883, false);
}

TEST(wrong_addresses)
{
	expect_wrong("http://b", "unknown scheme; known: tcp, mqtt, ssl, tls, mqtts");
	expect_wrong("tcp://b:0", "the port is not a number from 1 to 65535");
	expect_wrong("tcp://b:99999", "the port is not a number from 1 to 65535");
	expect_wrong("tcp://b:12x", "the port is not a number from 1 to 65535");
	expect_wrong("b:", "the port is not a number from 1 to 65535");
	expect_wrong("", "the host is missing or too long");
	expect_wrong("tcp://", "the host is missing or too long");
	expect_wrong("[::1", "the bracket of the address is not closed");
	expect_wrong("b/path", "something follows the host that is no port");
}

TEST_MAIN(T(addresses) T(wrong_addresses))
