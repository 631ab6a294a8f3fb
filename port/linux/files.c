/* SPDX-License-Identifier: Apache-2.0 */
/* Files, whole or not at all. See files.h. */
#include "port/linux/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int files_make_dirs(const char *path)
{
	char part[FILES_PATH_MAX];
	size_t n = strlen(path);

	CHECK(n > 0 && n < sizeof(part), ENAMETOOLONG);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] == '/' || path[i] == 0) {
			memcpy(part, path, i);
			part[i] = 0;
			if (mkdir(part, 0700) != 0 && errno != EEXIST) {
				return errno;
			}
		}
	}
	return 0;
}

bool files_path(char *out, size_t room, const char *dir, const char *name)
{
	int n = snprintf(out, room, "%s/%s", dir, name);

	return n >= 0 && (size_t)n < room;
}

int files_write_at(int fd, const void *data, size_t bytes, int64_t offset)
{
	const char *p = data;

	while (bytes) {
		ssize_t n = pwrite(fd, p, bytes, offset);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		CHECK(n >= 0, errno);
		p += n;
		offset += n;
		bytes -= (size_t)n;
	}
	return 0;
}

int files_sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = 0;

	CHECK(fd >= 0, errno);
	if (fsync(fd) != 0) {
		err = errno;
	}
	close(fd);
	return err;
}

static int write_new(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err;

	CHECK(fd >= 0, errno);
	err = files_write_at(fd, data, bytes, 0);
	if (err == 0 && fsync(fd) != 0) {
		err = errno;
	}
	close(fd);
	return err;
}

int files_put(const char *dir, const char *name, const void *data, size_t bytes)
{
	char path[FILES_PATH_MAX], temporary[FILES_PATH_MAX + 8];
	int err;

	CHECK(files_path(path, sizeof(path), dir, name), ENAMETOOLONG);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	err = write_new(temporary, data, bytes);
	if (err == 0 && rename(temporary, path) != 0) {
		err = errno;
	}
	if (err) {
		unlink(temporary);
		return err;
	}
	return files_sync_dir(dir);
}

static char *read_all(int fd, size_t bytes)
{
	char *text = malloc(bytes + 1);
	size_t n = 0;

	while (text && n < bytes) {
		ssize_t got = pread(fd, text + n, bytes - n, (off_t)n);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) { /* shorter than it said: somebody else changes it */
			errno = got < 0 ? errno : EIO;
			free(text);
			return NULL;
		}
		n += (size_t)got;
	}
	if (text) {
		text[bytes] = 0;
	}
	return text;
}

char *files_get(const char *path, size_t bytes_max, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	struct stat st;
	char *text = NULL;

	CHECK(fd >= 0, NULL);
	if (fstat(fd, &st) == 0) {
		if (st.st_size < 0 || (uint64_t)st.st_size > bytes_max) {
			errno = EFBIG;
		} else {
			text = read_all(fd, (size_t)st.st_size);
			*bytes = (size_t)st.st_size;
		}
	}
	err = errno;
	close(fd);
	errno = err;
	return text;
}
