/* SPDX-License-Identifier: Apache-2.0 */
/* The words that some keys take: WIRE_WORDS_<list>(X), X(NAME, "word"). Order is the number. */
#ifndef WIRE_WORDS_LIST_H
#define WIRE_WORDS_LIST_H

/* What a worker does when a lease ends without contact. */
#define WIRE_WORDS_POLICY(X) X(KEEP, "keep") X(STOP, "stop") X(PARK, "park")

/* Whether a native image is to be used. */
#define WIRE_WORDS_AOT(X) X(AUTO, "auto") X(ALWAYS, "always") X(NEVER, "never")

#define WIRE_WORDS_LEVEL(X) X(ERROR, "error") X(WARN, "warn") X(INFO, "info") X(DEBUG, "debug")

/* How a task ended. */
#define WIRE_WORDS_REASON(X)                                                                       \
	X(DONE, "done")           /* its function returned */                                      \
	X(TRAP, "trap")           /* it did what WebAssembly forbids */                            \
	X(EXIT, "exit")           /* it ended itself with a status other than 0 */                 \
	X(FUEL, "fuel")           /* limits: more instructions */                                  \
	X(TIME, "time")           /* than it may run */                                            \
	X(MEMORY, "memory")       /* memory */                                                     \
	X(STACK, "stack")         /* stack */                                                      \
	X(OUTPUT, "output")       /* results, outputs and log text */                              \
	X(STOPPED, "stopped")     /* someone stopped it */                                         \
	X(PREEMPTED, "preempted") /* for a task of higher priority */                              \
	X(REFUSED, "refused")     /* the worker could not take it */                               \
	X(MODULE, "module")       /* its module could not be had or loaded */                      \
	X(LOST, "lost")           /* the worker restarted and could not go on */

#endif
