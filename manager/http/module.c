/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: kept by content hash, cached in memory, served in chunks.
 *
 * In:    bytes; requests of workers on registry/proplet. Out: rows; chunk messages.
 * Bounds: CACHE_BYTES of modules in memory, or one that is larger.
 */
#include "manager/http/service.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHE_SLOTS      16
#define CACHE_BYTES      (4u << 20)
#define CHUNKS_MAX       64        /* of one request */
#define CHUNK_BYTES_MAX  (512000u) /* Propeller's proxy sends as many */
#define MODULE_BYTES_MAX (100u << 20)

struct cached {
	char digest[72];
	uint8_t *bytes;
	size_t size;
	uint64_t used;
};

struct module_cache {
	struct cached slot[CACHE_SLOTS];
	size_t bytes;
	uint64_t clock;
};

bool digest_valid(const char *t)
{
	if (strncmp(t, "sha256:", 7) != 0) {
		return false;
	}
	for (int i = 7; i < 71; i++) {
		if (!((t[i] >= '0' && t[i] <= '9') || (t[i] >= 'a' && t[i] <= 'f'))) {
			return false;
		}
	}
	return t[71] == '\0';
}

char *base64_encode(const void *bytes, size_t size, size_t *length)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = malloc((size + 2) / 3 * 4 + 1);
	const uint8_t *b = bytes;
	size_t at = 0;

	if (out == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t v = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
			     (left > 2 ? b[i + 2] : 0);

		out[at++] = set[v >> 18];
		out[at++] = set[v >> 12 & 63];
		out[at++] = left > 1 ? set[v >> 6 & 63] : '=';
		out[at++] = left > 2 ? set[v & 63] : '=';
	}
	out[at] = '\0';
	*length = at;
	return out;
}

static bool is_wasm(const uint8_t *b, size_t size)
{
	return size >= 8 && memcmp(b, "\0asm", 4) == 0;
}

bool module_keep(struct service *s, const void *bytes, size_t size, const char *source,
		 char digest[72], char *error, size_t error_bytes)
{
	struct store_module row = {
		.digest = digest, .source = source, .size = size, .created_ms = s->wall_ms};
	uint8_t hash[crypto_hash_sha256_BYTES];

	if (!is_wasm(bytes, size)) {
		snprintf(error, error_bytes,
			 "file: is no WebAssembly module: it does not begin with \\0asm");
		return false;
	}
	if (size > MODULE_BYTES_MAX) {
		snprintf(error, error_bytes, "file: %zu bytes are too many, at most %u", size,
			 MODULE_BYTES_MAX);
		return false;
	}
	crypto_hash_sha256(hash, bytes, size);
	memcpy(digest, "sha256:", 8);
	sodium_bin2hex(digest + 7, 65, hash, sizeof(hash));
	if (store_module_put(s->store, &row, bytes) != STORE_OK) {
		snprintf(error, error_bytes, "the store failed: %s", store_error(s->store));
		return false;
	}
	return true;
}

static void drop(struct module_cache *c, struct cached *slot)
{
	c->bytes -= slot->size;
	free(slot->bytes);
	*slot = (struct cached){0};
}

static struct cached *oldest(struct module_cache *c)
{
	struct cached *best = &c->slot[0];

	for (int i = 1; i < CACHE_SLOTS; i++) {
		if (c->slot[i].used < best->used) {
			best = &c->slot[i];
		}
	}
	return best;
}

struct load {
	struct module_cache *cache;
	struct cached *slot;
	const char *digest;
};

static void read_module(void *user, const void *bytes, size_t size)
{
	struct load *l = user;
	struct module_cache *c = l->cache;
	uint8_t *copy = malloc(size + 1);

	if (copy == NULL) {
		return;
	}
	l->slot = oldest(c);
	drop(c, l->slot);
	while (c->bytes + size > CACHE_BYTES && c->bytes > 0) {
		struct cached *victim = NULL;

		for (int i = 0; i < CACHE_SLOTS; i++) {
			struct cached *s = &c->slot[i];

			if (s->bytes != NULL && (victim == NULL || s->used < victim->used)) {
				victim = s;
			}
		}
		drop(c, victim);
	}
	memcpy(copy, bytes, size);
	snprintf(l->slot->digest, sizeof(l->slot->digest), "%s", l->digest);
	l->slot->bytes = copy;
	l->slot->size = size;
	c->bytes += size;
}

static struct cached *find(struct module_cache *c, const char *digest)
{
	for (int i = 0; i < CACHE_SLOTS; i++) {
		if (c->slot[i].bytes != NULL && strcmp(c->slot[i].digest, digest) == 0) {
			return &c->slot[i];
		}
	}
	return NULL;
}

bool module_bytes(struct service *s, const char *digest, struct module_bytes *out)
{
	struct cached *slot;

	if (s->modules == NULL) {
		s->modules = calloc(1, sizeof(*s->modules));
	}
	if (s->modules == NULL) {
		return false;
	}
	slot = find(s->modules, digest);
	if (slot == NULL) {
		struct load l = {s->modules, NULL, digest};

		if (store_module_bytes(s->store, digest, read_module, &l) != STORE_OK ||
		    l.slot == NULL) {
			return false;
		}
		slot = l.slot;
	}
	slot->used = ++s->modules->clock;
	*out = (struct module_bytes){slot->bytes, slot->size};
	return true;
}

void module_cache_free(struct service *s)
{
	for (int i = 0; s->modules != NULL && i < CACHE_SLOTS; i++) {
		free(s->modules->slot[i].bytes);
	}
	free(s->modules);
	s->modules = NULL;
}

/* ---- serving ---- */

struct request {
	const char *app_name;
	const char *topic;
	const char *digest;
	struct module_bytes module;
	uint64_t offset;
	uint64_t chunk_bytes;
	uint64_t chunks;
	bool plain; /* Propeller's: no offset, no digest in the answer */
};

static void send_chunk(struct service *s, const struct request *r, uint64_t offset)
{
	uint64_t size = BASE_MIN(r->chunk_bytes, r->module.size - offset);
	uint64_t total = (r->module.size + r->chunk_bytes - 1) / r->chunk_bytes;
	size_t length = 0, at;
	char *data = base64_encode(r->module.bytes + offset, (size_t)size, &length);
	size_t cap = length + strlen(r->app_name) * 6 + 400;
	json_t *name = json_string(r->app_name);
	char *quoted = json_dumps(name, JSON_ENCODE_ANY);
	char *out = malloc(cap);

	json_decref(name);
	if (data == NULL || out == NULL || quoted == NULL) {
		free(data);
		free(out);
		free(quoted);
		return;
	}
	at = (size_t)snprintf(
		out, cap, "{\"app_name\":%s,\"chunk_idx\":%llu,\"total_chunks\":%llu,", quoted,
		(unsigned long long)(offset / r->chunk_bytes), (unsigned long long)total);
	if (!r->plain) {
		at += (size_t)snprintf(out + at, cap - at,
				       "\"offset\":%llu,\"size\":%zu,\"digest\":\"%s\",",
				       (unsigned long long)offset, r->module.size, r->digest);
	}
	at += (size_t)snprintf(out + at, cap - at, "\"data\":\"%s\"}", data);
	free(data);
	free(quoted);
	service_publish(s, r->topic, out, at, r->plain ? s->config.qos : 0);
}

static void send_chunks(struct service *s, const struct request *r)
{
	uint64_t offset = r->offset;

	for (uint64_t i = 0; i < r->chunks && offset < r->module.size; i++) {
		send_chunk(s, r, offset);
		offset += r->chunk_bytes;
	}
}

static void send_error(struct service *s, const struct request *r, const char *error)
{
	if (!r->plain) {
		service_publish_json(
			s, r->topic,
			json_pack("{s:s, s:s}", "app_name", r->app_name, "error", error), 1);
	}
}

static void copy_digest(void *user, const struct store_module *m)
{
	snprintf(user, 72, "%s", m->digest);
}

void module_request(struct service *s, const json_t *m)
{
	const char *node = string_of(m, "proplet_id");
	char topic[160] = "registry/server", digest[72] = "";
	struct request r = {
		.app_name = string_of(m, "app_name"),
		.topic = topic,
		.digest = digest,
		.offset = (uint64_t)BASE_MAX(int_of(m, "offset", 0), 0),
		.chunk_bytes =
			(uint64_t)BASE_MAX(int_of(m, "chunk_bytes", s->config.chunk_bytes), 16),
		.chunks = (uint64_t)BASE_MAX(int_of(m, "chunks", 1), 1),
		.plain = json_object_get(m, "offset") == NULL,
	};

	if (r.app_name == NULL || (r.plain && !s->config.serve_registry)) {
		return;
	}
	r.chunk_bytes = BASE_MIN(r.chunk_bytes, CHUNK_BYTES_MAX);
	r.chunks = r.plain ? UINT64_MAX : BASE_MIN(r.chunks, CHUNKS_MAX);
	if (!r.plain && node != NULL && id_valid(node)) {
		snprintf(topic, sizeof(topic), "registry/server/%s", node);
	}
	if (digest_valid(r.app_name)) {
		snprintf(digest, sizeof(digest), "%s", r.app_name);
	} else if (store_module_find(s->store, r.app_name, copy_digest, digest) != STORE_OK) {
		/* Not ours: a Propeller proxy may know it. */
		return;
	}
	if (!images_bytes(s, digest, &r.module) && !module_bytes(s, digest, &r.module)) {
		send_error(s, &r, "the manager has no module with this digest; upload it again");
	} else if (r.offset >= r.module.size) {
		send_error(s, &r, "offset is beyond the end of the module");
	} else {
		send_chunks(s, &r);
	}
}
