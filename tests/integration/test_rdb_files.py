#!/usr/bin/python3
"""SNAPSHOT EXPORT and SNAPSHOT IMPORT: versions as dump files, out and in, to Redis and back."""
import os
import shutil
import threading
import unittest

import resp
from redis_values import REDIS, Redis, fill


def wait_export(server):
    resp.wait_until(lambda: server.info("persistence")["export_in_progress"] == "0", "the export has ended")
    return server.info("persistence")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


def contents(client, names, *prefix):
    """What the keys hold, in a form that does not depend on order and spelling."""
    found = {}
    for name in names:
        kind = client.command(*prefix, "TYPE", name)
        read = {b"string": ["GET", name], b"list": ["LRANGE", name, 0, -1], b"set": ["SMEMBERS", name],
                b"hash": ["HGETALL", name], b"zset": ["ZRANGE", name, 0, -1, "WITHSCORES"],
                b"stream": ["XRANGE", name, "-", "+"]}[kind]
        reply = client.command(*prefix, *read)
        if kind == b"set":
            reply = set(reply)
        if kind in (b"hash", b"zset"):
            reply = dict(zip(reply[::2], reply[1::2]))
        if kind == b"zset":
            reply = {member: float(score) for member, score in reply.items()}
        found[name] = (kind, reply, client.command(*prefix, "PEXPIRETIME", name))
    return found


class RdbFiles(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.c.command("FLUSHALL")
        for row in self.c.command("SNAPSHOT", "LIST"):
            self.c.command("SNAPSHOT", "DROP", row[1])

    def path(self, name):
        return os.path.join(self.server.directory, name)

    def refused(self, text, *words):
        with self.assertRaisesRegex(resp.Error, text):
            self.c.command(*words)

    def export(self, ref, name):
        self.server.wait_loaded()  # a test before this one may have left a store
        self.assertEqual(self.c.command("SNAPSHOT", "EXPORT", ref, name), b"Background export started")
        info = wait_export(self.server)
        self.assertEqual((info["export_last_status"], info["export_last_error"]), ("ok", ""))

    def test_a_version_goes_out_and_comes_in_again(self):
        c = self.c
        fill(c)
        c.command("SET", "string:ttl", "v", "EX", 1000)
        c.pipeline([("SELECT", 9), ("SET", "nine", "9"), ("SELECT", 0)])
        c.command("SNAPSHOT", "CREATE", "then")
        digest = c.command("ASOF", "then", "DBSIZE")
        c.pipeline([("SET", f"later:{number}", number) for number in range(100)])
        self.export("then", "then.rdb")
        self.assertEqual(os.stat(self.path("then.rdb")).st_mode & 0o777, 0o600)
        keys = c.command("SNAPSHOT", "IMPORT", "then.rdb", "AS", "again")
        self.assertEqual(keys, digest + 1)
        self.assertEqual(self.server.info("persistence")["import_keys"], str(keys))
        self.assertEqual(c.command("ASOF", "again", "DBSIZE"), digest)
        names = c.command("ASOF", "again", "KEYS", "*")
        self.assertEqual(contents(c, names, "ASOF", "again"), contents(c, names, "ASOF", "then"))
        self.assertGreater(c.command("ASOF", "again", "PEXPIRETIME", "string:ttl"), 0)
        # It is a version like any other: worked in, gone back to.
        c.command("SNAPSHOT", "ROLLBACK", "again")
        self.assertEqual(c.command("DBSIZE"), digest)
        self.assertEqual(c.command("EXISTS", "later:1"), 0)
        c.command("SNAPSHOT", "DROP", "again", "then")
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    @unittest.skipIf(REDIS is None, "no redis-server here to compare with")
    def test_redis_loads_what_goes_out_and_we_load_what_it_saves(self):
        c = self.c
        fill(c)
        c.command("PEXPIREAT", "string:3", 33_000_000_000_000)
        c.pipeline([("SELECT", 4), ("RPUSH", "list", *range(3000)), ("SELECT", 0)])
        self.export("main", "dump.rdb")
        redis = Redis("--dbfilename", "dump.rdb")
        self.addCleanup(redis.close)
        shutil.copy(self.path("dump.rdb"), redis.directory)
        redis.start()
        theirs = redis.client()
        names = c.command("KEYS", "*")
        self.assertEqual(sorted(theirs.command("KEYS", "*")), sorted(names))

        ours = contents(c, names)
        self.assertEqual(contents(theirs, names), ours)
        theirs.command("SET", "compressed", "x" * 5000)
        theirs.command("SAVE")
        shutil.copy(os.path.join(redis.directory, "dump.rdb"), self.path("theirs.rdb"))
        self.assertEqual(c.command("SNAPSHOT", "IMPORT", "theirs.rdb", "AS", "theirs"), len(names) + 2)
        self.assertEqual(contents(c, names, "ASOF", "theirs"), ours)
        self.assertEqual(c.command("ASOF", "theirs", "GET", "compressed"), b"x" * 5000)
        c.command("SELECT", 4)
        self.assertEqual(c.command("ASOF", "theirs", "LLEN", "list"), 3000)

    def test_clients_are_served_and_write_meanwhile(self):
        c = self.c
        c.pipeline([("HSET", "large", *[f"{kind}{number}" for number in range(start, start + 1000) for kind in "fv"])
                    for start in range(0, 100_000, 1000)])
        c.pipeline([("SET", f"key:{number}", "v" * 100) for number in range(50_000)])
        self.export("main", "large.rdb")
        reply = []
        other = self.client()
        waiting = threading.Thread(target=lambda: reply.append(
            other.command("SNAPSHOT", "IMPORT", "large.rdb", "AS", "large")))
        waiting.start()
        resp.wait_until(lambda: self.server.info("persistence")["import_in_progress"] == "1" or reply, "the import has begun")
        self.refused("running already", "SNAPSHOT", "IMPORT", "large.rdb", "AS", "second")
        writes = 0
        while waiting.is_alive():
            c.command("SET", f"meanwhile:{writes}", "x")
            writes += 1
        waiting.join()
        self.assertEqual(reply, [50_001])
        self.assertGreater(writes, 10)
        self.assertEqual(c.command("ASOF", "large", "HLEN", "large"), 100_000)
        self.assertEqual(c.command("ASOF", "large", "EXISTS", "meanwhile:1"), 0)
        self.assertEqual(c.command("DBSIZE"), 50_001 + writes)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    def test_bad_files_and_names(self):
        c = self.c
        c.command("SET", "k", "v")
        c.command("SNAPSHOT", "CREATE", "taken")
        self.export("taken", "good.rdb")
        for path in ("../good.rdb", "/tmp/good.rdb", "", ".", "x/../../y", "a\0b", "folder/"):
            self.refused("no path of a file", "SNAPSHOT", "EXPORT", "taken", path)
            self.refused("no path of a file", "SNAPSHOT", "IMPORT", path, "AS", "new")
        for path in ("verso.lock", "store.id", "store/CURRENT", "./store/x", "ingest/y"):
            self.refused("belongs to the store", "SNAPSHOT", "EXPORT", "taken", path)
        self.refused("NOREF", "SNAPSHOT", "EXPORT", "none", "x.rdb")
        self.refused("BUSYNAME", "SNAPSHOT", "IMPORT", "good.rdb", "AS", "taken")
        self.refused("BUSYNAME", "SNAPSHOT", "IMPORT", "good.rdb", "AS", "main")
        self.refused("invalid name", "SNAPSHOT", "IMPORT", "good.rdb", "AS", "a b")
        self.refused("syntax", "SNAPSHOT", "IMPORT", "good.rdb", "IN", "new")
        self.refused("syntax", "SNAPSHOT", "EXPORT", "taken", "x.rdb", "FORMAT", "AOF")
        self.refused("missing.rdb: No such file", "SNAPSHOT", "IMPORT", "missing.rdb", "AS", "new")
        with open(self.path("good.rdb"), "rb") as file:
            good = file.read()
        for name, content, why in (("empty", b"", "empty"), ("other", b"something else", "no RDB file"),
                                   ("cut", good[:-3], "checksum"), ("flipped", good[:20] + b"!" + good[21:], "checksum"),
                                   ("newer", good.replace(b"REDIS0009", b"REDIS0099"), "RDB version 99")):
            with open(self.path(name + ".rdb"), "wb") as file:
                file.write(content)
            self.refused(f"{name}.rdb: .*{why}", "SNAPSHOT", "IMPORT", name + ".rdb", "AS", "new")
        self.assertEqual(self.server.info("persistence")["import_last_status"], "err")
        os.mkdir(self.path("folder"))
        self.refused("is no file", "SNAPSHOT", "IMPORT", "folder", "AS", "new")
        self.assertEqual(c.command("SNAPSHOT", "EXPORT", "taken", "none/x.rdb"), b"Background export started")
        info = wait_export(self.server)
        self.assertEqual(info["export_last_status"], "err")
        self.assertIn("none/x.rdb.tmp: No such file", info["export_last_error"])
        # A link that leads elsewhere is not written through.
        outside = self.path("outside")
        os.symlink(outside, self.path("link.rdb.tmp"))
        c.command("SNAPSHOT", "EXPORT", "taken", "link.rdb")
        self.assertEqual(wait_export(self.server)["export_last_status"], "err")
        self.assertFalse(os.path.exists(outside))
        self.assertEqual(c.command("SNAPSHOT", "IMPORT", "good.rdb", "AS", "new"), 1)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    def test_no_half_of_a_file_is_left(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", "v" * 1000) for number in range(20_000)])
        self.export("main", "dump.rdb")
        with open(self.path("dump.rdb"), "rb") as file:
            before = file.read()
        c.command("SET", "another", "x")
        c.command("SNAPSHOT", "EXPORT", "main", "dump.rdb")
        for child in children_of(self.server.process.pid):
            os.kill(child, 9)
        info = wait_export(self.server)
        if info["export_last_status"] == "err":  # else it had been faster
            self.assertIn("killed by signal 9", info["export_last_error"])
            with open(self.path("dump.rdb"), "rb") as file:
                self.assertEqual(file.read(), before)
        self.export("main", "dump.rdb")
        self.assertEqual(c.command("SNAPSHOT", "IMPORT", "dump.rdb", "AS", "whole"), 20_001)

    def test_the_memory_limit_ends_an_import(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", "v" * 1000) for number in range(30_000)])
        self.export("main", "dump.rdb")
        c.command("FLUSHALL")
        resp.wait_until(lambda: int(self.server.info("memory")["used_memory"]) < 20 << 20, "the memory is free again")
        c.command("CONFIG", "SET", "maxmemory", int(self.server.info("memory")["used_memory"]) + (5 << 20))
        self.refused("does not fit into maxmemory", "SNAPSHOT", "IMPORT", "dump.rdb", "AS", "new")
        c.command("CONFIG", "SET", "maxmemory", 0)
        self.assertEqual(c.command("SNAPSHOT", "LIST"), [])
        self.assertEqual(c.command("SNAPSHOT", "IMPORT", "dump.rdb", "AS", "new"), 30_000)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    def test_a_restart_keeps_what_is_named_and_drops_what_is_not(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", "v" * 100) for number in range(100_000)])
        self.export("main", "dump.rdb")
        self.assertEqual(c.command("SNAPSHOT", "IMPORT", "dump.rdb", "AS", "kept"), 100_000)
        c.command("FLUSHALL")
        other = self.client()
        other.send_raw(resp.encode(("SNAPSHOT", "IMPORT", "dump.rdb", "AS", "half")))
        resp.wait_until(lambda: 0 < int(self.server.info("persistence")["import_keys"]) < 100_000 or
                        self.server.info("persistence")["import_in_progress"] == "0", "some of it is there")
        c.command("SAVE")
        self.server.kill()
        self.server.start()
        c = self.client()
        self.assertEqual(c.command("ASOF", "kept", "DBSIZE"), 100_000)
        self.assertEqual(c.command("DBSIZE"), 0)
        if c.command("SNAPSHOT", "DROP", "half") == 0:
            self.assertEqual([row[1] for row in c.command("SNAPSHOT", "LIST")], [b"kept"])
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")


class Starts(unittest.TestCase):
    """A server that begins with a dump file."""

    def server(self, *arguments, **options):
        server = resp.Server(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def setUp(self):
        self.first = self.server()
        self.first.start()
        c = self.first.client()
        c.pipeline([("SET", f"key:{number}", number) for number in range(5000)])
        c.pipeline([("SELECT", 2), ("RPUSH", "list", "a", "b")])
        c.command("SNAPSHOT", "EXPORT", "main", "dump.rdb")
        wait_export(self.first)
        self.file = os.path.join(self.first.directory, "dump.rdb")

    def fails(self, server, text, *more):
        server.start(*more, wait=False)
        self.assertEqual(server.wait_exit(), 1)
        self.assertIn(text, server.log())

    def test_what_redis_has_left_is_taken_over(self):
        server = self.server()
        shutil.copy(self.file, server.directory)
        server.start()
        c = server.client()
        self.assertEqual((c.command("DBSIZE"), c.command("GET", "key:4999")), (5000, b"4999"))
        c.command("SET", "key:0", "changed")
        c.command("SELECT", 2)
        self.assertEqual(c.command("LRANGE", "list", 0, -1), [b"a", b"b"])
        self.assertEqual(c.command("SNAPSHOT", "LIST"), [])
        self.assertEqual(len(c.command("BRANCH", "LIST")), 1)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")
        # Once there is a store, that is what counts.
        c.command("SAVE")
        server.kill()
        server.start()
        self.assertIn("is not read", server.log())
        c = server.client()
        self.assertEqual((c.command("DBSIZE"), c.command("GET", "key:0")), (5000, b"changed"))

    def test_under_another_name(self):
        server = self.server("--dbfilename", "redis.rdb")
        shutil.copy(self.file, os.path.join(server.directory, "redis.rdb"))
        server.start()
        self.assertEqual(server.client().command("DBSIZE"), 5000)

    def test_one_that_is_named(self):
        server = self.server()
        server.start("--import", self.file)
        self.assertEqual(server.client().command("DBSIZE"), 5000)
        server.client().command("SAVE")
        server.stop()
        self.fails(server, "holds data already", "--import", self.file)

    def test_a_damaged_one_is_no_empty_start(self):
        server = self.server()
        with open(self.file, "rb") as file:
            content = file.read()
        with open(os.path.join(server.directory, "dump.rdb"), "wb") as file:
            file.write(content[:-100])
        self.fails(server, "dump.rdb: the checksum is wrong")
        self.fails(server, "none.rdb: No such file", "--import", "none.rdb")


if __name__ == "__main__":
    unittest.main()
