/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flashlog against a flash in memory that checks how it is used and can lose power at any
 * operation, also in the middle of one.
 */
#include "port/zephyr/src/flashlog.h"

#include "base/sha256.h"
#include "test/test.h"

enum {
	SECTOR = 2048,
	SECTORS = 24,
	BYTES = SECTOR * SECTORS
};

struct flash {
	uint8_t cells[BYTES];
	uint32_t unit;
	long left; /* operations until the power fails; below 0: it has failed */
	int bad;   /* misuse: writing what is not erased, unaligned */
};

static bool powered(struct flash *f)
{
	f->left -= f->left >= 0 ? 1 : 0;
	return f->left >= 0;
}

static int flash_read(void *user, uint32_t at, void *out, uint32_t bytes)
{
	struct flash *f = user;

	if (at + bytes > BYTES) {
		f->bad++;
		return -1;
	}
	memcpy(out, f->cells + at, bytes);
	return f->left < 0 ? -1 : 0;
}

static int flash_write(void *user, uint32_t at, const void *data, uint32_t bytes)
{
	struct flash *f = user;
	bool on;

	if (f->left < 0) {
		return -1;
	}
	if (at + bytes > BYTES || at % f->unit != 0 || bytes % f->unit != 0) {
		f->bad++;
		return -1;
	}
	on = powered(f);
	for (uint32_t i = 0; i < (on ? bytes : bytes / 2); i++) {
		f->bad += f->cells[at + i] != 0xff;
		f->cells[at + i] &= ((const uint8_t *)data)[i];
	}
	return on ? 0 : -1;
}

static int flash_erase(void *user, uint32_t at)
{
	struct flash *f = user;
	bool on;

	if (f->left < 0) {
		return -1;
	}
	f->bad += at % SECTOR != 0;
	on = powered(f);
	memset(f->cells + at, 0xff, on ? SECTOR : SECTOR / 2);
	return on ? 0 : -1;
}

static void flash_new(struct flash *f, uint32_t unit, uint8_t fill)
{
	memset(f->cells, fill, sizeof(f->cells));
	f->unit = unit;
	f->left = 1000000;
	f->bad = 0;
}

static struct flashlog_flash flash_table(struct flash *f)
{
	return (struct flashlog_flash){.read = flash_read,
				       .write = flash_write,
				       .erase = flash_erase,
				       .user = f,
				       .bytes = BYTES,
				       .sector_bytes = SECTOR,
				       .unit_bytes = f->unit,
				       .erased = 0xff};
}

static struct flashlog_extent extents[8];

static enum flashlog_err mount(struct flashlog *log, struct flash *f)
{
	struct flashlog_flash table = flash_table(f);

	return flashlog_mount(log, &table, extents, BASE_COUNT(extents));
}

/* Module number n: its bytes and digest. */
static void module_make(unsigned n, uint32_t bytes, uint8_t *out, uint8_t *digest)
{
	struct sha256 sha;

	for (uint32_t i = 0; i < bytes; i++) {
		out[i] = (uint8_t)(i * 7 + n * 31 + (i >> 8));
	}
	sha256_init(&sha);
	sha256_add(&sha, out, bytes);
	sha256_end(&sha, digest);
}

/* Writes [from, bytes) in pieces. */
static enum flashlog_err feed(struct flashlog *log, struct flashlog_extent *e, const uint8_t *data,
			      uint32_t from, uint32_t bytes, uint32_t piece)
{
	while (from < bytes) {
		uint32_t n = BASE_MIN(piece, bytes - from);
		enum flashlog_err err = flashlog_write(log, e, from, data + from, n);

		if (err != FLASHLOG_OK) {
			return err;
		}
		from += n;
	}
	return FLASHLOG_OK;
}

static enum flashlog_err store(struct flashlog *log, unsigned n, uint32_t bytes, uint32_t piece,
			       struct flashlog_extent **out)
{
	static uint8_t data[BYTES];
	uint8_t digest[FLASHLOG_DIGEST_BYTES];
	struct flashlog_extent *e;
	enum flashlog_err err;

	module_make(n, bytes, data, digest);
	err = flashlog_begin(log, digest, bytes, &e);
	if (err == FLASHLOG_OK) {
		err = feed(log, e, data, 0, bytes, piece);
	}
	if (err == FLASHLOG_OK) {
		err = flashlog_commit(log, e, digest, bytes);
	}
	if (err == FLASHLOG_OK) {
		flashlog_release(log, e);
		*out = e;
	}
	return err;
}

static bool holds(struct flashlog *log, struct flash *f, unsigned n, uint32_t bytes)
{
	static uint8_t data[BYTES];
	uint8_t digest[FLASHLOG_DIGEST_BYTES];
	struct flashlog_extent *e;

	module_make(n, bytes, data, digest);
	e = flashlog_find(log, digest);
	return e != NULL && e->state == FLASHLOG_COMPLETE && e->bytes == bytes &&
	       flashlog_verify(log, e) == FLASHLOG_OK &&
	       memcmp(f->cells + flashlog_at(log, e), data, bytes) == 0;
}

static struct flash flash;
static struct flashlog logs;

TEST(kept_across_mounts)
{
	static const uint32_t units[] = {1, 2, 4, 8, 16, 32}, pieces[] = {1, 7, 768, 5000};
	struct flashlog_extent *e;

	for (unsigned i = 0; i < BASE_COUNT(units); i++) {
		for (unsigned k = 0; k < BASE_COUNT(pieces); k++) {
			flash_new(&flash, units[i], 0xff);
			EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
			EXPECT_EQ(store(&logs, 1, 10001, pieces[k], &e), FLASHLOG_OK);
			EXPECT_EQ(store(&logs, 2, 3, pieces[k], &e), FLASHLOG_OK);
			EXPECT(holds(&logs, &flash, 1, 10001) && holds(&logs, &flash, 2, 3));
			EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
			EXPECT(holds(&logs, &flash, 1, 10001) && holds(&logs, &flash, 2, 3));
			EXPECT_EQ(flash.bad, 0);
		}
	}
}

TEST(any_content_is_formatted)
{
	struct flashlog_extent *e;

	for (unsigned fill = 0; fill < 256; fill += 51) {
		flash_new(&flash, 4, (uint8_t)fill);
		EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
		EXPECT_EQ(store(&logs, 1, 20000, 512, &e), FLASHLOG_OK);
		EXPECT_EQ(flash.bad, 0);
	}
}

TEST(oldest_makes_room)
{
	struct flashlog_extent *e, *used;

	flash_new(&flash, 4, 0xff);
	EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
	EXPECT_EQ(store(&logs, 1, 12 * SECTOR, 512, &used), FLASHLOG_OK);
	EXPECT_EQ(store(&logs, 2, 8 * SECTOR, 512, &e), FLASHLOG_OK);
	flashlog_use(&logs, used);
	EXPECT_EQ(store(&logs, 3, 9 * SECTOR, 512, &e), FLASHLOG_OK); /* 2 goes, 1 is in use */
	EXPECT(holds(&logs, &flash, 1, 12 * SECTOR) && holds(&logs, &flash, 3, 9 * SECTOR));
	EXPECT(!holds(&logs, &flash, 2, 8 * SECTOR));
	EXPECT_EQ(store(&logs, 4, 12 * SECTOR, 512, &e), FLASHLOG_ERR_ROOM);
	EXPECT(holds(&logs, &flash, 3, 9 * SECTOR)); /* refused without harm */
	flashlog_release(&logs, used);
	EXPECT_EQ(store(&logs, 4, 12 * SECTOR, 512, &e), FLASHLOG_OK);
	EXPECT(!holds(&logs, &flash, 1, 12 * SECTOR) || !holds(&logs, &flash, 3, 9 * SECTOR));
	EXPECT_EQ(flash.bad, 0);
}

TEST(unknown_length)
{
	static uint8_t data[BYTES];
	uint8_t digest[FLASHLOG_DIGEST_BYTES];
	struct flashlog_extent *e, *other;

	flash_new(&flash, 8, 0xff);
	EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
	module_make(9, 7777, data, digest);
	EXPECT_EQ(flashlog_begin(&logs, NULL, 0, &e), FLASHLOG_OK);
	EXPECT_EQ(feed(&logs, e, data, 0, 7777, 100), FLASHLOG_OK);
	EXPECT_EQ(flashlog_commit(&logs, e, digest, 7777), FLASHLOG_OK);
	EXPECT_EQ(e->sectors, (7777 + FLASHLOG_HEADER_BYTES + SECTOR - 1) / SECTOR);
	EXPECT_EQ(store(&logs, 2, 8 * SECTOR, 512, &other), FLASHLOG_OK);
	EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
	EXPECT(holds(&logs, &flash, 9, 7777) && holds(&logs, &flash, 2, 8 * SECTOR));
	/* longer than all there is */
	EXPECT_EQ(flashlog_begin(&logs, NULL, 0, &e), FLASHLOG_OK);
	EXPECT_EQ(feed(&logs, e, data, 0, BYTES, 512), FLASHLOG_ERR_ROOM);
	EXPECT_EQ(flashlog_drop(&logs, e), FLASHLOG_OK);
	EXPECT_EQ(flash.bad, 0);
}

TEST(wrong_bytes_are_refused)
{
	static uint8_t data[BYTES];
	uint8_t digest[FLASHLOG_DIGEST_BYTES];
	struct flashlog_extent *e;

	flash_new(&flash, 4, 0xff);
	EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
	module_make(1, 5000, data, digest);
	EXPECT_EQ(flashlog_begin(&logs, digest, 5000, &e), FLASHLOG_OK);
	EXPECT_EQ(flashlog_write(&logs, e, 10, data, 10), FLASHLOG_ERR_ORDER);
	data[4000] ^= 1;
	EXPECT_EQ(feed(&logs, e, data, 0, 5000, 512), FLASHLOG_OK);
	EXPECT_EQ(flashlog_write(&logs, e, 5000, data, 1), FLASHLOG_ERR_ORDER);
	EXPECT_EQ(flashlog_commit(&logs, e, digest, 5000), FLASHLOG_ERR_DIGEST);
	EXPECT(flashlog_find(&logs, digest) == NULL);
	/* a bit that falls later is seen, too */
	EXPECT_EQ(store(&logs, 2, 5000, 512, &e), FLASHLOG_OK);
	flash.cells[flashlog_at(&logs, e) + 77] ^= 4;
	EXPECT_EQ(flashlog_verify(&logs, e), FLASHLOG_ERR_DIGEST);
	EXPECT_EQ(flash.bad, 0);
}

/* Begins or goes on with module n until it is stored or the power fails; *resumed is the most that
 * was there already. */
static enum flashlog_err attempt(unsigned n, uint32_t bytes, uint32_t *resumed)
{
	static uint8_t data[BYTES];
	uint8_t digest[FLASHLOG_DIGEST_BYTES];
	struct flashlog_extent *e;
	uint32_t from = 0;
	enum flashlog_err err = mount(&logs, &flash);

	if (err != FLASHLOG_OK) {
		return err;
	}
	module_make(n, bytes, data, digest);
	e = flashlog_find(&logs, digest);
	if (e != NULL && e->state == FLASHLOG_COMPLETE) {
		return flashlog_verify(&logs, e);
	}
	err = e == NULL ? flashlog_begin(&logs, digest, bytes, &e)
			: flashlog_resume(&logs, e, &from);
	*resumed = BASE_MAX(*resumed, from);
	if (err == FLASHLOG_OK) {
		err = feed(&logs, e, data, from, bytes, 300);
	}
	return err != FLASHLOG_OK ? err : flashlog_commit(&logs, e, digest, bytes);
}

/* The power fails at operation n, for every n, then again after a few more, until it is done. */
TEST(power_cut_at_every_operation)
{
	static const uint32_t units[] = {1, 4, 32};
	uint32_t resumed = 0;
	struct flashlog_extent *e;

	for (unsigned u = 0; u < BASE_COUNT(units); u++) {
		for (long n = 0; n < 220; n++) {
			int rounds = 0;

			flash_new(&flash, units[u], 0xff);
			EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
			EXPECT_EQ(store(&logs, 1, 6000, 512, &e), FLASHLOG_OK);
			EXPECT_EQ(store(&logs, 2, 15 * SECTOR, 512, &e),
				  FLASHLOG_OK); /* to be evicted */
			flash.left = n;
			while (attempt(3, 14 * SECTOR + 5, &resumed) != FLASHLOG_OK &&
			       rounds++ < 200) {
				flash.left = 20 + n % 50 + rounds; /* not in step with itself */
			}
			EXPECT(rounds < 200);
			flash.left = 1000000;
			EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
			EXPECT(holds(&logs, &flash, 3, 14 * SECTOR + 5));
			EXPECT_EQ(flash.bad, 0);
		}
	}
	EXPECT(resumed > 10 * SECTOR); /* it did go on where it was, not from the beginning */
}

/* A module whose bytes look like a header cannot become one. */
TEST(forged_header)
{
	static uint8_t data[BYTES];
	uint8_t digest[FLASHLOG_DIGEST_BYTES];
	struct flashlog_extent *e;
	struct sha256 sha;

	flash_new(&flash, 4, 0xff);
	EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
	EXPECT_EQ(store(&logs, 1, 3000, 512, &e), FLASHLOG_OK);
	memcpy(data + SECTOR - FLASHLOG_HEADER_BYTES,
	       flash.cells + flashlog_at(&logs, e) - FLASHLOG_HEADER_BYTES, 128);
	sha256_init(&sha);
	sha256_add(&sha, data, 4 * SECTOR);
	sha256_end(&sha, digest);
	EXPECT_EQ(flashlog_begin(&logs, digest, 4 * SECTOR, &e), FLASHLOG_OK);
	EXPECT_EQ(feed(&logs, e, data, 0, 4 * SECTOR, 512), FLASHLOG_OK);
	EXPECT_EQ(flashlog_commit(&logs, e, digest, 4 * SECTOR), FLASHLOG_OK);
	flash.left = 2; /* dropped, and the power fails while it is erased */
	(void)flashlog_drop(&logs, e);
	flash.left = 1000000;
	EXPECT_EQ(mount(&logs, &flash), FLASHLOG_OK);
	EXPECT(flashlog_find(&logs, digest) == NULL);
	EXPECT_EQ(flashlog_room(&logs) / SECTOR, SECTORS - 1);
	EXPECT_EQ(flash.bad, 0);
}

TEST_MAIN(T(kept_across_mounts) T(any_content_is_formatted) T(oldest_makes_room) T(unknown_length)
		  T(wrong_bytes_are_refused) T(power_cut_at_every_operation) T(forged_header))
