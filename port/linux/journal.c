/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's journal in a file. See journal.h. */
#include "port/linux/journal.h"
#include "port/linux/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAGIC      "PROPJ01\n"
#define MAGIC_SIZE 8
#define HEAD_SIZE  12

enum op {
	OP_PUT = 1,
	OP_DELETE = 2
};

/* CRC-32 (IEEE 802.3), bit by bit: records are short. */
static uint32_t crc32_more(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	crc = ~crc;
	while (bytes--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++) {
			crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
		}
	}
	return ~crc;
}

static void fill_head(uint8_t *head, enum op op, uint16_t key, const void *record, uint32_t bytes)
{
	head[0] = (uint8_t)op;
	head[1] = 0;
	base_store_u16(head + 2, key);
	base_store_u32(head + 4, bytes);
	base_store_u32(head + 8, crc32_more(crc32_more(0, head, 8), record, bytes));
}

static void forget(struct journal *j, uint16_t key)
{
	struct journal_record *r = &j->records[key];

	if (r->data) {
		j->live_bytes -= HEAD_SIZE + r->bytes;
		free(r->data);
		r->data = NULL;
	}
}

static int keep(struct journal *j, uint16_t key, const void *record, uint32_t bytes)
{
	void *copy = malloc(bytes ? bytes : 1);

	CHECK(copy != NULL, ENOMEM);
	memcpy(copy, record, bytes);
	forget(j, key);
	j->records[key] = (struct journal_record){copy, bytes};
	j->live_bytes += HEAD_SIZE + bytes;
	return 0;
}

/* Takes the entries of a file's bytes; where the good ones end. */
static size_t replay(struct journal *j, const uint8_t *text, size_t bytes)
{
	size_t at = MAGIC_SIZE;

	while (bytes - at >= HEAD_SIZE) {
		const uint8_t *head = text + at;
		uint32_t n = base_load_u32(head + 4);
		uint16_t key = base_load_u16(head + 2);

		if (n > JOURNAL_RECORD_BYTES_MAX || n > bytes - at - HEAD_SIZE ||
		    (head[0] != OP_PUT && head[0] != OP_DELETE) || head[1] != 0 ||
		    crc32_more(crc32_more(0, head, 8), head + HEAD_SIZE, n) !=
			    base_load_u32(head + 8)) {
			break;
		}
		if (head[0] == OP_DELETE) {
			forget(j, key);
		} else if (keep(j, key, head + HEAD_SIZE, n) != 0) {
			break;
		}
		at += HEAD_SIZE + n;
	}
	return at;
}

static int start_new(struct journal *j)
{
	j->end = MAGIC_SIZE;
	return files_put(j->dir, "journal", MAGIC, MAGIC_SIZE);
}

/* Reads what is there; a damaged end is cut off, a file that is no journal is set aside. */
static int load(struct journal *j)
{
	size_t bytes = 0;
	char *text = files_get(j->path, SIZE_MAX / 2, &bytes);
	int err = 0;

	if (text == NULL) {
		return errno == ENOENT ? start_new(j) : errno;
	}
	if (bytes < MAGIC_SIZE || memcmp(text, MAGIC, MAGIC_SIZE) != 0) {
		char aside[1100];

		snprintf(aside, sizeof(aside), "%s.bad", j->path);
		j->repair = "not a journal; set aside as journal.bad";
		err = rename(j->path, aside) == 0 ? start_new(j) : errno;
	} else {
		j->end = (int64_t)replay(j, (const uint8_t *)text, bytes);
		j->repair = (size_t)j->end < bytes ? "a damaged end was cut off" : NULL;
	}
	free(text);
	return err;
}

static int open_file(struct journal *j)
{
	j->fd = open(j->path, O_RDWR | O_CLOEXEC);
	CHECK(j->fd >= 0, errno);
	CHECK(ftruncate(j->fd, j->end) == 0, errno);
	return fsync(j->fd) == 0 ? 0 : errno;
}

int journal_open(struct journal *j, const char *dir)
{
	int err;

	memset(j, 0, sizeof(*j));
	j->fd = -1;
	CHECK(snprintf(j->dir, sizeof(j->dir), "%s", dir) < (int)sizeof(j->dir), ENAMETOOLONG);
	CHECK(files_path(j->path, sizeof(j->path), dir, "journal"), ENAMETOOLONG);
	j->records = calloc(JOURNAL_KEYS_MAX, sizeof(*j->records));
	CHECK(j->records != NULL, ENOMEM);
	err = load(j);
	err = err ? err : open_file(j);
	if (err) {
		journal_close(j);
	}
	return err;
}

void journal_close(struct journal *j)
{
	for (uint32_t i = 0; j->records && i < JOURNAL_KEYS_MAX; i++) {
		free(j->records[i].data);
	}
	free(j->records);
	if (j->fd >= 0) {
		close(j->fd);
	}
	j->records = NULL;
	j->fd = -1;
}

static int append(struct journal *j, enum op op, uint16_t key, const void *record, uint32_t bytes)
{
	uint8_t *entry = malloc(HEAD_SIZE + (size_t)bytes);
	int err;

	CHECK(entry != NULL, ENOMEM);
	fill_head(entry, op, key, record, bytes);
	if (bytes) {
		memcpy(entry + HEAD_SIZE, record, bytes);
	}
	err = files_write_at(j->fd, entry, HEAD_SIZE + (size_t)bytes, j->end);
	free(entry);
	if (err) { /* a part may be there: the next entry must not follow it */
		if (ftruncate(j->fd, j->end) != 0) {
			return errno;
		}
		return err;
	}
	j->end += HEAD_SIZE + (int64_t)bytes;
	j->dirty = true;
	return 0;
}

/* Everything live, in the form of the file. */
static uint8_t *image(const struct journal *j, size_t *bytes)
{
	size_t at = MAGIC_SIZE;
	uint8_t *out = malloc(MAGIC_SIZE + j->live_bytes);

	CHECK(out != NULL, NULL);
	memcpy(out, MAGIC, MAGIC_SIZE);
	for (uint32_t k = 0; k < JOURNAL_KEYS_MAX; k++) {
		const struct journal_record *r = &j->records[k];

		if (r->data) {
			fill_head(out + at, OP_PUT, (uint16_t)k, r->data, r->bytes);
			memcpy(out + at + HEAD_SIZE, r->data, r->bytes);
			at += HEAD_SIZE + r->bytes;
		}
	}
	*bytes = at;
	return out;
}

static int compact(struct journal *j)
{
	size_t bytes;
	uint8_t *all = image(j, &bytes);
	int err, fd;

	CHECK(all != NULL, ENOMEM);
	err = files_put(j->dir, "journal", all, bytes);
	free(all);
	CHECK(err == 0, err);
	fd = open(j->path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0, errno);
	close(j->fd);
	j->fd = fd;
	j->end = (int64_t)bytes;
	j->dirty = false;
	return 0;
}

static int compact_if_due(struct journal *j)
{
	uint64_t dead = (uint64_t)j->end - MAGIC_SIZE - j->live_bytes;

	return dead > JOURNAL_SLACK_BYTES && dead > j->live_bytes ? compact(j) : 0;
}

int journal_put(struct journal *j, uint16_t key, const void *record, uint32_t bytes)
{
	CHECK(bytes <= JOURNAL_RECORD_BYTES_MAX, EFBIG);
	TRY(append(j, OP_PUT, key, record, bytes));
	TRY(keep(j, key, record, bytes));
	return compact_if_due(j);
}

int journal_delete(struct journal *j, uint16_t key)
{
	if (j->records[key].data == NULL) {
		return 0;
	}
	TRY(append(j, OP_DELETE, key, NULL, 0));
	forget(j, key);
	return compact_if_due(j);
}

int journal_sync(struct journal *j)
{
	if (j->dirty) {
		CHECK(fdatasync(j->fd) == 0, errno);
		j->dirty = false;
	}
	return 0;
}
