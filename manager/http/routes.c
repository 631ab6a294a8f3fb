/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes, and the OpenAPI description made from it. */
#include "manager/http/call.h"
#include "wire/task_field_list.h"

#include <stdio.h>
#include <stdlib.h>

const struct route routes[] = {
#define ROUTE(method, path, name, handle, summary) {method, path, name, handle, summary},
	ROUTE_LIST
#undef ROUTE
	{NULL, NULL, NULL, NULL, NULL},
};

/* ---- OpenAPI ---- */

static const char *method_key(const char *method)
{
	return strcmp(method, "GET") == 0    ? "get"
	       : strcmp(method, "POST") == 0 ? "post"
	       : strcmp(method, "PUT") == 0  ? "put"
					     : "delete";
}

static json_t *parameters(const char *path)
{
	json_t *list = json_array();

	for (const char *p = strchr(path, '{'); p != NULL; p = strchr(p + 1, '{')) {
		size_t n = strcspn(p + 1, "}");

		json_array_append_new(list,
				      json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", p + 1, n, "in",
						"path", "required", 1, "schema", "type", "string"));
	}
	return list;
}

static json_t *operation(const struct route *r)
{
	return json_pack("{s:s, s:s, s:o, s:{s:{s:s}, s:{s:s}}}", "operationId", r->name, "summary",
			 r->summary, "parameters", parameters(r->path), "responses", "200",
			 "description", "success", "default", "description",
			 "an error: {\"error\": \"what was wrong\"}");
}

static json_t *task_schema(void)
{
	static const struct {
		const char *key, *type;
	} fields[] = {
#define X(key, kind, lo, hi) {#key, #kind},
		TASK_FIELD_LIST(X)
#undef X
	};
	json_t *properties = json_object();

	for (size_t i = 0; i < BASE_COUNT(fields); i++) {
		const char *k = fields[i].type;
		const char *type = strcmp(k, "TEXT") == 0                                ? "string"
				   : strcmp(k, "BOOL") == 0                              ? "boolean"
				   : strcmp(k, "INT") == 0                               ? "integer"
				   : strcmp(k, "TEXTS") == 0 || strcmp(k, "INPUTS") == 0 ? "array"
											 : "object";
		json_t *p = json_pack("{s:s}", "type", type);

		if (strcmp(type, "array") == 0) {
			json_object_set_new(p, "items", json_object());
		}
		json_object_set_new(properties, fields[i].key, p);
	}
	json_object_set_new(properties, "file",
			    json_pack("{s:s, s:s}", "type", "string", "format", "byte"));
	return json_pack("{s:s, s:[s], s:o}", "type", "object", "required", "name", "properties",
			 properties);
}

void api_openapi(struct call *c)
{
	json_t *paths = json_object();
	json_t *doc;

	for (const struct route *r = routes; r->method != NULL; r++) {
		json_t *path = json_object_get(paths, r->path);

		if (path == NULL) {
			path = json_object();
			json_object_set_new(paths, r->path, path);
		}
		json_object_set_new(path, method_key(r->method), operation(r));
	}
	json_object_set_new(
		json_object_get(json_object_get(paths, "/tasks"), "post"), "requestBody",
		json_pack("{s:b, s:{s:{s:{s:s}}}}", "required", 1, "content", "application/json",
			  "schema", "$ref", "#/components/schemas/Task"));
	doc = json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:{s:o}}}", "openapi", "3.0.3", "info",
			"title", "Proplet manager", "version", http_config_of(c->server)->version,
			"paths", paths, "components", "schemas", "Task", task_schema());
	call_json(c, 200, doc);
}
