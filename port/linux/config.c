/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's settings. See config.h. */
#include "port/linux/config.h"
#include "port/linux/toml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROPLET_VERSION "0.1.0"

enum type {
	TEXT,
	SECRET,
	INT,
	SIZE,
	MS,
	SECONDS,
	BOOL,
	LIST,
	LEVEL
};

struct row {
	const char *section; /* a title row: all else is empty */
	const char *key, *env, *def, *arg, *help;
	size_t offset;
	int64_t min, max;
	enum type type;
};

static const struct row rows[] = {
#define SECTION(title) {.section = title},
#define ROW(member, t, e, d, lo, hi, a, h)                                                         \
	{.key = #member,                                                                           \
	 .env = e,                                                                                 \
	 .def = d,                                                                                 \
	 .arg = a,                                                                                 \
	 .help = h,                                                                                \
	 .offset = offsetof(struct config, member),                                                \
	 .min = lo,                                                                                \
	 .max = hi,                                                                                \
	 .type = t},
#include "port/linux/config_list.h"
};

/* A row's text as one of the sources gave it. */
struct raw {
	char *text;
	char source[160];
	int rank; /* of the source; a higher one wins */
};
enum {
	RANK_DEFAULT,
	RANK_FILE,
	RANK_ENV,
	RANK_FLAG
};

struct reader {
	struct raw raw[BASE_COUNT(rows)];
	char **env;
	const char *file, *section;
	bool file_named, section_named, section_flag, print;
};

static char error_text[512];

const char *config_error(void)
{
	return error_text;
}

static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof(error_text), format, args);
	va_end(args);
	return -1;
}

/* ---- from text to values ----------------------------------------------------------------------*/

static int parse_number(const char *text, int64_t *out, const char **rest)
{
	char *end;

	errno = 0;
	long long v = strtoll(text, &end, 10);
	CHECK(end != text && errno == 0, -1);
	*out = v;
	*rest = end;
	return 0;
}

struct unit {
	const char *name;
	int64_t factor;
};
static const struct unit sizes[] = {
	{"", 1},         {"k", 1 << 10},  {"m", 1 << 20},  {"g", 1 << 30},
	{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {0}};
static const struct unit times[] = {{"ms", 1},      {"s", 1000},    {"m", 60000},
				    {"min", 60000}, {"h", 3600000}, {0}};
static const struct unit plain[] = {{"", 1}, {0}};

static int scale(int64_t n, const char *suffix, const struct unit *units, int64_t bare,
		 int64_t *out)
{
	if (bare && suffix[0] == 0) {
		return __builtin_mul_overflow(n, bare, out) ? -1 : 0;
	}
	for (; units->name; units++) {
		if (strcasecmp(units->name, suffix) == 0) {
			return __builtin_mul_overflow(n, units->factor, out) ? -1 : 0;
		}
	}
	return -1;
}

static int set_int(const struct row *row, const struct raw *raw, int64_t *out)
{
	static const char *const forms[] = {
		[INT] = "an integer",
		[SIZE] = "a size such as 40k, 64m or 1g",
		[MS] = "a time such as 500, 500ms, 10s or 2m (a bare number is milliseconds)",
		[SECONDS] = "a time such as 10, 10s, 500ms or 2m (a bare number is seconds)",
	};
	const struct unit *units = row->type == INT ? plain : row->type == SIZE ? sizes : times;
	int64_t bare = row->type == MS ? 1 : row->type == SECONDS ? 1000 : 0;
	const char *rest;
	int64_t v;

	if (parse_number(raw->text, &v, &rest) != 0 || scale(v, rest, units, bare, &v) != 0) {
		return fail("%s: '%s' is not %s", raw->source, raw->text, forms[row->type]);
	}
	if (v < row->min || v > row->max) {
		return fail("%s: '%s' is out of range; least %lld, most %lld%s", raw->source,
			    raw->text, (long long)row->min, (long long)row->max,
			    row->type == SIZE                         ? " bytes"
			    : row->type == MS || row->type == SECONDS ? " ms"
								      : "");
	}
	*out = v;
	return 0;
}

static int set_bool(const struct raw *raw, bool *out)
{
	static const char *const yes[] = {"true", "1", "yes", "on", "t"}, *const no[] = {
										  "false", "0",
										  "no", "off", "f"};

	for (size_t i = 0; i < BASE_COUNT(yes); i++) {
		if (strcasecmp(raw->text, yes[i]) == 0 || strcasecmp(raw->text, no[i]) == 0) {
			*out = strcasecmp(raw->text, yes[i]) == 0;
			return 0;
		}
	}
	return fail("%s: '%s' is neither true nor false", raw->source, raw->text);
}

/* Splits at commas; blanks around an element and empty elements are dropped. */
static int set_list(const struct raw *raw, char ***out)
{
	size_t room = 2, n = 0;
	char *copy = strdup(raw->text), *save = NULL;

	for (const char *p = raw->text; *p; p++) {
		room += *p == ',';
	}
	char **list = calloc(room, sizeof(*list));
	for (char *e = strtok_r(copy, ",", &save); e; e = strtok_r(NULL, ",", &save)) {
		e += strspn(e, " \t");
		size_t len = strlen(e);
		while (len && (e[len - 1] == ' ' || e[len - 1] == '\t')) {
			e[--len] = 0;
		}
		if (len) {
			list[n++] = strdup(e);
		}
	}
	free(copy);
	*out = list;
	return 0;
}

static int set_level(const struct raw *raw, enum log_level *out)
{
	if (!log_level_of(raw->text, out)) {
		return fail("%s: '%s' is no log level; known: debug, info, warn, error, off",
			    raw->source, raw->text);
	}
	return 0;
}

static int set_value(struct config *config, const struct row *row, const struct raw *raw)
{
	void *at = (char *)config + row->offset;

	switch (row->type) {
	case TEXT:
	case SECRET:
		*(char **)at = strdup(raw->text);
		return 0;
	case BOOL:
		return set_bool(raw, at);
	case LIST:
		return set_list(raw, at);
	case LEVEL:
		return set_level(raw, at);
	default:
		return set_int(row, raw, at);
	}
}

/* ---- sources ----------------------------------------------------------------------------------*/

static void give(struct reader *r, size_t i, int rank, const char *text, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* A list given twice by the same source (flags) grows; all else is overwritten by a higher rank. */
static void give(struct reader *r, size_t i, int rank, const char *text, const char *format, ...)
{
	struct raw *raw = &r->raw[i];
	char *joined = NULL;
	va_list args;

	if (raw->text && raw->rank > rank) {
		return;
	}
	if (raw->text && raw->rank == rank && rows[i].type == LIST) {
		if (asprintf(&joined, "%s,%s", raw->text, text) < 0) {
			joined = NULL;
		}
	}
	free(raw->text);
	raw->text = joined ? joined : strdup(text);
	raw->rank = rank;
	va_start(args, format);
	vsnprintf(raw->source, sizeof(raw->source), format, args);
	va_end(args);
}

static void read_defaults(struct reader *r)
{
	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		if (rows[i].key) {
			give(r, i, RANK_DEFAULT, rows[i].def, "default of %s", rows[i].key);
		}
	}
}

static const char *env_of(const struct reader *r, const char *name)
{
	size_t n = strlen(name);

	for (char **e = r->env; e && *e; e++) {
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=') {
			return *e + n + 1;
		}
	}
	return NULL;
}

/* An empty variable counts as unset, as in Propeller's compose files. */
static void read_env(struct reader *r)
{
	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		const char *v = rows[i].key ? env_of(r, rows[i].env) : NULL;

		if (v && v[0]) {
			give(r, i, RANK_ENV, v, "environment %s", rows[i].env);
		}
	}
}

/* How many edits turn a into b; for "did you mean". Long names are never near. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], n = strlen(b);

	CHECK(n < BASE_COUNT(row), 99);
	for (size_t j = 0; j <= n; j++) {
		row[j] = j;
	}
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = BASE_MIN(change, BASE_MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

static bool same_name(const char *key, const char *given, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (key[i] != (given[i] == '-' ? '_' : given[i]) || key[i] == 0) {
			return false;
		}
	}
	return key[bytes] == 0;
}

static int find_row(const char *name, size_t bytes)
{
	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		if (rows[i].key && same_name(rows[i].key, name, bytes)) {
			return (int)i;
		}
	}
	return -1;
}

/* Shorter names of flags, the same as the manager's. */
static const struct {
	const char *flag, *key;
} aliases[] = {{"mqtt", "mqtt_address"},
	       {"tenant", "tenant_id"},
	       {"channel", "channel_id"},
	       {"entity", "entity_id"}};

static int find_flag(const char *name, size_t bytes)
{
	for (size_t i = 0; i < BASE_COUNT(aliases); i++) {
		if (same_name(aliases[i].flag, name, bytes)) {
			return find_row(aliases[i].key, strlen(aliases[i].key));
		}
	}
	return find_row(name, bytes);
}

static const char *nearest(const char *name)
{
	size_t best = 4;
	const char *found = NULL;

	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		if (rows[i].key && distance(name, rows[i].key) < best) {
			best = distance(name, rows[i].key);
			found = rows[i].key;
		}
	}
	return found;
}

/* ---- the file ---------------------------------------------------------------------------------*/

static char *file_text(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	size_t n = 0, room = 0, got;

	if (f == NULL) {
		return NULL;
	}
	do {
		room = room ? 2 * room : 4096;
		text = realloc(text, room);
		got = text ? fread(text + n, 1, room - n, f) : 0;
		n += got;
	} while (got && n == room && n < (1u << 20));
	if (ferror(f)) { /* a folder can be opened, and not read */
		int err = errno;

		free(text);
		text = NULL;
		errno = err;
	}
	fclose(f);
	*bytes = n;
	return text;
}

static int take_key(struct reader *r, struct toml *t)
{
	int i = find_row(t->key, strlen(t->key));

	if (i < 0) {
		const char *near = nearest(t->key);

		return fail("%s line %d: unknown key '%s' in [%s]%s%s%s", r->file, t->key_line,
			    t->key, t->section, near ? "; did you mean '" : "", near ? near : "",
			    near ? "'?" : "");
	}
	if (t->is_array != (rows[i].type == LIST) && (t->is_array || t->value_count != 1)) {
		return fail("%s line %d: %s takes one value, not an array", r->file, t->key_line,
			    t->key);
	}
	for (size_t at = 0; t->is_array && at + 1 < t->value_bytes; at++) {
		t->value[at] = t->value[at] ? t->value[at] : ',';
	}
	give(r, (size_t)i, RANK_FILE, t->value_bytes ? t->value : "", "%s line %d, %s", r->file,
	     t->key_line, t->key);
	return 0;
}

static int read_sections(struct reader *r, struct toml *t)
{
	int more;
	bool seen = false;

	while ((more = toml_next(t)) > 0) {
		if (strcmp(t->section, r->section) == 0) {
			seen = true;
			TRY(take_key(r, t));
		} else if (t->section[0] == 0) {
			fprintf(stderr,
				"proplet: %s line %d: '%s' stands before any section and is "
				"ignored; put it below [%s]\n",
				r->file, t->key_line, t->key, r->section);
		}
	}
	if (more < 0) {
		return fail("%s line %d: %s", r->file, t->line, t->error);
	}
	if (!seen && (r->file_named || r->section_named)) {
		return fail("%s: there is no section [%s] with keys in it", r->file, r->section);
	}
	return 0;
}

static int read_file(struct reader *r)
{
	struct toml t = {.line = 1};
	size_t bytes = 0;
	char *text = file_text(r->file, &bytes);
	int result;

	if (text == NULL) {
		return r->file_named || r->section_flag || errno != ENOENT
			       ? fail("%s: cannot be read: %s", r->file, strerror(errno))
			       : 0;
	}
	t.at = text;
	t.end = text + bytes;
	result = read_sections(r, &t);
	toml_end(&t);
	free(text);
	return result;
}

/* ---- flags ------------------------------------------------------------------------------------*/

/* Words from column HELP_COLUMN to HELP_END, on as many lines as they need. */
static void print_words(const char *words)
{
	enum {
		HELP_COLUMN = 39,
		HELP_END = 99
	};
	size_t at = HELP_COLUMN;

	while (*words != 0) {
		size_t len = strcspn(words, " ");

		if (at > HELP_COLUMN && at + 1 + len > HELP_END) {
			printf("\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		}
		at += (size_t)printf("%s%.*s", at > HELP_COLUMN ? " " : "", (int)len, words);
		words += len + (words[len] == ' ');
	}
	putchar('\n');
}

static void print_help(void)
{
	printf("proplet: runs WebAssembly tasks that a manager sends over MQTT.\n\n"
	       "Usage: proplet [--config FILE] [--FLAG VALUE]...\n\n"
	       "  proplet                                       a broker on this machine, all "
	       "defaults\n"
	       "  proplet --mqtt-address tcp://broker:1883 --tags edge,lab --labels room=7\n"
	       "  proplet --pool 40k --rx-buffer 1k --slots 4   behaves as a small device\n\n"
	       "A setting comes from the flag, else the environment, else config.toml (section\n"
	       "[proplet], key as the flag with '_' for '-'), else the default, which stands in\n"
	       "brackets. BYTES take k, m or g behind them, TIME takes ms, s or m. What ends with\n"
	       "',...' is a list: commas, or the flag again. A switch is turned off by =false.\n"
	       "SIGTERM ends it cleanly; after SIGKILL it goes on from its journal.\n"
	       "Exit status: 0 ended as asked, 64 wrong use or setting, 69 the state folder or\n"
	       "the port of --metrics-port cannot be used, 70 internal error.\n");
	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		const struct row *row = &rows[i];
		char flag[80];
		int n = 0;

		if (row->section) {
			printf("\n%s\n", row->section);
			continue;
		}
		n = snprintf(flag, sizeof(flag), "--%s %s", row->key, row->arg);
		for (int j = 0; j < n && flag[j] != ' '; j++) {
			flag[j] = flag[j] == '_' ? '-' : flag[j];
		}
		printf("  %-36s ", flag);
		print_words(row->help);
		printf("%39s[%s%s%s]\n", "", row->def, row->def[0] ? "; " : "", row->env);
	}
	printf("\nMore\n"
	       "  --config FILE                        the file [config.toml if there; "
	       "PROPLET_CONFIG_FILE]\n"
	       "  --section NAME                       its section [proplet; "
	       "PROPLET_CONFIG_SECTION]\n"
	       "  --print-config                       print what all sources amount to, and end\n"
	       "  --mqtt, --tenant, --channel, --entity short for --mqtt-address, --tenant-id, "
	       "...\n"
	       "  --help, --version\n\n"
	       "The state folder is $STATE_DIRECTORY, else /var/lib/proplet for root, else\n"
	       "$XDG_STATE_HOME/proplet or ~/.local/state/proplet. Two workers on one machine "
	       "need\n"
	       "two of them.\n");
}

static int unknown_flag(const char *flag)
{
	char key[64];
	const char *near;
	size_t n = BASE_MIN(strcspn(flag + 2, "="), sizeof(key) - 1);

	for (size_t i = 0; i < n; i++) {
		key[i] = flag[2 + i] == '-' ? '_' : flag[2 + i];
	}
	key[n] = 0;
	near = nearest(key);
	if (near == NULL) {
		return fail("unknown flag '%s'; proplet --help lists them", flag);
	}
	snprintf(key, sizeof(key), "%s", near);
	for (char *p = key; *p; p++) {
		*p = *p == '_' ? '-' : *p;
	}
	return fail("unknown flag '%s'; did you mean '--%s'? proplet --help lists them", flag, key);
}

/* A flag that is no row: --config, --section. */
static int take_special(struct reader *r, const char *name, size_t bytes, const char *value)
{
	if (bytes == 6 && strncmp(name, "config", 6) == 0) {
		r->file = value;
		r->file_named = true;
		return 0;
	}
	if (bytes == 7 && strncmp(name, "section", 7) == 0) {
		r->section = value;
		r->section_named = r->section_flag = true;
		return 0;
	}
	return -1;
}

static bool is_special(const char *name, size_t bytes)
{
	return (bytes == 6 && strncmp(name, "config", 6) == 0) ||
	       (bytes == 7 && strncmp(name, "section", 7) == 0);
}

/* One flag at argv[*i]; moves *i on to its value if that is the next argument. */
static int take_flag(struct reader *r, int argc, char **argv, int *i)
{
	const char *flag = argv[*i], *name = flag + 2, *value = strchr(flag, '=');
	size_t bytes = value ? (size_t)(value - name) : strlen(name);
	int row = find_flag(name, bytes);

	if (row < 0 && !is_special(name, bytes)) {
		return unknown_flag(flag);
	}
	if (value) {
		value++;
	} else if (row >= 0 && rows[row].type == BOOL &&
		   (*i + 1 == argc || argv[*i + 1][0] == '-')) {
		value = "true";
	} else if (*i + 1 == argc) {
		return fail("%s needs a value", flag);
	} else {
		value = argv[++*i];
	}
	if (row < 0) {
		return take_special(r, name, bytes, value);
	}
	give(r, (size_t)row, RANK_FLAG, value, "--%.*s", (int)bytes, name);
	return 0;
}

static int read_flags(struct reader *r, int argc, char **argv, enum config_result *result)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			*result = CONFIG_EXIT_OK;
			return 0;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("proplet %s\n", PROPLET_VERSION);
			*result = CONFIG_EXIT_OK;
			return 0;
		}
		if (strcmp(argv[i], "--print-config") == 0) {
			r->print = true;
			continue;
		}
		if (strncmp(argv[i], "--", 2) != 0 || argv[i][2] == 0) {
			return fail("unexpected argument '%s'; proplet takes flags only", argv[i]);
		}
		TRY(take_flag(r, argc, argv, &i));
	}
	return 0;
}

/* ---- what values must agree on ----------------------------------------------------------------*/

static int check_topic_part(const char *key, const char *v)
{
	size_t n = strlen(v);

	if (n == 0 || n > 63 || strpbrk(v, "/+# \t\n")) {
		return fail("%s '%s' cannot be part of a topic: 1 to 63 characters, none of / + # "
			    "or blank",
			    key, v);
	}
	return 0;
}

static int check_pairs(const char *key, char **list)
{
	for (; *list; list++) {
		if (strchr(*list, '=') == NULL || (*list)[0] == '=') {
			return fail("%s: '%s' is not KEY=VALUE", key, *list);
		}
	}
	return 0;
}

static int check(const struct config *c)
{
	TRY(check_topic_part("tenant_id", c->tenant_id));
	TRY(check_topic_part("channel_id", c->channel_id));
	TRY(c->entity_id[0] ? check_topic_part("entity_id", c->entity_id) : 0);
	TRY(check_pairs("labels", c->labels));
	TRY(check_pairs("sensors", c->sensors));
	if (strcmp(c->power, "mains") != 0 && strcmp(c->power, "battery") != 0) {
		return fail("power: '%s' is neither mains nor battery", c->power);
	}
	if ((c->mqtt_tls_client_cert[0] == 0) != (c->mqtt_tls_client_key[0] == 0)) {
		return fail("mqtt_tls_client_cert and mqtt_tls_client_key: give both or none");
	}
	return 0;
}

/* ---- public -----------------------------------------------------------------------------------*/

static int convert(struct config *config, const struct reader *r)
{
	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		if (rows[i].key) {
			TRY(set_value(config, &rows[i], &r->raw[i]));
		}
	}
	return check(config);
}

static void place_file(struct reader *r)
{
	const char *file = env_of(r, "PROPLET_CONFIG_FILE");
	const char *section = env_of(r, "PROPLET_CONFIG_SECTION");

	if (r->file == NULL && file && file[0]) {
		r->file = file;
		r->file_named = true;
	}
	if (r->section == NULL && section && section[0]) {
		r->section = section;
		r->section_named = true;
	}
	r->file = r->file ? r->file : "config.toml";
	r->section = r->section ? r->section : "proplet";
}

enum config_result config_read(struct config *config, int argc, char **argv, char **env)
{
	struct reader r = {.env = env};
	enum config_result result = CONFIG_RUN;

	memset(config, 0, sizeof(*config));
	error_text[0] = 0;
	read_defaults(&r);
	int err = read_flags(&r, argc, argv, &result);
	if (err == 0 && result == CONFIG_RUN) {
		place_file(&r);
		err = read_file(&r);
		read_env(&r);
		err = err ? err : convert(config, &r);
	}
	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		free(r.raw[i].text);
	}
	if (err) {
		fprintf(stderr, "proplet: %s\n", error_text);
		return CONFIG_EXIT_USAGE;
	}
	if (result == CONFIG_RUN && r.print) {
		config_print(stdout, config);
		result = CONFIG_EXIT_OK;
	}
	return result;
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		void *at = (char *)config + rows[i].offset;

		if (rows[i].key && (rows[i].type == TEXT || rows[i].type == SECRET)) {
			free(*(char **)at);
		} else if (rows[i].key && rows[i].type == LIST && *(char ***)at) {
			for (char **e = *(char ***)at; *e; e++) {
				free(*e);
			}
			free(*(char ***)at);
		}
	}
	memset(config, 0, sizeof(*config));
}

static void print_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\') {
			fputc('\\', out);
		}
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_list(FILE *out, char **list)
{
	fputc('[', out);
	for (char **e = list; *e; e++) {
		fputs(e == list ? "" : ", ", out);
		print_quoted(out, *e);
	}
	fputc(']', out);
}

static void print_row(FILE *out, const struct config *config, const struct row *row)
{
	static const char *const levels[] = {"\"debug\"", "\"info\"", "\"warn\"", "\"error\"",
					     "\"off\""};
	const void *at = (const char *)config + row->offset;

	fprintf(out, "%s = ", row->key);
	switch (row->type) {
	case SECRET:
		fputs((*(char *const *)at)[0] ? "\"***\"" : "\"\"", out);
		break;
	case TEXT:
		print_quoted(out, *(char *const *)at);
		break;
	case LIST:
		print_list(out, *(char **const *)at);
		break;
	case BOOL:
		fputs(*(const bool *)at ? "true" : "false", out);
		break;
	case LEVEL:
		fputs(levels[*(const enum log_level *)at], out);
		break;
	case MS:
	case SECONDS:
		fprintf(out, "\"%lldms\"", (long long)*(const int64_t *)at);
		break;
	default:
		fprintf(out, "%lld", (long long)*(const int64_t *)at);
	}
	fputc('\n', out);
}

void config_print(FILE *out, const struct config *config)
{
	fputs("[proplet]\n", out);
	for (size_t i = 0; i < BASE_COUNT(rows); i++) {
		if (rows[i].key) {
			print_row(out, config, &rows[i]);
		}
	}
}
