/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: reading them from files, offering them to the manager by digest, so that what it has is
 * not sent again.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/sha256.h"

enum {
	MODULE_BYTES_MAX = 100 << 20, /* what a manager takes at most */
};

static int read_all(struct module_file *file, FILE *in)
{
	size_t capacity = 0;

	for (;;) {
		if (file->size == capacity) {
			capacity = capacity == 0 ? 1 << 16 : 2 * capacity;
			uint8_t *bytes = realloc(file->bytes, capacity);
			if (bytes == NULL) {
				return fail(CLI_FAILED, "%s: out of memory", file->path);
			}
			file->bytes = bytes;
		}
		size_t got = fread(file->bytes + file->size, 1, capacity - file->size, in);
		file->size += got;
		if (got == 0) {
			break;
		}
		if (file->size > MODULE_BYTES_MAX) {
			return fail(CLI_DATA, "%s is longer than %d MB, which no manager takes",
				    file->path, MODULE_BYTES_MAX >> 20);
		}
	}
	return ferror(in)
		       ? fail(CLI_NOT_FOUND, "%s cannot be read: %s", file->path, strerror(errno))
		       : CLI_OK;
}

static int check_magic(const struct module_file *file)
{
	static const uint8_t magic[4] = {0, 'a', 's', 'm'};
	static const uint8_t component = 0x0d;

	if (file->size == 0) {
		return fail(CLI_DATA, "%s is empty", file->path);
	}
	if (file->size < 8 || memcmp(file->bytes, magic, 4) != 0) {
		const char *dot = strrchr(file->path, '.');
		bool wat = dot != NULL && strcmp(dot, ".wat") == 0;
		bool c = dot != NULL && (strcmp(dot, ".c") == 0 || strcmp(dot, ".rs") == 0);

		return fail(CLI_DATA, "%s is no WebAssembly module%s", file->path,
			    wat ? "; it is text: wat2wasm makes a module of it"
			    : c ? "; it is source: compile it first (see docs/modules.md)"
				: " (it does not begin with \\0asm)");
	}
	if (file->bytes[4] == component) {
		return fail(
			CLI_DATA,
			"%s is a component, not a core module; compile for wasm32-wasip1 instead",
			file->path);
	}
	return CLI_OK;
}

static void digest_make(struct module_file *file)
{
	struct sha256 sum;
	uint8_t hash[SHA256_BYTES];
	char *at = file->digest;

	sha256_init(&sum);
	sha256_add(&sum, file->bytes, file->size);
	sha256_end(&sum, hash);
	at += sprintf(at, "sha256:");
	for (int i = 0; i < SHA256_BYTES; i++) {
		at += sprintf(at, "%02x", hash[i]);
	}
}

int module_read(struct module_file *file, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	struct stat st;

	memset(file, 0, sizeof(*file));
	file->path = standard ? "standard input" : path;
	FILE *in = standard ? stdin : fopen(path, "rb");
	if (in == NULL) {
		return fail(CLI_NOT_FOUND, "%s cannot be opened: %s", path[0] != 0 ? path : "''",
			    strerror(errno));
	}
	int status = fstat(fileno(in), &st) == 0 && S_ISDIR(st.st_mode)
			     ? fail(CLI_NOT_FOUND, "%s is a folder", path)
			     : read_all(file, in);
	if (!standard) {
		fclose(in);
	}
	if (status == CLI_OK) {
		status = check_magic(file);
	}
	if (status != CLI_OK) {
		module_free(file);
		return status;
	}
	digest_make(file);
	return CLI_OK;
}

void module_free(struct module_file *file)
{
	free(file->bytes);
	file->bytes = NULL;
}

/* A manager that keeps no modules has no such route. */
static bool route_absent(long status)
{
	return status == 404 || status == 405 || status == 501;
}

static int module_send(struct http *http, const struct module_file *file, bool *stored)
{
	struct http_body body = {
		.type = "application/wasm", .data = file->bytes, .bytes = file->size};
	struct http_reply reply;
	const char *slash = strrchr(file->path, '/');
	const char *name = slash != NULL ? slash + 1 : file->path;
	int status =
		http_send(http, "POST", text("/modules?source=%s", text_url(name)), &body, &reply);

	if (status != CLI_OK) {
		return status;
	}
	*stored = !route_absent(reply.status);
	if (*stored && (reply.status < 200 || reply.status > 299)) {
		status = http_refused(http, text("upload %s", file->path), &reply);
	}
	http_free(&reply);
	return status;
}

int module_offer(struct http *http, const struct module_file *file, bool *stored)
{
	struct http_reply reply;
	int status = http_send(http, "HEAD", text("/modules/%s", file->digest), NULL, &reply);

	if (status != CLI_OK) {
		return status;
	}
	*stored = reply.status == 200;
	http_free(&reply);
	return *stored ? CLI_OK : module_send(http, file, stored);
}

const char *module_base64(const uint8_t *bytes, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = text_alloc((size + 2) / 3 * 4);
	char *at = out;

	for (size_t i = 0; i < size; i += 3) {
		uint32_t v = (uint32_t)bytes[i] << 16;

		v |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
		v |= i + 2 < size ? bytes[i + 2] : 0;
		*at++ = digits[v >> 18];
		*at++ = digits[v >> 12 & 63];
		*at++ = i + 1 < size ? digits[v >> 6 & 63] : '=';
		*at++ = i + 2 < size ? digits[v & 63] : '=';
	}
	return out;
}

void module_attach(json_t *task, const struct module_file *file, bool stored)
{
	if (!stored) {
		json_object_set_new(task, "file",
				    json_string(module_base64(file->bytes, file->size)));
		return;
	}
	json_object_set_new(
		task, "module",
		json_pack("{s:s, s:I}", "digest", file->digest, "size", (json_int_t)file->size));
}

/* ---- commands ---- */

/* "x86_64, thumbv7m (failed)"; NULL if there is none. Those that nobody asked for are left out. */
static const char *natives(const json_t *images)
{
	const char *out = NULL;
	json_t *row = NULL;
	size_t i = 0;

	json_array_foreach(images, i, row)
	{
		const char *target = api_text(row, "target"), *state = api_text(row, "state");
		bool ready = state != NULL && strcmp(state, "ready") == 0;

		if (target == NULL || state == NULL || strcmp(state, "none") == 0) {
			continue;
		}
		out = text("%s%s%s%s%s%s", out != NULL ? out : "", out != NULL ? ", " : "", target,
			   ready ? "" : " (", ready ? "" : state, ready ? "" : ")");
	}
	return out;
}

int module_list(struct cli *cli)
{
	struct table t = {.headers = {"DIGEST", "SIZE", "NATIVE", "SOURCE", "AGE", NULL}};
	json_t *rows = NULL, *row = NULL;
	size_t i = 0;
	int status = api_list(&cli->http, "/modules", "modules",
			      args_number(&cli->args, CLI_OPT_LIMIT, 0), &rows);

	if (status != CLI_OK) {
		return status;
	}
	json_array_foreach(rows, i, row)
	{
		uint64_t size = api_number(row, "size", api_number(row, "bytes", 0));

		table_add(&t, api_text(row, "digest"));
		table_add(&t, text_bytes(size));
		table_add(&t, natives(api_get(row, "images")));
		table_add(&t, api_text(row, "source"));
		table_add(&t, text_age(api_text(row, "created_at"), (int64_t)time(NULL)));
	}
	if (cli->json) {
		api_print(rows);
	} else if (cli->quiet) {
		json_array_foreach(rows, i, row)
		{
			text_put(stdout, text_clean(api_text(row, "digest")));
		}
	} else {
		table_print(&t, stdout, 0);
	}
	json_decref(rows);
	return CLI_OK;
}

int module_upload(struct cli *cli)
{
	int status = CLI_OK;

	for (int i = 0; i < cli->args.count && status == CLI_OK; i++) {
		struct module_file file;
		bool stored = false;

		status = module_read(&file, cli->args.args[i]);
		if (status != CLI_OK) {
			break;
		}
		status = module_offer(&cli->http, &file, &stored);
		if (status == CLI_OK && !stored) {
			status = fail(CLI_UNAVAILABLE, "the manager at %s keeps no modules",
				      cli->http.base);
		}
		if (status == CLI_OK && cli->json) {
			json_t *json = json_pack("{s:s, s:I}", "digest", file.digest, "size",
						 (json_int_t)file.size);
			api_print(json);
			json_decref(json);
		} else if (status == CLI_OK) {
			printf("%s\n", file.digest);
		}
		module_free(&file);
	}
	return status;
}

/* ---- native images ---- */

/* The digest that a digest, the beginning of one or a source means; NULL: none, or several. */
static const char *digest_of_word(const json_t *rows, const char *word)
{
	const char *found = NULL;
	const json_t *row = NULL;
	size_t i = 0, n = strlen(word);
	bool hex = strncmp(word, "sha256:", 7) == 0;

	json_array_foreach(rows, i, row)
	{
		const char *digest = api_text(row, "digest"), *source = api_text(row, "source");

		if (digest == NULL) {
			continue;
		}
		if (source != NULL && strcmp(source, word) == 0) {
			return digest; /* the newest of that name comes first */
		}
		if (n >= 4 && strncmp(digest + (hex ? 0 : 7), word, n) == 0) {
			if (found != NULL && strcmp(found, digest) != 0) {
				return NULL;
			}
			found = digest;
		}
	}
	return found;
}

/* The module of the first argument: a file, which is uploaded if need be, or one that is there. */
static int module_find(struct cli *cli, const char **digest)
{
	const char *word = cli->args.args[0];
	struct module_file file;
	json_t *rows = NULL;
	bool stored = false;
	struct stat st;
	int status;

	if (stat(word, &st) == 0) {
		status = module_read(&file, word);
		if (status == CLI_OK) {
			status = module_offer(&cli->http, &file, &stored);
			*digest = text("%s", file.digest);
			module_free(&file);
		}
		return status != CLI_OK || stored
			       ? status
			       : fail(CLI_UNAVAILABLE, "the manager at %s keeps no modules",
				      cli->http.base);
	}
	status = api_list(&cli->http, "/modules", "modules", 0, &rows);
	if (status != CLI_OK) {
		return status;
	}
	*digest = digest_of_word(rows, word);
	*digest = *digest != NULL ? text("%s", *digest) : NULL;
	json_decref(rows);
	return *digest != NULL
		       ? CLI_OK
		       : fail(CLI_NOT_FOUND,
			      "there is no file and no module '%s'; see: propctl module list",
			      text_clean(word));
}

static bool is_one_of(const json_t *targets, const char *target)
{
	const json_t *row = NULL;
	size_t i = 0;

	json_array_foreach(targets, i, row)
	{
		if (target != NULL && json_is_string(row) &&
		    strcmp(json_string_value(row), target) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_coming(const json_t *images, const json_t *targets)
{
	const json_t *row = NULL;
	size_t i = 0;

	json_array_foreach(images, i, row)
	{
		const char *state = api_text(row, "state");

		if (state != NULL && is_one_of(targets, api_text(row, "target")) &&
		    (strcmp(state, "queued") == 0 || strcmp(state, "compiling") == 0)) {
			return true;
		}
	}
	return false;
}

/* One image in the table; the status tells whether it is there. */
static int image_row(struct table *t, const json_t *row)
{
	const char *target = api_text(row, "target"), *state = api_text(row, "state");
	const char *error = api_text(row, "error");

	table_add(t, target);
	table_add(t, state);
	table_add(t, error ? NULL : text_bytes(api_number(row, "size", 0)));
	table_add(t, error ? NULL : text_ms(api_number(row, "compile_ms", 0)));
	table_add(t, api_text(row, "digest"));
	if (error != NULL) {
		return fail(CLI_FAILED, "%s: %s", text_clean(target), text_clean(error));
	}
	return state != NULL && strcmp(state, "ready") == 0
		       ? CLI_OK
		       : fail(CLI_LIMIT, "%s is not ready yet; see: propctl module list",
			      text_clean(target));
}

/* Prints the images that were asked for; the status tells whether all are there. */
static int images_print(struct cli *cli, const json_t *module, const json_t *targets)
{
	struct table t = {.headers = {"TARGET", "STATE", "SIZE", "TOOK", "IMAGE", NULL}};
	const json_t *row = NULL;
	int status = CLI_OK;
	size_t i = 0;

	json_array_foreach(json_object_get(module, "images"), i, row)
	{
		if (is_one_of(targets, api_text(row, "target"))) {
			int one = image_row(&t, row);

			status = one != CLI_OK ? one : status;
		}
	}
	if (cli->json) {
		api_print(module);
	} else if (!cli->quiet) {
		table_print(&t, stdout, 0);
	}
	return status;
}

enum {
	COMPILE_MS = 120000, /* waited for, unless --wait says otherwise */
	POLL_MS = 10000,     /* of it, within one request */
};

/* Waits until no image of the module for these targets is on its way, or for left ms. */
static int images_wait(struct cli *cli, const char *digest, const json_t *targets, uint64_t left,
		       json_t **module)
{
	for (;;) {
		uint64_t wait = left < POLL_MS ? left : POLL_MS;
		struct http_reply reply;
		int status = http_json(
			&cli->http, "GET",
			text("/modules/%s?wait_ms=%llu", digest, (unsigned long long)wait), NULL,
			"module", &reply);

		if (status != CLI_OK) {
			return status;
		}
		left -= wait;
		if (left == 0 || !is_coming(json_object_get(reply.json, "images"), targets)) {
			*module = json_incref(reply.json);
			http_free(&reply);
			return CLI_OK;
		}
		http_free(&reply);
	}
}

int module_compile(struct cli *cli)
{
	const char *digest = NULL, *target = args_text(&cli->args, CLI_OPT_TARGET, NULL);
	struct http_reply reply;
	json_t *module = NULL, *targets;
	int status = module_find(cli, &digest);

	if (status == CLI_OK) {
		status = http_json(&cli->http, "POST",
				   text("/modules/%s/compile%s%s", digest,
					target != NULL ? "?target=" : "",
					target != NULL ? text_url(target) : ""),
				   NULL, text("compile %s", text_clean(cli->args.args[0])), &reply);
	}
	if (status != CLI_OK) {
		return status;
	}
	targets = json_incref(json_object_get(reply.json, "targets"));
	http_free(&reply);
	status = images_wait(cli, digest, targets,
			     args_number(&cli->args, CLI_OPT_WAIT, COMPILE_MS), &module);
	if (status == CLI_OK) {
		status = images_print(cli, module, targets);
		json_decref(module);
	}
	json_decref(targets);
	return status;
}

int module_keys(struct cli *cli)
{
	struct table t = {.headers = {"ID", "PUBLIC KEY", NULL}};
	struct http_reply reply;
	json_t *keys, *row = NULL;
	size_t i = 0;
	int status = http_json(&cli->http, "GET", "/aot", NULL, "keys", &reply);

	if (status != CLI_OK) {
		return status;
	}
	keys = json_object_get(reply.json, "keys");
	if (cli->json) {
		api_print(keys);
	} else if (json_array_size(keys) == 0) {
		status = fail(CLI_UNAVAILABLE, "this manager makes no native images");
	} else if (cli->quiet) {
		json_array_foreach(keys, i, row)
		{
			text_put(stdout, text_clean(api_text(row, "public")));
		}
	} else {
		json_array_foreach(keys, i, row)
		{
			table_add(&t, api_text(row, "id"));
			table_add(&t, api_text(row, "public"));
		}
		table_print(&t, stdout, 0);
	}
	http_free(&reply);
	return status;
}
