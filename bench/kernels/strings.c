/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: numbers to text and back, words into a hash table, search, reversal, upper case. Default
 * n: 120, on a device 1. */
#include "kernel.h"

#define TEXT_BYTES 12000
#define BUCKETS    256
#define WORDS_MAX  1024

struct word {
	const char *at;
	int bytes, count, next;
};

static char text[TEXT_BYTES + 32];
static struct word words[WORDS_MAX];
static int buckets[BUCKETS], word_count;

static char *put_number(char *to, uint32_t v)
{
	char digits[10];
	int count = 0;

	do {
		digits[count++] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	while (count > 0) {
		*to++ = digits[--count];
	}
	return to;
}

static void write_text(uint32_t seed)
{
	static const char syllables[] = "lorakemuditosanevilopurehaxiwyzoqe";
	char *to = text;

	while (to < text + TEXT_BYTES) {
		uint32_t r = kernel_random(&seed);

		for (uint32_t i = 0; i <= (r & 1); i++) {
			*to++ = syllables[(r >> (4 + i * 4) & 15) * 2];
			*to++ = syllables[(r >> (4 + i * 4) & 15) * 2 + 1];
		}
		if ((r >> 24 & 7) == 0) {
			to = put_number(to, r >> 16);
		}
		*to++ = (r >> 28) == 0 ? '\n' : ' ';
	}
	*to = 0;
}

static int equal(const char *a, const char *b, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		if (a[i] != b[i]) {
			return 0;
		}
	}
	return 1;
}

static void count_word(const char *at, int bytes)
{
	uint32_t hash = 2166136261u;

	for (int i = 0; i < bytes; i++) {
		hash = kernel_mix(hash, (uint8_t)at[i]);
	}
	int *head = &buckets[hash % BUCKETS];
	for (int w = *head; w != 0; w = words[w].next) {
		if (words[w].bytes == bytes && equal(words[w].at, at, bytes)) {
			words[w].count++;
			return;
		}
	}
	if (word_count < WORDS_MAX) {
		words[word_count] = (struct word){at, bytes, 1, *head};
		*head = word_count++;
	}
}

static uint32_t count_words(void)
{
	uint32_t sum = 0;
	const char *p = text;

	word_count = 1;
	for (int i = 0; i < BUCKETS; i++) {
		buckets[i] = 0;
	}
	while (*p != 0) {
		const char *start = p;

		while (*p != 0 && *p != ' ' && *p != '\n') {
			p++;
		}
		count_word(start, (int)(p - start));
		p += *p != 0;
	}
	for (int w = 1; w < word_count; w++) {
		sum += (uint32_t)(words[w].count * words[w].bytes);
	}
	return sum;
}

static uint32_t sum_numbers(void)
{
	uint32_t sum = 0, v = 0;

	for (const char *p = text; *p != 0; p++) {
		if (*p >= '0' && *p <= '9') {
			v = v * 10 + (uint32_t)(*p - '0');
		} else {
			sum += v;
			v = 0;
		}
	}
	return sum;
}

static uint32_t occurrences(const char *needle)
{
	uint32_t count = 0;

	for (const char *p = text; *p != 0; p++) {
		int i = 0;

		while (needle[i] != 0 && p[i] == needle[i]) {
			i++;
		}
		count += needle[i] == 0;
	}
	return count;
}

static void reverse_lines(void)
{
	char *start = text;

	for (char *p = text;; p++) {
		if (*p != '\n' && *p != 0) {
			if (*p >= 'a' && *p <= 'z') {
				*p = (char)(*p - 32);
			}
			continue;
		}
		for (char *a = start, *b = p - 1; a < b; a++, b--) {
			char t = *a;

			*a = *b;
			*b = t;
		}
		if (*p == 0) {
			return;
		}
		start = p + 1;
	}
}

int run(int n)
{
	uint32_t sum = 0;

	for (int round = 0; round < n; round++) {
		write_text((uint32_t)round + 1);
		sum = kernel_mix(sum, count_words());
		sum = kernel_mix(sum, sum_numbers());
		sum = kernel_mix(sum, occurrences("to") + occurrences("lora"));
		reverse_lines();
		sum = kernel_mix(sum, count_words() + (uint8_t)text[round]);
	}
	return (int)sum;
}
