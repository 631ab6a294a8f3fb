/* SPDX-License-Identifier: Apache-2.0 */
/* The module store: every order of writes, restarts, damage, no room. */
#include "port/linux/files.h"
#include "port/linux/store.h"
#include "test/test.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	MODULE_BYTES = 10000
};

static char dir[64];
static uint8_t module_a[MODULE_BYTES], digest_a[SHA256_BYTES];
static const uint8_t digest_unknown[SHA256_BYTES];

static void sum(const void *data, size_t bytes, uint8_t *digest)
{
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, data, bytes);
	sha256_end(&h, digest);
}

static void make_module(uint8_t *out, uint8_t *digest, int seed)
{
	for (int i = 0; i < MODULE_BYTES; i++) {
		out[i] = (uint8_t)(i * 7 + seed + i / 256);
	}
	sum(out, MODULE_BYTES, digest);
}

static void wipe(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	EXPECT_EQ(system(command), 0);
}

static void begin(struct store *s, uint64_t bytes_max)
{
	snprintf(dir, sizeof(dir), "/tmp/proplet-store-test-%d", (int)getpid());
	wipe();
	make_module(module_a, digest_a, 0);
	EXPECT_EQ(store_init(s, dir, bytes_max, 4), 0);
}

static void again(struct store *s)
{
	uint64_t bytes_max = s->bytes_max;

	store_end(s);
	EXPECT_EQ(store_init(s, dir, bytes_max, 4), 0);
}

static void finish(struct store *s)
{
	store_end(s);
	wipe();
}

static void write_all(struct store *s, uint16_t slot, const uint8_t *data, uint32_t from,
		      uint32_t to, uint32_t piece)
{
	struct store_answer a;

	for (uint32_t at = from; at < to; at += piece) {
		EXPECT(store_write(s, slot, at, data + at, BASE_MIN(piece, to - at), &a));
	}
}

static void put(struct store *s, uint16_t slot, int seed)
{
	static uint8_t data[MODULE_BYTES];
	uint8_t digest[SHA256_BYTES];
	struct store_answer a;

	make_module(data, digest, seed);
	store_begin(s, slot, digest, MODULE_BYTES, &a);
	EXPECT_EQ(a.state, STORE_PARTIAL);
	write_all(s, slot, data, 0, MODULE_BYTES, 777);
	store_commit(s, slot, digest, MODULE_BYTES, &a);
	EXPECT_EQ(a.state, STORE_COMPLETE);
	EXPECT(memcmp(a.mapped, data, MODULE_BYTES) == 0);
	store_close(s, slot);
}

static enum store_state state_of(struct store *s, int seed)
{
	static uint8_t data[MODULE_BYTES];
	uint8_t digest[SHA256_BYTES];
	struct store_answer a;

	make_module(data, digest, seed);
	store_open(s, 3, digest, &a);
	store_close(s, 3);
	return a.state;
}

TEST(kept_over_restart)
{
	struct store s;

	begin(&s, 1 << 20);
	EXPECT_EQ(state_of(&s, 0), STORE_ABSENT);
	put(&s, 0, 0);
	EXPECT_EQ(state_of(&s, 0), STORE_COMPLETE);
	again(&s);
	EXPECT_EQ(state_of(&s, 0), STORE_COMPLETE);
	finish(&s);
}

TEST(digest_told_at_the_end)
{
	struct store s;
	struct store_answer a;

	begin(&s, 1 << 20);
	store_begin(&s, 1, digest_unknown, 0, &a);
	EXPECT_EQ(a.state, STORE_PARTIAL);
	EXPECT_EQ(a.offset, 0);
	write_all(&s, 1, module_a, 0, MODULE_BYTES, 100);
	store_commit(&s, 1, digest_a, MODULE_BYTES, &a);
	EXPECT_EQ(a.state, STORE_COMPLETE);
	store_close(&s, 1);
	EXPECT_EQ(state_of(&s, 0), STORE_COMPLETE);
	finish(&s);
}

TEST(resumed_after_restart)
{
	struct store s;
	struct store_answer a;

	begin(&s, 1 << 20);
	store_begin(&s, 0, digest_a, MODULE_BYTES, &a);
	write_all(&s, 0, module_a, 0, 6000, 1000);
	again(&s);
	store_open(&s, 0, digest_a, &a);
	EXPECT_EQ(a.state, STORE_PARTIAL);
	EXPECT_EQ(a.offset, 6000);
	store_begin(&s, 0, digest_a, MODULE_BYTES, &a);
	EXPECT_EQ(a.offset, 6000);
	write_all(&s, 0, module_a, 6000, MODULE_BYTES, 1000);
	store_commit(&s, 0, digest_a, MODULE_BYTES, &a);
	EXPECT_EQ(a.state, STORE_COMPLETE);
	finish(&s);
}

/* Chunks in any order; a file with holes is not resumed. */
TEST(backwards)
{
	struct store s;
	struct store_answer a;

	begin(&s, 1 << 20);
	store_begin(&s, 0, digest_a, MODULE_BYTES, &a);
	for (int at = MODULE_BYTES - 500; at >= 0; at -= 500) {
		EXPECT(store_write(&s, 0, (uint32_t)at, module_a + at, 500, &a));
	}
	store_commit(&s, 0, digest_a, MODULE_BYTES, &a);
	EXPECT_EQ(a.state, STORE_COMPLETE);
	store_close(&s, 0);
	store_begin(&s, 0, digest_unknown, MODULE_BYTES, &a);
	store_drop(&s, 0, true);
	finish(&s);
	begin(&s, 1 << 20);
	store_begin(&s, 0, digest_a, MODULE_BYTES, &a);
	EXPECT(store_write(&s, 0, 5000, module_a + 5000, 5000, &a));
	again(&s);
	EXPECT_EQ(state_of(&s, 0), STORE_ABSENT);
	finish(&s);
}

TEST(wrong_digest_leaves_nothing)
{
	struct store s;
	struct store_answer a;

	begin(&s, 1 << 20);
	store_begin(&s, 0, digest_a, MODULE_BYTES, &a);
	module_a[77] ^= 1;
	write_all(&s, 0, module_a, 0, MODULE_BYTES, 1000);
	store_commit(&s, 0, digest_a, MODULE_BYTES, &a);
	EXPECT_EQ(a.state, STORE_FAILED);
	EXPECT_STR(a.text, "module of 10000 bytes: its digest is another");
	EXPECT_EQ(state_of(&s, 0), STORE_ABSENT);
	EXPECT_EQ(store_bytes(&s), 0);
	store_begin(&s, 0, digest_a, MODULE_BYTES, &a);
	write_all(&s, 0, module_a, 0, 5000, 1000);
	store_commit(&s, 0, digest_a, MODULE_BYTES, &a);
	EXPECT_STR(a.text, "module of 10000 bytes: bytes are missing");
	finish(&s);
}

TEST(damage_on_disk_is_noticed)
{
	struct store s;
	char path[200], name[80] = "";

	begin(&s, 1 << 20);
	put(&s, 0, 0);
	for (int i = 0; i < SHA256_BYTES; i++) {
		snprintf(name + 2 * i, 3, "%02x", digest_a[i]);
	}
	strcat(name, ".wasm");
	files_path(path, sizeof(path), dir, name);
	module_a[5] ^= 1;
	EXPECT_EQ(files_put(dir, name, module_a, MODULE_BYTES), 0);
	EXPECT_EQ(state_of(&s, 0), STORE_ABSENT);
	EXPECT_EQ(s.damaged, 1);
	EXPECT(access(path, F_OK) != 0);
	put(&s, 0, 0);
	EXPECT_EQ(truncate(path, 10), 0);
	EXPECT_EQ(state_of(&s, 0), STORE_ABSENT);
	EXPECT_EQ(truncate(path, 0), -1);
	finish(&s);
}

TEST(least_recently_used_goes)
{
	struct store s;
	struct store_answer a;

	begin(&s, 3 * MODULE_BYTES);
	for (int i = 1; i <= 3; i++) {
		put(&s, 0, i);
		usleep(2000);
	}
	EXPECT_EQ(state_of(&s, 1), STORE_COMPLETE); /* used: now 2 is the oldest */
	usleep(2000);
	put(&s, 0, 4);
	EXPECT_EQ(state_of(&s, 2), STORE_ABSENT);
	EXPECT_EQ(state_of(&s, 1), STORE_COMPLETE);
	EXPECT_EQ(s.evicted, 1);
	store_begin(&s, 0, digest_unknown, 3 * MODULE_BYTES + 1, &a);
	EXPECT_EQ(a.state, STORE_FAILED);
	finish(&s);
}

/* An open one loses its name, not its bytes. */
TEST(open_ones_go_last)
{
	struct store s;
	struct store_answer mapped[3];
	uint8_t data[MODULE_BYTES], digest[SHA256_BYTES];

	begin(&s, 2 * MODULE_BYTES);
	put(&s, 0, 1);
	put(&s, 0, 2);
	make_module(data, digest, 1);
	store_open(&s, 1, digest, &mapped[1]);
	EXPECT_EQ(mapped[1].state, STORE_COMPLETE);
	put(&s, 0, 3);
	EXPECT_EQ(state_of(&s, 2), STORE_ABSENT);
	EXPECT_EQ(state_of(&s, 1), STORE_COMPLETE);
	make_module(data, digest, 3);
	store_open(&s, 2, digest, &mapped[2]);
	usleep(2000);
	put(&s, 0, 4);
	EXPECT_EQ(state_of(&s, 3), STORE_COMPLETE);
	EXPECT_EQ(state_of(&s, 1), STORE_ABSENT);
	make_module(data, digest, 1);
	EXPECT(memcmp(mapped[1].mapped, data, MODULE_BYTES) == 0);
	finish(&s);
}

/* Whether the mapping that the address lies in has these rights. */
static bool mapping_has(const void *at, const char *rights)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512], has[8];
	bool found = false;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, has) == 3 &&
		    (unsigned long)(uintptr_t)at >= from && (unsigned long)(uintptr_t)at < to) {
			found = strcmp(has, rights) == 0;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	return found;
}

TEST(a_module_can_be_executed_where_it_is)
{
	uint8_t data[MODULE_BYTES], digest[SHA256_BYTES];
	struct store_answer a;
	struct store s;

	begin(&s, 2 * MODULE_BYTES);
	put(&s, 0, 1);
	make_module(data, digest, 1);
	store_open(&s, 1, digest, &a);
	EXPECT(store_make_executable(&s, 1, &a));
	EXPECT_EQ(a.state, STORE_COMPLETE);
	EXPECT(memcmp(a.mapped, data, MODULE_BYTES) == 0);
	EXPECT(mapping_has(a.mapped, "r-xp"));
	store_close(&s, 1);
	finish(&s);
}

TEST(what_is_written_stays)
{
	struct store s;
	struct store_answer a;

	begin(&s, 2 * MODULE_BYTES);
	store_begin(&s, 0, digest_a, MODULE_BYTES, &a);
	write_all(&s, 0, module_a, 0, MODULE_BYTES, 1000);
	store_begin(&s, 1, digest_unknown, 2 * MODULE_BYTES, &a);
	EXPECT_EQ(a.state, STORE_FAILED);
	EXPECT_STR(a.text, "no room for 20000 bytes; 10000 of 20000 are in use");
	EXPECT(!store_write(&s, 1, 0, module_a, 10, &a));
	store_commit(&s, 1, digest_a, 10, &a);
	EXPECT_EQ(a.state, STORE_FAILED);
	store_commit(&s, 0, digest_a, MODULE_BYTES, &a);
	EXPECT_EQ(a.state, STORE_COMPLETE);
	finish(&s);
}

TEST_MAIN(T(kept_over_restart) T(digest_told_at_the_end) T(resumed_after_restart) T(backwards)
		  T(wrong_digest_leaves_nothing) T(damage_on_disk_is_noticed)
			  T(least_recently_used_goes) T(open_ones_go_last)
				  T(a_module_can_be_executed_where_it_is) T(what_is_written_stays))
