/* Strings, memory, characters, numbers, malloc through the imports; its output is the same as native. */
#ifdef NATIVE
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#else
typedef unsigned long size_t;
#define NULL ((void *)0)
int printf(const char *, ...);
void *malloc(size_t), *calloc(size_t, size_t), *realloc(void *, size_t);
void free(void *);
char *strdup(const char *);
void *memcpy(void *, const void *, size_t), *memmove(void *, const void *, size_t),
	*memset(void *, int, size_t);
void *memchr(const void *, int, size_t);
int memcmp(const void *, const void *, size_t), strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t), strncasecmp(const char *, const char *, size_t);
char *strcpy(char *, const char *), *strncpy(char *, const char *, size_t),
	*strchr(const char *, int);
char *strstr(const char *, const char *);
size_t strlen(const char *), strspn(const char *, const char *),
	strcspn(const char *, const char *);
long strtol(const char *, char **, int);
unsigned long strtoul(const char *, char **, int);
int atoi(const char *);
int isupper(int), isalpha(int), isspace(int), isgraph(int), isprint(int), isdigit(int),
	isxdigit(int), isalnum(int);
int tolower(int), toupper(int);
#endif

struct node {
	struct node *next;
	int key;
	char *name;
};

static struct node *insert(struct node *list, int key)
{
	struct node *n = malloc(sizeof(*n));
	char name[16] = "node-";

	name[5] = (char)('a' + key % 26);
	n->key = key;
	n->name = strdup(name);
	if (list == NULL || key < list->key) {
		n->next = list;
		return n;
	}
	n->next = list->next;
	list->next = n;
	return list;
}

static void lists(void)
{
	struct node *list = NULL;
	unsigned seed = 1, sum = 0;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 200; i++) {
			seed = seed * 1103515245 + 12345;
			list = insert(list, (int)(seed >> 16) % 1000);
		}
		while (list != NULL) {
			struct node *next = list->next;

			sum = sum * 31 + (unsigned)list->key + strlen(list->name);
			free(list->name);
			free(list);
			list = next;
		}
	}
	printf("lists %u\n", sum);
}

static void growing(void)
{
	char *buf = NULL;
	size_t n = 0;
	unsigned sum = 0;

	for (int i = 0; i < 2000; i++) {
		buf = realloc(buf, n + 7);
		memset(buf + n, i, 7);
		n += 7;
	}
	for (size_t i = 0; i < n; i++) {
		sum = sum * 33 + (unsigned char)buf[i];
	}
	free(buf);
	int *zeros = calloc(100, sizeof(int));
	for (int i = 0; i < 100; i++) {
		sum += (unsigned)zeros[i];
	}
	free(zeros);
	printf("growing %u\n", sum);
}

int main(void)
{
	char buf[64], *end;

	lists();
	growing();
	strcpy(buf, "Hello, World");
	printf("%d %d %d\n", (int)strlen(buf), strcmp(buf, "Hello") > 0, strncmp(buf, "Help", 3));
	printf("%d %d\n", (int)(strchr(buf, 'W') - buf), strchr(buf, 'z') == NULL);
	printf("%d %d\n", (int)(strstr(buf, "o, W") - buf),
	       (int)((char *)memchr(buf, 'l', 12) - buf));
	printf("%d %d %d\n", (int)strspn(buf, "leH"), (int)strcspn(buf, "ol"),
	       strncasecmp(buf, "hELLO", 5));
	strncpy(buf, "abc", 10);
	memmove(buf + 1, buf, 4);
	printf("%s %d\n", buf, memcmp(buf, "aabc", 5));
	printf("%ld", strtol("  -42abc", &end, 10));
	printf(" %d %ld %lu\n", *end, strtol("0x7fff", NULL, 0), strtoul("777", NULL, 8));
	printf("%d %d\n", atoi("  123 "), atoi("-99x"));
	for (int c = 0; c < 128; c++) {
		printf("%d%d%d%d%d%d%d%d%c%c ", !!isupper(c), !!isalpha(c), !!isspace(c),
		       !!isgraph(c), !!isprint(c), !!isdigit(c), !!isxdigit(c), !!isalnum(c),
		       c > 32 ? tolower(c) : 32, c > 32 ? toupper(c) : 32);
	}
	printf("\n");
	return 42;
}
