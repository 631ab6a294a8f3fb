/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: kept over restarts, torn at every byte, every bit flipped. */
#include "port/linux/files.h"
#include "port/linux/journal.h"
#include "test/test.h"

#include <stdlib.h>
#include <unistd.h>

static char dir[64], path[96];

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/proplet-journal-test-%d", (int)getpid());
	EXPECT_EQ(files_make_dirs(dir), 0);
	files_path(path, sizeof(path), dir, "journal");
	unlink(path);
}

static void end(void)
{
	char bad[112];

	snprintf(bad, sizeof(bad), "%s.bad", path);
	unlink(bad);
	unlink(path);
	rmdir(dir);
}

static void expect_record(const struct journal *j, uint16_t key, const char *want)
{
	const struct journal_record *r = &j->records[key];

	if (want == NULL) {
		EXPECT(r->data == NULL);
		return;
	}
	EXPECT_EQ(r->bytes, strlen(want));
	EXPECT(r->data && memcmp(r->data, want, strlen(want)) == 0);
}

static void put(struct journal *j, uint16_t key, const char *text)
{
	EXPECT_EQ(journal_put(j, key, text, (uint32_t)strlen(text)), 0);
}

TEST(kept_over_restarts)
{
	struct journal j;

	begin();
	EXPECT_EQ(journal_open(&j, dir), 0);
	put(&j, 1, "one");
	put(&j, 2, "two");
	put(&j, 1, "one again");
	put(&j, 65535, "");
	EXPECT_EQ(journal_delete(&j, 2), 0);
	EXPECT_EQ(journal_delete(&j, 3), 0);
	EXPECT_EQ(journal_sync(&j), 0);
	journal_close(&j);
	EXPECT_EQ(journal_open(&j, dir), 0);
	EXPECT(j.repair == NULL);
	expect_record(&j, 1, "one again");
	expect_record(&j, 2, NULL);
	expect_record(&j, 65535, "");
	journal_close(&j);
	end();
}

TEST(compacts)
{
	struct journal j;
	char record[1000];

	begin();
	EXPECT_EQ(journal_open(&j, dir), 0);
	put(&j, 7, "stays");
	memset(record, 'x', sizeof(record));
	for (int i = 0; i < 3000; i++) {
		EXPECT_EQ(journal_put(&j, 9, record, sizeof(record)), 0);
		EXPECT(j.end < (int64_t)JOURNAL_SLACK_BYTES + 4096);
	}
	journal_close(&j);
	EXPECT_EQ(journal_open(&j, dir), 0);
	expect_record(&j, 7, "stays");
	EXPECT_EQ(j.records[9].bytes, sizeof(record));
	journal_close(&j);
	end();
}

static char *sample(size_t *bytes, size_t *before_last)
{
	struct journal j;
	char *text;

	EXPECT_EQ(journal_open(&j, dir), 0);
	put(&j, 1, "first");
	put(&j, 2, "second record");
	EXPECT_EQ(journal_delete(&j, 1), 0);
	*before_last = (size_t)j.end;
	put(&j, 3, "the last");
	journal_close(&j);
	text = files_get(path, 1 << 20, bytes);
	EXPECT(text != NULL);
	return text;
}

/* Cut anywhere: what was whole stays, and the journal goes on after it. */
TEST(torn_at_every_byte)
{
	size_t bytes, before_last;
	struct journal j;

	begin();
	char *text = sample(&bytes, &before_last);
	for (size_t n = 0; n <= bytes; n++) {
		EXPECT_EQ(files_put(dir, "journal", text, n), 0);
		EXPECT_EQ(journal_open(&j, dir), 0);
		expect_record(&j, 3, n == bytes ? "the last" : NULL);
		if (n >= before_last) {
			expect_record(&j, 1, NULL);
			expect_record(&j, 2, "second record");
		}
		put(&j, 4, "after");
		journal_close(&j);
		EXPECT_EQ(journal_open(&j, dir), 0);
		EXPECT(j.repair == NULL);
		expect_record(&j, 4, "after");
		journal_close(&j);
	}
	free(text);
	end();
}

TEST(every_bit_flipped)
{
	size_t bytes, before_last;
	struct journal j;

	begin();
	char *text = sample(&bytes, &before_last);
	for (size_t bit = 0; bit < 8 * bytes; bit++) {
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		EXPECT_EQ(files_put(dir, "journal", text, bytes), 0);
		EXPECT_EQ(journal_open(&j, dir), 0);
		EXPECT(j.repair != NULL);
		expect_record(&j, 3, NULL);
		journal_close(&j);
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
	}
	free(text);
	end();
}

TEST(too_long_is_refused)
{
	struct journal j;
	char *big = calloc(1, JOURNAL_RECORD_BYTES_MAX + 1);

	begin();
	EXPECT_EQ(journal_open(&j, dir), 0);
	EXPECT(journal_put(&j, 1, big, JOURNAL_RECORD_BYTES_MAX + 1) != 0);
	EXPECT_EQ(journal_put(&j, 1, big, JOURNAL_RECORD_BYTES_MAX), 0);
	EXPECT_EQ(journal_sync(&j), 0);
	journal_close(&j);
	free(big);
	end();
}

TEST_MAIN(T(kept_over_restarts) T(compacts) T(torn_at_every_byte) T(every_bit_flipped)
		  T(too_long_is_refused))
