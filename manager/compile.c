/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiling modules: rotorc in a process of its own, one after the other, seen to by a thread.
 *
 *     job --> thread --fork, limits--> rotorc job.wasm -> job.raot --> <digest>.raot --> answer
 *
 * In:    modules. Out: images in the folder, or the reason, and a wake-up through an eventfd.
 * Rules: 1. The process gets no descriptor and no variable of ours but PATH, and a limit for
 *           memory, processor time and file size; it is killed when its time is up.
 *        2. An image has its name only when it is whole and on the disk.
 */
#include "manager/manager.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of an image: docs/native-image.md */
enum {
	IMAGE_ABI = 8,
	IMAGE_BYTES = 16,
	IMAGE_WASM_DIGEST = 72,
	IMAGE_HEADER_BYTES = 136,
	IMAGE_SIGNATURE_BYTES = 64,
};

#define FILE_BYTES_MAX (256u << 20)
#define NICENESS       10

struct compiler {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct compile_job *todo, *done;
	const struct settings *settings;
	int wake_fd;
	bool stopping;
	pid_t child; /* 0: none */
};

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void job_free(struct compile_job *j)
{
	free(j->wasm);
	free(j);
}

/* ---- the program */

static bool in_folder(const char *folder, size_t length, char *out, size_t bytes)
{
	return snprintf(out, bytes, "%.*s/rotorc", (int)length, folder) < (int)bytes &&
	       access(out, X_OK) == 0;
}

/* The setting, else beside this program, else in PATH. */
static bool find_rotorc(const struct settings *s, char *out, size_t bytes)
{
	const char *path = getenv("PATH"), *end;
	char self[1024];
	ssize_t n;

	if (s->rotorc[0] != '\0') {
		snprintf(out, bytes, "%s", s->rotorc);
		return access(out, X_OK) == 0;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	end = strrchr(self, '/');
	if (end != NULL && in_folder(self, (size_t)(end - self), out, bytes)) {
		return true;
	}
	for (; path != NULL && *path != '\0'; path = *end == ':' ? end + 1 : end) {
		end = strchrnul(path, ':');
		if (end != path && in_folder(path, (size_t)(end - path), out, bytes)) {
			return true;
		}
	}
	return false;
}

static void limit(int what, rlim_t most)
{
	struct rlimit r = {most, most};

	(void)setrlimit((__rlimit_resource_t)what, &r);
}

struct command {
	char program[1024], wasm[700], out[700];
	const char *target, *key;
};

/* In the child: only calls that are safe between fork and exec. */
static void run_child(const struct settings *s, const struct command *c, int report, char **argv,
		      char **env)
{
	(void)setpgid(0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, FILE_BYTES_MAX);
	limit(RLIMIT_CPU, (rlim_t)(s->aot_time_ms / 1000 + 1));
	if (s->aot_memory_mb != 0) {
		limit(RLIMIT_AS, (rlim_t)s->aot_memory_mb << 20);
	}
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(report, 2) < 0 || dup2(open("/dev/null", O_RDWR), 0) < 0 || dup2(0, 1) < 0) {
		_exit(126);
	}
#ifdef SYS_close_range
	(void)syscall(SYS_close_range, 3u, ~0u, 0u);
#endif
	execve(c->program, argv, env);
	_exit(127);
}

static pid_t spawn(const struct settings *s, const struct command *c, int report)
{
	char *argv[] = {(char *)(uintptr_t)c->program,
			"--target",
			(char *)(uintptr_t)c->target,
			"-o",
			(char *)(uintptr_t)c->out,
			(char *)(uintptr_t)c->wasm,
			c->key[0] != '\0' ? "--sign" : NULL,
			(char *)(uintptr_t)c->key,
			NULL};
	char path[2048];
	char *env[] = {path, NULL};
	sigset_t none;
	pid_t pid;

	snprintf(path, sizeof(path), "PATH=%s", getenv("PATH") != NULL ? getenv("PATH") : "");
	pid = fork();
	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		run_child(s, c, report, argv, env);
	}
	return pid;
}

/* ---- waiting for it */

/* Reads what it says until it ends or its time is up. False: it was killed. */
static bool listen_to(int fd, char *said, size_t bytes, uint64_t deadline_ms)
{
	size_t n = 0;

	said[0] = '\0';
	for (;;) {
		uint64_t now = clock_ms();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char dump[512];
		ssize_t got;

		if (now >= deadline_ms) {
			return false;
		}
		if (poll(&p, 1, (int)BASE_MIN(deadline_ms - now, (uint64_t)INT32_MAX)) < 0 &&
		    errno != EINTR) {
			return false;
		}
		if (p.revents == 0) {
			continue;
		}
		got = n + 1 < bytes ? read(fd, said + n, bytes - 1 - n)
				    : read(fd, dump, sizeof(dump));
		if (got <= 0) {
			return true;
		}
		n += n + 1 < bytes ? (size_t)got : 0;
		said[n] = '\0';
	}
}

/* With what it may have started. */
static void end_child(pid_t pid)
{
	(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL);
}

/* Whether it has ended by then; it is not reaped. */
static bool ends_by(pid_t pid, uint64_t deadline_ms)
{
	static const struct timespec pause = {.tv_nsec = 2000000};
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid != 0) {
			return true;
		}
		if (clock_ms() >= deadline_ms) {
			return false;
		}
		nanosleep(&pause, NULL);
	}
}

/* One line, without quotes and what is no text, so that it fits a log line. */
static void clean(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' ')) {
		text[--n] = '\0';
	}
	for (char *p = text; *p != '\0'; p++) {
		*p = *p == '\n' ? ';' : *p == '"' ? '\'' : *p < ' ' || *p > '~' ? '?' : *p;
	}
}

static void set_child(struct compiler *c, pid_t pid)
{
	pthread_mutex_lock(&c->lock);
	c->child = pid;
	if (c->stopping && pid != 0) {
		end_child(pid);
	}
	pthread_mutex_unlock(&c->lock);
}

static void explain(struct compile_job *j, int status, bool in_time, char *said,
		    const struct settings *s)
{
	char *colon = strstr(said, ".wasm: ");

	clean(said);
	said += strncmp(said, "rotorc: ", 8) == 0 ? 8 : 0;
	if (!in_time) {
		snprintf(j->error, sizeof(j->error), "rotorc did not end within %lld ms",
			 (long long)s->aot_time_ms);
	} else if (WIFSIGNALED(status)) {
		snprintf(j->error, sizeof(j->error), "rotorc was ended by signal %d%s%.120s",
			 WTERMSIG(status), said[0] != '\0' ? ": " : "", said);
	} else if (WEXITSTATUS(status) != 0) {
		snprintf(j->error, sizeof(j->error), "rotorc: %.160s",
			 colon != NULL                ? colon + 7
			 : said[0] != '\0'            ? said
			 : WEXITSTATUS(status) == 127 ? "it cannot be started"
						      : "it failed");
	}
}

static void run_program(struct compiler *c, struct compile_job *j, const struct command *cmd)
{
	uint64_t deadline = clock_ms() + (uint64_t)c->settings->aot_time_ms;
	int ends[2], status = 0;
	char said[512];
	bool in_time;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		snprintf(j->error, sizeof(j->error), "no pipe: %s", strerror(errno));
		return;
	}
	pid = spawn(c->settings, cmd, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		snprintf(j->error, sizeof(j->error), "no process: %s", strerror(errno));
		close(ends[0]);
		return;
	}
	set_child(c, pid);
	in_time = listen_to(ends[0], said, sizeof(said), deadline) && ends_by(pid, deadline);
	if (!in_time) {
		end_child(pid);
	}
	set_child(c, 0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	close(ends[0]);
	explain(j, status, in_time, said, c->settings);
}

/* ---- files */

static bool write_file(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, bytes, size) == (ssize_t)size;

	if (fd >= 0) {
		close(fd);
	}
	return ok;
}

static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "re");
	uint8_t *bytes = NULL;
	long end;

	if (f != NULL && fseek(f, 0, SEEK_END) == 0 && (end = ftell(f)) > 0 &&
	    fseek(f, 0, SEEK_SET) == 0) {
		*size = (size_t)end;
		bytes = malloc(*size);
		if (bytes != NULL && fread(bytes, 1, *size, f) != *size) {
			free(bytes);
			bytes = NULL;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	return bytes;
}

static bool sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0) {
		close(fd);
	}
	return ok;
}

/* Gives the image its name, if it is one of this module. */
static void take_image(struct compile_job *j, const char *path)
{
	size_t size = 0;
	uint8_t *image = read_file(path, &size);
	char hex[65], name[700];

	if (image == NULL || size < IMAGE_HEADER_BYTES + IMAGE_SIGNATURE_BYTES ||
	    base_load_u32(image + IMAGE_BYTES) != size ||
	    memcmp(image + IMAGE_WASM_DIGEST, j->module, AOT_DIGEST_BYTES) != 0) {
		snprintf(j->error, sizeof(j->error), "rotorc made no image of this module");
		free(image);
		return;
	}
	crypto_hash_sha256(j->digest, image, size);
	j->bytes = (uint32_t)size;
	j->abi = base_load_u32(image + IMAGE_ABI);
	free(image);
	sodium_bin2hex(hex, sizeof(hex), j->digest, sizeof(j->digest));
	snprintf(name, sizeof(name), "%s/%s.raot", j->dir, hex);
	if (!sync_path(path, O_RDONLY) || rename(path, name) != 0 ||
	    !sync_path(j->dir, O_RDONLY | O_DIRECTORY)) {
		snprintf(j->error, sizeof(j->error), "cannot keep the image: %s", strerror(errno));
	}
}

static void compile(struct compiler *c, struct compile_job *j)
{
	struct command cmd = {.target = j->target, .key = j->key_path};
	uint64_t begin = clock_ms();

	snprintf(cmd.wasm, sizeof(cmd.wasm), "%s/job.wasm", j->dir);
	snprintf(cmd.out, sizeof(cmd.out), "%s/job.raot", j->dir);
	if (!find_rotorc(c->settings, cmd.program, sizeof(cmd.program))) {
		snprintf(j->error, sizeof(j->error),
			 "the program rotorc is not found%s%.100s; install it, or name it with "
			 "--rotorc",
			 c->settings->rotorc[0] != '\0' ? " at " : "", c->settings->rotorc);
	} else if (!write_file(cmd.wasm, j->wasm, j->wasm_bytes)) {
		snprintf(j->error, sizeof(j->error), "cannot write '%.100s': %s", cmd.wasm,
			 strerror(errno));
	} else {
		run_program(c, j, &cmd);
	}
	if (j->error[0] == '\0') {
		take_image(j, cmd.out);
	}
	unlink(cmd.wasm);
	unlink(cmd.out);
	j->compile_ms = (uint32_t)(clock_ms() - begin);
}

/* ---- the thread */

static struct compile_job *next_of(struct compiler *c)
{
	struct compile_job *j;

	pthread_mutex_lock(&c->lock);
	while (c->todo == NULL && !c->stopping) {
		pthread_cond_wait(&c->work, &c->lock);
	}
	j = c->stopping ? NULL : c->todo;
	if (j != NULL) {
		c->todo = j->next;
	}
	pthread_mutex_unlock(&c->lock);
	return j;
}

static void *run(void *user)
{
	struct compiler *c = user;
	struct compile_job *j;
	uint64_t one = 1;
	ssize_t n;

	while ((j = next_of(c)) != NULL) {
		compile(c, j);
		pthread_mutex_lock(&c->lock);
		j->next = c->done;
		c->done = j;
		pthread_mutex_unlock(&c->lock);
		n = write(c->wake_fd, &one, sizeof(one));
		(void)n;
	}
	return NULL;
}

struct compiler *compile_start(const struct settings *settings, int wake_fd)
{
	struct compiler *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		return NULL;
	}
	c->settings = settings;
	c->wake_fd = wake_fd;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	if (pthread_create(&c->thread, NULL, run, c) != 0) {
		free(c);
		return NULL;
	}
	return c;
}

void compile_add(void *compiler, const struct compile_job *job, const void *wasm, size_t bytes)
{
	struct compiler *c = compiler;
	struct compile_job *j = malloc(sizeof(*j)), **at;

	ASSERT(j != NULL);
	*j = *job;
	j->next = NULL;
	j->wasm = malloc(bytes + 1);
	ASSERT(j->wasm != NULL);
	memcpy(j->wasm, wasm, bytes);
	j->wasm_bytes = bytes;
	pthread_mutex_lock(&c->lock);
	for (at = &c->todo; *at != NULL; at = &(*at)->next) {
	}
	*at = j;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
}

struct compile_job *compile_take(struct compiler *c)
{
	struct compile_job *all;

	pthread_mutex_lock(&c->lock);
	all = c->done;
	c->done = NULL;
	pthread_mutex_unlock(&c->lock);
	return all;
}

void compile_free(struct compile_job *job)
{
	job_free(job);
}

static void free_list(struct compile_job *j)
{
	while (j != NULL) {
		struct compile_job *next = j->next;

		job_free(j);
		j = next;
	}
}

void compile_stop(struct compiler *c)
{
	if (c == NULL) {
		return;
	}
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	if (c->child != 0) {
		end_child(c->child);
	}
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	free_list(c->todo);
	free_list(c->done);
	free(c);
}
