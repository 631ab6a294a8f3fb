/* SPDX-License-Identifier: Apache-2.0 */
/* The program rotorc: its commands and options. */
#include "rotorc/rotorc.h"

#include "rotorc/target.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EXIT_USAGE = 64,
	EXIT_DATA = 65,
	EXIT_NO_INPUT = 66,
	EXIT_SOFTWARE = 70,
	EXIT_CANT_CREATE = 73
};

static const char usage[] =
	"Compiles WebAssembly modules ahead of time for devices.\n"
	"\n"
	"Usage: rotorc [OPTION...] FILE.wasm -o FILE.raot\n"
	"       rotorc targets               the processors it compiles for\n"
	"       rotorc inspect [--text] FILE.raot   what an image holds; --text disassembles\n"
	"       rotorc keygen FILE           makes a key to sign with, which must not be there "
	"yet,\n"
	"                                    and FILE.pub to give to devices\n"
	"\n"
	"  -o, --output FILE      the image to write\n"
	"  -t, --target TARGET    default: this machine\n"
	"      --cpu CPU          another processor of the target, in LLVM's words\n"
	"      --features LIST    its features, as +a,-b\n"
	"  -O LEVEL               optimisation 0 to 3, or s for small code; default 2\n"
	"      --sign KEY         sign with this key file\n"
	"      --emit-llvm        write LLVM's form as text beside the image (FILE.ll)\n"
	"      --no-fuel          leave out metering and interrupts (to measure their cost)\n"
	"  -h, --help\n"
	"      --version\n"
	"\n"
	"Exit status: 0, 64 usage, 65 the module or key is not valid, 66 no such file, 70 the "
	"compiler could not,\n"
	"73 the output cannot be written.\n";

static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = NULL;
	size_t cap = 0, n;

	if (f == NULL) {
		fprintf(stderr, "rotorc: cannot open '%s': %s\n", path, strerror(errno));
		exit(EXIT_NO_INPUT);
	}
	*size = 0;
	do {
		cap = cap * 2 + 65536;
		bytes = realloc(bytes, cap);
		n = fread(bytes + *size, 1, cap - *size, f);
		*size += n;
	} while (n != 0 && *size == cap);
	if (ferror(f)) { /* a folder can be opened, and not read */
		fprintf(stderr, "rotorc: cannot read '%s': %s\n", path, strerror(errno));
		exit(EXIT_NO_INPUT);
	}
	fclose(f);
	return bytes;
}

/* Through a file beside it, so that no half image ever has the name. */
static void write_file(const char *path, const void *bytes, size_t size, mode_t mode)
{
	char temporary[4096];
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.part.%d", path, (int)getpid());
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd) != 0 ||
	    rename(temporary, path) != 0) {
		fprintf(stderr, "rotorc: cannot write '%s': %s\n", path, strerror(errno));
		unlink(temporary);
		exit(EXIT_CANT_CREATE);
	}
}

static int list_targets(void)
{
	const struct rotorc_target *t;

	printf("%-16s %-26s %-14s %s\n", "TARGET", "TRIPLE", "CPU", "FLOATS");
	for (unsigned i = 0; (t = rotorc_target_at(i)) != NULL; i++) {
		printf("%-16s %-26s %-14s %s\n", t->name, t->triple, t->cpu,
		       t->f64_unit   ? "f32 f64"
		       : t->f32_unit ? "f32, f64 by the engine"
				     : "by the engine");
	}
	return 0;
}

static int inspect(int argc, char **argv)
{
	bool text = argc > 1 && strcmp(argv[1], "--text") == 0;
	const char *path = argv[argc - 1];
	uint8_t *image;
	size_t size;

	if (argc != (text ? 3 : 2)) {
		fputs("rotorc: inspect takes one image; try rotorc --help\n", stderr);
		return EXIT_USAGE;
	}
	image = read_file(path, &size);
	if (rotorc_inspect(image, size, text) != 0) {
		fprintf(stderr, "rotorc: '%s' is no native image, or not a whole one\n", path);
		return EXIT_DATA;
	}
	free(image);
	return 0;
}

static int keygen(int argc, char **argv)
{
	uint8_t public_key[32], secret[64];
	char hex[129], path[4096];

	if (argc != 2) {
		fputs("rotorc: keygen takes one file; try rotorc --help\n", stderr);
		return EXIT_USAGE;
	}
	if (access(argv[1], F_OK) == 0) {
		fprintf(stderr,
			"rotorc: '%s' is there already; what it signed is worth nothing without "
			"it: "
			"remove it first, or name another file\n",
			argv[1]);
		return EXIT_CANT_CREATE;
	}
	crypto_sign_keypair(public_key, secret);
	sodium_bin2hex(hex, sizeof(hex), secret, 32); /* the seed makes the rest */
	strcat(hex, "\n");
	write_file(argv[1], hex, strlen(hex), 0600);
	sodium_bin2hex(hex, sizeof(hex), public_key, 32);
	strcat(hex, "\n");
	snprintf(path, sizeof(path), "%s.pub", argv[1]);
	write_file(path, hex, strlen(hex), 0644);
	printf("%s", hex);
	return 0;
}

static void read_key(const char *path, uint8_t secret[64])
{
	uint8_t seed[32], public_key[32];
	size_t size, n = 0;
	char *text = (char *)read_file(path, &size);

	if (sodium_hex2bin(seed, sizeof(seed), text, size, "\n\r ", &n, NULL) != 0 ||
	    n != sizeof(seed)) {
		fprintf(stderr,
			"rotorc: '%s' is no key: it must be 64 hexadecimal digits; rotorc keygen "
			"makes one\n",
			path);
		exit(EXIT_DATA);
	}
	crypto_sign_seed_keypair(public_key, secret, seed);
	free(text);
}

enum {
	OPT_CPU = 256,
	OPT_FEATURES,
	OPT_SIGN,
	OPT_EMIT_LLVM,
	OPT_NO_FUEL,
	OPT_VERSION
};

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"target", required_argument, NULL, 't'},
	{"cpu", required_argument, NULL, OPT_CPU},
	{"features", required_argument, NULL, OPT_FEATURES},
	{"sign", required_argument, NULL, OPT_SIGN},
	{"emit-llvm", no_argument, NULL, OPT_EMIT_LLVM},
	{"no-fuel", no_argument, NULL, OPT_NO_FUEL},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

struct job {
	struct rotorc_options o;
	const char *target, *in, *out, *key;
	bool emit_llvm;
};

static void set_level(struct job *j, const char *arg)
{
	if (strcmp(arg, "s") == 0) {
		j->o.small = true;
	} else if (arg[0] >= '0' && arg[0] <= '3' && arg[1] == 0) {
		j->o.level = arg[0] - '0';
	} else {
		fprintf(stderr, "rotorc: -O takes 0, 1, 2, 3 or s, not '%s'\n", arg);
		exit(EXIT_USAGE);
	}
}

static void read_options(struct job *j, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "o:t:O:h", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			j->out = optarg;
			break;
		case 't':
			j->target = optarg;
			break;
		case 'O':
			set_level(j, optarg);
			break;
		case OPT_CPU:
			j->o.cpu = optarg;
			break;
		case OPT_FEATURES:
			j->o.features = optarg;
			break;
		case OPT_SIGN:
			j->key = optarg;
			break;
		case OPT_EMIT_LLVM:
			j->emit_llvm = true;
			break;
		case OPT_NO_FUEL:
			j->o.no_fuel = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case OPT_VERSION:
			puts("rotorc " PROPLET_VERSION);
			exit(0);
		default:
			fputs("Try rotorc --help.\n", stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind + 1 != argc || j->out == NULL) {
		fprintf(stderr, "rotorc: %s; try rotorc --help\n",
			j->out == NULL ? "name the image to write with -o FILE"
				       : "give one module");
		exit(EXIT_USAGE);
	}
	j->in = argv[optind];
}

static void find_target(struct job *j)
{
	if (j->target == NULL) {
		j->target = rotorc_target_host() != NULL ? rotorc_target_host() : "none";
	}
	j->o.target = rotorc_target_find(j->target);
	if (j->o.target == NULL) {
		fprintf(stderr, "rotorc: unknown target '%s'; rotorc targets lists them\n",
			j->target);
		exit(EXIT_USAGE);
	}
}

static int compile(struct job *j);

/* From LLVM's last words: which function it gave up in. */
static void say_where(const struct job *j, FILE *words)
{
	char line[1024], reason[200] = "LLVM's code generator gave up", func[64] = "";

	rewind(words);
	while (fgets(line, sizeof(line), words) != NULL) {
		if (strncmp(line, "LLVM ERROR: ", 12) == 0) {
			snprintf(reason, sizeof(reason), "%.*s", (int)strcspn(line + 12, "\n"),
				 line + 12);
		} else if (strncmp(line, "In function: f", 14) == 0) {
			snprintf(func, sizeof(func), " in function %.*s",
				 (int)strspn(line + 14, "0123456789"), line + 14);
		}
	}
	fprintf(stderr, "rotorc: %s: target %s: LLVM cannot compile the module%s: %s\n", j->in,
		j->target, func, reason);
}

/*
 * Compiles in a process of its own, since LLVM ends its process when a code generator fails: as asked, then without
 * optimisation; -1 is "not in this way".
 */
static int compile_apart(struct job *j, int level, FILE *words)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		dup2(fileno(words), 2);
		j->o.level = level;
		_exit(compile(j));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		fputs("rotorc: no second process could be started\n", stderr);
		return EXIT_SOFTWARE;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * LLVM tells of a processor or feature that it does not know on stderr, and goes on without it. So it is asked in a
 * process of its own whether it knows them; what it says there is the reason. Ends the program if it does not.
 */
static void check_processor(const struct job *j)
{
	FILE *words = tmpfile();
	char line[256] = "", why[256] = "";
	int status, quote;
	pid_t pid;

	/* To these words it answers with lists. */
	if (j->o.cpu != NULL && strcmp(j->o.cpu, "help") == 0) {
		fprintf(stderr, "rotorc: target %s has no processor 'help'\n", j->target);
		exit(EXIT_USAGE);
	}
	if (j->o.features != NULL && strstr(j->o.features, "+help") != NULL) {
		fprintf(stderr, "rotorc: target %s has no feature '+help'\n", j->target);
		exit(EXIT_USAGE);
	}
	if (words == NULL || (pid = fork()) < 0) {
		perror("rotorc");
		exit(EXIT_CANT_CREATE);
	}
	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		dup2(fileno(words), 2);
		if (rotorc_try(&j->o, why, sizeof(why)) != ROTORC_OK) {
			fprintf(stderr, "%s\n", why);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	rewind(words);
	if (fgets(line, sizeof(line), words) != NULL || !WIFEXITED(status)) {
		line[strcspn(line, "\n")] = 0;
		quote = line[0] == '\'' ? (int)strcspn(line + 1, "'") + 2 : 0;
		if (quote > 0 && strstr(line, "is not a recognized") != NULL) {
			fprintf(stderr, "rotorc: target %s has no %s %.*s\n", j->target,
				strstr(line, "processor") != NULL ? "processor" : "feature", quote,
				line);
		} else {
			fprintf(stderr, "rotorc: --cpu, --features: LLVM does not take them: %s\n",
				line);
		}
		exit(EXIT_USAGE);
	}
	fclose(words);
}

static int compile_carefully(struct job *j)
{
	FILE *words = tmpfile();
	char line[1024];
	int status;

	if (words == NULL) {
		perror("rotorc");
		return EXIT_CANT_CREATE;
	}
	status = compile_apart(j, j->o.level, words);
	if (status == -1 && j->o.level != 0) {
		status = compile_apart(j, 0, words);
	}
	if (status == -1) {
		say_where(j, words);
		fclose(words);
		return EXIT_SOFTWARE;
	}
	rewind(words);
	while (status != 0 && fgets(line, sizeof(line), words) != NULL) {
		fputs(line, stderr);
	}
	fclose(words);
	return status;
}

static int compile(struct job *j)
{
	static const int status[] = {0, EXIT_DATA, EXIT_DATA, EXIT_SOFTWARE, EXIT_DATA};
	struct rotorc_image image;
	uint8_t secret[64];
	char why[1024] = "", path[4096], *llvm = NULL;
	size_t size;
	uint8_t *wasm = read_file(j->in, &size);
	enum rotorc_err err;

	if (j->key != NULL) {
		read_key(j->key, secret);
		j->o.key = secret;
	}
	if (j->emit_llvm) {
		j->o.llvm = &llvm;
	}
	err = rotorc_compile(wasm, size, &j->o, &image, why, sizeof(why));
	if (err != ROTORC_OK) {
		fprintf(stderr, "rotorc: %s: %s\n", j->in, why);
		return status[err];
	}
	if (llvm != NULL) {
		snprintf(path, sizeof(path), "%s.ll", j->out);
		write_file(path, llvm, strlen(llvm), 0644);
		free(llvm);
	}
	write_file(j->out, image.bytes, image.size, 0644);
	free(image.bytes);
	free(wasm);
	return 0;
}

int main(int argc, char **argv)
{
	struct job j = {.o = {.level = 2}};

	if (sodium_init() < 0) {
		fputs("rotorc: libsodium does not start\n", stderr);
		return EXIT_SOFTWARE;
	}
	if (argc > 1 && strcmp(argv[1], "targets") == 0) {
		if (argc > 2) {
			fputs("rotorc: targets takes nothing more; try rotorc --help\n", stderr);
			return EXIT_USAGE;
		}
		return list_targets();
	}
	if (argc > 1 && strcmp(argv[1], "inspect") == 0) {
		return inspect(argc - 1, argv + 1);
	}
	if (argc > 1 && strcmp(argv[1], "keygen") == 0) {
		return keygen(argc - 1, argv + 1);
	}
	read_options(&j, argc, argv);
	find_target(&j);
	if (j.o.cpu != NULL || j.o.features != NULL) {
		check_processor(&j);
	}
	return j.o.target->by_assembly ? compile_carefully(&j) : compile(&j);
}
