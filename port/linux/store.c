/* SPDX-License-Identifier: Apache-2.0 */
/* Modules on disk, by content hash. See store.h. */
#include "port/linux/store.h"
#include "port/linux/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const uint8_t digest_none[SHA256_BYTES];

static void fail(struct store_answer *out, const char *what, const char *name, int err)
{
	out->state = STORE_FAILED;
	snprintf(out->text, sizeof(out->text), "cannot %s %.8s: %s", what, name, strerror(err));
}

static void hex_name(char *out, size_t room, const uint8_t *digest, const char *ending)
{
	char hex[2 * SHA256_BYTES + 1];

	for (int i = 0; i < SHA256_BYTES; i++) {
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	}
	snprintf(out, room, "%s%s", hex, ending);
}

static void path_of(const struct store *s, char *out, size_t room, const char *name)
{
	if (!files_path(out, room, s->dir, name)) {
		out[0] = 0;
	}
}

static void remove_file(const struct store *s, const char *name)
{
	char path[FILES_PATH_MAX + 80];

	path_of(s, path, sizeof(path), name);
	unlink(path);
}

static bool ends_with(const char *name, const char *ending)
{
	size_t n = strlen(name), e = strlen(ending);

	return n >= e && strcmp(name + n - e, ending) == 0;
}

/* ---- room -------------------------------------------------------------------------------------*/

/* How bad it is to lose a file. */
enum use {
	USE_NONE,
	USE_OPEN,
	USE_WRITTEN
};

static enum use use_of(const struct store *s, const char *name)
{
	enum use use = USE_NONE;

	for (uint32_t i = 0; i < s->entry_count; i++) {
		const struct store_entry *e = &s->entries[i];

		if (e->used && strcmp(e->name, name) == 0) {
			use = e->fd >= 0 ? USE_WRITTEN : BASE_MAX(use, USE_OPEN);
		}
	}
	return use;
}

struct census {
	uint64_t bytes;
	char victim[80]; /* the one to go first; "" if none can */
	enum use victim_use;
	struct timespec victim_time;
};

static bool goes_before(const struct census *c, enum use use, struct timespec time)
{
	if (c->victim[0] == 0 || use != c->victim_use) {
		return c->victim[0] == 0 || use < c->victim_use;
	}
	return time.tv_sec < c->victim_time.tv_sec ||
	       (time.tv_sec == c->victim_time.tv_sec && time.tv_nsec < c->victim_time.tv_nsec);
}

static void count_file(const struct store *s, struct census *c, const char *name)
{
	char path[FILES_PATH_MAX + 80];
	struct stat st;
	enum use use;

	path_of(s, path, sizeof(path), name);
	if (name[0] == '.' || strlen(name) >= sizeof(c->victim) || stat(path, &st) != 0 ||
	    !S_ISREG(st.st_mode)) {
		return;
	}
	c->bytes += (uint64_t)st.st_size;
	use = use_of(s, name);
	if (use != USE_WRITTEN && goes_before(c, use, st.st_mtim)) {
		snprintf(c->victim, sizeof(c->victim), "%s", name);
		c->victim_use = use;
		c->victim_time = st.st_mtim;
	}
}

static void take_census(const struct store *s, struct census *c)
{
	DIR *d = opendir(s->dir);

	memset(c, 0, sizeof(*c));
	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		count_file(s, c, e->d_name);
	}
	if (d) {
		closedir(d);
	}
}

uint64_t store_bytes(const struct store *s)
{
	struct census c;

	take_census(s, &c);
	return c.bytes;
}

/* Evicts until `bytes` more fit. */
static bool make_room(struct store *s, uint64_t bytes, struct store_answer *out)
{
	struct census c;

	for (;;) {
		take_census(s, &c);
		if (c.bytes + bytes <= s->bytes_max) {
			return true;
		}
		if (c.victim[0] == 0 || bytes > s->bytes_max) {
			out->state = STORE_FAILED;
			snprintf(out->text, sizeof(out->text),
				 "no room for %llu bytes; %llu of %llu are in use",
				 (unsigned long long)bytes, (unsigned long long)c.bytes,
				 (unsigned long long)s->bytes_max);
			return false;
		}
		remove_file(s, c.victim);
		s->evicted++;
	}
}

/* The disk is full before the store is: something that nobody uses goes. False if there is nothing. */
static bool make_room_on_disk(struct store *s)
{
	struct census c;

	take_census(s, &c);
	if (c.victim[0] == 0 || c.victim_use != USE_NONE) {
		return false;
	}
	remove_file(s, c.victim);
	s->evicted++;
	return true;
}

/* ---- files ------------------------------------------------------------------------------------*/

static void release(struct store_entry *e)
{
	if (e->fd >= 0) {
		close(e->fd);
	}
	if (e->mapped && e->bytes) {
		munmap((void *)(uintptr_t)e->mapped, e->bytes);
	}
	memset(e, 0, sizeof(*e));
	e->fd = -1;
}

static struct store_entry *entry_of(struct store *s, uint16_t module)
{
	ASSERT(module < s->entry_count);
	return &s->entries[module];
}

static bool is_right(const void *data, uint32_t bytes, const uint8_t *digest)
{
	struct sha256 h;
	uint8_t got[SHA256_BYTES];

	sha256_init(&h);
	sha256_add(&h, data, bytes);
	sha256_end(&h, got);
	return memcmp(got, digest, SHA256_BYTES) == 0;
}

static const char *map_file(const char *path, int protection, const void **mapped, uint32_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at = MAP_FAILED;

	CHECK(fd >= 0, "cannot be opened");
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= UINT32_MAX) {
		at = mmap(NULL, (size_t)st.st_size, protection, MAP_PRIVATE, fd, 0);
	}
	close(fd);
	CHECK(at != MAP_FAILED, "cannot be mapped");
	*mapped = at;
	*bytes = (uint32_t)st.st_size;
	return NULL;
}

/* Maps the whole file into the entry and checks it; a wrong one is removed. */
static bool map_checked(struct store *s, struct store_entry *e)
{
	char path[FILES_PATH_MAX + 80];

	path_of(s, path, sizeof(path), e->name);
	if (map_file(path, PROT_READ, &e->mapped, &e->bytes) == NULL &&
	    is_right(e->mapped, e->bytes, e->digest)) {
		return true;
	}
	if (access(path, F_OK) == 0) {
		s->damaged++;
		unlink(path);
	}
	return false;
}

static void complete(const struct store *s, const struct store_entry *e, struct store_answer *out)
{
	char path[FILES_PATH_MAX + 80];
	struct timespec now[2];

	/* The time of the last use, finer than the kernel's own stamps of a tick. */
	path_of(s, path, sizeof(path), e->name);
	clock_gettime(CLOCK_REALTIME, &now[0]);
	now[1] = now[0];
	utimensat(AT_FDCWD, path, now, 0);
	out->state = STORE_COMPLETE;
	out->bytes = e->bytes;
	out->mapped = e->mapped;
}

/* ---- public -----------------------------------------------------------------------------------*/

static void remove_unfinished(struct store *s)
{
	DIR *d = opendir(s->dir);

	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (strncmp(e->d_name, "new-", 4) == 0 || ends_with(e->d_name, ".new")) {
			remove_file(s, e->d_name);
		}
	}
	if (d) {
		closedir(d);
	}
}

int store_init(struct store *s, const char *dir, uint64_t bytes_max, uint32_t entries)
{
	memset(s, 0, sizeof(*s));
	CHECK(snprintf(s->dir, sizeof(s->dir), "%s", dir) < (int)sizeof(s->dir) - 80, ENAMETOOLONG);
	TRY(files_make_dirs(dir));
	s->entries = calloc(entries, sizeof(*s->entries));
	CHECK(s->entries != NULL, ENOMEM);
	s->bytes_max = bytes_max;
	s->entry_count = entries;
	for (uint32_t i = 0; i < entries; i++) {
		s->entries[i].fd = -1;
	}
	remove_unfinished(s);
	return 0;
}

void store_end(struct store *s)
{
	for (uint32_t i = 0; i < s->entry_count; i++) {
		release(&s->entries[i]);
	}
	free(s->entries);
	memset(s, 0, sizeof(*s));
}

void store_open(struct store *s, uint16_t module, const uint8_t *digest, struct store_answer *out)
{
	struct store_entry *e = entry_of(s, module);
	char path[FILES_PATH_MAX + 80], part[80];
	struct stat st;

	memset(out, 0, sizeof(*out));
	release(e);
	memcpy(e->digest, digest, SHA256_BYTES);
	hex_name(e->name, sizeof(e->name), digest, ".wasm");
	if (map_checked(s, e)) {
		e->used = true;
		complete(s, e, out);
		return;
	}
	release(e);
	hex_name(part, sizeof(part), digest, ".part");
	path_of(s, path, sizeof(path), part);
	if (stat(path, &st) == 0 && st.st_size > 0 && st.st_size <= UINT32_MAX) {
		out->state = STORE_PARTIAL;
		out->offset = (uint32_t)st.st_size;
	}
}

/* Opens the entry's file for writing; bytes of an earlier try count as written. */
static int open_part(struct store *s, struct store_entry *e, uint16_t module)
{
	char path[FILES_PATH_MAX + 80];
	struct stat st;

	if (e->digest_known) {
		hex_name(e->name, sizeof(e->name), e->digest, ".part");
	} else {
		snprintf(e->name, sizeof(e->name), "new-%u", module);
		remove_file(s, e->name);
	}
	path_of(s, path, sizeof(path), e->name);
	e->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(e->fd >= 0, errno);
	CHECK(fstat(e->fd, &st) == 0, errno);
	e->written = e->top = st.st_size <= UINT32_MAX ? (uint32_t)st.st_size : 0;
	return 0;
}

void store_begin(struct store *s, uint16_t module, const uint8_t *digest, uint32_t size,
		 struct store_answer *out)
{
	struct store_entry *e = entry_of(s, module);
	int err;

	memset(out, 0, sizeof(*out));
	release(e);
	memcpy(e->digest, digest, SHA256_BYTES);
	e->digest_known = memcmp(digest, digest_none, SHA256_BYTES) != 0;
	e->used = true;
	err = open_part(s, e, module);
	if (err) {
		fail(out, "write", e->name, err);
		release(e);
		return;
	}
	if (!make_room(s, size > e->written ? size - e->written : 0, out)) {
		remove_file(s, e->name);
		release(e);
		return;
	}
	out->state = STORE_PARTIAL;
	out->offset = e->written;
}

/* A file with holes must not be taken for a part that can be resumed. */
static void mark_holes(struct store *s, struct store_entry *e, uint16_t module)
{
	char from[FILES_PATH_MAX + 80], to[FILES_PATH_MAX + 80];

	e->holes = true;
	path_of(s, from, sizeof(from), e->name);
	snprintf(e->name, sizeof(e->name), "new-%u", module);
	path_of(s, to, sizeof(to), e->name);
	if (strcmp(from, to) != 0 && rename(from, to) != 0) {
		unlink(from);
	}
}

bool store_write(struct store *s, uint16_t module, uint32_t offset, const void *data,
		 uint32_t bytes, struct store_answer *out)
{
	struct store_entry *e = entry_of(s, module);
	uint64_t end = (uint64_t)offset + bytes;
	int err;

	memset(out, 0, sizeof(*out));
	if (e->fd < 0 || end > UINT32_MAX) {
		fail(out, "write", "a module", e->fd < 0 ? EBADF : EFBIG);
		return false;
	}
	if (end > e->top && end > s->bytes_max) {
		fail(out, "write", e->name, ENOSPC);
		return false;
	}
	if (offset > e->written && !e->holes) {
		mark_holes(s, e, module);
	}
	do {
		err = files_write_at(e->fd, data, bytes, offset);
	} while ((err == ENOSPC || err == EDQUOT) && make_room_on_disk(s));
	if (err) {
		fail(out, "write", e->name, err);
		/* What there is of it would only take the room of others. */
		if (ftruncate(e->fd, 0) == 0 && !e->holes) {
			mark_holes(s, e, module);
		}
		return false;
	}
	e->written = offset <= e->written && end > e->written ? (uint32_t)end : e->written;
	e->top = end > e->top ? (uint32_t)end : e->top;
	return true;
}

/* Cuts to size, makes the bytes durable, checks them and gives the file its name. */
static const char *finish(struct store *s, struct store_entry *e, uint32_t size)
{
	char from[FILES_PATH_MAX + 80], to[FILES_PATH_MAX + 80], name[80];

	CHECK(e->top >= size, "bytes are missing");
	CHECK(ftruncate(e->fd, size) == 0 && fsync(e->fd) == 0, strerror(errno));
	path_of(s, from, sizeof(from), e->name);
	const char *wrong = map_file(from, PROT_READ, &e->mapped, &e->bytes);
	CHECK(wrong == NULL, wrong);
	CHECK(is_right(e->mapped, e->bytes, e->digest), "its digest is another");
	hex_name(name, sizeof(name), e->digest, ".wasm");
	path_of(s, to, sizeof(to), name);
	CHECK(rename(from, to) == 0, strerror(errno));
	memcpy(e->name, name, sizeof(name));
	int err = files_sync_dir(s->dir);
	return err ? strerror(err) : NULL;
}

void store_commit(struct store *s, uint16_t module, const uint8_t *digest, uint32_t size,
		  struct store_answer *out)
{
	struct store_entry *e = entry_of(s, module);
	const char *wrong;

	memset(out, 0, sizeof(*out));
	memcpy(e->digest, digest, SHA256_BYTES);
	wrong = e->fd >= 0 ? finish(s, e, size) : "it was not begun";
	if (wrong == NULL && !make_room(s, 0, out)) {
		wrong = "no room";
	}
	if (wrong) {
		out->state = STORE_FAILED;
		snprintf(out->text, sizeof(out->text), "module of %u bytes: %s", size, wrong);
		if (e->name[0]) {
			remove_file(s, e->name);
		}
		release(e);
		return;
	}
	close(e->fd);
	e->fd = -1;
	complete(s, e, out);
}

/* Mapped anew: some systems let nothing become executable that was not from the beginning. */
bool store_make_executable(struct store *s, uint16_t module, struct store_answer *out)
{
	struct store_entry *e = entry_of(s, module);
	char path[FILES_PATH_MAX + 80];
	const void *mapped = NULL;
	uint32_t bytes = 0;

	path_of(s, path, sizeof(path), e->name);
	if (map_file(path, PROT_READ | PROT_EXEC, &mapped, &bytes) != NULL || bytes != e->bytes) {
		fail(out, "execute", e->name, errno);
		if (mapped != NULL) {
			munmap((void *)(uintptr_t)mapped, bytes);
		}
		return false;
	}
	munmap((void *)(uintptr_t)e->mapped, e->bytes);
	e->mapped = mapped;
	out->mapped = mapped;
	return true;
}

void store_drop(struct store *s, uint16_t module, bool keep)
{
	struct store_entry *e = entry_of(s, module);

	if (e->fd >= 0 && !(keep && e->digest_known && !e->holes)) {
		remove_file(s, e->name);
	}
	release(e);
}

void store_close(struct store *s, uint16_t module)
{
	release(entry_of(s, module));
}
