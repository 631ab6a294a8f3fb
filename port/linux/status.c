/* SPDX-License-Identifier: Apache-2.0 */
/* A look inside over HTTP. See status.h. */
#include "port/linux/status.h"
#include "port/linux/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- pages ------------------------------------------------------------------------------------*/

static void page_health(FILE *out, const struct worker *w)
{
	struct agent_stats s;

	agent_stats(w->agent, &s);
	fprintf(out, "{\"status\":\"%s\",\"proplet_id\":\"%s\",\"running\":%u}\n",
		s.online ? "online" : "offline", w->id, s.tasks_used);
}

static void metric(FILE *out, const char *name, const char *type, const char *help, double v)
{
	fprintf(out, "# HELP proplet_%s %s\n# TYPE proplet_%s %s\nproplet_%s %.17g\n", name, help,
		name, type, name, v);
}

static void page_metrics(FILE *out, const struct worker *w)
{
	struct agent_stats s;
	struct sysinfo_meter meter = {0};
	struct agent_node node = {0};

	agent_stats(w->agent, &s);
	sysinfo_measure(&meter, &node);
	metric(out, "online", "gauge", "1 when connected and subscribed.", s.online);
	metric(out, "tasks", "gauge", "Task slots in use.", s.tasks_used);
	metric(out, "tasks_max", "gauge", "Task slots.", s.tasks_max);
	metric(out, "modules", "gauge", "Modules loaded or arriving.", s.modules_used);
	metric(out, "pool_bytes", "gauge", "Memory for tasks and modules.", s.pool_bytes);
	metric(out, "pool_free_bytes", "gauge", "Of it free.", s.pool_free_bytes);
	metric(out, "pool_free_max_bytes", "gauge", "The largest free block.",
	       s.pool_free_max_bytes);
	metric(out, "tasks_started_total", "counter", "Tasks taken.", (double)s.started);
	metric(out, "tasks_done_total", "counter", "Tasks ended well.", (double)s.done);
	metric(out, "tasks_failed_total", "counter", "Tasks ended otherwise.", (double)s.failed);
	metric(out, "tasks_refused_total", "counter", "Tasks not taken.", (double)s.refused);
	metric(out, "messages_total", "counter", "Messages read.", (double)s.messages);
	metric(out, "messages_bad_total", "counter", "Of them not understood.",
	       (double)s.messages_bad);
	metric(out, "reconnections_total", "counter", "Connections after the first.",
	       (double)s.reconnections);
	metric(out, "store_bytes", "gauge", "Modules on disk.", (double)store_bytes(&w->store));
	metric(out, "cpu_seconds_total", "counter", "CPU time of the process.",
	       node.cpu_user_seconds + node.cpu_system_seconds);
	metric(out, "resident_bytes", "gauge", "Memory of the process.", (double)node.rss_bytes);
}

static void page_state(FILE *out, const struct worker *w)
{
	struct agent_task_view v;
	const char *comma = "";

	fputs("[", out);
	for (uint32_t i = 0; i < w->limits.tasks_max; i++) {
		if (!agent_task_view(w->agent, i, &v)) {
			continue;
		}
		fprintf(out,
			"%s{\"slot\":%u,\"state\":\"%s\",\"epoch\":%llu,\"priority\":%u,"
			"\"fuel\":%llu,\"pool_bytes\":%u,\"id\":\"",
			comma, i, agent_task_state_text(v.state), (unsigned long long)v.epoch,
			v.priority, (unsigned long long)v.fuel, v.pool_bytes);
		for (const char *p = v.id ? v.id : ""; *p; p++) { /* a peer chose it */
			fputc(*p < ' ' || *p == '"' || *p == '\\' || *p == 0x7f ? '?' : *p, out);
		}
		fputs("\"}", out);
		comma = ",\n";
	}
	fputs("]\n", out);
}

static void page_pools(FILE *out, const struct worker *w)
{
	struct agent_stats s;

	agent_stats(w->agent, &s);
	fprintf(out,
		"{\"pool_bytes\":%u,\"free_bytes\":%u,\"free_max_bytes\":%u,\"table_bytes\":%u,"
		"\"store_bytes\":%llu,\"store_bytes_max\":%llu,\"store_evicted\":%llu,"
		"\"store_damaged\":%llu,\"journal_live_bytes\":%llu}\n",
		s.pool_bytes, s.pool_free_bytes, s.pool_free_max_bytes, s.overhead_bytes,
		(unsigned long long)store_bytes(&w->store), (unsigned long long)w->store.bytes_max,
		(unsigned long long)w->store.evicted, (unsigned long long)w->store.damaged,
		(unsigned long long)w->journal.live_bytes);
}

static void page_limits(FILE *out, const struct worker *w)
{
	config_print(out, &w->config);
}

static const struct page {
	const char *path, *type;
	void (*print)(FILE *out, const struct worker *w);
} pages[] = {
	{"/health", "application/json", page_health},
	{"/metrics", "text/plain; version=0.0.4", page_metrics},
	{"/state", "application/json", page_state},
	{"/pools", "application/json", page_pools},
	{"/limits", "text/plain", page_limits},
};

/* ---- requests and replies ---------------------------------------------------------------------*/

static const struct page *find_page(const char *request)
{
	for (size_t i = 0; i < BASE_COUNT(pages); i++) {
		size_t n = strlen(pages[i].path);

		if (strncmp(request, "GET ", 4) == 0 &&
		    strncmp(request + 4, pages[i].path, n) == 0 && strchr(" ?", request[4 + n]) &&
		    request[4 + n]) {
			return &pages[i];
		}
	}
	return NULL;
}

static void build_reply(struct status_client *c, const struct worker *w)
{
	const struct page *page = find_page(c->in);
	char *body = NULL;
	size_t body_bytes = 0;
	FILE *out = open_memstream(&body, &body_bytes);

	ASSERT(out != NULL);
	if (page) {
		page->print(out, w);
	} else {
		fputs("pages: /health /metrics /state /pools /limits\n", out);
	}
	fclose(out);
	out = open_memstream(&c->out, &c->out_bytes);
	ASSERT(out != NULL && body != NULL);
	fprintf(out,
		"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
		"\r\n",
		page ? "200 OK" : "404 Not Found", page ? page->type : "text/plain", body_bytes);
	fwrite(body, 1, body_bytes, out);
	fclose(out);
	free(body);
}

static void drop(struct status_client *c)
{
	close(c->fd);
	free(c->out);
	memset(c, 0, sizeof(*c));
}

static bool is_whole(const struct status_client *c)
{
	return strstr(c->in, "\r\n\r\n") || strstr(c->in, "\n\n");
}

static void read_request(struct status_client *c, const struct worker *w)
{
	ssize_t n = recv(c->fd, c->in + c->in_bytes, sizeof(c->in) - 1 - c->in_bytes, 0);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			drop(c);
		}
		return;
	}
	c->in_bytes += (uint32_t)n;
	c->in[c->in_bytes] = 0;
	if (is_whole(c) || c->in_bytes == sizeof(c->in) - 1) {
		build_reply(c, w);
	}
}

static void write_reply(struct status_client *c)
{
	ssize_t n = send(c->fd, c->out + c->out_done, c->out_bytes - c->out_done, MSG_NOSIGNAL);

	if (n > 0) {
		c->out_done += (size_t)n;
	}
	if (c->out_done == c->out_bytes || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		drop(c);
	}
}

static void accept_client(struct status *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct status_client *place = &s->clients[0];

	if (fd < 0) {
		return;
	}
	for (int i = 0; i < STATUS_CLIENTS_MAX; i++) {
		struct status_client *c = &s->clients[i];

		if (c->fd == 0) {
			place = c;
			break;
		}
		place = c->age < place->age ? c : place;
	}
	if (place->fd) {
		drop(place);
	}
	place->fd = fd;
	place->age = ++s->accepted;
}

int status_poll(const struct status *s, struct pollfd *fds)
{
	int count = 0;

	if (!s->on) {
		return 0;
	}
	fds[count++] = (struct pollfd){.fd = s->fd, .events = POLLIN};
	for (int i = 0; i < STATUS_CLIENTS_MAX; i++) {
		const struct status_client *c = &s->clients[i];

		fds[count++] = (struct pollfd){.fd = c->fd ? c->fd : -1,
					       .events = c->out ? POLLOUT : POLLIN};
	}
	return count;
}

void status_serve(struct status *s, const struct pollfd *fds, const struct worker *w)
{
	if (!s->on) {
		return;
	}
	for (int i = 0; i < STATUS_CLIENTS_MAX; i++) {
		struct status_client *c = &s->clients[i];

		if (c->fd && fds[1 + i].revents && c->out) {
			write_reply(c);
		} else if (c->fd && fds[1 + i].revents) {
			read_request(c, w);
		}
	}
	if (fds[0].revents) {
		accept_client(s);
	}
}

int status_start(struct status *s, int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1;

	if (port == 0) {
		return 0;
	}
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(s->fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(s->fd, 16) != 0) {
		int err = errno;

		LOG_E("cannot serve the status pages; choose another --metrics-port",
		      "port=%d error=\"%s\"", port, strerror(err));
		return err;
	}
	s->on = true;
	return 0;
}

void status_end(struct status *s)
{
	if (!s->on) {
		return;
	}
	for (int i = 0; i < STATUS_CLIENTS_MAX; i++) {
		if (s->clients[i].fd) {
			drop(&s->clients[i]);
		}
	}
	close(s->fd);
	s->on = false;
}
