/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native images: the files behind manager/core/aot.h, and starts that wait for one.
 *
 * In:    starts and results; what the compiler made; refusals of workers.
 * Out:   jobs for the compiler; the key "native" of starts; events for people.
 * Owns:  a folder: key (Ed25519 seed in hexadecimal, mode 0600), index (a JSON object a line), and
 *        <64 hex>.raot for each image, by its digest.
 * Rules: 1. The core is not stepped from within its own actions: what waited goes out in images_tick.
 *        2. An image whose bytes have not their digest is not served, but forgotten.
 *        3. A start that waits is sent when its image is ready, or without it when there is none.
 */
#include "manager/http/service.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAX  4096
#define IMAGE_BYTES  (256u << 20)
#define EVENTS_KEPT  128
#define TARGETS_MAX  16
#define KEY_ID_BYTES 17

struct held {
	struct held *next;
	char task_id[MANAGER_ID_BYTES];
	uint32_t epoch, image;
};

struct images {
	struct aot *core;
	struct image_config config;
	struct image_stats stats;
	struct held *held;  /* starts that wait */
	struct held *ready; /* and those that may go */
	uint8_t public_key[32];
	char key_hex[65], key_path[600];
	uint8_t *bytes; /* of the image that was read last */
	size_t size;
	uint8_t digest[AOT_DIGEST_BYTES];
};

/* ---- words */

static void digest_text(const uint8_t *digest, char out[72])
{
	memcpy(out, "sha256:", 8);
	sodium_bin2hex(out + 7, 65, digest, AOT_DIGEST_BYTES);
}

static bool digest_bytes(const char *text, uint8_t out[AOT_DIGEST_BYTES])
{
	size_t n = 0;

	return text != NULL && digest_valid(text) &&
	       sodium_hex2bin(out, AOT_DIGEST_BYTES, text + 7, 64, NULL, &n, NULL) == 0 &&
	       n == AOT_DIGEST_BYTES;
}

static enum aot_mode mode_of(const struct images *im, const char *word)
{
	word = word != NULL && word[0] != '\0' ? word : im->config.mode;
	return strcmp(word, "always") == 0  ? AOT_ALWAYS
	       : strcmp(word, "never") == 0 ? AOT_NEVER
					    : AOT_AUTO;
}

/* An event of a task, or with task_id NULL of a module. */
static void tell(struct service *s, const char *kind, const char *task_id,
		 const struct aot_image *i, const char *node_id, const char *text)
{
	char module[72], stamp[40], *body;
	json_t *e = json_pack("{s:s, s:s*, s:s*, s:s*}", "kind", kind, "task_id", task_id,
			      "proplet_id", node_id, "text", text);

	if (i != NULL) {
		digest_text(i->module, module);
		json_object_set_new(e, "module", json_string(module));
		json_object_set_new(e, "target", json_string(i->target));
		task_id = task_id != NULL ? task_id : module;
	}
	json_object_set_new(e, "time", json_string(time_text(s->wall_ms, stamp)));
	body = json_dumps(e, JSON_COMPACT);
	if (body != NULL && task_id != NULL &&
	    store_history_add(s->store, STORE_EVENT, task_id, s->wall_ms, body, EVENTS_KEPT) !=
		    STORE_OK) {
		log_line("error", "msg=\"cannot store an event\" error=\"%s\"",
			 store_error(s->store));
	}
	free(body);
	log_line(strcmp(kind, "native_start") == 0 ? "debug" : "info", "event=%s%s%s text=\"%s\"",
		 kind, task_id != NULL ? " of=" : "", task_id != NULL ? task_id : "",
		 text != NULL ? text : "");
	service_note(s, kind, task_id != NULL ? task_id : "", e);
}

/* ---- the folder */

static void path_of(const struct images *im, char *out, size_t bytes, const uint8_t *digest)
{
	char hex[65];

	sodium_bin2hex(hex, sizeof(hex), digest, AOT_DIGEST_BYTES);
	snprintf(out, bytes, "%s/%s.raot", im->config.dir, hex);
}

static bool write_new(const char *path, const char *text)
{
	size_t n = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;

	if (fd >= 0) {
		close(fd);
	}
	return ok;
}

static char *read_text(const char *path, size_t most)
{
	FILE *f = fopen(path, "re");
	char *text = f != NULL ? calloc(1, most + 1) : NULL;

	if (text != NULL && fread(text, 1, most, f) == 0) {
		free(text);
		text = NULL;
	}
	if (f != NULL) {
		fclose(f);
	}
	return text;
}

/* The seed of the key: made at the first start. */
static bool read_key(struct images *im, char *error, size_t error_bytes)
{
	uint8_t seed[32], secret[64];
	char hex[66], *text;
	size_t n = 0;
	bool ok;

	if (access(im->key_path, F_OK) != 0) {
		randombytes_buf(seed, sizeof(seed));
		sodium_bin2hex(hex, 65, seed, sizeof(seed));
		hex[64] = '\n';
		hex[65] = '\0';
		if (!write_new(im->key_path, hex)) {
			snprintf(error, error_bytes, "cannot write the key '%.300s': %s",
				 im->key_path, strerror(errno));
			return false;
		}
	}
	text = read_text(im->key_path, 256);
	ok = text != NULL &&
	     sodium_hex2bin(seed, sizeof(seed), text, strlen(text), "\n\r ", &n, NULL) == 0 &&
	     n == sizeof(seed);
	if (ok) {
		crypto_sign_seed_keypair(im->public_key, secret, seed);
		sodium_bin2hex(im->key_hex, sizeof(im->key_hex), im->public_key,
			       sizeof(im->public_key));
	} else {
		snprintf(error, error_bytes,
			 "'%.300s' is no key: it must hold 64 hexadecimal digits; rotorc keygen "
			 "makes one",
			 im->key_path);
	}
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(secret, sizeof(secret));
	free(text);
	return ok;
}

static bool take_line(struct images *im, const json_t *line)
{
	struct aot_image i = {.abi = (uint32_t)int_of(line, "abi", 0),
			      .bytes = (uint32_t)int_of(line, "bytes", 0),
			      .compile_ms = (uint32_t)int_of(line, "compile_ms", 0),
			      .is_signed = json_is_string(json_object_get(line, "key"))};
	const char *module = string_of(line, "module"), *target = string_of(line, "target");
	const char *key = string_of(line, "key");
	char path[700];
	struct stat st;

	if (target == NULL || strlen(target) >= sizeof(i.target) ||
	    !digest_bytes(module, i.module) || !digest_bytes(string_of(line, "image"), i.digest) ||
	    (key != NULL && strcmp(key, im->key_hex) != 0)) {
		return false; /* of another key, too: it has been replaced */
	}
	memcpy(i.target, target, strlen(target));
	i.module_hash = placement_hash("module", module);
	path_of(im, path, sizeof(path), i.digest);
	return stat(path, &st) == 0 && st.st_size == (off_t)i.bytes && aot_restore(im->core, &i);
}

static void read_index(struct images *im)
{
	char path[700], line[1024];
	uint32_t taken = 0, lost = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/index", im->config.dir);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		json_t *json = json_loads(line, 0, NULL);

		*(json != NULL && take_line(im, json) ? &taken : &lost) += 1;
		json_decref(json);
	}
	if (f != NULL) {
		fclose(f);
	}
	if (taken + lost != 0) {
		log_line("info", "msg=\"native images taken up\" count=%u lost=%u", taken, lost);
	}
}

static void add_to_index(struct images *im, const struct aot_image *i)
{
	char path[700], module[72], image[72], *text;
	FILE *f;
	json_t *line;

	digest_text(i->module, module);
	digest_text(i->digest, image);
	line = json_pack("{s:s, s:s, s:s*, s:s, s:I, s:I, s:I}", "module", module, "target",
			 i->target, "key", i->is_signed ? im->key_hex : NULL, "image", image,
			 "bytes", (json_int_t)i->bytes, "abi", (json_int_t)i->abi, "compile_ms",
			 (json_int_t)i->compile_ms);
	text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	snprintf(path, sizeof(path), "%s/index", im->config.dir);
	f = fopen(path, "ae");
	if (f == NULL || text == NULL || fprintf(f, "%s\n", text) < 0 || fflush(f) != 0) {
		log_line("warn", "msg=\"an image is not in the index\" error=\"%s\"",
			 strerror(errno));
	}
	if (f != NULL) {
		fclose(f);
	}
	free(text);
}

bool images_open(struct service *s, const struct image_config *config, char *error,
		 size_t error_bytes)
{
	struct aot_config core = {.entries_max = ENTRIES_MAX,
				  .queue_max = config->queue,
				  .starts_min = config->starts,
				  .run_ms_min = config->run_ms,
				  .retry_ms = config->retry_ms};
	size_t bytes = aot_mem_bytes(&core);
	struct images *im;

	if (config->compile == NULL || config->dir[0] == '\0') {
		return true;
	}
	im = calloc(1, sizeof(*im));
	s->images = im;
	if (im == NULL || (im->core = calloc(1, bytes)) == NULL) {
		snprintf(error, error_bytes, "out of memory");
		return false;
	}
	im->core = aot_init(&core, im->core, bytes);
	im->config = *config;
	snprintf(im->key_path, sizeof(im->key_path), "%s/key", config->dir);
	if (mkdir(config->dir, 0700) != 0 && errno != EEXIST) {
		snprintf(error, error_bytes,
			 "cannot make '%.300s' for native images: %s; choose another folder with "
			 "--aot-dir",
			 config->dir, strerror(errno));
		return false;
	}
	if (!read_key(im, error, error_bytes)) {
		return false;
	}
	read_index(im);
	return true;
}

static void free_held(struct held *h)
{
	while (h != NULL) {
		struct held *next = h->next;

		free(h);
		h = next;
	}
}

void images_close(struct service *s)
{
	if (s->images != NULL) {
		free_held(s->images->held);
		free_held(s->images->ready);
		free(s->images->core);
		free(s->images->bytes);
		free(s->images);
		s->images = NULL;
	}
}

/* ---- what nodes tell */

void images_node(const struct service *s, const json_t *metadata, struct aot_node *out)
{
	const char *target = string_of(metadata, "aot_target");
	json_t *key;
	size_t i;

	*out = (struct aot_node){.abi = (uint32_t)int_of(metadata, "aot_abi", 0)};
	if (s->images == NULL || target == NULL || strlen(target) >= sizeof(out->target)) {
		return;
	}
	memcpy(out->target, target, strlen(target));
	json_array_foreach(json_object_get(metadata, "keys"), i, key)
	{
		const char *id = json_string_value(key);

		out->trusts = out->trusts || (id != NULL && strlen(id) == KEY_ID_BYTES - 1 &&
					      memcmp(id, s->images->key_hex, 16) == 0);
		out->takes_unsigned =
			out->takes_unsigned || (id != NULL && strcmp(id, "unsigned") == 0);
	}
}

void images_node_new(struct service *s, const char *node_id)
{
	if (s->images != NULL) {
		aot_node_new(s->images->core, placement_hash("id", node_id));
	}
}

/* ---- compiling */

static void finish(struct service *s, uint32_t image, const struct aot_image *done,
		   const char *why);

/* Hands the next image to the compiler. */
static void pump(struct service *s)
{
	struct images *im = s->images;
	uint32_t i;

	while ((i = aot_next(im->core, s->now_ms)) != AOT_NONE) {
		const struct aot_image *e = aot_image(im->core, i);
		struct compile_job job = {.image = i};
		struct module_bytes m;
		char digest[72];

		digest_text(e->module, digest);
		if (!module_bytes(s, digest, &m)) {
			finish(s, i, &(struct aot_image){0}, "the module is gone from the store");
			continue;
		}
		memcpy(job.module, e->module, sizeof(job.module));
		snprintf(job.target, sizeof(job.target), "%s", e->target);
		snprintf(job.key_path, sizeof(job.key_path), "%s",
			 e->is_signed ? im->key_path : "");
		snprintf(job.dir, sizeof(job.dir), "%s", im->config.dir);
		im->stats.compiles++;
		tell(s, "aot_compiling", NULL, e, NULL, NULL);
		im->config.compile(im->config.user, &job, m.bytes, m.size);
	}
}

static void finish(struct service *s, uint32_t image, const struct aot_image *done, const char *why)
{
	struct images *im = s->images;
	struct held *waiting = im->held, *h;
	const struct aot_image *e = aot_image(im->core, image);
	char text[256], module[72], key[MANAGER_ID_BYTES];

	aot_done(im->core, image, done, why, s->now_ms);
	im->stats.failures += why != NULL;
	digest_text(e->module, module);
	snprintf(text, sizeof(text), "%s: %u bytes in %u ms", e->target, e->bytes, e->compile_ms);
	if (why == NULL) {
		add_to_index(im, e);
	}
	tell(s, why != NULL ? "aot_failed" : "aot_ready", NULL, e, NULL, why != NULL ? why : text);
	images_wait_key(s, module, key);
	service_wake(s, key, NULL, false);
	im->held = NULL;
	while ((h = waiting) != NULL) {
		waiting = h->next;
		if (h->image != image) {
			h->next = im->held;
			im->held = h;
			continue;
		}
		tell(s, why != NULL ? "aot_failed" : "aot_ready", h->task_id, e, NULL,
		     why != NULL ? why : text);
		h->next = im->ready;
		im->ready = h;
	}
}

void images_compiled(struct service *s, const struct compile_job *job)
{
	struct aot_image done = {
		.bytes = job->bytes, .abi = job->abi, .compile_ms = job->compile_ms};

	memcpy(done.digest, job->digest, sizeof(done.digest));
	finish(s, job->image, &done, job->error[0] != '\0' ? job->error : NULL);
	pump(s);
}

void images_tick(struct service *s)
{
	while (s->images != NULL && s->images->ready != NULL) {
		struct held *h = s->images->ready;
		struct manager_event e = {.kind = MANAGER_EVENT_TASK_SEND};

		s->images->ready = h->next;
		e.u.task.id = h->task_id;
		e.u.task.epoch = h->epoch;
		(void)service_event(s, &e);
		free(h);
	}
}

/* ---- starts */

static void hold(struct service *s, const struct manager_action *a, uint32_t image)
{
	struct held *h;

	for (h = s->images->held; h != NULL; h = h->next) {
		if (strcmp(h->task_id, a->task->id) == 0) {
			h->epoch = a->epoch;
			h->image = image;
			return;
		}
	}
	h = calloc(1, sizeof(*h));
	if (h == NULL) {
		return; /* the core sends the start again */
	}
	snprintf(h->task_id, sizeof(h->task_id), "%s", a->task->id);
	h->epoch = a->epoch;
	h->image = image;
	h->next = s->images->held;
	s->images->held = h;
	tell(s, "aot_waiting", a->task->id, aot_image(s->images->core, image),
	     a->node != NULL ? a->node->id : NULL, "the start waits for its native image");
}

static json_t *native_key(const struct aot_image *i)
{
	char digest[72];

	digest_text(i->digest, digest);
	return json_pack("{s:s, s:I, s:s}", "digest", digest, "size", (json_int_t)i->bytes,
			 "target", i->target);
}

static bool file_is_there(const struct images *im, const struct aot_image *i)
{
	char path[700];
	struct stat st;

	path_of(im, path, sizeof(path), i->digest);
	return stat(path, &st) == 0 && st.st_size == (off_t)i->bytes;
}

bool images_start(struct service *s, const struct manager_action *a, const json_t *spec,
		  json_t **native)
{
	struct images *im = s->images;
	struct aot_answer answer;
	uint8_t module[AOT_DIGEST_BYTES];
	const char *policy = string_of(spec, "policy"), *word = string_of(spec, "aot");
	struct aot_ask ask = {
		.module = module,
		.module_hash = a->task->need.module_hash,
		.node_hash = a->node != NULL ? a->node->fit.id_hash : 0,
		.node = a->node != NULL ? &a->node->aot : NULL,
		.parks = policy != NULL && strcmp(policy, "park") == 0,
		.lasts = a->task->daemon || a->task->latent,
	};
	bool always = word != NULL && strcmp(word, "always") == 0;

	*native = NULL;
	if (im == NULL ||
	    !digest_bytes(string_of(json_object_get(spec, "module"), "digest"), module)) {
		if (always) {
			tell(s, "aot_unused", a->task->id, NULL, NULL,
			     im == NULL ? "this manager has no folder for images: --aot-dir"
					: "the manager does not have the module; it runs as it is");
		}
		return true;
	}
	ask.mode = mode_of(im, word);
	aot_start(im->core, &ask, s->now_ms, &answer);
	if (answer.choice == AOT_USE_IMAGE &&
	    !file_is_there(im, aot_image(im->core, answer.image))) {
		aot_forget(im->core, answer.image, s->now_ms);
		aot_start(im->core, &ask, s->now_ms, &answer);
	}
	if (answer.choice == AOT_WAIT) {
		hold(s, a, answer.image);
	} else if (answer.choice == AOT_USE_IMAGE) {
		const struct aot_image *i = aot_image(im->core, answer.image);

		*native = native_key(i);
		im->stats.starts++;
		tell(s, "native_start", a->task->id, i, a->node->id, NULL);
	} else if (answer.why != NULL && ask.mode == AOT_ALWAYS) {
		tell(s, "aot_unused", a->task->id, NULL, a->node != NULL ? a->node->id : NULL,
		     answer.why);
	}
	pump(s);
	return answer.choice != AOT_WAIT;
}

void images_ran(struct service *s, const char *task_id, const json_t *result)
{
	const struct manager_task *t = manager_task_find(s->core, task_id);
	const struct manager_node *n =
		t != NULL && t->node != MANAGER_NONE ? manager_node_at(s->core, t->node) : NULL;
	const char *engine = string_of(result, "engine");
	int64_t ms = int_of(result, "duration_ms", 0);

	if (s->images == NULL || n == NULL || n->aot.target[0] == '\0' || ms <= 0 ||
	    (engine != NULL && strcmp(engine, "native") == 0)) {
		return;
	}
	if (aot_ran(s->images->core, t->need.module_hash, &n->aot, (uint64_t)ms, s->now_ms) !=
	    AOT_NONE) {
		pump(s);
	}
}

/* ---- refusals */

/* What may be otherwise next time. */
static bool is_passing(const char *why)
{
	static const char *const begins[] = {"no room", "the registry", "the worker's store"};

	for (size_t i = 0; why != NULL && i < BASE_COUNT(begins); i++) {
		if (strncmp(why, begins[i], strlen(begins[i])) == 0) {
			return true;
		}
	}
	return false;
}

/* The newest image that this node was to run for the task is the one it means. */
void images_refused(struct service *s, const json_t *event)
{
	const char *task = string_of(event, "task_id"), *node = string_of(event, "proplet_id");
	const struct manager_task *t = task != NULL ? manager_task_find(s->core, task) : NULL;
	const struct manager_node *n = node != NULL ? manager_node_find(s->core, node) : NULL;
	struct images *im = s->images;

	if (im == NULL) {
		return;
	}
	im->stats.refusals++;
	if (is_passing(string_of(event, "text"))) {
		return;
	}
	for (uint32_t i = 0; t != NULL && n != NULL && i < aot_high(im->core); i++) {
		const struct aot_image *e = aot_image(im->core, i);

		if (e == NULL || e->state != AOT_STATE_READY ||
		    e->module_hash != t->need.module_hash || e->is_signed != n->aot.trusts ||
		    strcmp(e->target, n->aot.target) != 0) {
			continue;
		}
		aot_refused(im->core, n->fit.id_hash, e->digest);
		if (!image_is_good(s, e)) {
			tell(s, "aot_damaged", NULL, e, NULL,
			     "the image in the cache was altered; it is compiled again when it is "
			     "wanted");
			aot_forget(im->core, i, s->now_ms);
		}
	}
}

/* ---- bytes */

static bool read_image(struct images *im, const uint8_t *digest)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char path[700];
	struct stat st;
	int fd;
	bool ok;

	path_of(im, path, sizeof(path), digest);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ok = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= IMAGE_BYTES;
	free(im->bytes);
	im->bytes = ok ? malloc((size_t)st.st_size) : NULL;
	im->size = im->bytes != NULL ? (size_t)st.st_size : 0;
	ok = im->bytes != NULL && read(fd, im->bytes, im->size) == (ssize_t)im->size;
	if (fd >= 0) {
		close(fd);
	}
	if (ok) {
		crypto_hash_sha256(hash, im->bytes, im->size);
		ok = memcmp(hash, digest, sizeof(hash)) == 0;
	}
	memcpy(im->digest, digest, AOT_DIGEST_BYTES);
	return ok;
}

bool images_bytes(struct service *s, const char *digest, struct module_bytes *out)
{
	struct images *im = s->images;
	uint8_t want[AOT_DIGEST_BYTES];
	uint32_t i;

	if (im == NULL || !digest_bytes(digest, want)) {
		return false;
	}
	i = aot_find_digest(im->core, want);
	if (i == AOT_NONE) {
		return false;
	}
	if ((im->bytes == NULL || memcmp(im->digest, want, sizeof(want)) != 0) &&
	    !read_image(im, want)) {
		tell(s, "aot_damaged", NULL, aot_image(im->core, i), NULL,
		     "the image in the cache is lost or damaged; it is compiled again when it is "
		     "wanted");
		aot_forget(im->core, i, s->now_ms);
		free(im->bytes);
		im->bytes = NULL;
		return false;
	}
	*out = (struct module_bytes){im->bytes, im->size};
	return true;
}

/* Whether the file still is what we signed. */
bool image_is_good(struct service *s, const struct aot_image *e)
{
	struct images *im = s->images;
	bool ok = read_image(im, e->digest);

	ok = ok &&
	     (!e->is_signed ||
	      (im->size > 64 && crypto_sign_verify_detached(im->bytes + im->size - 64, im->bytes,
							    im->size - 64, im->public_key) == 0));
	free(im->bytes);
	im->bytes = NULL;
	return ok;
}

/* ---- for clients */

static json_t *image_json(const struct aot_image *e)
{
	char digest[72];
	json_t *o = json_pack("{s:s, s:b, s:s, s:I, s:I}", "target", e->target, "signed",
			      e->is_signed, "state", aot_state_word((enum aot_state)e->state),
			      "starts", (json_int_t)e->starts, "compiles", (json_int_t)e->compiles);

	if (e->state == AOT_STATE_READY) {
		digest_text(e->digest, digest);
		json_object_set_new(o, "digest", json_string(digest));
		json_object_set_new(o, "size", json_integer(e->bytes));
		json_object_set_new(o, "abi", json_integer(e->abi));
		json_object_set_new(o, "compile_ms", json_integer(e->compile_ms));
	} else if (e->state == AOT_STATE_FAILED) {
		json_object_set_new(o, "error", json_string(e->why));
	}
	return o;
}

json_t *images_json(struct service *s, const char *module)
{
	json_t *list = json_array();
	uint8_t digest[AOT_DIGEST_BYTES];

	if (s->images == NULL || !digest_bytes(module, digest)) {
		return list;
	}
	for (uint32_t i = 0; i < aot_high(s->images->core); i++) {
		const struct aot_image *e = aot_image(s->images->core, i);

		if (e != NULL && memcmp(e->module, digest, sizeof(digest)) == 0) {
			json_array_append_new(list, image_json(e));
		}
	}
	return list;
}

bool images_wait_key(struct service *s, const char *module, char *key)
{
	uint8_t digest[AOT_DIGEST_BYTES];
	bool coming = false;

	key[0] = '\0';
	if (s->images == NULL || !digest_bytes(module, digest)) {
		return false;
	}
	snprintf(key, MANAGER_ID_BYTES, "aot:%.56s", module + 7);
	for (uint32_t i = 0; i < aot_high(s->images->core); i++) {
		const struct aot_image *e = aot_image(s->images->core, i);

		coming = coming ||
			 (e != NULL && memcmp(e->module, digest, sizeof(digest)) == 0 &&
			  (e->state == AOT_STATE_QUEUED || e->state == AOT_STATE_COMPILING));
	}
	return coming;
}

struct wanted {
	char target[AOT_TARGET_BYTES];
	bool is_signed;
};

/* The targets of the nodes that would run an image of ours. */
static uint32_t targets_of_nodes(struct service *s, struct wanted *out)
{
	uint32_t count = 0, k;

	for (uint32_t i = 0; i < manager_node_slots(s->core); i++) {
		const struct manager_node *n = manager_node_at(s->core, i);

		if (n == NULL || n->aot.target[0] == '\0' ||
		    !(n->aot.trusts || n->aot.takes_unsigned)) {
			continue;
		}
		for (k = 0; k < count && (strcmp(out[k].target, n->aot.target) != 0 ||
					  out[k].is_signed != n->aot.trusts);
		     k++) {
		}
		if (k == count && count < TARGETS_MAX) {
			memcpy(out[count].target, n->aot.target, sizeof(out[count].target));
			out[count++].is_signed = n->aot.trusts;
		}
	}
	return count;
}

const char *images_want(struct service *s, const char *module, const char *target, json_t *targets)
{
	struct wanted wanted[TARGETS_MAX] = {0};
	uint8_t digest[AOT_DIGEST_BYTES];
	uint32_t count = 1;

	if (s->images == NULL) {
		return "this manager does not compile: it has no folder for images (--aot-dir)";
	}
	if (!digest_bytes(module, digest)) {
		return "digest: expected sha256: and 64 hexadecimal digits";
	}
	if (target == NULL) {
		count = targets_of_nodes(s, wanted);
	} else if (target[0] == '\0' || strlen(target) >= sizeof(wanted[0].target)) {
		return "target: no such processor";
	} else {
		snprintf(wanted[0].target, sizeof(wanted[0].target), "%s", target);
		wanted[0].is_signed = true;
	}
	if (count == 0) {
		return "target: no worker runs native code that this manager signs; name a target";
	}
	for (uint32_t i = 0; i < count; i++) {
		if (aot_want(s->images->core, digest, placement_hash("module", module),
			     wanted[i].target, wanted[i].is_signed, s->now_ms) == AOT_NONE) {
			return "too many modules wait to be compiled";
		}
		json_array_append_new(targets, json_string(wanted[i].target));
	}
	pump(s);
	return NULL;
}

json_t *images_about(struct service *s)
{
	struct wanted wanted[TARGETS_MAX];
	json_t *targets = json_array(), *o;
	char id[KEY_ID_BYTES] = "";

	if (s->images == NULL) {
		json_decref(targets);
		return json_pack("{s:[], s:[], s:b}", "keys", "targets", "compiles", 0);
	}
	for (uint32_t i = 0, n = targets_of_nodes(s, wanted); i < n; i++) {
		json_array_append_new(targets, json_string(wanted[i].target));
	}
	snprintf(id, sizeof(id), "%.16s", s->images->key_hex);
	o = json_pack("{s:[{s:s, s:s}], s:o, s:b, s:s}", "keys", "id", id, "public",
		      s->images->key_hex, "targets", targets, "compiles", 1, "mode",
		      s->images->config.mode);
	return o;
}

void images_stats(const struct service *s, struct image_stats *out)
{
	*out = s->images != NULL ? s->images->stats : (struct image_stats){0};
}
