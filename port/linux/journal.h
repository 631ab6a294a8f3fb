/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's journal in a file: the last record per key, whatever happens to the power.
 *
 * In:    put and delete by key. Out: the records at the next boot.
 * Owns:  one file, appended to; a copy of the live records in memory, for compaction.
 * Rules: 1. What journal_sync returned 0 for is there after a power cut.
 *        2. A torn or damaged end is cut off at the last good entry; what came before stays.
 *        3. Compaction writes a new file and renames it: at no moment is there none.
 * Form:  8 bytes "PROPJ01\n", then entries: op u8, 0 u8, key u16, bytes u32, crc u32 (CRC-32 of the
 *        8 bytes before it and the record), record. Little-endian.
 */
#ifndef LINUX_JOURNAL_H
#define LINUX_JOURNAL_H

#include "base/base.h"

#define JOURNAL_KEYS_MAX         65536
#define JOURNAL_RECORD_BYTES_MAX (1u << 20)
#define JOURNAL_SLACK_BYTES      (256u << 10) /* dead bytes before it is compacted */

struct journal_record {
	void *data; /* NULL: no record */
	uint32_t bytes;
};

struct journal {
	char path[1024], dir[1024];
	int fd;
	int64_t end; /* of the good entries */
	uint64_t live_bytes;
	bool dirty;         /* something was written after the last sync */
	const char *repair; /* what was found wrong when it was opened; NULL: nothing */
	struct journal_record *records;
};

/* Opens or makes dir/journal and reads it. 0 or an errno; then nothing is held. */
MUST_USE int journal_open(struct journal *j, const char *dir);
void journal_close(struct journal *j);
/* 0 or an errno; after an error the file's end is put back to where it was. */
MUST_USE int journal_put(struct journal *j, uint16_t key, const void *record, uint32_t bytes);
MUST_USE int journal_delete(struct journal *j, uint16_t key);
/* Makes what was put durable; free of cost when nothing was. */
MUST_USE int journal_sync(struct journal *j);

#endif
