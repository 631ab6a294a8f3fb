/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of this machine. See sysinfo.h. */
#include "port/linux/sysinfo.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int64_t ms_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t sysinfo_now_ms(void)
{
	return (uint64_t)ms_of(CLOCK_BOOTTIME); /* a lease goes on while the machine sleeps */
}

int64_t sysinfo_wall_ms(void)
{
	return ms_of(CLOCK_REALTIME);
}

uint64_t sysinfo_random(void)
{
	uint64_t v;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v)) {
		v = (uint64_t)ms_of(CLOCK_REALTIME) * 2654435761u ^ (uint64_t)getpid();
	}
	return v;
}

void sysinfo_uuid(char out[37]) /* RFC 9562 5.4 */
{
	uint64_t a = (sysinfo_random() & ~0xf000ull) | 0x4000ull;
	uint64_t b = (sysinfo_random() & ~(3ull << 62)) | 2ull << 62;

	snprintf(out, 37, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32),
		 (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xffff), (unsigned)(b >> 48),
		 (unsigned long long)(b & 0xffffffffffffull));
}

/* The address that packets to the world would leave from; none is sent. */
static void outward_address(char *out, size_t room)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)}, own;
	socklen_t n = sizeof(own);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	out[0] = 0;
	if (fd < 0) {
		return;
	}
	inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&own, &n) == 0) {
		inet_ntop(AF_INET, &own.sin_addr, out, (socklen_t)room);
	}
	close(fd);
}

void sysinfo_read(struct sysinfo_facts *out)
{
	struct utsname u;
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	memset(out, 0, sizeof(*out));
	if (uname(&u) == 0) {
		snprintf(out->hostname, sizeof(out->hostname), "%.127s", u.nodename);
		snprintf(out->arch, sizeof(out->arch), "%.63s", u.machine);
	}
	snprintf(out->os, sizeof(out->os), "linux");
	outward_address(out->ip, sizeof(out->ip));
	out->environment = access("/.dockerenv", F_OK) == 0 ? "docker" : "binary";
	out->total_memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

static uint64_t rss_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long size, resident = 0;

	if (f == NULL) {
		return 0;
	}
	if (fscanf(f, "%llu %llu", &size, &resident) != 2) {
		resident = 0;
	}
	fclose(f);
	return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

void sysinfo_measure(struct sysinfo_meter *meter, struct agent_node *out)
{
	struct rusage use;
	struct mallinfo2 heap = mallinfo2();
	uint64_t now = sysinfo_now_ms();

	getrusage(RUSAGE_SELF, &use);
	out->cpu_user_seconds = seconds_of(use.ru_utime);
	out->cpu_system_seconds = seconds_of(use.ru_stime);
	double total = out->cpu_user_seconds + out->cpu_system_seconds;
	double elapsed = (double)(now - meter->wall_ms) / 1000;
	out->cpu_percent =
		meter->wall_ms && elapsed > 0 ? 100 * (total - meter->cpu_seconds) / elapsed : 0;
	meter->wall_ms = now;
	meter->cpu_seconds = total;
	out->rss_bytes = rss_bytes();
	out->heap_alloc_bytes = heap.uordblks;
	out->heap_sys_bytes = heap.arena + heap.hblkhd;
	out->heap_inuse_bytes = heap.uordblks;
	out->heap_free_bytes = heap.fordblks;
}
