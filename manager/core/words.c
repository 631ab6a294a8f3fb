/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the tables in core_list.h, for people and messages. */
#include "manager/core/core.h"

static const char states[][20] = {
#define X(name, word) word,
	MANAGER_STATE_LIST(X)
#undef X
};

static const char phases[][20] = {
#define X(name, word, moves) word,
	MANAGER_PHASE_LIST(X)
#undef X
};

static const char reasons[][20] = {
#define X(name, word) word,
	MANAGER_REASON_LIST(X)
#undef X
};

static const char answers[][64] = {
#define X(name, text) text,
	MANAGER_ANSWER_LIST(X)
#undef X
};

static const char notes[][20] = {
#define X(name, word) word,
	MANAGER_NOTE_LIST(X)
#undef X
};

const char *manager_state_word(enum manager_state s)
{
	return states[s];
}

const char *manager_phase_word(enum manager_phase p)
{
	return phases[p];
}

const char *manager_reason_word(enum manager_reason r)
{
	return reasons[r];
}

enum manager_reason manager_reason_of(const char *word)
{
	size_t n = strlen(word);

	for (uint32_t i = 0; i < MANAGER_REASON_COUNT; i++) {
		if (strlen(reasons[i]) == n && memcmp(reasons[i], word, n) == 0) {
			return (enum manager_reason)i;
		}
	}
	return MANAGER_REASON_OTHER;
}

const char *manager_answer_text(enum manager_answer a)
{
	return answers[a];
}

const char *manager_note_word(enum manager_note n)
{
	return notes[n];
}
