#!/usr/bin/python3
"""SYNC: the data set as a dump, once, for redis-cli --rdb and verso-cli --rdb; replicas are refused."""
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import resp
from redis_values import REDIS, Redis, content, fill

REDIS_CLI = shutil.which("redis-cli")


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=resp.SECONDS_MAX * 3, **options)


def receive(client):
    """The payload of a SYNC that was sent; the connection has to end behind it."""
    while (line := client._read_line().lstrip(b"\n")) == b"":
        pass  # a "\n" each second says that something is going on
    if line.startswith(b"-"):
        raise resp.Error(line[1:].decode())
    payload = client._take(int(line[1:]))
    assert client.is_closed_by_server()
    return payload


class Sync(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.c.command("FLUSHALL")
        self.folder = tempfile.mkdtemp(prefix="verso-sync-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def sync(self):
        client = self.client()
        client.send_raw(b"SYNC\r\n")
        return receive(client)

    def keys_of(self, dump):
        """How many keys a dump has, by importing it."""
        with open(os.path.join(self.server.directory, "theirs.rdb"), "wb") as file:
            file.write(dump)
        keys = self.c.command("SNAPSHOT", "IMPORT", "theirs.rdb", "AS", "theirs")
        self.c.command("SNAPSHOT", "DROP", "theirs")
        os.remove(os.path.join(self.server.directory, "theirs.rdb"))
        return keys

    def cli(self, *arguments, **options):
        return run(resp.CLI_BINARY, "-p", self.server.port, *arguments, **options)

    def test_the_payload(self):
        before = sorted(os.listdir(self.server.directory))
        self.assertTrue(self.sync().startswith(b"REDIS0009"))
        self.c.pipeline([("SET", f"key:{number}", number) for number in range(1000)])
        self.c.pipeline([("SELECT", 3), ("RPUSH", "list", "a"), ("SELECT", 0)])
        self.assertEqual(self.keys_of(self.sync()), 1001)
        with self.client() as client:  # a branch is worked in: its data
            client.command("BRANCH", "CREATE", "test")
            client.command("BRANCH", "USE", "test")
            client.command("FLUSHDB")
            client.send_raw(b"SYNC\r\n")
            self.assertEqual(self.keys_of(receive(client)), 1)
        self.c.command("BRANCH", "DROP", "test")
        self.assertEqual(sorted(os.listdir(self.server.directory)), before)
        self.assertEqual(self.server.info("replication")["connected_slaves"], "0")
        self.assertEqual(self.c.command("ROLE")[0], b"master")

    @unittest.skipIf(REDIS is None or REDIS_CLI is None, "no Redis here")
    def test_redis_cli_fetches_what_redis_loads(self):
        names = fill(self.c)
        self.c.command("PEXPIREAT", "string:3", 33_000_000_000_000)
        redis = Redis("--dbfilename", "dump.rdb")
        self.addCleanup(redis.close)
        for fetch in ([REDIS_CLI, "-p", self.server.port, "--rdb"], [resp.CLI_BINARY, "-p", self.server.port, "--rdb"]):
            done = run(*fetch, os.path.join(redis.directory, "dump.rdb"))
            self.assertEqual(done.returncode, 0, done.stderr)
            redis.start()
            ours, theirs = self.client(protocol=3), redis.client(protocol=3)
            self.assertEqual(sorted(theirs.command("KEYS", "*")), names)
            for name in names:
                self.assertEqual(content(theirs, name), content(ours, name), name)
            self.assertEqual(theirs.command("PEXPIRETIME", "string:3"), 33_000_000_000_000)
            # And the other way: our client from a server of Redis.
            self.assertEqual(run(resp.CLI_BINARY, "-p", redis.port, "--rdb", self.path("theirs")).returncode, 0)
            with open(self.path("theirs"), "rb") as file:
                self.assertEqual(self.keys_of(file.read()), len(names))
            redis.kill()

    def test_the_command_line_client(self):
        self.c.command("SET", "k", "v")
        done = self.cli("--rdb", self.path("dump.rdb"))
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
        self.assertEqual(os.stat(self.path("dump.rdb")).st_mode & 0o777, 0o600)
        with open(self.path("dump.rdb"), "rb") as file:
            self.assertEqual(self.keys_of(file.read()), 1)
        done = self.cli("--rdb", "-")
        self.assertTrue(done.stdout.startswith(b"REDIS0009"))
        self.assertEqual(os.listdir(self.folder), ["dump.rdb"])
        for arguments, why in ((("--rdb", self.path("none/dump.rdb")), b"No such file"),
                               (("--rdb", self.path("x"), "--at", "main"), b"SNAPSHOT EXPORT")):
            done = self.cli(*arguments)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr)
        self.c.command("CONFIG", "SET", "requirepass", "secret")
        try:
            done = self.cli("--rdb", self.path("denied"))
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"NOAUTH", done.stderr)
            self.assertEqual(self.cli("-a", "secret", "--rdb", self.path("allowed")).returncode, 0)
        finally:
            self.c.command("CONFIG", "SET", "requirepass", "")
        self.assertEqual(sorted(os.listdir(self.folder)), ["allowed", "dump.rdb"])

    def test_where_it_is_refused(self):
        for line in (b"REPLCONF listening-port 6380\r\n", b"REPLCONF capa psync2\r\n", b"REPLCONF ip-address 1.2.3.4\r\n", b"PSYNC ? -1\r\n"):
            with self.client() as client:
                client.send_raw(line)
                client.read()
                client.send_raw(b"SYNC\r\n")
                self.assertRegex(str(client.read()), "^ERR this server has no replicas")
                client.command("RESET")
                client.send_raw(b"SYNC\r\n")
                self.assertTrue(receive(client).startswith(b"REDIS"))
        with self.client() as client:
            self.assertEqual(client.command("REPLCONF"), b"OK")
            self.assertEqual(client.command("REPLCONF", "capa", "eof", "rdb-only", "1"), b"OK")
            self.assertRegex(str(client.pipeline([("REPLCONF", "rdb-only")])[0]), "syntax")
            self.assertRegex(str(client.pipeline([("PSYNC", "?", "-1")])[0]), "^NOMASTERLINK this server has no replicas")
            client.command("RESET")
            client.command("MULTI")
            self.assertRegex(str(client.pipeline([("SYNC",)])[0]), "not allowed inside a transaction")
            client.command("DISCARD")
            client.command("TXN", "BEGIN")
            self.assertRegex(str(client.pipeline([("SYNC",)])[0]), "TXN")

    @unittest.skipIf(REDIS is None, "no redis-server here")
    def test_a_replica_hears_no_and_waits(self):
        redis = Redis("--replicaof", f"127.0.0.1 {self.server.port}")
        self.addCleanup(redis.close)
        redis.start()
        time.sleep(2.2)
        self.assertIn("this server has no replicas", redis.log())
        self.assertLess(redis.log().count("Connecting to MASTER"), 6)
        self.assertEqual(redis.info("replication")["master_link_status"], "down")
        self.assertEqual(self.server.info("replication")["connected_slaves"], "0")

    def fill_large(self, count=60_000):
        self.c.pipeline([("SET", f"key:{number}", "v" * 1000) for number in range(count)])
        return count

    def test_a_slow_reader_costs_no_memory(self):
        count = self.fill_large()
        slow = self.client()
        slow.send_raw(b"SYNC\r\n")
        before = int(self.server.info("memory")["used_memory"])
        resp.wait_until(lambda: self.server.info("persistence")["export_in_progress"] == "0", "the dump is written")
        time.sleep(0.3)
        # Nothing is pinned for it: what is written now does not keep what was there.
        self.c.pipeline([("SET", f"key:{number}", "w" * 1000) for number in range(count)])
        resp.wait_until(lambda: int(self.server.info("memory")["used_memory"]) < before + (8 << 20), "the memory is that of before")
        begin = time.monotonic()
        self.assertEqual(self.c.command("PING"), b"PONG")
        self.assertLess(time.monotonic() - begin, 1)
        payload = receive(slow)
        self.assertGreater(len(payload), count * 1000)
        self.assertEqual(self.keys_of(payload), count)

    def test_one_at_a_time_and_who_leaves_ends_it(self):
        self.fill_large(150_000)
        first = self.client()
        first.send_raw(b"SYNC\r\n")
        resp.wait_until(lambda: self.server.info("persistence")["export_in_progress"] == "1", "it has begun")
        with self.client() as second:
            second.send_raw(b"SYNC\r\n")
            second.send_raw(resp.encode(("PING",)))
            self.assertRegex(str(second.read()), "^ERR an export is running already")
            self.assertEqual(second.read(), b"PONG")
        with self.assertRaisesRegex(resp.Error, "running already"):
            self.c.command("SNAPSHOT", "EXPORT", "main", "x.rdb")
        first.close()
        resp.wait_until(lambda: self.server.info("persistence")["export_in_progress"] == "0", "it has ended")
        self.assertNotIn("sync", " ".join(os.listdir(self.server.directory)))
        # One that leaves in the middle of the payload.
        third = self.client()
        third.send_raw(b"SYNC\r\n")
        third._receive()
        third.close()
        self.assertEqual(self.keys_of(self.sync()), 150_000)
        self.assertEqual(self.c.command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
