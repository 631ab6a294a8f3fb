/* SPDX-License-Identifier: Apache-2.0 */
/* What tasks may use of this machine. See caps.h. */
#include "port/linux/caps.h"
#include "base/sha256.h"
#include "port/linux/files.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const words[] = {
#define X(name, word) word,
	AGENT_CAP_LIST(X)
#undef X
};

uint32_t caps_of_words(char *const *list, const char **wrong)
{
	uint32_t bits = 0;

	*wrong = NULL;
	for (; *list; list++) {
		uint32_t i = 0;

		while (i < AGENT_CAP_COUNT && strcmp(*list, words[i]) != 0) {
			i++;
		}
		if (i < AGENT_CAP_COUNT) {
			bits |= 1u << i;
		} else if (strcmp(*list, "none") != 0) {
			*wrong = *list;
		}
	}
	return bits;
}

int caps_init(struct caps *caps, const struct config *config, const char *state_dir)
{
	memset(caps, 0, sizeof(*caps));
	caps->config = config;
	CHECK(files_path(caps->kv_dir, sizeof(caps->kv_dir) - 200, state_dir, "kv"), ENAMETOOLONG);
	return files_make_dirs(caps->kv_dir);
}

/* ---- key-value pairs --------------------------------------------------------------------------*/

#define NAME_BYTES (2 * SHA256_BYTES + 1)

/* Names of any characters and length become file names. */
static void hash_name(char out[NAME_BYTES], const char *text)
{
	struct sha256 h;
	uint8_t digest[SHA256_BYTES];

	sha256_init(&h);
	sha256_add(&h, text, strlen(text));
	sha256_end(&h, digest);
	for (int i = 0; i < SHA256_BYTES; i++) {
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	}
}

struct place {
	char dir[FILES_PATH_MAX], name[NAME_BYTES], path[FILES_PATH_MAX];
};

static void place_of(const struct caps *caps, const struct agent_action *a, struct place *out)
{
	char scope[NAME_BYTES];

	hash_name(scope, a->host.scope ? a->host.scope : "");
	hash_name(out->name, a->host.name ? a->host.name : "");
	ASSERT(files_path(out->dir, sizeof(out->dir), caps->kv_dir, scope));
	if (!files_path(out->path, sizeof(out->path), out->dir, out->name)) {
		out->path[0] = 0;
	}
}

static uint64_t dir_bytes(const char *dir, const char *except)
{
	DIR *d = opendir(dir);
	uint64_t bytes = 0;
	struct stat st;

	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (e->d_name[0] != '.' && strcmp(e->d_name, except) != 0 &&
		    fstatat(dirfd(d), e->d_name, &st, 0) == 0) {
			bytes += (uint64_t)st.st_size + 512; /* an empty value takes room, too */
		}
	}
	if (d) {
		closedir(d);
	}
	return bytes;
}

static void kv_set(const struct caps *caps, const struct agent_action *a, struct caps_answer *out)
{
	struct place p;

	place_of(caps, a, &p);
	if (a->host.data_bytes > CAPS_VALUE_BYTES_MAX ||
	    dir_bytes(p.dir, p.name) + a->host.data_bytes > CAPS_SCOPE_BYTES_MAX) {
		out->status = CAPS_REFUSED;
	} else if (files_make_dirs(p.dir) != 0 ||
		   files_put(p.dir, p.name, a->host.data, a->host.data_bytes) != 0) {
		out->status = CAPS_BROKEN;
	}
}

static void kv_get(const struct caps *caps, const struct agent_action *a, struct caps_answer *out)
{
	struct place p;
	size_t bytes = 0;

	place_of(caps, a, &p);
	out->data = files_get(p.path, CAPS_VALUE_BYTES_MAX, &bytes);
	out->data_bytes = (uint32_t)bytes;
	if (out->data == NULL) {
		out->data_bytes = 0;
		out->status = errno == ENOENT ? CAPS_ABSENT : CAPS_BROKEN;
	}
}

static void kv_delete(const struct caps *caps, const struct agent_action *a,
		      struct caps_answer *out)
{
	struct place p;

	place_of(caps, a, &p);
	if (unlink(p.path) != 0) {
		out->status = errno == ENOENT ? CAPS_ABSENT : CAPS_BROKEN;
	}
}

/* ---- pins and sensors -------------------------------------------------------------------------*/

/* A number in a file's first characters. */
static bool file_number(const char *path, double *out)
{
	size_t bytes;
	char *text = files_get(path, 4096, &bytes), *end;

	if (text == NULL) {
		return false;
	}
	*out = strtod(text, &end);
	bool ok = end != text && isfinite(*out);
	free(text);
	return ok;
}

static void gpio_read(struct caps *caps, int32_t pin, struct caps_answer *out)
{
	char path[FILES_PATH_MAX], name[16];
	double v;

	if (caps->config->gpio_dir[0] == 0) {
		out->value = caps->pins[pin];
		return;
	}
	snprintf(name, sizeof(name), "%d", pin);
	if (!files_path(path, sizeof(path), caps->config->gpio_dir, name) ||
	    !file_number(path, &v)) {
		out->status = CAPS_ABSENT;
		return;
	}
	out->value = v != 0;
}

static void gpio_write(struct caps *caps, int32_t pin, int32_t value, struct caps_answer *out)
{
	char name[16];

	caps->pins[pin] = value != 0;
	snprintf(name, sizeof(name), "%d", pin);
	if (caps->config->gpio_dir[0] &&
	    files_put(caps->config->gpio_dir, name, value ? "1\n" : "0\n", 2) != 0) {
		out->status = CAPS_BROKEN;
	}
}

static void gpio(struct caps *caps, const struct agent_action *a, struct caps_answer *out)
{
	int32_t pin = a->host.value[0];

	if (pin < 0 || pin >= CAPS_PINS_MAX) {
		out->status = CAPS_ABSENT;
	} else if (a->host.op == AGENT_HOST_GPIO_READ) {
		gpio_read(caps, pin, out);
	} else {
		gpio_write(caps, pin, a->host.value[1], out);
	}
}

static const char *sensor_source(const struct caps *caps, const char *name)
{
	size_t n = strlen(name);

	for (char **s = caps->config->sensors; *s; s++) {
		if (strncmp(*s, name, n) == 0 && (*s)[n] == '=') {
			return *s + n + 1;
		}
	}
	return NULL;
}

static void sensor(const struct caps *caps, const char *name, struct caps_answer *out)
{
	const char *source = sensor_source(caps, name ? name : "");
	char *end;
	double v;

	if (source == NULL) {
		out->status = CAPS_ABSENT;
		return;
	}
	v = strtod(source, &end);
	if ((end == source || *end) && !file_number(source, &v)) {
		out->status = CAPS_BROKEN;
		return;
	}
	out->value = fabs(v) < 9e12 ? llround(v * 1e6) : v < 0 ? INT64_MIN : INT64_MAX;
}

void caps_call(struct caps *caps, const struct agent_action *action, struct caps_answer *out)
{
	memset(out, 0, sizeof(*out));
	switch (action->host.op) {
	case AGENT_HOST_KV_GET:
		kv_get(caps, action, out);
		break;
	case AGENT_HOST_KV_SET:
		kv_set(caps, action, out);
		break;
	case AGENT_HOST_KV_DELETE:
		kv_delete(caps, action, out);
		break;
	case AGENT_HOST_SENSOR:
		sensor(caps, action->host.name, out);
		break;
	default:
		gpio(caps, action, out);
	}
}
