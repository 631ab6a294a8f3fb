/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of messages_list.h and words_list.h as constant data. */
#include "wire/wire.h"

#define X(name, word) word,
const char *const wire_words_POLICY[] = {WIRE_WORDS_POLICY(X) NULL};
const char *const wire_words_AOT[] = {WIRE_WORDS_AOT(X) NULL};
const char *const wire_words_LEVEL[] = {WIRE_WORDS_LEVEL(X) NULL};
const char *const wire_words_REASON[] = {WIRE_WORDS_REASON(X) NULL};
#undef X

/* offsetof needs the struct's name, which the rows do not have: each list is read with its own. */
#define ROW_F(k, m, key_, lo_, hi_, need_)                                                         \
	{.key = key_,                                                                              \
	 .kind = WIRE_KIND_##k,                                                                    \
	 .need = need_,                                                                            \
	 .offset = offsetof(THIS, m),                                                              \
	 .lo = lo_,                                                                                \
	 .hi = hi_},
#define ROW_O(k, m, key_, sub_, max_, need_)                                                       \
	{.key = key_,                                                                              \
	 .kind = WIRE_KIND_##k,                                                                    \
	 .need = need_,                                                                            \
	 .offset = offsetof(THIS, m),                                                              \
	 .hi = max_,                                                                               \
	 .sub = &wire_table_##sub_},
#define ROW_W(m, key_, list_, need_)                                                               \
	{.key = key_,                                                                              \
	 .kind = WIRE_KIND_WORD,                                                                   \
	 .need = need_,                                                                            \
	 .offset = offsetof(THIS, m),                                                              \
	 .words = wire_words_##list_},
#define NEED 1

#define TABLE(name_, rows_)                                                                        \
	_Static_assert(BASE_COUNT(rows_) <= 64, "seen has 64 bits");                               \
	const struct wire_table wire_table_##name_ = {                                             \
		.name = #name_,                                                                    \
		.row_count = BASE_COUNT(rows_),                                                    \
		.bytes = sizeof(struct wire_##name_),                                              \
		.rows = rows_,                                                                     \
	};

#include "wire/tables_list.h"
