/* SPDX-License-Identifier: Apache-2.0 */
/* Files as the worker uses them: written whole or not at all, durable when the call returns. */
#ifndef LINUX_FILES_H
#define LINUX_FILES_H

#include "base/base.h"

/* Makes a folder and those above it; 0 or an errno. */
int files_make_dirs(const char *path);
/* Replaces dir/name by data: temporary file, fsync, rename, fsync of the folder. 0 or an errno. */
int files_put(const char *dir, const char *name, const void *data, size_t bytes);
/* The whole file, malloc'ed, with a 0 behind it; NULL (errno) if it cannot be read or is longer
 * than bytes_max (EFBIG). */
char *files_get(const char *path, size_t bytes_max, size_t *bytes);
/* Writes all; 0 or an errno. */
int files_write_at(int fd, const void *data, size_t bytes, int64_t offset);
/* Makes names in dir durable; 0 or an errno. */
int files_sync_dir(const char *dir);
/* "dir/name" in out; false if it does not fit. */
bool files_path(char *out, size_t room, const char *dir, const char *name);

#define FILES_PATH_MAX 1024

#endif
