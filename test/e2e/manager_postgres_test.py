#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manager on PostgreSQL: the store's conformance test, the API, and the manager killed. The
server is the distribution's, started here on a free port with a directory of its own."""
import glob
import os
import pwd
import shutil
import subprocess
import tempfile

import lab
import manager_faults_test as faults
import manager_test
from lab import expect, wait_until


class Postgres:
    """initdb and a server as an unprivileged user, for one test."""

    def __init__(self, l):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        if not found and not shutil.which("initdb"):
            raise lab.Skip("PostgreSQL is not installed (tools/deps postgres)")
        self.bin = os.path.dirname(found[-1] if found else shutil.which("initdb"))
        self.folder = tempfile.mkdtemp(prefix="proplet-pg-")
        self.port = lab.free_port()
        self.user = {}
        if os.getuid() == 0:
            who = pwd.getpwnam("postgres")
            os.chown(self.folder, who.pw_uid, who.pw_gid)
            self.user = {"user": who.pw_uid, "group": who.pw_gid}
        self.data = f"{self.folder}/data"
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "proplet", "--no-sync")
        self.log = open(l.folder / "postgres.log", "ab")
        self.child = subprocess.Popen(
            [f"{self.bin}/postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder,
             "-c", "listen_addresses=127.0.0.1"],
            stdout=self.log, stderr=self.log, cwd=self.folder, **self.user)
        l.own(self)
        wait_until(lambda: self.ready(), 20, "PostgreSQL listens")
        self.url = f"postgres://proplet@127.0.0.1:{self.port}/postgres"

    def run(self, program, *args):
        p = subprocess.run([f"{self.bin}/{program}", *args], capture_output=True, cwd=self.folder,
                           timeout=60, **self.user)
        expect(p.returncode == 0, f"{program}: {p.stderr[-300:]!r}")

    def ready(self):
        expect(self.child.poll() is None, "PostgreSQL ended; see postgres.log")
        return subprocess.run([f"{self.bin}/pg_isready", "-q", "-h", "127.0.0.1", "-p",
                               str(self.port)], timeout=10).returncode == 0

    def close(self):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(10)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def on_postgres(test):
    """The test with every World of it on PostgreSQL."""
    def run(l):
        p = Postgres(l)

        class World(manager_test.World):
            def __init__(self, l_, *options, **kw):
                super().__init__(l_, *options, "--store", p.url, **kw)
        kept = manager_test.World
        manager_test.World = faults.World = World
        try:
            test(l)
        finally:
            manager_test.World = faults.World = kept
    return run


def test_conformance(l):
    p = Postgres(l)
    exe = l.bin_dir.parent / "test" / "manager_store_test"
    if not exe.exists():
        raise lab.Skip(f"{exe} is not built")
    status, out, err = l.run([exe], env={"PROPLET_POSTGRES": p.url})
    expect(status == 0, out[-500:] + err[-300:])
    l.note(out.strip().splitlines()[-1])


test_every_endpoint = on_postgres(manager_test.test_every_endpoint)
test_jobs = on_postgres(manager_test.test_jobs)
test_workflow = on_postgres(manager_test.test_workflow)
test_schedule = on_postgres(manager_test.test_schedule)
test_modules_in_chunks = on_postgres(manager_test.test_modules_in_chunks)
test_manager_killed_amid_a_thousand_tasks = on_postgres(
    faults.test_manager_killed_amid_a_thousand_tasks)
test_manager_killed_at_random_moments = on_postgres(faults.test_manager_killed_at_random_moments)
test_a_standby_takes_over = on_postgres(faults.test_a_standby_takes_over)

if __name__ == "__main__":
    lab.main(globals())
