/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/core/placement.h"
#include "test/test.h"

static struct placement_node node(const char *id)
{
	struct placement_node n = {.used = true,
				   .alive = true,
				   .mains = true,
				   .battery_percent = 255,
				   .id_hash = placement_hash("id", id)};

	placement_node_add(&n, placement_hash("arch", "arm"));
	placement_node_add(&n, placement_hash("capability", "gpio"));
	placement_node_add(&n, placement_hash("label", "room=1"));
	return n;
}

static struct placement_need need(void)
{
	struct placement_need n = {0};

	for (int i = 0; i < PLACEMENT_AVOID_MAX; i++) {
		n.avoid[i] = PLACEMENT_NONE;
	}
	return n;
}

/* One deviation from a node that fits, or from a task that asks for nothing. */
static void dead(struct placement_need *t, struct placement_node *n)
{
	n->alive = false;
}
static void draining(struct placement_need *t, struct placement_node *n)
{
	n->draining = true;
}
static void pinned_here(struct placement_need *t, struct placement_node *n)
{
	t->pin_hash = placement_hash("id", "a");
}
static void pinned_elsewhere(struct placement_need *t, struct placement_node *n)
{
	t->pin_hash = placement_hash("id", "b");
}
static void refused(struct placement_need *t, struct placement_node *n)
{
	t->avoid[2] = 0;
}
static void needs_arm(struct placement_need *t, struct placement_node *n)
{
	placement_need_add(t, placement_hash("arch", "arm"));
}
static void needs_x86(struct placement_need *t, struct placement_node *n)
{
	placement_need_add(t, placement_hash("arch", "arm"));
	placement_need_add(t, placement_hash("arch", "x86_64"));
}
static void needs_label(struct placement_need *t, struct placement_node *n)
{
	placement_need_add(t, placement_hash("label", "room=2"));
}
static void needs_mains(struct placement_need *t, struct placement_node *n)
{
	t->mains = true;
	n->mains = false;
}
static void battery_low(struct placement_need *t, struct placement_node *n)
{
	t->battery_percent_min = 50;
	n->mains = false;
	n->battery_percent = 49;
}
static void battery_enough(struct placement_need *t, struct placement_node *n)
{
	t->battery_percent_min = 50;
	n->mains = false;
	n->battery_percent = 50;
}
static void battery_on_mains(struct placement_need *t, struct placement_node *n)
{
	t->battery_percent_min = 50;
	n->battery_percent = 3;
}
static void pool_small(struct placement_need *t, struct placement_node *n)
{
	t->memory_bytes = 70000;
	n->pool_bytes = 65536;
	n->free_bytes = 65536;
}
static void block_small(struct placement_need *t, struct placement_node *n)
{
	t->memory_bytes = 40000;
	n->pool_bytes = 65536;
	n->free_bytes = 32768;
}
static void block_exact(struct placement_need *t, struct placement_node *n)
{
	t->memory_bytes = 32768;
	n->pool_bytes = 65536;
	n->free_bytes = 32768;
}
static void block_untold(struct placement_need *t, struct placement_node *n)
{
	t->memory_bytes = 1u << 30;
}
static void flash_small(struct placement_need *t, struct placement_node *n)
{
	t->flash_bytes = 1000001;
	n->flash_bytes = 1000000;
}
static void slots_full(struct placement_need *t, struct placement_node *n)
{
	n->tasks_max = 4;
	n->running = 4;
}
static void slots_left(struct placement_need *t, struct placement_node *n)
{
	n->tasks_max = 4;
	n->running = 3;
}
static void nothing(struct placement_need *t, struct placement_node *n)
{
}

static const struct {
	const char *name;
	void (*change)(struct placement_need *, struct placement_node *);
	enum placement_verdict verdict;
} judgements[] = {
	{"nothing", nothing, PLACEMENT_FITS},
	{"dead", dead, PLACEMENT_DEAD},
	{"draining", draining, PLACEMENT_DRAINING},
	{"pinned_here", pinned_here, PLACEMENT_FITS},
	{"pinned_elsewhere", pinned_elsewhere, PLACEMENT_PINNED},
	{"refused", refused, PLACEMENT_REFUSED},
	{"needs_arm", needs_arm, PLACEMENT_FITS},
	{"needs_x86", needs_x86, PLACEMENT_REQUIREMENT},
	{"needs_label", needs_label, PLACEMENT_REQUIREMENT},
	{"needs_mains", needs_mains, PLACEMENT_POWER},
	{"battery_low", battery_low, PLACEMENT_BATTERY},
	{"battery_enough", battery_enough, PLACEMENT_FITS},
	{"battery_on_mains", battery_on_mains, PLACEMENT_FITS},
	{"pool_small", pool_small, PLACEMENT_POOL},
	{"block_small", block_small, PLACEMENT_MEMORY},
	{"block_exact", block_exact, PLACEMENT_FITS},
	{"block_untold", block_untold, PLACEMENT_FITS},
	{"flash_small", flash_small, PLACEMENT_FLASH},
	{"slots_full", slots_full, PLACEMENT_SLOTS},
	{"slots_left", slots_left, PLACEMENT_FITS},
};

TEST(verdicts)
{
	for (size_t i = 0; i < BASE_COUNT(judgements); i++) {
		struct placement_node n = node("a");
		struct placement_need t = need();
		struct placement_reason r;

		judgements[i].change(&t, &n);
		placement_judge(&t, &n, 0, &r);
		if (r.verdict != judgements[i].verdict) {
			TEST_FAIL("%s: %s, expected %s", judgements[i].name,
				  placement_verdict_word(r.verdict),
				  placement_verdict_word(judgements[i].verdict));
		}
	}
}

TEST(a_requirement_is_named)
{
	struct placement_node n = node("a");
	struct placement_need t = need();
	struct placement_reason r;

	needs_x86(&t, &n);
	placement_judge(&t, &n, 0, &r);
	EXPECT_EQ(r.requirement_idx, 1);
}

/* Which of two nodes wins; each changes the second one. */
static void busier(struct placement_need *t, struct placement_node *n)
{
	n->running = 1;
}
static void loaded(struct placement_need *t, struct placement_node *n)
{
	n->load_percent = 80;
}
static void suspected(struct placement_need *t, struct placement_node *n)
{
	n->suspect = true;
}
static void on_battery(struct placement_need *t, struct placement_node *n)
{
	n->mains = false;
	n->battery_percent = 40;
}

TEST(the_better_node_wins)
{
	void (*const changes[])(struct placement_need *,
				struct placement_node *) = {busier, loaded, suspected, on_battery};

	for (size_t i = 0; i < BASE_COUNT(changes); i++) {
		for (int worse = 0; worse < 2; worse++) {
			struct placement_node n[2] = {node("a"), node("b")};
			struct placement_need t = need();
			struct placement_choice c;

			changes[i](&t, &n[worse]);
			placement_choose(&t, n, sizeof(n[0]), 2, 1, &c);
			EXPECT_EQ(c.node, 1 - worse);
		}
	}
}

TEST(a_cached_module_draws_but_not_for_ever)
{
	struct placement_node n[2] = {node("a"), node("b")};
	struct placement_need t = need();
	struct placement_choice c;

	t.module_hash = placement_hash("module", "x");
	placement_node_cache(&n[1], t.module_hash);
	placement_choose(&t, n, sizeof(n[0]), 2, 1, &c);
	EXPECT_EQ(c.node, 1);
	n[1].load_percent = 20;
	placement_choose(&t, n, sizeof(n[0]), 2, 1, &c);
	EXPECT_EQ(c.node, 1);
	n[1].running = 1;
	placement_choose(&t, n, sizeof(n[0]), 2, 1, &c);
	EXPECT_EQ(c.node, 0);
}

TEST(equals_share_the_work)
{
	struct placement_node n[8];
	struct placement_need t = need();
	int wins[8] = {0};

	for (int i = 0; i < 8; i++) {
		n[i] = node("a");
	}
	for (uint64_t salt = 0; salt < 8000; salt++) {
		struct placement_choice c;

		placement_choose(&t, n, sizeof(n[0]), 8, salt, &c);
		wins[c.node]++;
	}
	for (int i = 0; i < 8; i++) {
		EXPECT(wins[i] > 700 && wins[i] < 1300);
	}
}

TEST(counts_say_why_nothing_fits)
{
	struct placement_node n[3] = {node("a"), node("b"), node("c")};
	struct placement_need t = need();
	struct placement_choice c;

	n[0].alive = false;
	n[1].tasks_max = 1;
	n[1].running = 1;
	n[2].draining = true;
	placement_choose(&t, n, sizeof(n[0]), 3, 1, &c);
	EXPECT(c.node == PLACEMENT_NONE);
	EXPECT_EQ(c.counts[PLACEMENT_DEAD], 1);
	EXPECT_EQ(c.counts[PLACEMENT_SLOTS], 1);
	EXPECT_EQ(c.counts[PLACEMENT_DRAINING], 1);
}

TEST(words_have_an_end)
{
	struct placement_node n = {0};
	struct placement_need t = {0};

	for (uint64_t i = 1; i <= PLACEMENT_WORDS_MAX; i++) {
		EXPECT(placement_node_add(&n, i));
	}
	EXPECT(!placement_node_add(&n, 99));
	for (uint64_t i = 1; i <= PLACEMENT_REQUIRES_MAX; i++) {
		EXPECT(placement_need_add(&t, i));
	}
	EXPECT(!placement_need_add(&t, 99));
	for (uint64_t i = 1; i < 20; i++) {
		placement_node_cache(&n, i);
	}
	EXPECT_EQ(n.cached[n.cached_next], 19 - PLACEMENT_CACHED_MAX + 1);
}

TEST_MAIN(T(verdicts) T(a_requirement_is_named) T(the_better_node_wins)
		  T(a_cached_module_draws_but_not_for_ever) T(equals_share_the_work)
			  T(counts_say_why_nothing_fits) T(words_have_an_end))
