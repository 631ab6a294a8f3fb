/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scenario can say: KEY(member, "key", default, unit, "meaning"). Values are numbers with the unit's suffix where
 * one is given: TIME takes ms, s, min, h; RATE is events per hour; PERCENT, COUNT, PPM are plain. A RANGE takes two values,
 * member[0] and member[1].
 */
KEY(nodes, "nodes", 20, COUNT, "workers")
KEY(slots, "slots", 8, COUNT, "tasks that a worker can hold, from 1 to 8")
KEY(threads, "threads", 2, COUNT,
    "tasks that a worker runs at a time, from 1 to 4; others wait for their turn")
KEY(duration, "duration", 2 * HOUR, TIME, "virtual time in all")
KEY(quiet, "quiet", 30 * MINUTE, TIME,
    "at the end no fault happens and no task arrives, so that all can settle")
KEY(heartbeat, "heartbeat", 30 * SECOND, TIME, "between a worker's signs of life")
KEY(devices, "devices", 0, PERCENT, "workers that beat at device-heartbeat instead")
KEY(device_heartbeat, "device-heartbeat", 60 * SECOND, TIME, "between their signs of life")
KEY(lease, "lease", 90 * SECOND, TIME, "of each assignment; 0: without end")
KEY(tasks, "tasks", 120, RATE, "arrivals per hour, in the whole fleet")
KEY(groups, "groups", 10, PERCENT,
    "arrivals that are a job or a workflow of 2 to 5 tasks instead of one")
RANGE(work, "work", 1 * SECOND, 5 * MINUTE, TIME, "how long a task runs")
KEY(idempotent, "idempotent", 20, PERCENT, "tasks that may run twice")
KEY(policy_stop, "policy-stop", 40, PERCENT, "tasks that stop at the end of their lease")
KEY(policy_park, "policy-park", 20, PERCENT,
    "tasks that are parked at the end of their lease; the rest goes on")
KEY(traps, "traps", 3, PERCENT, "tasks that end with a trap")
KEY(endless, "endless", 1, PERCENT, "tasks that never end by themselves, with a limit of time")
KEY(broken, "broken", 1, PERCENT, "tasks whose module is no module")
KEY(greedy, "greedy", 1, PERCENT, "tasks that need more memory than any worker has")
KEY(urgent, "urgent", 10, PERCENT, "tasks of a priority that pushes others out")
KEY(stops, "stops", 2, PERCENT, "tasks that somebody stops while they run")
KEY(restarts, "restart-attempts", 2, COUNT, "of a task that fails")
KEY(modules, "modules", 12, COUNT, "different modules")
RANGE(delay, "delay", 5, 250, TIME, "of a message on a link, one way")
KEY(stall, "stall", 1, PERCENT, "messages that lost packets hold up")
RANGE(stall_time, "stall-time", 1 * SECOND, 20 * SECOND, TIME, "for how long")
KEY(slow_links, "slow-links", 0, PERCENT, "workers with a slow link")
KEY(slow_rate, "slow-rate", 300, COUNT, "bytes per second of such a link")
KEY(duplicate, "duplicate", 1, PERCENT, "messages delivered twice")
KEY(cuts, "link-cuts", 0, RATE, "per worker: its link is cut")
RANGE(cut_time, "link-cut-time", 5 * SECOND, 20 * MINUTE, TIME, "for how long")
KEY(power_cuts, "power-cuts", 0, RATE, "per worker: its power is cut")
RANGE(power_cut_time, "power-cut-time", 2 * SECOND, 15 * MINUTE, TIME, "for how long")
KEY(torn, "torn-writes", 30, PERCENT, "power cuts that come in the middle of what a worker does")
KEY(manager_kills, "manager-kills", 0, RATE, "the manager is killed")
RANGE(manager_down, "manager-down", 1 * SECOND, 2 * MINUTE, TIME, "until it runs again")
KEY(broker_restarts, "broker-restarts", 0, RATE, "the broker restarts")
RANGE(broker_down, "broker-down", 1 * SECOND, 60 * SECOND, TIME, "until it runs again")
KEY(session_loss, "session-loss", 30, PERCENT, "broker restarts that lose all sessions")
KEY(partitions, "partitions", 0, RATE, "a part of the fleet is cut off")
KEY(partition_part, "partition-part", 30, PERCENT, "how much of it")
RANGE(partition_time, "partition-time", 10 * SECOND, 10 * MINUTE, TIME, "for how long")
KEY(drains, "drains", 0, RATE, "a worker is drained")
RANGE(drain_time, "drain-time", 1 * MINUTE, 20 * MINUTE, TIME, "until it takes tasks again")
KEY(drift, "clock-drift", 100, PPM, "workers' clocks run wrong by up to this")
KEY(jumps, "clock-jumps", 0, RATE,
    "per worker, and for the manager: the wall clock jumps, up to two days, back or forth")
KEY(battery, "on-battery", 0, PERCENT, "workers on battery")
KEY(capacity, "battery", 2000, COUNT, "its capacity in mWh; empty, the worker has no power")
RANGE(recharge, "recharge", 30 * MINUTE, 4 * HOUR, TIME, "until it is full again")
KEY(battery_min, "battery-min", 10, PERCENT, "tasks are given only to batteries above this")
KEY(power_idle, "power-idle", 80, COUNT, "mW that a worker draws while it is awake")
KEY(power_active, "power-active", 240, COUNT, "mW more while it runs tasks")
KEY(power_sleep, "power-sleep", 1, COUNT, "mW while it sleeps")
KEY(message_energy, "message-energy", 30, COUNT, "mJ for each message sent or received")
KEY(sleepers, "sleepers", 0, PERCENT,
    "workers that sleep at times: processor and link off, the clock goes on")
RANGE(sleep_time, "sleep-time", 1 * MINUTE, 30 * MINUTE, TIME, "for how long")
RANGE(awake_time, "awake-time", 10 * MINUTE, 60 * MINUTE, TIME, "in between")
KEY(move_within, "move-within", 0, TIME,
    "a violation when a lost worker's task runs elsewhere later than this, unless manager, broker "
    "or room was "
    "missing meanwhile; 0: as may be")
KEY(pool, "pool", 16384, COUNT, "bytes of a worker's pool")
RANGE(commit, "commit", 1, 20, TIME, "the store needs to make a transaction durable")
