/* SPDX-License-Identifier: Apache-2.0 */
/* The statements: S(NAME, sql). Parameters are ?1, ?2...; both databases take all of them. */
#define TASK_COLUMNS                                                                               \
	"id, name, node_id, workflow_id, job_id, spec, results, error, report, created_ms, "       \
	"updated_ms, start_ms, finish_ms, next_run_ms, epoch, state, phase, priority"

#define STORE_STATEMENT_LIST(S)                                                                    \
	S(TASK_INSERT,                                                                             \
	  "INSERT INTO tasks (id, name, node_id, workflow_id, job_id, spec, results, error, "      \
	  "report, created_ms, updated_ms, start_ms, finish_ms, next_run_ms, epoch, state, "       \
	  "phase, priority, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "      \
	  "?13, ?14, ?15, ?16, ?17, ?18, ?19) ON CONFLICT (id) DO NOTHING")                        \
	S(TASK_UPDATE, "UPDATE tasks SET name = ?2, spec = ?3, priority = ?4, next_run_ms = ?5, "  \
		       "updated_ms = ?6 WHERE id = ?1")                                            \
	S(TASK_MOVE,                                                                               \
	  "UPDATE tasks SET state = ?2, phase = ?3, epoch = ?4, updated_ms = ?5, start_ms = "      \
	  "CASE WHEN ?6 = 0 THEN start_ms ELSE ?6 END, finish_ms = ?7, node_id = "                 \
	  "COALESCE(?8, node_id), error = ?9, results = CASE WHEN ?12 = 1 THEN ?10 ELSE "          \
	  "COALESCE(?10, results) END, report = CASE WHEN ?12 = 1 THEN ?11 ELSE COALESCE(?11, "    \
	  "report) END WHERE id = ?1")                                                             \
	S(TASK_SCHEDULE, "UPDATE tasks SET next_run_ms = ?2 WHERE id = ?1")                        \
	S(TASK_DELETE, "DELETE FROM tasks WHERE id = ?1")                                          \
	S(TASK_GET, "SELECT " TASK_COLUMNS " FROM tasks WHERE id = ?1")                            \
	S(GROUP_INSERT, "INSERT INTO groups (id, kind, name, mode, created_ms, seq) VALUES (?1, "  \
			"?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING")                         \
	S(GROUP_GET, "SELECT id, kind, name, mode, created_ms FROM groups WHERE id = ?1")          \
	S(GROUP_LIST, "SELECT id, kind, name, mode, created_ms FROM groups WHERE kind = ?1 "       \
		      "ORDER BY seq DESC LIMIT ?2 OFFSET ?3")                                      \
	S(GROUP_COUNT, "SELECT count(*) FROM groups WHERE kind = ?1")                              \
	S(NODE_PUT, "INSERT INTO nodes (id, name, metadata, alive_at, created_ms, draining) "      \
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET metadata = "   \
		    "?3, alive_at = ?4, draining = ?6, name = CASE WHEN nodes.name = '' THEN ?2 "  \
		    "ELSE nodes.name END")                                                         \
	S(NODE_TOUCH, "UPDATE nodes SET alive_at = ?2, draining = ?3 WHERE id = ?1")               \
	S(NODE_DELETE, "DELETE FROM nodes WHERE id = ?1")                                          \
	S(NODE_GET, "SELECT id, name, metadata, alive_at, created_ms, draining FROM nodes WHERE "  \
		    "id = ?1")                                                                     \
	S(NODE_LIST, "SELECT id, name, metadata, alive_at, created_ms, draining FROM nodes ORDER " \
		     "BY id LIMIT ?1 OFFSET ?2")                                                   \
	S(MODULE_PUT, "INSERT INTO modules (digest, source, size, created_ms, bytes, seq) VALUES " \
		      "(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (digest) DO UPDATE SET source = "      \
		      "COALESCE(?2, modules.source), seq = ?6")                                    \
	S(MODULE_GET, "SELECT digest, source, size, created_ms FROM modules WHERE digest = ?1")    \
	S(MODULE_BYTES, "SELECT bytes FROM modules WHERE digest = ?1")                             \
	S(MODULE_LIST, "SELECT digest, source, size, created_ms FROM modules ORDER BY seq DESC "   \
		       "LIMIT ?1 OFFSET ?2")                                                       \
	S(MODULE_COUNT, "SELECT count(*) FROM modules")                                            \
	S(MODULE_FIND, "SELECT digest, source, size, created_ms FROM modules WHERE source = ?1 "   \
		       "ORDER BY seq DESC LIMIT 1")                                                \
	S(HISTORY_LAST, "SELECT COALESCE(max(seq), 0) FROM history WHERE kind = ?1 AND subject = " \
			"?2")                                                                      \
	S(HISTORY_ADD, "INSERT INTO history (kind, subject, seq, time_ms, body) VALUES (?1, ?2, "  \
		       "?3, ?4, ?5)")                                                              \
	S(HISTORY_TRIM, "DELETE FROM history WHERE kind = ?1 AND subject = ?2 AND seq <= ?3")      \
	S(HISTORY_OLD, "SELECT seq, time_ms, body FROM history WHERE kind = ?1 AND subject = ?2 "  \
		       "AND seq > ?3 ORDER BY seq LIMIT ?4 OFFSET ?5")                             \
	S(HISTORY_NEW, "SELECT seq, time_ms, body FROM history WHERE kind = ?1 AND subject = ?2 "  \
		       "AND seq > ?3 ORDER BY seq DESC LIMIT ?4 OFFSET ?5")                        \
	S(HISTORY_COUNT, "SELECT count(*) FROM history WHERE kind = ?1 AND subject = ?2")          \
	S(HISTORY_CLEAR, "DELETE FROM history WHERE subject = ?1")
