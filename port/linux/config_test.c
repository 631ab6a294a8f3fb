/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: every source, every error. */
#include "port/linux/config.h"
#include "test/test.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define ARGS_MAX 24

static char *env_none[] = {NULL};

/* Reads with these arguments, ended by NULL; the file config.toml is not there. */
static enum config_result read_with(struct config *c, char **env, ...)
{
	char *argv[ARGS_MAX] = {"proplet"};
	int argc = 1;
	va_list args;

	va_start(args, env);
	for (char *a; (a = va_arg(args, char *)) != NULL;) {
		argv[argc++] = a;
	}
	va_end(args);
	return config_read(c, argc, argv, env);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");

	fputs(text, f);
	fclose(f);
}

static const char *file_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/proplet-config-test-%d.toml", (int)getpid());
	return path;
}

/* The error of a file's text. */
static const char *file_error(const char *text)
{
	struct config c;

	write_file(file_path(), text);
	EXPECT_EQ(read_with(&c, env_none, "--config", file_path(), NULL), CONFIG_EXIT_USAGE);
	config_free(&c);
	unlink(file_path());
	return strchr(config_error(), ' ') ? config_error() + strlen(file_path()) : "";
}

TEST(defaults)
{
	struct config c;

	EXPECT_EQ(read_with(&c, env_none, NULL), CONFIG_RUN);
	EXPECT_STR(c.tenant_id, "default");
	EXPECT_STR(c.mqtt_address, "tcp://localhost:1883");
	EXPECT_EQ(c.pool, 64 << 20);
	EXPECT_EQ(c.mqtt_keep_alive, 30000);
	EXPECT_EQ(c.enable_monitoring, true);
	EXPECT_STR(c.capabilities[0], "kv");
	EXPECT(c.tags[0] == NULL);
	config_free(&c);
}

TEST(sources_rank)
{
	struct config c;
	char *env[] = {"PROPLET_TENANT_ID=envt", "PROPLET_CHANNEL_ID=envc", "PROPLET_POOL=", NULL};

	write_file(file_path(),
		   "[proplet]\ntenant_id = \"ft\"\nchannel_id='fc'\nentity_id = "
		   "\"fe\" # who\npool = 40960\ntags = [\"a\",\n \"b\" ]\n[other]\npool = 1\n");
	EXPECT_EQ(read_with(&c, env, "--config", file_path(), "--tenant-id", "flagt", NULL),
		  CONFIG_RUN);
	EXPECT_STR(c.tenant_id, "flagt");
	EXPECT_STR(c.channel_id, "envc");
	EXPECT_STR(c.entity_id, "fe");
	EXPECT_EQ(c.pool, 40960);
	EXPECT_STR(c.tags[1], "b");
	config_free(&c);
	unlink(file_path());
}

TEST(forms_of_values)
{
	struct config c;

	EXPECT_EQ(read_with(&c, env_none, "--mqtt", "tcp://x", "--tenant=t", "--pool=40K",
			    "--heartbeat-ms", "2s", "--labels", "a=1, b=2", "--labels", "c=3",
			    "--mqtt-keep-alive", "7", "--enable-monitoring=no",
			    "--mqtt-tls-insecure-skip-verify", NULL),
		  CONFIG_RUN);
	EXPECT_STR(c.mqtt_address, "tcp://x");
	EXPECT_STR(c.tenant_id, "t");
	EXPECT_EQ(c.pool, 40960);
	EXPECT_EQ(c.heartbeat_ms, 2000);
	EXPECT_EQ(c.mqtt_keep_alive, 7000);
	EXPECT_EQ(c.enable_monitoring, false);
	EXPECT_EQ(c.mqtt_tls_insecure_skip_verify, true);
	EXPECT_STR(c.labels[1], "b=2");
	EXPECT_STR(c.labels[2], "c=3");
	config_free(&c);
}

/* A compose file's "10s" is what Propeller's own worker cannot read. */
TEST(propeller_names)
{
	struct config c;
	char *env[] = {"PROPLET_LIVELINESS_INTERVAL=10s", "PROPLET_LOG_LEVEL=WARNING",
		       "PROPLET_MQTT_QOS=2", "PROPLET_TAGS=edge, lab", NULL};

	EXPECT_EQ(read_with(&c, env, NULL), CONFIG_RUN);
	EXPECT_EQ(c.liveliness_interval, 10000);
	EXPECT_EQ(c.log_level, LOG_WARN);
	EXPECT_EQ(c.mqtt_qos, 2);
	EXPECT_STR(c.tags[1], "lab");
	config_free(&c);
}

static void expect_flag_error(char *flag, char *value, const char *want)
{
	struct config c;

	EXPECT_EQ(read_with(&c, env_none, flag, value, NULL), CONFIG_EXIT_USAGE);
	if (strstr(config_error(), want) == NULL) {
		TEST_FAIL("error is \"%s\", expected \"%s\" in it", config_error(), want);
	}
	config_free(&c);
}

TEST(flag_errors)
{
	expect_flag_error("--pol", "1", "did you mean '--pool'?");
	expect_flag_error("--mqtt-adress", "x", "did you mean '--mqtt-address'?");
	expect_flag_error("--zzzzzzzzz", "x", "proplet --help");
	expect_flag_error("--pool", "40q", "--pool: '40q' is not a size");
	expect_flag_error("--pool", "1", "out of range; least 8192");
	expect_flag_error("--pool", "99999999999999999999", "is not a size");
	expect_flag_error("--pool", "9000000000000g", "is not a size");
	expect_flag_error("--mqtt-qos", "3", "most 2");
	expect_flag_error("--heartbeat-ms", "soon", "is not a time");
	expect_flag_error("--enable-monitoring", "maybe", "neither true nor false");
	expect_flag_error("--log-level", "loud", "known: debug");
	expect_flag_error("--labels", "x", "'x' is not KEY=VALUE");
	expect_flag_error("--tenant-id", "a/b", "cannot be part of a topic");
	expect_flag_error("--tenant-id", "", "cannot be part of a topic");
	expect_flag_error("--entity-id", "a/b", "cannot be part of a topic");
	expect_flag_error("--power", "sun", "neither mains nor battery");
	expect_flag_error("--mqtt-tls-client-key", "k", "both or none");
	expect_flag_error("--config", "/nonexistent/x.toml", "cannot be read: No such file");
	expect_flag_error("--config", "/tmp", "/tmp: cannot be read: Is a directory");
	expect_flag_error("--section", "x", "config.toml: cannot be read: No such file");
	expect_flag_error("what", "ever", "takes flags only");
	expect_flag_error("--pool", NULL, "--pool needs a value");
}

TEST(file_errors)
{
	EXPECT_STR(file_error("[proplet]\ntenant = \"x\"\n"),
		   " line 2: unknown key 'tenant' in [proplet]; did you mean 'tenant_id'?");
	EXPECT_STR(file_error("[proplet]\n\npool = \"x\"\n"),
		   " line 3, pool: 'x' is not a size such as 40k, 64m or 1g");
	EXPECT_STR(file_error("[proplet]\npool = [1, 2]\n"),
		   " line 2: pool takes one value, not an array");
	EXPECT_STR(file_error("[proplet\n"), " line 1: expected ] after the section's name");
	EXPECT_STR(file_error("[proplet]\npool\n"), " line 2: expected = after the key");
	EXPECT_STR(file_error("[proplet]\npool =\n"), " line 2: expected a value: \"text\", a "
						      "number, true, false or [\"a\", \"b\"]");
	EXPECT_STR(file_error("[proplet]\nlocation = \"x\n"),
		   " line 2: a string is not closed on its line");
	EXPECT_STR(file_error("[proplet]\nlocation = \"x"), " line 2: a string is not closed");
	EXPECT_STR(file_error("[proplet]\nlocation = \"\\q\"\n"),
		   " line 2: unknown escape in a string; known: \\b \\f \\n \\r \\t \\\" \\\\");
	EXPECT_STR(file_error("[proplet]\npool = 1 2\n"),
		   " line 2: something follows the value on its line");
	EXPECT_STR(file_error("[proplet]\ntags = [\"a\" \"b\"]\n"),
		   " line 2: expected , or ] in an array");
	EXPECT_STR(file_error("[prop]\npool = 1\n"),
		   ": there is no section [proplet] with keys in it");
	EXPECT_STR(file_error("= 1\n"), " line 1: expected a key or a [section]");
}

/* No file, however broken, does more than give an error. */
TEST(file_of_anything)
{
	static const char text[] = "[proplet]\ntags = [\"a\\n\", 'b'] # c\npool=1\n\"x\"=[]\n";
	struct config c;

	for (size_t i = 0; i < sizeof(text); i++) {
		for (int b = 1; b < 256; b <<= 1) {
			char changed[sizeof(text)];
			FILE *f = fopen(file_path(), "wb");

			memcpy(changed, text, sizeof(text));
			changed[i] = (char)(changed[i] ^ b);
			fwrite(changed, 1, i % 3 ? sizeof(text) : i, f);
			fclose(f);
			EXPECT(read_with(&c, env_none, "--config", file_path(), NULL) !=
			       CONFIG_EXIT_OK);
			config_free(&c);
		}
	}
	unlink(file_path());
}

/* What is printed can be read, and gives the same. */
TEST(print_and_read_again)
{
	struct config c, d;
	FILE *f = fopen(file_path(), "wb");

	EXPECT_EQ(read_with(&c, env_none, "--pool", "1m", "--location", "a \"b\" \\", "--tags",
			    "x,y", "--heartbeat-ms", "1234", NULL),
		  CONFIG_RUN);
	config_print(f, &c);
	fclose(f);
	EXPECT_EQ(read_with(&d, env_none, "--config", file_path(), NULL), CONFIG_RUN);
	EXPECT_EQ(d.pool, 1 << 20);
	EXPECT_STR(d.location, c.location);
	EXPECT_STR(d.tags[1], "y");
	EXPECT_EQ(d.heartbeat_ms, 1234);
	EXPECT_EQ(d.mqtt_keep_alive, c.mqtt_keep_alive);
	config_free(&c);
	config_free(&d);
	unlink(file_path());
}

TEST_MAIN(T(defaults) T(sources_rank) T(forms_of_values) T(propeller_names) T(flag_errors)
		  T(file_errors) T(file_of_anything) T(print_and_read_again))
