#!/usr/bin/python3
"""BRANCH: lines beside main that are written, rolled back, promoted, saved and dropped."""
import random
import unittest

import resp


def fields(flat):
    return {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}


class Branches(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.c.command("FLUSHALL")
        for row in self.c.command("BRANCH", "LIST"):
            if fields(row)["name"] != b"main":
                self.c.command("BRANCH", "DROP", fields(row)["name"])
        for row in self.c.command("SNAPSHOT", "LIST"):
            self.c.command("SNAPSHOT", "DROP", fields(row)["name"])

    def refused(self, text, *words):
        with self.assertRaisesRegex(resp.Error, text):
            self.c.command(*words)

    def audit(self):
        self.assertEqual(self.c.command("DEBUG", "AUDIT"), b"OK")

    def test_writes_are_seen_in_their_branch_alone(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", "main") for number in range(2000)])
        version = c.command("BRANCH", "CREATE", "test")
        self.assertGreater(version, 0)
        other = self.client()
        self.assertEqual(other.command("BRANCH", "CURRENT"), b"main")
        self.assertEqual(other.command("BRANCH", "USE", "test"), b"OK")
        self.assertEqual(other.command("BRANCH", "CURRENT"), b"test")
        self.assertEqual(other.command("DBSIZE"), 2000)
        other.pipeline([("SET", f"key:{number}", "test") for number in range(0, 2000, 3)])
        other.pipeline([("SELECT", 7), ("RPUSH", "list", *range(1000)), ("SELECT", 0), ("DEL", "key:1")])
        c.command("SET", "key:2", "later")
        self.assertEqual(c.command("MGET", "key:0", "key:1", "key:2"), [b"main", b"main", b"later"])
        self.assertEqual(other.command("MGET", "key:0", "key:1", "key:2"), [b"test", None, b"main"])
        self.assertEqual(c.command("ASOF", "test", "GET", "key:0"), b"test")
        self.assertEqual(other.command("ASOF", "main", "GET", "key:2"), b"later")
        self.assertNotEqual(c.command("DEBUG", "DIGEST"), other.command("DEBUG", "DIGEST"))
        other.command("FLUSHALL")
        self.assertEqual((c.command("DBSIZE"), other.command("DBSIZE")), (2000, 0))
        self.assertEqual(other.command("RESET"), b"RESET")
        self.assertEqual(other.command("DBSIZE"), 2000)
        self.audit()

    def test_everything_a_client_does_is_in_its_branch(self):
        c = self.c
        c.command("BRANCH", "CREATE", "b")
        inside = self.client()
        inside.command("BRANCH", "USE", "b")
        # EXEC, WATCH
        inside.command("WATCH", "k")
        c.command("SET", "k", "main")  # another key, of another branch
        self.assertEqual(inside.pipeline([("MULTI",), ("SET", "k", "b"), ("GET", "k"), ("EXEC",)])[-1], [b"OK", b"b"])
        inside.command("WATCH", "k")
        again = self.client()
        again.command("BRANCH", "USE", "b")
        again.command("SET", "k", "b2")
        self.assertIsNone(inside.pipeline([("MULTI",), ("PING",), ("EXEC",)])[-1])
        # blocking
        inside.send_raw(resp.encode(("BLPOP", "list", "0")))
        resp.wait_until(lambda: self.server.info("clients")["blocked_clients"] == "1", "it waits")
        c.command("RPUSH", "list", "of main")
        again.command("RPUSH", "list", "of b")
        self.assertEqual(inside.read(), [b"list", b"of b"])
        # long reads, expiry
        for at in range(20):
            again.command("RPUSH", "long", *[b"%0100d" % (at * 1000 + number) for number in range(1000)])
        self.assertEqual(inside.command("LRANGE", "long", 0, -1), [b"%0100d" % number for number in range(20_000)])
        again.command("SET", "short", "1", "PX", 30)
        resp.wait_until(lambda: again.command("EXISTS", "short") == 0, "it expires")
        replies = inside.pipeline([("MULTI",), ("BRANCH", "USE", "main"), ("EXEC",)])
        self.assertEqual([str(reply).split()[0] for reply in replies[1:]], ["ERR", "EXECABORT"])
        self.audit()

    def test_names_and_refusals(self):
        c = self.c
        c.command("BRANCH", "CREATE", "a")
        c.command("SNAPSHOT", "CREATE", "s")
        for taken in ("a", "s", "main"):
            self.refused("^BUSYNAME", "BRANCH", "CREATE", taken)
            self.refused("^BUSYNAME", "SNAPSHOT", "CREATE", taken)
        self.refused("^BUSYNAME", "SNAPSHOT", "CREATE", "a", "REPLACE")
        self.refused("^ERR invalid name", "BRANCH", "CREATE", "a b")
        self.refused("^NOREF", "BRANCH", "CREATE", "b", "FROM", "nosuch")
        self.refused("^NOREF", "BRANCH", "USE", "nosuch")
        self.refused("^NOREF", "BRANCH", "USE", "s")
        self.refused("^NOREF", "BRANCH", "INFO", "nosuch")
        self.refused("^NOREF", "BRANCH", "RESET", "a", "nosuch")
        self.refused("^NOREF", "BRANCH", "PROMOTE", "nosuch")
        self.refused("^NOREF", "BRANCH", "RENAME", "nosuch", "x")
        self.refused("^ERR main cannot be renamed", "BRANCH", "RENAME", "main", "x")
        self.refused("^ERR main cannot be dropped", "BRANCH", "DROP", "main")
        self.assertEqual(c.command("BRANCH", "DROP", "nosuch"), 0)
        user = self.client()
        user.command("BRANCH", "USE", "a")
        self.refused("^INUSE 1 ", "BRANCH", "DROP", "a")
        self.assertEqual(c.command("BRANCH", "RENAME", "a", "z"), b"OK")
        self.assertEqual(user.command("BRANCH", "CURRENT"), b"z")
        user.close()
        resp.wait_until(lambda: fields(c.command("BRANCH", "INFO", "z"))["clients"] == 0, "it has gone")
        self.assertEqual(c.command("BRANCH", "DROP", "z"), 1)
        c.command("CONFIG", "SET", "branch-max", 2)
        try:
            c.command("BRANCH", "CREATE", "one")
            self.refused("^ERR .*limit", "BRANCH", "CREATE", "two")
        finally:
            c.command("CONFIG", "SET", "branch-max", 1000)
        self.audit()

    def test_list_and_info(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", "x" * 100) for number in range(5000)])
        c.command("BRANCH", "CREATE", "dev")
        c.command("BRANCH", "USE", "dev")
        c.command("BRANCH", "CREATE", "topic")
        c.pipeline([("SET", f"key:{number}", "y" * 100) for number in range(5000)])
        rows = {fields(row)["name"]: fields(row) for row in c.command("BRANCH", "LIST")}
        self.assertEqual(set(rows), {b"main", b"dev", b"topic"})
        self.assertEqual(list(rows[b"dev"]), "name parent fork-version created-ms keys unique-bytes clients".split())
        self.assertEqual((rows[b"dev"]["parent"], rows[b"topic"]["parent"]), (b"main", b"dev"))
        self.assertEqual([rows[name]["keys"] for name in (b"main", b"dev", b"topic")], [5000] * 3)
        self.assertEqual(rows[b"dev"]["clients"], 1)
        self.assertGreater(rows[b"dev"]["unique-bytes"], 5000 * 100)
        self.assertEqual(rows[b"topic"]["unique-bytes"], 0)
        c.command("BRANCH", "RENAME", "dev", "develop")
        self.assertEqual(fields(c.command("BRANCH", "INFO", "topic"))["parent"], b"develop")
        self.assertEqual(fields(c.command("BRANCH", "INFO"))["name"], b"develop")
        self.assertEqual(self.server.info("branches")["branches"], "3")
        c.command("BRANCH", "USE", "main")
        used = int(self.server.info("memory")["used_memory_dataset"])
        c.command("BRANCH", "DROP", "develop")  # topic stays, and has what it began with
        resp.wait_until(lambda: int(self.server.info("memory")["used_memory_dataset"]) < used - 5000 * 100, "its pages are free")
        self.assertEqual(c.command("ASOF", "topic", "GET", "key:1"), b"x" * 100)
        self.audit()

    def test_snapshots_of_branches(self):
        c = self.c
        c.command("SET", "k", "0")
        c.command("BRANCH", "CREATE", "b")
        c.command("BRANCH", "USE", "b")
        c.command("SET", "k", "1")
        c.command("SNAPSHOT", "CREATE", "s")
        c.command("SET", "k", "2")
        self.assertEqual(fields(c.command("SNAPSHOT", "INFO", "s"))["branch"], b"b")
        c.command("SNAPSHOT", "CREATE", "m", "FROM", "main")
        self.assertEqual(c.command("ASOF", "m", "GET", "k"), b"0")
        version = c.command("SNAPSHOT", "ROLLBACK", "s")  # the connection's branch
        self.assertEqual(c.command("GET", "k"), b"1")
        self.assertEqual(c.command("ASOF", "main", "GET", "k"), b"0")
        self.assertEqual(fields(c.command("SNAPSHOT", "INFO", f"rollback:{version}"))["branch"], b"b")
        c.command("SNAPSHOT", "ROLLBACK", "s", "BRANCH", "main")
        self.assertEqual(c.command("ASOF", "main", "GET", "k"), b"1")
        c.command("BRANCH", "RESET", "main", "m")
        self.assertEqual(c.command("ASOF", "main", "GET", "k"), b"0")
        c.command("BRANCH", "RENAME", "b", "bb")
        self.assertEqual(fields(c.command("SNAPSHOT", "INFO", "s"))["branch"], b"bb")
        c.command("BRANCH", "CREATE", "child", "FROM", "s")
        c.command("BRANCH", "USE", "main")
        self.assertEqual(c.command("BRANCH", "DROP", "bb"), 1)
        c.command("SNAPSHOT", "DROP", "s")
        self.assertEqual(c.command("ASOF", "child", "GET", "k"), b"1")
        self.audit()

    def test_promote(self):
        c = self.c
        c.pipeline([("SET", "k", "old"), ("BRANCH", "CREATE", "next"), ("SNAPSHOT", "CREATE", "s")])
        n = self.client()
        n.command("BRANCH", "USE", "next")
        n.pipeline([("SET", "k", "new"), ("RPUSH", "list", "x")])
        waiting = self.client()
        waiting.send_raw(resp.encode(("BLPOP", "list", "0")))
        watching = self.client()
        watching.pipeline([("WATCH", "k"), ("MULTI",), ("PING",)])
        resp.wait_until(lambda: self.server.info("clients")["blocked_clients"] == "1", "it waits")
        self.assertEqual(c.command("BRANCH", "PROMOTE", "next"), b"OK")
        self.assertEqual((c.command("GET", "k"), n.command("GET", "k")), (b"new", b"old"))
        self.assertEqual(waiting.read(), [b"list", b"x"])
        self.assertIsNone(watching.command("EXEC"))
        self.assertEqual(n.command("BRANCH", "CURRENT"), b"next")
        self.assertEqual(fields(c.command("SNAPSHOT", "INFO", "s"))["branch"], b"main")
        self.assertEqual(c.command("BRANCH", "PROMOTE", "main"), b"OK")
        self.assertEqual(c.command("BRANCH", "PROMOTE", "next"), b"OK")
        self.assertEqual(c.command("GET", "k"), b"old")
        self.audit()

    def test_branches_of_branches(self):
        c = self.c
        c.command("SET", "depth", 0)
        for depth in range(1, 101):
            c.command("BRANCH", "CREATE", f"b{depth}")
            c.command("BRANCH", "USE", f"b{depth}")
            c.command("SET", "depth", depth)
            c.command("SET", f"of:{depth}", "x" * 200)
        self.assertEqual(c.command("DBSIZE"), 101)
        for depth in (1, 50, 100):
            self.assertEqual(c.command("ASOF", f"b{depth}", "GET", "depth"), b"%d" % depth)
        self.audit()
        c.command("BRANCH", "USE", "main")
        for number in range(100):
            self.assertEqual(c.command("BRANCH", "DROP", f"b{number * 37 % 100 + 1}"), 1)
        self.audit()
        self.assertEqual(c.command("DBSIZE"), 1)

    def test_long_histories_leave_nothing_behind(self):
        """The short form of the row `chains` of tests/bench: nothing in between may be needed for ever."""
        c = self.c
        c.pipeline([("SET", f"key:{number}", "main" * 10) for number in range(2000)])
        digest, before = c.command("DEBUG", "DIGEST"), self.settled_memory()
        chain = []
        for number in range(1000):  # each goes on from a version of the line before
            key = ("SET", f"key:{number * 7 % 2000}", f"{number}")
            chain += [("SNAPSHOT", "CREATE", f"s:{number}"), key, ("SNAPSHOT", "ROLLBACK", f"s:{number}", "NOBACKUP")]
        self.assertFalse([reply for reply in c.pipeline(chain) if isinstance(reply, resp.Error)])
        self.assertEqual(c.command("DEBUG", "DIGEST"), digest)
        deep = []
        for number in range(100):
            deep += [("BRANCH", "CREATE", f"b:{number}"), ("BRANCH", "USE", f"b:{number}"), ("SET", f"key:{number}", "b")]
        self.assertFalse([reply for reply in c.pipeline(deep) if isinstance(reply, resp.Error)])
        self.assertEqual([c.command("ASOF", f"b:{number}", "GET", "key:50") for number in (49, 50, 99)],
                         [b"main" * 10, b"b", b"b"])
        self.audit()
        c.command("BRANCH", "USE", "main")
        names = [("BRANCH", "DROP", f"b:{number}") for number in range(100)]
        names += [("SNAPSHOT", "DROP", f"s:{number}") for number in range(1000)]
        random.Random(5).shuffle(names)
        self.assertEqual(c.pipeline(names), [1] * len(names))
        self.audit()
        self.assertEqual(c.command("DEBUG", "DIGEST"), digest)
        # Paths of the last ones stay where they were copied to.
        self.assertLess(abs(self.settled_memory() - before), before // 100)

    def settled_memory(self):
        """When what goes on in the background has come to its end."""
        seen = []

        def settled():
            seen.append(int(self.server.info("memory")["used_memory_dataset"]))
            return len(seen) > 3 and len(set(seen[-3:])) == 1
        resp.wait_until(settled, "memory settles")
        return seen[-1]


class CommandLine(resp.ServerCase):
    def cli(self, *words, check=True):
        return resp.cli(self.server.port, *words, check=check).decode()

    def test_branch_and_at(self):
        c = self.client()
        c.pipeline([("SET", "k", "1"), ("SNAPSHOT", "CREATE", "s"), ("SET", "k", "2"), ("BRANCH", "CREATE", "b")])
        self.assertEqual(self.cli("--branch", "b", "SET", "k", "3"), "OK\n")
        self.assertEqual(self.cli("--branch", "b", "GET", "k"), "3\n")
        self.assertEqual(self.cli("GET", "k"), "2\n")
        self.assertEqual(self.cli("--at", "s", "GET", "k"), "1\n")
        self.assertEqual(self.cli("--at", "b", "GET", "k"), "3\n")
        self.assertEqual(self.cli("--at", "s", "--scan"), "k\n")
        self.assertIn("VIEWREADONLY", self.cli("--at", "s", "SET", "k", "4"))
        self.assertEqual(self.cli("--at", "s", "PING"), "PONG\n")
        self.assertEqual(self.cli("--branch", "nosuch", "SET", "k", "5", check=False), "")
        self.assertEqual(self.cli("GET", "k"), "2\n")
        self.assertEqual(self.cli("--at", "s", "--pipe", check=False), "")

    def test_snapshots(self):
        c = self.client()
        c.command("SNAPSHOT", "CREATE", "a-name", "EX", "1000", "REPLACE")
        lines = self.cli("snapshots").splitlines()
        self.assertEqual(lines[0].split(), "NAME BRANCH VERSION AGE KEYS OWN GOES IN SAVED".split())
        self.assertRegex(self.cli("snapshots"), r"(?m)^a-name +main +\d+ +\d+ s +\d+ +[\d.]+ [KM]?B +16 min \d+ s +no$")


class Restart(unittest.TestCase):
    def test_branches_are_there_after_a_save_and_a_kill(self):
        with resp.Server(save="") as server:
            c = server.client()
            c.pipeline([("SET", f"key:{number}", "main") for number in range(3000)])
            c.pipeline([("BRANCH", "CREATE", "dev"), ("BRANCH", "USE", "dev")])
            c.pipeline([("SET", f"key:{number}", "dev") for number in range(0, 3000, 5)])
            c.pipeline([("SNAPSHOT", "CREATE", "s"), ("BRANCH", "CREATE", "topic"), ("SET", "key:1", "dev again")])
            c.pipeline([("BRANCH", "USE", "topic"), ("SET", "key:2", "topic"), ("BRANCH", "USE", "main")])
            c.command("BRANCH", "PROMOTE", "topic")  # main is now a line that grew from dev
            digests = {}
            for name in ("main", "dev", "topic"):
                c.command("BRANCH", "USE", name)
                digests[name] = c.command("DEBUG", "DIGEST")
            self.assertEqual(len(set(digests.values())), 3)
            c.command("BGSAVE")
            c.command("SET", "lost", "1")
            server.wait_saved()
            rows = [fields(row) for row in c.command("BRANCH", "LIST")]
            for turn in range(2):
                server.kill()
                server.start()
                c = server.client()
                again = [fields(row) for row in c.command("BRANCH", "LIST")]
                for name in ("name", "parent", "fork-version", "created-ms", "keys"):
                    wanted = [row[name] - (row["name"] == b"topic") if name == "keys" else row[name] for row in rows]
                    self.assertEqual([row[name] for row in again], wanted, name)
                for name, digest in digests.items():
                    c.command("BRANCH", "USE", name)
                    self.assertEqual(c.command("DEBUG", "DIGEST"), digest, name)
                self.assertEqual(c.command("ASOF", "s", "MGET", "key:0", "key:1"), [b"dev", b"main"])
                self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")
                c.command("SAVE")
            c.command("BRANCH", "USE", "main")
            c.pipeline([("BRANCH", "DROP", "dev"), ("SNAPSHOT", "DROP", "s"), ("BRANCH", "DROP", "topic")])
            self.assertEqual(c.command("DEBUG", "DIGEST"), digests["main"])
            self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
