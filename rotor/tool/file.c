/* SPDX-License-Identifier: Apache-2.0 */
/* Files and blocks of memory. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rotor/tool/image.h"

bool file_map(const char *path, struct mapped *out)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at = NULL;

	if (fd < 0 || fstat(fd, &st) != 0) {
		complain("cannot open %s: %s", *path != 0 ? path : "''", strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return false;
	}
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	close(fd);
	if (at == MAP_FAILED || !S_ISREG(st.st_mode)) {
		complain("cannot read %s: %s", path,
			 at == MAP_FAILED      ? strerror(errno)
			 : S_ISDIR(st.st_mode) ? "it is a folder"
					       : "it is not a file");
		return false;
	}
	*out = (struct mapped){at != NULL ? at : "", (size_t)st.st_size};
	return true;
}

void file_unmap(struct mapped *file)
{
	if (file->count != 0) {
		munmap((void *)file->bytes, file->count);
	}
	*file = (struct mapped){NULL, 0};
}

void *block_reserve(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at != MAP_FAILED ? at : NULL;
}

void block_free(void *block, size_t bytes)
{
	if (block != NULL) {
		munmap(block, bytes);
	}
}

const struct rotor_module *module_open(const char *path, struct mapped *file)
{
	const struct image_trust trust = {.allow_unsigned = true};
	const struct rotor_module *module;
	struct rotor_diag diag;
	size_t bytes;
	void *block;

	if (!file_map(path, file)) {
		return NULL;
	}
	bytes = ((size_t)64 << 20) + 64 * file->count;
	block = block_reserve(bytes);
	if (block == NULL) {
		complain("%s: no memory for the module", path);
		return NULL;
	}
	if (module_load(block, bytes, file, &trust, &module, &diag) != ROTOR_OK) {
		complain("%s: %s (byte 0x%x)", path, diag.text, (unsigned)diag.offset);
		block_free(block, bytes);
		return NULL;
	}
	return module;
}
