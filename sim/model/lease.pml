/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One task, two workers, a manager, a network that holds, loses, repeats and reorders: the task never runs twice
 * at a time.
 *
 *   worker --alive--> manager --start, renewal--> worker
 *
 * What is modelled as it is in agent/ and manager/core: epochs; leases counted from the alive message by both
 * sides; the slack that covers slow clocks; connections; a restarted worker that waits for its lease; what is over
 * stays over (done). Time is a tick that ages everything; skew: a worker's clock that lags by a tick.
 *
 * Simplified, always so that more can happen than in the world: the manager may answer, at any time, an alive message
 * that was sent and heard at any time before (it is not kept which there were); a result is heard at once or never.
 *
 * Each of these, defined, breaks one rule, and must be found:
 *   RECEIPT   a lease is counted from the receipt of the message
 *   NOSLACK   the manager waits for just the lease
 *   NOCONN    messages for an earlier connection count
 *   NODONE    a start that comes again after its end runs
 *   NOWAIT    a restarted worker goes on without its lease
 *   EARLY     a silent worker's task is given away at once
 */
#define LEASE   2
#define EPOCHS  2 /* assignments at most */
#define REBOOTS 1 /* of each worker at most */
#ifdef NOSLACK
#define SLACK 0
#else
#define SLACK 1
#endif
#define OLD (LEASE + 1) /* ages end here: over for the slowest clock */

typedef message {
	bool there;
	byte age; /* since the alive message that it answers was sent */
	byte epoch;
	byte connection
}

typedef worker {
	bool runs; /* the task, now */
	bool has;  /* it holds the task; parked, or waiting for its lease, if it does not run */
	bool unsure; /* restarted: no lease yet in this life */
	byte epoch, done;
	byte lease_age; /* since the alive message that its lease counts from */
	byte connection, skew;
	message start, renewal
}

worker w[2];
byte m_node = 2; /* 2: the task waits */
byte m_epoch, m_left; /* m_left: ticks until the lease is over, slack included */
byte i, sent, heard;

#define OVER(x, lag) ((x) >= LEASE + (lag))

inline grant(to) /* the manager reckons with what the worker may reckon with, from when it heard of it */
{
	select(heard : 0 .. LEASE);
	select(sent : 0 .. OLD);
	if
	:: sent < heard -> sent = heard
	:: else
	fi;
	if
	:: LEASE + SLACK - heard > m_left -> m_left = LEASE + SLACK - heard
	:: else
	fi;
	to.there = true;
	to.age = sent;
	to.epoch = m_epoch;
	if
	:: to.connection = w[i].connection
	:: to.connection = (w[i].connection > 0 -> w[i].connection - 1 : 0)
	fi;
	sent = 0;
	heard = 0
}

inline drop(m)
{
	m.there = false;
	m.age = 0;
	m.epoch = 0;
	m.connection = 0
}

inline maybe_drop(m) /* delivered: once, or again later */
{
	if
	:: drop(m)
	:: skip
	fi
}

inline pass(m)
{
	if
	:: m.there && m.age < OLD -> m.age++
	:: else
	fi
}

#ifdef NOCONN
#define FOR_NOW(m) true
#else
#define FOR_NOW(m) (m.connection == w[i].connection)
#endif
#ifdef NODONE
#define FRESH(e) true
#else
#define FRESH(e) ((e) > w[i].done)
#endif
#ifdef RECEIPT
#define AGE(m) 0
#else
#define AGE(m) m.age
#endif
#define TIMELY(m) (m.there && FOR_NOW(m) && !OVER(AGE(m), w[i].skew))

active proctype world()
{
	w[0].skew = 1;
	do
	:: atomic {
		if
		:: i = 0
		:: i = 1
		fi;
		if
		:: m_node == 2 && m_epoch < EPOCHS -> /* the task is assigned */
			m_node = i;
			m_epoch++;
			m_left = 0;
			grant(w[i].start)
		:: m_node == i && !w[i].renewal.there -> grant(w[i].renewal)
		:: m_node == i && m_left == 0 -> m_node = 2 /* its lease is over */
		:: TIMELY(w[i].start) && FRESH(w[i].start.epoch) &&
		   (!w[i].has || w[i].start.epoch > w[i].epoch) ->
			w[i].has = true;
			w[i].runs = true;
			w[i].unsure = false;
			w[i].epoch = w[i].start.epoch;
			w[i].lease_age = AGE(w[i].start);
			maybe_drop(w[i].start)
		:: w[i].start.there -> drop(w[i].start) /* lost, or ignored */
		:: TIMELY(w[i].renewal) && w[i].has && w[i].renewal.epoch == w[i].epoch ->
			w[i].runs = true;
			if
			:: w[i].unsure || AGE(w[i].renewal) < w[i].lease_age ->
				w[i].lease_age = AGE(w[i].renewal)
			:: else
			fi;
			w[i].unsure = false;
			w[i].runs = !OVER(w[i].lease_age, w[i].skew);
			maybe_drop(w[i].renewal)
		:: w[i].renewal.there -> drop(w[i].renewal)
		:: w[i].runs -> /* it is done; the manager may want the task again */
			if
			:: m_node == i && w[i].epoch == m_epoch -> m_node = 2; m_left = 0
			:: skip
			fi;
			w[i].done = w[i].epoch;
			w[i].runs = false;
			w[i].has = false;
			w[i].epoch = 0;
			w[i].lease_age = 0
		:: w[i].connection < REBOOTS -> /* power fails: the journal has the task, what is over is forgotten */
			w[i].connection++;
			w[i].done = 0;
			w[i].unsure = w[i].has;
			w[i].runs = false;
			w[i].lease_age = 0;
#ifdef NOWAIT
			w[i].runs = w[i].has
#endif
#ifdef EARLY
		:: m_node == i -> m_node = 2
#endif
		:: else -> skip
		fi;
		assert(!(w[0].runs && w[1].runs));
		i = 0
	}
	:: atomic { /* time */
		m_left = (m_left > 0 -> m_left - 1 : 0);
		i = 0;
		do
		:: i < 2 ->
			pass(w[i].start);
			pass(w[i].renewal);
			if
			:: w[i].has && !w[i].unsure && w[i].lease_age < OLD -> w[i].lease_age++
			:: else
			fi;
			w[i].runs = w[i].runs && !OVER(w[i].lease_age, w[i].skew);
			i++
		:: else -> break
		od;
		i = 0
	}
	od
}
