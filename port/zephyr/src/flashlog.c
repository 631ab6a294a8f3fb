/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An extent begins with a header of FLASHLOG_HEADER_BYTES in its first sector, written in parts:
 *
 *     0    begin:  magic, sectors, bytes, order, digest, CRC-32         (64 bytes)
 *     64   commit: magic, bytes, order, digest, CRC-32                  (64 bytes)
 *     128  dead:   one unit, anything but erased                        (32 bytes)
 *     160  marks:  one unit per group of sectors that is written whole
 *     1024 the module's bytes
 *
 * A group is as many sectors as make the marks of the whole extent fit; the mark is written after
 * the group's last byte, so a mark that can be read stands for bytes that are there.
 */
#include "flashlog.h"

#include "base/base.h"
#include "base/sha256.h"

enum {
	AT_COMMIT = 64,
	AT_DEAD = 128,
	AT_MARKS = 160,
	RECORD_BYTES = 64,
	PIECE_BYTES = 128, /* of the stack, for reading back */
};
#define MAGIC_BEGIN  0x474f4c50u /* "PLOG" */
#define MAGIC_COMMIT 0x45444f4du /* "MODE" */

struct record {
	uint32_t sectors, bytes, order;
	const uint8_t *digest;
};

static const uint8_t digest_none[FLASHLOG_DIGEST_BYTES];

/* ---- flash -----------------------------------------------------------------------------------*/

static bool flash_read(const struct flashlog *log, uint32_t at, void *out, uint32_t bytes)
{
	return log->flash.read(log->flash.user, at, out, bytes) == 0;
}

static bool flash_write(const struct flashlog *log, uint32_t at, const void *data, uint32_t bytes)
{
	return bytes == 0 || log->flash.write(log->flash.user, at, data, bytes) == 0;
}

static bool flash_erase(const struct flashlog *log, uint32_t sector)
{
	return log->flash.erase(log->flash.user, sector * log->flash.sector_bytes) == 0;
}

static bool flash_is_blank(const struct flashlog *log, uint32_t at, uint32_t bytes)
{
	uint8_t piece[PIECE_BYTES];

	for (uint32_t done = 0; done < bytes; done += sizeof(piece)) {
		uint32_t n = BASE_MIN(bytes - done, (uint32_t)sizeof(piece));

		if (!flash_read(log, at + done, piece, n)) {
			return false;
		}
		for (uint32_t i = 0; i < n; i++) {
			if (piece[i] != log->flash.erased) {
				return false;
			}
		}
	}
	return true;
}

static uint32_t crc32(const uint8_t *data, size_t bytes)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < bytes; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++) {
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
		}
	}
	return ~crc;
}

/* ---- records of the header -------------------------------------------------------------------*/

static bool record_write(const struct flashlog *log, uint32_t at, uint32_t magic,
			 const struct record *record)
{
	uint8_t raw[RECORD_BYTES] = {0};

	base_store_u32(raw, magic);
	base_store_u32(raw + 4, record->sectors);
	base_store_u32(raw + 8, record->bytes);
	base_store_u32(raw + 12, record->order);
	memcpy(raw + 16, record->digest, FLASHLOG_DIGEST_BYTES);
	base_store_u32(raw + 60, crc32(raw, 60));
	return flash_write(log, at, raw, sizeof(raw));
}

static bool record_read(const struct flashlog *log, uint32_t at, uint32_t magic,
			struct flashlog_extent *out)
{
	uint8_t raw[RECORD_BYTES];

	if (!flash_read(log, at, raw, sizeof(raw)) || base_load_u32(raw) != magic ||
	    base_load_u32(raw + 60) != crc32(raw, 60)) {
		return false;
	}
	out->sectors = base_load_u32(raw + 4);
	out->bytes = base_load_u32(raw + 8);
	out->order = base_load_u32(raw + 12);
	memcpy(out->digest, raw + 16, FLASHLOG_DIGEST_BYTES);
	return true;
}

/* ---- geometry --------------------------------------------------------------------------------*/

static uint32_t sectors_total(const struct flashlog *log)
{
	return log->flash.bytes / log->flash.sector_bytes;
}

static uint32_t sectors_for(const struct flashlog *log, uint32_t bytes)
{
	return (uint32_t)(((uint64_t)FLASHLOG_HEADER_BYTES + bytes + log->flash.sector_bytes - 1) /
			  log->flash.sector_bytes);
}

static uint32_t extent_base(const struct flashlog *log, const struct flashlog_extent *extent)
{
	return extent->sector * log->flash.sector_bytes;
}

uint32_t flashlog_at(const struct flashlog *log, const struct flashlog_extent *extent)
{
	return extent_base(log, extent) + FLASHLOG_HEADER_BYTES;
}

static uint32_t extent_capacity(const struct flashlog *log, const struct flashlog_extent *extent)
{
	return extent->sectors * log->flash.sector_bytes - FLASHLOG_HEADER_BYTES;
}

/* Sectors that one mark stands for. */
static uint32_t group_sectors(const struct flashlog *log, const struct flashlog_extent *extent)
{
	uint32_t marks = (FLASHLOG_HEADER_BYTES - AT_MARKS) / log->flash.unit_bytes;

	return (extent->sectors + marks - 1) / marks;
}

/* Bytes of the module that lie in the first count groups. */
static uint32_t group_end(const struct flashlog *log, const struct flashlog_extent *extent,
			  uint32_t count)
{
	return count * group_sectors(log, extent) * log->flash.sector_bytes - FLASHLOG_HEADER_BYTES;
}

static const struct flashlog_extent *extent_of_sector(const struct flashlog *log, uint32_t sector)
{
	for (uint32_t i = 0; i < log->extents_max; i++) {
		const struct flashlog_extent *e = &log->extents[i];

		if (e->state != FLASHLOG_FREE && sector - e->sector < e->sectors) {
			return e;
		}
	}
	return NULL;
}

/* The first run of at least wanted free sectors, or the longest (wanted 0); its length. With
 * unused, extents without users count as free. */
static uint32_t run_find(const struct flashlog *log, uint32_t wanted, bool unused, uint32_t *sector)
{
	uint32_t total = sectors_total(log), begin = 0, best = 0;

	for (uint32_t s = 0; s < total; s++) {
		const struct flashlog_extent *e = extent_of_sector(log, s);

		if (e != NULL && !(unused && e->users == 0)) {
			begin = s + 1;
			continue;
		}
		if (s + 1 - begin > best) {
			best = s + 1 - begin;
			*sector = begin;
		}
		if (wanted != 0 && best >= wanted) {
			break;
		}
	}
	return best;
}

uint32_t flashlog_room(const struct flashlog *log)
{
	uint32_t sector = 0, sectors = run_find(log, 0, true, &sector);

	return sectors == 0 ? 0 : sectors * log->flash.sector_bytes - FLASHLOG_HEADER_BYTES;
}

/* ---- freeing ---------------------------------------------------------------------------------*/

enum flashlog_err flashlog_drop(struct flashlog *log, struct flashlog_extent *extent)
{
	uint8_t dead[FLASHLOG_UNIT_BYTES_MAX];
	uint32_t first = extent->sector;
	bool ok = true;

	memset(dead, (uint8_t)~log->flash.erased, sizeof(dead));
	if (flash_is_blank(log, extent_base(log, extent) + AT_DEAD, log->flash.unit_bytes)) {
		(void)flash_write(log, extent_base(log, extent) + AT_DEAD, dead,
				  log->flash.unit_bytes);
	}
	for (uint32_t i = extent->sectors; i-- > 0;) {
		uint32_t at = (first + i) * log->flash.sector_bytes;

		if (i == 0 || !flash_is_blank(log, at, log->flash.sector_bytes)) {
			ok = flash_erase(log, first + i) && ok;
		}
	}
	extent->state = FLASHLOG_FREE;
	return ok ? FLASHLOG_OK : FLASHLOG_ERR_IO;
}

/* The extent without users that was not used for the longest time; NULL if there is none. */
static struct flashlog_extent *oldest_unused(struct flashlog *log)
{
	struct flashlog_extent *oldest = NULL;

	for (uint32_t i = 0; i < log->extents_max; i++) {
		struct flashlog_extent *e = &log->extents[i];

		if (e->state != FLASHLOG_FREE && e->users == 0 &&
		    (oldest == NULL || e->order < oldest->order)) {
			oldest = e;
		}
	}
	return oldest;
}

static struct flashlog_extent *slot_find(struct flashlog *log)
{
	for (uint32_t i = 0; i < log->extents_max; i++) {
		if (log->extents[i].state == FLASHLOG_FREE) {
			return &log->extents[i];
		}
	}
	return NULL;
}

/* ---- mounting --------------------------------------------------------------------------------*/

/* Whether the extent read from flash is one to keep. */
static bool extent_read(const struct flashlog *log, uint32_t sector, struct flashlog_extent *out)
{
	struct flashlog_extent commit;
	uint32_t base = sector * log->flash.sector_bytes;

	memset(out, 0, sizeof(*out));
	if (!record_read(log, base, MAGIC_BEGIN, out) || out->sectors == 0 ||
	    out->sectors > sectors_total(log) - sector) {
		return false;
	}
	out->sector = sector;
	out->state = FLASHLOG_PARTIAL;
	if (record_read(log, base + AT_COMMIT, MAGIC_COMMIT, &commit) &&
	    sectors_for(log, commit.bytes) <= out->sectors) {
		out->sectors = sectors_for(log, commit.bytes);
		out->bytes = commit.bytes;
		out->order = commit.order;
		memcpy(out->digest, commit.digest, FLASHLOG_DIGEST_BYTES);
		out->state = FLASHLOG_COMPLETE;
	}
	return true;
}

/* Extents that cannot be gone on with: dead, of unknown length, or cut off while committing. */
static bool extent_is_lost(const struct flashlog *log, const struct flashlog_extent *extent)
{
	uint32_t base = extent_base(log, extent);

	if (!flash_is_blank(log, base + AT_DEAD, log->flash.unit_bytes)) {
		return true;
	}
	return extent->state == FLASHLOG_PARTIAL &&
	       (extent->bytes == 0 || !flash_is_blank(log, base + AT_COMMIT, RECORD_BYTES));
}

static enum flashlog_err mount_sector(struct flashlog *log, uint32_t *sector)
{
	struct flashlog_extent extent, *slot;
	uint32_t bytes = log->flash.sector_bytes;

	if (!extent_read(log, *sector, &extent)) {
		if (!flash_is_blank(log, *sector * bytes, bytes)) {
			CHECK(flash_erase(log, *sector), FLASHLOG_ERR_IO);
			log->repaired++;
		}
		*sector += 1;
		return FLASHLOG_OK;
	}
	*sector += extent.sectors;
	slot = slot_find(log);
	if (slot == NULL || extent_is_lost(log, &extent)) {
		log->repaired += extent.sectors;
		return flashlog_drop(log, &extent);
	}
	*slot = extent;
	log->order = BASE_MAX(log->order, extent.order);
	return FLASHLOG_OK;
}

enum flashlog_err flashlog_mount(struct flashlog *log, const struct flashlog_flash *flash,
				 struct flashlog_extent *extents, uint32_t extents_max)
{
	memset(log, 0, sizeof(*log));
	memset(extents, 0, extents_max * sizeof(*extents));
	ASSERT(flash->sector_bytes > FLASHLOG_HEADER_BYTES &&
	       flash->unit_bytes <= FLASHLOG_UNIT_BYTES_MAX);
	log->flash = *flash;
	log->extents = extents;
	log->extents_max = extents_max;
	for (uint32_t sector = 0; sector < sectors_total(log);) {
		TRY(mount_sector(log, &sector));
	}
	flashlog_check(log);
	return FLASHLOG_OK;
}

struct flashlog_extent *flashlog_find(struct flashlog *log, const uint8_t *digest)
{
	for (uint32_t i = 0; i < log->extents_max; i++) {
		struct flashlog_extent *e = &log->extents[i];

		if (e->state != FLASHLOG_FREE &&
		    memcmp(e->digest, digest, FLASHLOG_DIGEST_BYTES) == 0) {
			return e;
		}
	}
	return NULL;
}

/* ---- writing ---------------------------------------------------------------------------------*/

/* Frees extents nobody uses until wanted neighbouring sectors are free. */
static enum flashlog_err room_make(struct flashlog *log, uint32_t wanted, uint32_t *sector)
{
	CHECK(run_find(log, wanted, true, sector) >= wanted, FLASHLOG_ERR_ROOM);
	while (run_find(log, wanted, false, sector) < wanted) {
		struct flashlog_extent *oldest = oldest_unused(log);

		ASSERT(oldest != NULL);
		TRY(flashlog_drop(log, oldest));
	}
	return FLASHLOG_OK;
}

/* A run for a module of unknown length: a quarter of the partition if it can be had, all of it that
 * hangs together. */
static enum flashlog_err room_make_longest(struct flashlog *log, uint32_t *sector,
					   uint32_t *sectors)
{
	uint32_t most = run_find(log, 0, true, sector);

	CHECK(most > 0, FLASHLOG_ERR_ROOM);
	TRY(room_make(log, BASE_MIN(most, sectors_total(log) / 4 + 1), sector));
	*sectors = run_find(log, 0, false, sector);
	return FLASHLOG_OK;
}

static enum flashlog_err slot_make(struct flashlog *log, struct flashlog_extent **out)
{
	struct flashlog_extent *slot = slot_find(log), *oldest = oldest_unused(log);

	if (slot == NULL && oldest != NULL) {
		TRY(flashlog_drop(log, oldest));
		slot = oldest;
	}
	CHECK(slot != NULL, FLASHLOG_ERR_FULL);
	*out = slot;
	return FLASHLOG_OK;
}

enum flashlog_err flashlog_begin(struct flashlog *log, const uint8_t *digest, uint32_t bytes,
				 struct flashlog_extent **out)
{
	struct flashlog_extent *slot = NULL;
	uint32_t sector = 0, sectors = sectors_for(log, bytes);

	if (bytes == 0) {
		TRY(room_make_longest(log, &sector, &sectors));
	} else {
		TRY(room_make(log, sectors, &sector));
	}
	TRY(slot_make(log, &slot));
	memset(slot, 0, sizeof(*slot));
	slot->sector = sector;
	slot->sectors = sectors;
	slot->bytes = bytes;
	slot->order = ++log->order;
	memcpy(slot->digest, digest != NULL ? digest : digest_none, FLASHLOG_DIGEST_BYTES);
	slot->state = FLASHLOG_PARTIAL;
	slot->users = 1;
	struct record record = {
		.sectors = sectors, .bytes = bytes, .order = slot->order, .digest = slot->digest};
	if (!record_write(log, extent_base(log, slot), MAGIC_BEGIN, &record)) {
		(void)flashlog_drop(log, slot);
		return FLASHLOG_ERR_IO;
	}
	*out = slot;
	return FLASHLOG_OK;
}

/* How many groups are marked as written, without a gap. */
static uint32_t marks_count(const struct flashlog *log, const struct flashlog_extent *extent)
{
	uint32_t groups = extent->sectors / group_sectors(log, extent), count = 0;
	uint32_t at = extent_base(log, extent) + AT_MARKS, unit = log->flash.unit_bytes;

	while (count < groups && !flash_is_blank(log, at + count * unit, unit)) {
		count++;
	}
	return count;
}

enum flashlog_err flashlog_resume(struct flashlog *log, struct flashlog_extent *extent,
				  uint32_t *from)
{
	uint32_t marks = marks_count(log, extent), sector_bytes = log->flash.sector_bytes;
	uint32_t keep = marks * group_sectors(log, extent);

	if (extent->state != FLASHLOG_PARTIAL) {
		return FLASHLOG_ERR_ORDER;
	}
	if (keep == 0) {
		uint8_t digest[FLASHLOG_DIGEST_BYTES];
		uint32_t bytes = extent->bytes;
		struct flashlog_extent *again;

		memcpy(digest, extent->digest, sizeof(digest));
		TRY(flashlog_drop(log, extent));
		*from = 0;
		TRY(flashlog_begin(log, digest, bytes, &again));
		if (again != extent) {
			*extent = *again;
			again->state = FLASHLOG_FREE;
		}
		return FLASHLOG_OK;
	}
	for (uint32_t i = keep; i < extent->sectors; i++) {
		uint32_t at = (extent->sector + i) * sector_bytes;

		if (!flash_is_blank(log, at, sector_bytes)) {
			CHECK(flash_erase(log, extent->sector + i), FLASHLOG_ERR_IO);
		}
	}
	extent->written = BASE_MIN(group_end(log, extent, marks), extent->bytes);
	extent->tail_bytes = 0;
	extent->users = 1;
	extent->order = ++log->order;
	*from = extent->written;
	return FLASHLOG_OK;
}

/* Writes what whole units there are of tail and data; the rest stays in the tail. */
static bool units_write(struct flashlog *log, struct flashlog_extent *extent, const uint8_t *data,
			uint32_t bytes)
{
	uint32_t unit = log->flash.unit_bytes, base = flashlog_at(log, extent), n;

	if (extent->tail_bytes != 0) {
		n = BASE_MIN(unit - extent->tail_bytes, bytes);
		memcpy(extent->tail + extent->tail_bytes, data, n);
		extent->tail_bytes = (uint8_t)(extent->tail_bytes + n);
		extent->written += n;
		data += n;
		bytes -= n;
		if (extent->tail_bytes < unit) {
			return true;
		}
		extent->tail_bytes = 0;
		if (!flash_write(log, base + extent->written - unit, extent->tail, unit)) {
			return false;
		}
	}
	n = bytes / unit * unit;
	if (!flash_write(log, base + extent->written, data, n)) {
		return false;
	}
	memcpy(extent->tail, data + n, bytes - n);
	extent->tail_bytes = (uint8_t)(bytes - n);
	extent->written += bytes;
	return true;
}

/* Marks the groups that were completed since before. */
static bool marks_write(struct flashlog *log, const struct flashlog_extent *extent, uint32_t before)
{
	uint8_t mark[FLASHLOG_UNIT_BYTES_MAX];
	uint32_t unit = log->flash.unit_bytes, group = group_sectors(log, extent);
	uint32_t at = extent_base(log, extent) + AT_MARKS;

	memset(mark, (uint8_t)~log->flash.erased, sizeof(mark));
	for (uint32_t k = 0; (k + 1) * group <= extent->sectors; k++) {
		uint32_t end = group_end(log, extent, k + 1);

		if (end > before && end <= extent->written - extent->tail_bytes &&
		    !flash_write(log, at + k * unit, mark, unit)) {
			return false;
		}
	}
	return true;
}

enum flashlog_err flashlog_write(struct flashlog *log, struct flashlog_extent *extent,
				 uint32_t offset, const void *data, uint32_t bytes)
{
	uint32_t before = extent->written - extent->tail_bytes;

	CHECK(extent->state == FLASHLOG_PARTIAL && offset == extent->written, FLASHLOG_ERR_ORDER);
	CHECK(bytes <= extent_capacity(log, extent) - offset, FLASHLOG_ERR_ROOM);
	CHECK(extent->bytes == 0 || bytes <= extent->bytes - offset, FLASHLOG_ERR_ORDER);
	CHECK(units_write(log, extent, data, bytes), FLASHLOG_ERR_IO);
	CHECK(extent->bytes == 0 || marks_write(log, extent, before), FLASHLOG_ERR_IO);
	return FLASHLOG_OK;
}

/* ---- committing ------------------------------------------------------------------------------*/

static bool tail_flush(struct flashlog *log, struct flashlog_extent *extent)
{
	uint32_t unit = log->flash.unit_bytes, n = extent->tail_bytes;

	if (n == 0) {
		return true;
	}
	memset(extent->tail + n, log->flash.erased, unit - n);
	extent->tail_bytes = 0;
	return flash_write(log, flashlog_at(log, extent) + extent->written - n, extent->tail, unit);
}

static enum flashlog_err digest_check(struct flashlog *log, const struct flashlog_extent *extent,
				      const uint8_t *digest, uint32_t bytes)
{
	uint8_t piece[PIECE_BYTES], found[FLASHLOG_DIGEST_BYTES];
	struct sha256 sha;

	sha256_init(&sha);
	for (uint32_t done = 0; done < bytes; done += sizeof(piece)) {
		uint32_t n = BASE_MIN(bytes - done, (uint32_t)sizeof(piece));

		CHECK(flash_read(log, flashlog_at(log, extent) + done, piece, n), FLASHLOG_ERR_IO);
		sha256_add(&sha, piece, n);
	}
	sha256_end(&sha, found);
	CHECK(memcmp(found, digest, sizeof(found)) == 0, FLASHLOG_ERR_DIGEST);
	return FLASHLOG_OK;
}

enum flashlog_err flashlog_verify(struct flashlog *log, const struct flashlog_extent *extent)
{
	CHECK(extent->state == FLASHLOG_COMPLETE, FLASHLOG_ERR_ORDER);
	return digest_check(log, extent, extent->digest, extent->bytes);
}

enum flashlog_err flashlog_commit(struct flashlog *log, struct flashlog_extent *extent,
				  const uint8_t *digest, uint32_t bytes)
{
	CHECK(extent->state == FLASHLOG_PARTIAL && extent->written == bytes, FLASHLOG_ERR_ORDER);
	CHECK(extent->bytes == 0 || extent->bytes == bytes, FLASHLOG_ERR_ORDER);
	CHECK(tail_flush(log, extent), FLASHLOG_ERR_IO);
	enum flashlog_err err = digest_check(log, extent, digest, bytes);
	if (err == FLASHLOG_ERR_DIGEST) {
		(void)flashlog_drop(log, extent);
	}
	TRY(err);
	memcpy(extent->digest, digest, FLASHLOG_DIGEST_BYTES);
	extent->bytes = bytes;
	extent->order = ++log->order;
	struct record record = {.bytes = bytes, .order = extent->order, .digest = extent->digest};
	CHECK(record_write(log, extent_base(log, extent) + AT_COMMIT, MAGIC_COMMIT, &record),
	      FLASHLOG_ERR_IO);
	extent->sectors = sectors_for(log, bytes);
	extent->state = FLASHLOG_COMPLETE;
	return FLASHLOG_OK;
}

/* ---- users, errors, checks -------------------------------------------------------------------*/

void flashlog_use(struct flashlog *log, struct flashlog_extent *extent)
{
	extent->users++;
	extent->order = ++log->order;
}

void flashlog_release(struct flashlog *log, struct flashlog_extent *extent)
{
	ASSERT(extent->users > 0);
	extent->users--;
}

const char *flashlog_err_text(enum flashlog_err err)
{
	static const char *const texts[] = {
		[FLASHLOG_OK] = "fine",
		[FLASHLOG_ERR_IO] = "the flash failed to read, write or erase",
		[FLASHLOG_ERR_ROOM] = "no room in flash",
		[FLASHLOG_ERR_FULL] = "too many modules in flash are in use",
		[FLASHLOG_ERR_ORDER] = "bytes out of order or of another length",
		[FLASHLOG_ERR_DIGEST] = "the bytes have another SHA-256",
	};

	return texts[err];
}

void flashlog_check(const struct flashlog *log)
{
	uint32_t used = 0, covered = 0;

	for (uint32_t i = 0; i < log->extents_max; i++) {
		const struct flashlog_extent *e = &log->extents[i];

		if (e->state != FLASHLOG_FREE) {
			ASSERT(e->sectors > 0 && e->sector + e->sectors <= sectors_total(log));
			ASSERT(e->written <= extent_capacity(log, e));
			used += e->sectors;
		}
	}
	for (uint32_t s = 0; s < sectors_total(log); s++) {
		covered += extent_of_sector(log, s) != NULL;
	}
	ASSERT(covered == used);
}
