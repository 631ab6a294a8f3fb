/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's address: [SCHEME://]HOST[:PORT], HOST also [v6]. Schemes: tcp, mqtt; ssl, tls, mqtts. */
#ifndef LINUX_ADDRESS_H
#define LINUX_ADDRESS_H

#include "base/base.h"

struct address {
	char host[256];
	int port; /* 1883, or 8883 with TLS, if none is given */
	bool tls;
};

/* NULL, or what is wrong as a sentence. */
MUST_USE const char *address_parse(const char *text, struct address *out);

#endif
