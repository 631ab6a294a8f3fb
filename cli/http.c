/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: one connection to the manager, kept open, one request after the other.
 *
 * In:    PROPCTL_URL, PROPCTL_TOKEN, PROPCTL_CACERT and the options that override them
 * Rules: 1. Every request ends: no connection within 5 s, or silence for 60 s beyond what was
 *           asked for, is an error.
 *        2. An error names the address that was tried and what can be done.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

volatile int http_interrupted;

enum {
	CONNECT_S = 5,
	SILENCE_S = 60,
};

static int url_check(struct http *http, const char *url)
{
	size_t len = strlen(url);
	bool scheme = strstr(url, "://") != NULL;

	if (strpbrk(url, " \t\r\n?#") != NULL || len == 0) {
		return fail(CLI_USAGE,
			    "'%s' is no address of a manager; give one such as "
			    "http://localhost:7070",
			    text_clean(url));
	}
	if (scheme && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
		return fail(CLI_USAGE, "'%s': the manager is spoken to by http:// or https://",
			    text_clean(url));
	}
	while (len > 0 && url[len - 1] == '/') {
		len--;
	}
	http->base = text("%s%.*s", scheme ? "" : "http://", (int)len, url);
	return CLI_OK;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct http *http = user;

	(void)a, (void)b, (void)c, (void)d;
	return http_interrupted && !http->patient;
}

static void options_set(struct http *http, const struct cli_args *args)
{
	const char *cacert = args_text(args, CLI_OPT_CACERT, getenv("PROPCTL_CACERT"));
	CURL *curl = http->curl;

	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "propctl");
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
	if (args_has(args, CLI_OPT_INSECURE)) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (cacert != NULL && cacert[0] != 0) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, cacert);
	}
}

int http_open(struct http *http, const struct cli_args *args)
{
	const char *from_env = getenv("PROPCTL_URL");
	const char *otherwise =
		from_env != NULL && from_env[0] != 0 ? from_env : "http://localhost:7070";
	int status = url_check(http, args_text(args, CLI_OPT_MANAGER, otherwise));

	if (status != CLI_OK) {
		return status;
	}
	const char *cacert = args_text(args, CLI_OPT_CACERT, getenv("PROPCTL_CACERT"));
	if (cacert != NULL && cacert[0] != 0 && strncasecmp(http->base, "https", 5) == 0 &&
	    access(cacert, R_OK) != 0) {
		return fail(CLI_NOT_FOUND, "--cacert, PROPCTL_CACERT: %s cannot be opened: %s",
			    cacert, strerror(errno));
	}
	http->token = getenv("PROPCTL_TOKEN");
	http->curl = curl_easy_init();
	if (http->curl == NULL) {
		return fail(CLI_FAILED, "libcurl could not be started");
	}
	options_set(http, args);
	return CLI_OK;
}

void http_close(struct http *http)
{
	if (http->curl != NULL) {
		curl_easy_cleanup(http->curl);
		http->curl = NULL;
	}
}

void http_free(struct http_reply *reply)
{
	json_decref(reply->json);
	free(reply->body);
	memset(reply, 0, sizeof(*reply));
}

/* Takes a piece of the body; less than all of it ends the request. */
static size_t on_body(char *data, size_t one, size_t bytes, void *user)
{
	struct http_reply *reply = user;

	(void)one;
	if (reply->bytes + bytes > HTTP_REPLY_BYTES_MAX) {
		return 0;
	}
	if (reply->bytes + bytes >= reply->capacity) {
		size_t capacity = 2 * (reply->bytes + bytes) + 1024;
		char *body = realloc(reply->body, capacity);

		if (body == NULL) {
			return 0;
		}
		reply->body = body;
		reply->capacity = capacity;
	}
	memcpy(reply->body + reply->bytes, data, bytes);
	reply->bytes += bytes;
	reply->body[reply->bytes] = 0;
	return bytes;
}

/* ---- what went wrong on the way ---- */

static int transfer_failed(struct http *http, CURLcode code, const struct http_reply *reply)
{
	const char *why = http->error[0] != 0 ? http->error : curl_easy_strerror(code);

	if (code == CURLE_ABORTED_BY_CALLBACK) {
		return CLI_INTERRUPTED;
	}
	if (http->silent) {
		return CLI_UNAVAILABLE;
	}
	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
		return fail(
			CLI_UNAVAILABLE,
			"no manager at %s: %s\n"
			"    start one with: proplet-manager      or name another: --manager URL, "
			"PROPCTL_URL",
			http->base, why);
	case CURLE_WRITE_ERROR:
		return reply->bytes > 0
			       ? fail(CLI_PROTOCOL, "the answer of %s is longer than %d MB",
				      http->base, HTTP_REPLY_BYTES_MAX >> 20)
			       : fail(CLI_FAILED, "out of memory");
	case CURLE_GOT_NOTHING:
		return fail(CLI_UNAVAILABLE, "%s closed the connection without an answer%s",
			    http->base,
			    strncasecmp(http->base, "https", 5) != 0 ? "; does it speak https://?"
								     : "");
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return fail(CLI_UNAVAILABLE, "%s closed the connection within its answer: %s",
			    http->base, why);
	case CURLE_OPERATION_TIMEDOUT:
		return fail(CLI_UNAVAILABLE, "%s does not answer: %s", http->base, why);
	case CURLE_SSL_CACERT_BADFILE:
		return fail(CLI_NOT_FOUND, "--cacert, PROPCTL_CACERT: no certificates to trust: %s",
			    why);
	case CURLE_SSL_CONNECT_ERROR:
		return fail(CLI_UNAVAILABLE, "%s: no TLS connection; does it speak http://? %s",
			    http->base, why);
	case CURLE_PEER_FAILED_VERIFICATION:
		return fail(CLI_UNAVAILABLE,
			    "the certificate of %s is not trusted: %s\n"
			    "    name the one to trust: --cacert FILE, PROPCTL_CACERT",
			    http->base, why);
	default:
		return fail(CLI_UNAVAILABLE, "%s: %s", http->base, why);
	}
}

/* ---- requests ---- */

static struct curl_slist *headers_make(const struct http *http, const struct http_body *body)
{
	/* Without "Expect:" a longer body would wait for leave to be sent. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	const char *type = body == NULL || body->filename != NULL ? NULL
			   : body->type != NULL                   ? body->type
								  : "application/json";

	list = curl_slist_append(list, "Accept: application/json");
	if (type != NULL) {
		list = curl_slist_append(list, text("Content-Type: %s", type));
	}
	if (http->token != NULL && http->token[0] != 0) {
		list = curl_slist_append(list, text("Authorization: Bearer %s", http->token));
	}
	return list;
}

static curl_mime *body_set(CURL *curl, const struct http_body *body)
{
	if (body == NULL) {
		return NULL;
	}
	if (body->filename == NULL) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->bytes);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
		return NULL;
	}
	curl_mime *mime = curl_mime_init(curl);
	curl_mimepart *part = curl_mime_addpart(mime);
	curl_mime_name(part, "file");
	curl_mime_filename(part, body->filename);
	curl_mime_data(part, body->data, body->bytes);
	curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
	return mime;
}

static void method_set(CURL *curl, const char *method, bool with_body)
{
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
	curl_easy_setopt(curl, CURLOPT_NOBODY, 0L);
	if (strcmp(method, "HEAD") == 0) {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
		return;
	}
	curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	if (strcmp(method, "GET") == 0) {
		return;
	}
	if (strcmp(method, "POST") == 0 && !with_body) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

int http_send(struct http *http, const char *method, const char *path, const struct http_body *body,
	      struct http_reply *reply)
{
	CURL *curl = http->curl;

	memset(reply, 0, sizeof(*reply));
	http->error[0] = 0;
	struct curl_slist *headers = headers_make(http, body);
	method_set(curl, method, body != NULL);
	curl_mime *mime = body_set(curl, body);
	curl_easy_setopt(curl, CURLOPT_URL, text("%s%s", http->base, path));
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_setopt(curl, CURLOPT_MIMEPOST, NULL);
	curl_mime_free(mime);
	curl_slist_free_all(headers);
	if (code != CURLE_OK) {
		int status = transfer_failed(http, code, reply);

		http_free(reply);
		return status;
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
	struct curl_header *location = NULL;
	if (curl_easy_header(curl, "Location", 0, CURLH_HEADER, -1, &location) == CURLHE_OK) {
		reply->location = text("%s", location->value);
	}
	if (reply->bytes > 0) {
		reply->json = json_loadb(reply->body, reply->bytes, JSON_DECODE_ANY, NULL);
	}
	return CLI_OK;
}

/* ---- answers that go on ---- */

struct line_reader {
	void (*line)(void *user, const char *text);
	void *user;
	size_t bytes;
	char text[8192]; /* longer lines are cut */
};

static size_t on_line_bytes(char *data, size_t one, size_t bytes, void *user)
{
	struct line_reader *r = user;

	(void)one;
	for (size_t i = 0; i < bytes; i++) {
		if (data[i] == '\n') {
			r->text[r->bytes] = 0;
			r->line(r->user, r->text);
			r->bytes = 0;
		} else if (r->bytes + 1 < sizeof(r->text)) {
			r->text[r->bytes++] = data[i];
		}
	}
	return bytes;
}

int http_lines(struct http *http, const char *path, void (*line)(void *user, const char *text),
	       void *user)
{
	struct line_reader reader = {.line = line, .user = user};
	struct http_reply reply = {0};
	CURL *curl = http->curl;
	long answered = 0;

	http->error[0] = 0;
	struct curl_slist *headers = headers_make(http, NULL);
	method_set(curl, "GET", false);
	curl_easy_setopt(curl, CURLOPT_URL, text("%s%s", http->base, path));
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_line_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reader);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 0L);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answered);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 0L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
	curl_slist_free_all(headers);
	if (code == CURLE_HTTP_RETURNED_ERROR) {
		reply.status = answered;
		return http_refused(http, "listen", &reply);
	}
	if (code == CURLE_OK || code == CURLE_PARTIAL_FILE) {
		return fail(CLI_UNAVAILABLE, "%s has ended", http->base);
	}
	return transfer_failed(http, code, &reply);
}

/* ---- refusals ---- */

/* Propeller's words, and ours, for there being nobody to run a task. */
static bool says_no_node(const char *why)
{
	static const char *const words[] = {"no active proplets", "no proplet satisfies",
					    "all proplets are dead"};

	for (size_t i = 0; why != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
		if (strncmp(why, words[i], strlen(words[i])) == 0) {
			return true;
		}
	}
	return false;
}

static int status_of(long http_status, const char *why)
{
	switch (http_status) {
	case 400:
		return CLI_DATA;
	case 404:
		return CLI_NOT_FOUND;
	case 502:
	case 503:
		return CLI_UNAVAILABLE;
	case 504:
		return CLI_LIMIT;
	default:
		return says_no_node(why) ? CLI_UNAVAILABLE : CLI_FAILED;
	}
}

int http_refused(struct http *http, const char *what, const struct http_reply *reply)
{
	const char *why = json_string_value(json_object_get(reply->json, "error"));
	int status = status_of(reply->status, why);

	if (why != NULL) {
		return fail(
			status, "%s: %s%s", what, text_clean(why),
			strcmp(why, "no active proplets available") == 0
				? "\n    start a worker with: proplet      or see who was there: "
				  "propctl node list"
				: "");
	}
	if (reply->status == 404 || reply->status == 405 || reply->status == 501) {
		return fail(status, "%s: the manager at %s does not know this (HTTP %ld)", what,
			    http->base, reply->status);
	}
	if (reply->status == 401 || reply->status == 403) {
		return fail(status, "%s: not allowed (HTTP %ld); set PROPCTL_TOKEN", what,
			    reply->status);
	}
	return fail(status, "%s: %s answered HTTP %ld and gave no reason", what, http->base,
		    reply->status);
}

int http_json(struct http *http, const char *method, const char *path, json_t *body,
	      const char *what, struct http_reply *reply)
{
	struct http_body sent = {0};
	char *dumped = NULL;

	if (body != NULL) {
		dumped = json_dumps(body, JSON_COMPACT);
		json_decref(body);
		sent.data = dumped;
		sent.bytes = dumped != NULL ? strlen(dumped) : 0;
	}
	int status = http_send(http, method, path, body != NULL ? &sent : NULL, reply);
	free(dumped);
	if (status != CLI_OK) {
		return status;
	}
	if (reply->status < 200 || reply->status > 299) {
		status = http_refused(http, what, reply);
	} else if (reply->json == NULL && (reply->bytes > 0 || strcmp(method, "GET") == 0)) {
		status = fail(CLI_PROTOCOL, "%s: what %s answered is no JSON; is it a manager?",
			      what, http->base);
	}
	if (status != CLI_OK) {
		http_free(reply);
	}
	return status;
}
