/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine for tests and simulation: its modules are scripts of what a task does, so that every
 * way a task can go is one line. It uses the same host functions as the real engines.
 *
 * A module is text: "fake\n", then lines
 *
 *     mem BYTES                   linear memory (default 256)
 *     grow                        its memory may grow
 *     wasi | heap                 as if it imported WASI's fd_write, libc's malloc
 *     image KEY DIGEST            it is a native image, signed with the key whose first byte is
 *                                 KEY (0: unsigned), of the module of that digest
 *     func NAME PARAMS RESULTS OP...   types are letters i I f F, "-" for none
 *
 * with operations, ended by ';':
 *
 *     burn N        uses N units of fuel          forever       never ends
 *     ret TEXT      returns; TEXT is the result   sum           returns the sum of its arguments
 *     trap TEXT     traps                         stack         traps: call stack exhausted
 *     exit N        ends the program              print TEXT    writes a line to standard output
 *     pub TEXT      publish                       log TEXT      log at level info
 *     sleep N       sleep_ms                      app NAME TEXT publish_to
 *     kvset K TEXT  kv_set                        kvget K       kv_get, the value is published
 *     sensor NAME   sensor_read, published        gpio N        gpio_read, published
 *     in N          publishes input N             badptr        publish with a bad pointer
 *
 * A host function that answers below 0 ends the operation; what it answered is published as "err N"
 * by the operations that publish.
 */
#ifndef AGENT_FAKE_H
#define AGENT_FAKE_H

#include "agent/engine.h"

extern const struct agent_engine agent_engine_fake;

#endif
