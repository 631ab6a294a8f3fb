/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of proplet-manager from config.toml, the environment and the command line.
 *
 * Rules: errors name the flag, variable or line; a later source wins: defaults, file, environment,
 *        arguments.
 */
#include "manager/manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define EX_USAGE  64
#define EX_CONFIG 78

enum kind {
	KIND_TEXT,
	KIND_NUMBER,
	KIND_FLAG,
};

struct setting {
	enum kind kind;
	size_t offset;
	const char *flag, *env, *key, *otherwise, *help;
	int64_t number, lo, hi;
};

static const struct setting settings[] = {
#define TEXT(name, flag, env, file, otherwise, help)                                               \
	{KIND_TEXT, offsetof(struct settings, name), flag, env, file, otherwise, help, 0, 0, 0},
#define NUMBER(name, flag, env, file, otherwise, lo, hi, help)                                     \
	{KIND_NUMBER, offsetof(struct settings, name), flag, env, file, NULL, help, otherwise, lo, \
	 hi},
#define FLAG(name, flag, env, file, help)                                                          \
	{KIND_FLAG, offsetof(struct settings, name), flag, env, file, NULL, help, 0, 0, 1},
	SETTINGS_LIST
#undef TEXT
#undef NUMBER
#undef FLAG
};

static void *member(struct settings *s, const struct setting *row)
{
	return (char *)s + row->offset;
}

static void defaults(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < BASE_COUNT(settings); i++) {
		const struct setting *row = &settings[i];

		if (row->kind == KIND_TEXT) {
			snprintf(member(s, row), 512, "%s", row->otherwise);
		} else if (row->kind == KIND_NUMBER) {
			*(int64_t *)member(s, row) = row->number;
		}
	}
}

static bool set_number(int64_t *to, const struct setting *row, const char *where, const char *text)
{
	char *end = NULL;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (text[0] == '\0' || *end != '\0' || errno != 0 || v < row->lo || v > row->hi) {
		fprintf(stderr, "proplet-manager: %s: '%s' is no number within %lld..%lld\n", where,
			text, (long long)row->lo, (long long)row->hi);
		return false;
	}
	*to = v;
	return true;
}

static bool set_flag(bool *to, const char *where, const char *text)
{
	bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "yes") == 0;
	bool no = strcmp(text, "false") == 0 || strcmp(text, "0") == 0 || strcmp(text, "no") == 0;

	if (!yes && !no) {
		fprintf(stderr, "proplet-manager: %s: '%s' is neither true nor false\n", where,
			text);
		return false;
	}
	*to = yes;
	return true;
}

/* The settings that are one of a few words. */
static bool one_of(const struct setting *row, const char *where, const char *text)
{
	static const struct {
		const char *key, *words[5];
	} choices[] = {
		{"log_level", {"debug", "info", "warn", "error"}},
		{"aot", {"auto", "always", "never"}},
	};

	for (size_t i = 0; i < BASE_COUNT(choices); i++) {
		const char *const *word = choices[i].words;

		if (strcmp(choices[i].key, row->key) != 0) {
			continue;
		}
		while (*word != NULL && strcmp(*word, text) != 0) {
			word++;
		}
		if (*word != NULL) {
			return true;
		}
		fprintf(stderr, "proplet-manager: %s: '%s' is none of", where, text);
		for (word = choices[i].words; *word != NULL; word++) {
			fprintf(stderr, "%s %s", word == choices[i].words ? "" : ",", *word);
		}
		fputc('\n', stderr);
		return false;
	}
	return true;
}

static bool set(struct settings *s, const struct setting *row, const char *where, const char *text)
{
	if (row->kind == KIND_NUMBER) {
		return set_number(member(s, row), row, where, text);
	}
	if (row->kind == KIND_FLAG) {
		return set_flag(member(s, row), where, text);
	}
	if (strlen(text) > 511) {
		fprintf(stderr, "proplet-manager: %s: is longer than 511 bytes\n", where);
		return false;
	}
	if (!one_of(row, where, text)) {
		return false;
	}
	strcpy(member(s, row), text);
	return true;
}

/* Equal but for '-' in a flag where a key has '_'. */
static bool same_name(const char *has, const char *name, size_t n)
{
	if (strlen(has) != n) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (has[i] != name[i] && !(has[i] == '_' && name[i] == '-')) {
			return false;
		}
	}
	return true;
}

/* A key of the file; or a flag, for which the keys serve as well, as they do for the worker. */
static const struct setting *by_name(const char *name, size_t n, bool key)
{
	for (size_t i = 0; i < BASE_COUNT(settings); i++) {
		const struct setting *row = &settings[i];

		if (key ? strlen(row->key) == n && memcmp(row->key, name, n) == 0
			: same_name(row->flag, name, n) || same_name(row->key, name, n)) {
			return row;
		}
	}
	return NULL;
}

/* ---- config.toml: section [manager], key = "text" | number | true | false ---- */

static char *trim(char *s)
{
	char *end;

	while (*s == ' ' || *s == '\t') {
		s++;
	}
	end = s + strlen(s);
	while (end > s &&
	       (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n' || end[-1] == '\r')) {
		*--end = '\0';
	}
	return s;
}

/* The value without quotes and comment; false when it is malformed. */
static bool value_of(char *text, char **out)
{
	char quote = text[0];
	char *end;

	if (quote != '"' && quote != '\'') {
		end = strchr(text, '#');
		if (end != NULL) {
			*end = '\0';
		}
		*out = trim(text);
		return **out != '\0';
	}
	end = strchr(text + 1, quote);
	if (end == NULL) {
		return false;
	}
	*end = '\0';
	*out = text + 1;
	end = trim(end + 1);
	return *end == '\0' || *end == '#';
}

enum section {
	SECTION_NONE, /* before the first */
	SECTION_OURS,
	SECTION_OTHER
};

static bool file_line(struct settings *s, char *line, const char *where, enum section *section)
{
	char *equals, *key, *value, named[700];
	const struct setting *row;

	line = trim(line);
	if (*line == '\0' || *line == '#') {
		return true;
	}
	if (*line == '[') {
		*section = strncmp(line, "[manager]", 9) == 0 ? SECTION_OURS : SECTION_OTHER;
		if (strchr(line, ']') == NULL) {
			fprintf(stderr, "proplet-manager: %s: expected [section]\n", where);
			return false;
		}
		return true;
	}
	if (*section == SECTION_OTHER) {
		return true;
	}
	equals = strchr(line, '=');
	if (equals == NULL) {
		fprintf(stderr, "proplet-manager: %s: expected key = value\n", where);
		return false;
	}
	*equals = '\0';
	key = trim(line);
	if (*section == SECTION_NONE) {
		fprintf(stderr,
			"proplet-manager: %s: '%s' stands before any section and is ignored; put "
			"it "
			"below [manager]\n",
			where, key);
		return true;
	}
	row = by_name(key, strlen(key), true);
	if (row == NULL) {
		fprintf(stderr, "proplet-manager: %s: there is no setting '%s'\n", where, key);
		return false;
	}
	if (!value_of(trim(equals + 1), &value)) {
		fprintf(stderr, "proplet-manager: %s: '%s' has no proper value\n", where, key);
		return false;
	}
	snprintf(named, sizeof(named), "%s: %s", where, key);
	return set(s, row, named, value);
}

static bool read_file(struct settings *s, const char *path, bool must_exist)
{
	FILE *f = fopen(path, "r");
	char line[1024], where[600];
	enum section section = SECTION_NONE;
	bool ok = true;

	if (f == NULL) {
		if (!must_exist && errno == ENOENT) {
			return true;
		}
		fprintf(stderr, "proplet-manager: cannot read '%s': %s\n", path, strerror(errno));
		return false;
	}
	for (int n = 1; ok && fgets(line, sizeof(line), f) != NULL; n++) {
		snprintf(where, sizeof(where), "%s:%d", path, n);
		ok = file_line(s, line, where, &section);
	}
	if (ferror(f)) { /* a folder can be opened, and not read */
		fprintf(stderr, "proplet-manager: cannot read '%s': %s\n", path, strerror(errno));
		ok = false;
	}
	fclose(f);
	return ok;
}

static bool read_environment(struct settings *s)
{
	for (size_t i = 0; i < BASE_COUNT(settings); i++) {
		const char *v = getenv(settings[i].env);

		if (v != NULL && v[0] != '\0' && !set(s, &settings[i], settings[i].env, v)) {
			return false;
		}
	}
	return true;
}

static void help(void)
{
	printf("Usage: proplet-manager [OPTION]...\n\n"
	       "Places WebAssembly tasks on a fleet of workers over MQTT and serves an HTTP API.\n"
	       "Without options it expects a broker on localhost:1883, serves on localhost:7070 "
	       "and keeps\n"
	       "its state in ./proplet-manager.db.\n\n"
	       "Options (each also as a variable of the environment, and in the section [manager] "
	       "of\n"
	       "config.toml, or of the file given with --config; its keys serve as flags, too, as\n"
	       "--mqtt-address):\n\n");
	for (size_t i = 0; i < BASE_COUNT(settings); i++) {
		const struct setting *row = &settings[i];
		char flag[64], otherwise[64] = "";

		snprintf(flag, sizeof(flag), "--%s%s", row->flag,
			 row->kind == KIND_TEXT     ? " TEXT"
			 : row->kind == KIND_NUMBER ? " N"
						    : "");
		if (row->kind == KIND_TEXT && row->otherwise[0] != '\0') {
			snprintf(otherwise, sizeof(otherwise), " [%s]", row->otherwise);
		} else if (row->kind == KIND_NUMBER) {
			snprintf(otherwise, sizeof(otherwise), " [%lld]", (long long)row->number);
		}
		printf("  %-22s %s%s\n  %-22s %s\n", flag, row->help, otherwise, "", row->env);
	}
	printf("  %-22s file with settings [config.toml, when it is there]\n", "--config FILE");
	printf("  %-22s the settings as they are, and end\n", "--print-config");
	printf("  %-22s\n  %-22s\n\n", "--help", "--version");
	printf("Exit status: 0 ended as asked, 64 wrong command line, 78 a setting, file or "
	       "address\n"
	       "that cannot be used, 74 the store failed meanwhile: start it again.\n\n");
	printf("Try: mosquitto & proplet-manager & proplet & propctl run add.wasm 1 2\n");
}

/* A store's URL as it is, "(hidden)" in place of a password. */
static void hide_password(const char *url, char *out, size_t bytes)
{
	const char *user = strstr(url, "://");
	const char *at = user != NULL ? strrchr(user, '@') : NULL;
	const char *colon = at != NULL ? memchr(user + 3, ':', (size_t)(at - user - 3)) : NULL;

	if (colon == NULL) {
		snprintf(out, bytes, "%s", url);
	} else {
		snprintf(out, bytes, "%.*s:(hidden)%s", (int)(colon - url), url, at);
	}
}

static void print(struct settings *s)
{
	char shown[520];

	hide_password(s->store, shown, sizeof(shown));
	printf("[manager]\n");
	for (size_t i = 0; i < BASE_COUNT(settings); i++) {
		const struct setting *row = &settings[i];

		if (row->kind == KIND_TEXT) {
			printf("%s = \"%s\"\n", row->key,
			       strcmp(row->key, "api_key") == 0 && *(char *)member(s, row) != '\0'
				       ? "(hidden)"
			       : strcmp(row->key, "store") == 0 ? shown
								: (char *)member(s, row));
		} else if (row->kind == KIND_NUMBER) {
			printf("%s = %lld\n", row->key, (long long)*(int64_t *)member(s, row));
		} else {
			printf("%s = %s\n", row->key, *(bool *)member(s, row) ? "true" : "false");
		}
	}
}

/* One argument, and its value if it takes one. Returns how many were used, 0 for an error. */
static int argument(struct settings *s, int left, char **argv)
{
	const char *name = argv[0] + 2, *equals = strchr(argv[0], '=');
	const struct setting *row;
	const char *value = equals != NULL ? equals + 1 : left > 1 ? argv[1] : NULL;

	if (strncmp(argv[0], "--", 2) != 0) {
		fprintf(stderr, "proplet-manager: unexpected '%s'; see --help\n", argv[0]);
		return 0;
	}
	row = by_name(name, equals != NULL ? (size_t)(equals - name) : strlen(name), false);
	if (row == NULL) {
		fprintf(stderr, "proplet-manager: there is no option '%s'; see --help\n", argv[0]);
		return 0;
	}
	if (row->kind == KIND_FLAG && equals == NULL) {
		return set(s, row, argv[0], "true") ? 1 : 0;
	}
	if (value == NULL) {
		fprintf(stderr, "proplet-manager: %s needs a value; see --help\n", argv[0]);
		return 0;
	}
	return set(s, row, argv[0], value) ? (equals != NULL ? 1 : 2) : 0;
}

static int check(const struct settings *s)
{
	if (s->tenant[0] == '\0' || s->channel[0] == '\0' || s->entity[0] == '\0' ||
	    strpbrk(s->tenant, "/+#") != NULL || strpbrk(s->channel, "/+#") != NULL) {
		fprintf(stderr, "proplet-manager: tenant, channel and entity must not be empty; "
				"tenant and channel must not hold / + #\n");
		return EX_CONFIG;
	}
	if ((s->tls_cert[0] == '\0') != (s->tls_key[0] == '\0')) {
		fprintf(stderr, "proplet-manager: --tls-cert and --tls-key: give both or none\n");
		return EX_CONFIG;
	}
	if ((s->http_cert[0] == '\0') != (s->http_key[0] == '\0')) {
		fprintf(stderr, "proplet-manager: --http-cert and --http-key: give both or none\n");
		return EX_CONFIG;
	}
	return -1;
}

int settings_read(struct settings *out, int argc, char **argv)
{
	const char *file = NULL;
	bool show = false;

	defaults(out);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			help();
			return 0;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("proplet-manager %s\n", PROPLET_VERSION);
			return 0;
		}
		file = strcmp(argv[i], "--config") == 0 && i + 1 < argc ? argv[i + 1] : file;
	}
	if (!read_file(out, file != NULL ? file : "config.toml", file != NULL) ||
	    !read_environment(out)) {
		return EX_CONFIG;
	}
	for (int i = 1, used; i < argc; i += used) {
		used = 1;
		if (strcmp(argv[i], "--config") == 0) {
			if (i + 1 == argc) {
				fprintf(stderr, "proplet-manager: --config needs a file\n");
				return EX_USAGE;
			}
			used = 2;
		} else if (strcmp(argv[i], "--print-config") == 0) {
			show = true;
		} else if ((used = argument(out, argc - i, &argv[i])) == 0) {
			return EX_USAGE;
		}
	}
	if (show) {
		print(out);
		return 0;
	}
	return check(out);
}
