#!/usr/bin/python3
"""SNAPSHOT and ASOF: names of versions, reading in them, going back to one, with saves and restarts."""
import time
import unittest

import resp


def fields(flat):
    return {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}


class Snapshots(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.c.command("FLUSHALL")
        self.c.command("SNAPSHOT", "DROP", *[fields(row)["name"] for row in self.c.command("SNAPSHOT", "LIST")] or ["-"])

    def listed(self, *arguments):
        return [fields(row) for row in self.c.command("SNAPSHOT", "LIST", *arguments)]

    def refused(self, text, *words):
        with self.assertRaisesRegex(resp.Error, text):
            self.c.command(*words)

    def test_a_snapshot_shows_what_was_there(self):
        c = self.c
        c.pipeline([("SET", "a", "1"), ("RPUSH", "l", "x", "y"), ("SET", "other", "db", "EX", 100)])
        version = c.command("SNAPSHOT", "CREATE", "s1")
        self.assertGreater(version, 0)
        self.assertEqual(c.command("SNAPSHOT", "CREATE", "same"), version)  # nothing was written between
        c.pipeline([("SET", "a", "2"), ("RPUSH", "l", "z"), ("DEL", "other"), ("SET", "new", "1")])
        self.assertGreater(c.command("SNAPSHOT", "CREATE", "s2"), version)
        self.assertEqual(c.command("ASOF", "s1", "GET", "a"), b"1")
        self.assertEqual(c.command("ASOF", "s2", "GET", "a"), b"2")
        self.assertEqual(c.command("ASOF", "main", "GET", "a"), b"2")
        self.assertEqual(c.command("ASOF", "s1", "LRANGE", "l", 0, -1), [b"x", b"y"])
        self.assertEqual(sorted(c.command("ASOF", "s1", "KEYS", "*")), [b"a", b"l", b"other"])
        self.assertEqual(c.command("ASOF", "s1", "DBSIZE"), 3)
        self.assertEqual(c.command("GET", "a"), b"2")
        c.command("FLUSHALL")
        self.assertEqual(c.command("ASOF", "s1", "MGET", "a", "other", "new"), [b"1", b"db", None])

    def test_time_stands_still_in_it(self):
        c = self.c
        c.command("SET", "short", "1", "PX", 80)
        c.command("SNAPSHOT", "CREATE", "before")
        resp.wait_until(lambda: c.command("EXISTS", "short") == 0, "it expires")
        resp.wait_until(lambda: c.command("DBSIZE") == 0, "it goes")
        self.assertEqual(c.command("ASOF", "before", "GET", "short"), b"1")
        c.command("SNAPSHOT", "CREATE", "copy", "FROM", "before")
        self.assertEqual(c.command("ASOF", "copy", "GET", "short"), b"1")
        c.command("SNAPSHOT", "ROLLBACK", "before")  # live again: time goes on
        self.assertIsNone(c.command("GET", "short"))

    def test_what_asof_takes(self):
        c = self.c
        c.command("SNAPSHOT", "CREATE", "s")
        for words in (("SET", "a", "1"), ("PING",), ("FLUSHALL",), ("ASOF", "s", "GET", "a"), ("EVAL", "x", "0")):
            self.refused("^(VIEWREADONLY|ERR unknown command)", "ASOF", "s", *words)
        self.refused("^ERR wrong number of arguments for 'get'", "ASOF", "s", "GET")
        self.refused("^ERR wrong number of arguments for 'asof'", "ASOF", "s")
        self.refused("^NOREF", "ASOF", "nosuch", "GET", "a")
        self.refused("^ERR invalid name", "ASOF", "no such", "GET", "a")
        self.assertEqual(c.command("COMMAND", "GETKEYS", "ASOF", "s", "MGET", "a", "b"), [b"a", b"b"])
        replies = c.pipeline([("MULTI",), ("SET", "a", "now"), ("ASOF", "s", "GET", "a"), ("ASOF", "main", "GET", "a"), ("EXEC",)])
        self.assertEqual(replies[-1], [b"OK", None, b"now"])
        c.command("XADD", "x", "1-1", "f", "v")
        self.assertIsNone(c.command("ASOF", "s", "XREAD", "BLOCK", "0", "STREAMS", "x", "0"))

    def test_a_long_read_goes_on_in_its_version(self):
        c = self.c
        elements = [b"%0100d" % number for number in range(30_000)]
        for at in range(0, len(elements), 1000):
            c.command("RPUSH", "list", *elements[at:at + 1000])
        c.command("SNAPSHOT", "CREATE", "s")
        c.command("LTRIM", "list", 1, 0)
        reader = self.client()
        reader.send_raw(resp.encode(("ASOF", "s", "LRANGE", "list", "0", "-1")))
        resp.wait_until(lambda: b"cmd=asof" in c.command("CLIENT", "LIST"), "it has begun")
        c.command("SNAPSHOT", "DROP", "s")
        self.assertEqual(reader.read(), elements)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    def test_names(self):
        c = self.c
        for bad in ("", "a b", "ä", "x" * 129, "a/b", "a\n"):
            self.refused("^ERR invalid name", "SNAPSHOT", "CREATE", bad)
        for good in ("a", "A-Z_0.9:x", "x" * 128):
            c.command("SNAPSHOT", "CREATE", good)
        self.refused("^BUSYNAME", "SNAPSHOT", "CREATE", "a")
        self.refused("^BUSYNAME", "SNAPSHOT", "CREATE", "main")
        self.refused("^BUSYNAME", "SNAPSHOT", "CREATE", "main", "REPLACE")
        self.refused("^BUSYNAME", "SNAPSHOT", "CREATE", "a", "FROM", "nosuch")
        self.refused("^NOREF", "SNAPSHOT", "CREATE", "b", "FROM", "nosuch")
        self.refused("^ERR syntax error", "SNAPSHOT", "CREATE", "b", "SOON")
        for seconds in ("0", "-1", "9223372036854775807"):
            self.refused("^ERR invalid expire time", "SNAPSHOT", "CREATE", "b", "EX", seconds)
        self.refused("^ERR value is not an integer", "SNAPSHOT", "CREATE", "b", "EX", "x")
        c.command("SET", "k", "1")
        later = c.command("SNAPSHOT", "CREATE", "a", "REPLACE")
        self.assertEqual(c.command("ASOF", "a", "GET", "k"), b"1")
        self.assertEqual(c.command("SNAPSHOT", "CREATE", "a", "FROM", "a", "REPLACE"), later)
        self.assertEqual(c.command("SNAPSHOT", "RENAME", "a", "b"), b"OK")
        self.refused("^NOREF", "SNAPSHOT", "RENAME", "a", "c")
        self.refused("^BUSYNAME", "SNAPSHOT", "RENAME", "b", "A-Z_0.9:x")
        self.assertEqual(c.command("SNAPSHOT", "RENAME", "b", "b"), b"OK")
        self.assertEqual(c.command("SNAPSHOT", "DROP", "b", "b", "nosuch"), 1)
        self.refused("^NOREF", "SNAPSHOT", "INFO", "b")
        self.assertIn(b"CREATE", b" ".join(c.command("SNAPSHOT", "HELP")).upper())
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    def test_list_and_info(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", "x" * 200) for number in range(1000)])
        c.command("SELECT", 3)
        c.command("SET", "there", 1)
        c.command("SELECT", 0)
        before = time.time() * 1000
        first = c.command("SNAPSHOT", "CREATE", "z-first")
        c.pipeline([("SET", f"key:{number}", "y" * 200) for number in range(1000)])
        c.command("SNAPSHOT", "CREATE", "a-second", "EX", 1000)
        rows = self.listed()
        self.assertEqual([row["name"] for row in rows], [b"z-first", b"a-second"])
        self.assertEqual(list(rows[0]), "name branch version created-ms keys unique-bytes ttl-ms saved".split())
        self.assertEqual((rows[0]["version"], rows[0]["keys"], rows[0]["ttl-ms"], rows[0]["saved"]), (first, 1001, -1, 0))
        self.assertLess(abs(rows[0]["created-ms"] - before), 60_000)
        self.assertTrue(0 < rows[1]["ttl-ms"] <= 1_000_000)
        self.assertGreaterEqual(rows[0]["unique-bytes"], 1000 * 200)  # every page was written since
        self.assertEqual(rows[1]["unique-bytes"], 0)
        self.assertEqual([row["name"] for row in self.listed("MATCH", "a*")], [b"a-second"])
        info = fields(c.command("SNAPSHOT", "INFO", "z-first"))
        self.assertEqual({**info, "pins": None}, {**rows[0], "pins": None})
        self.assertEqual(self.server.info("snapshots")["snapshots"], "2")
        # What unique-bytes says is what dropping it frees.
        used = int(self.server.info("memory")["used_memory_dataset"])
        c.command("SNAPSHOT", "DROP", "z-first")
        resp.wait_until(lambda: int(self.server.info("memory")["used_memory_dataset"]) <= used - rows[0]["unique-bytes"] * 9 // 10,
                        "its pages are free")
        modern = self.client(protocol=3)
        self.assertEqual(modern.command("SNAPSHOT", "LIST")[0][b"name"], b"a-second")

    def test_it_goes_by_itself(self):
        self.c.command("SNAPSHOT", "CREATE", "s", "EX", 1)
        self.assertEqual(len(self.listed()), 1)
        resp.wait_until(lambda: not self.listed(), "its time comes")

    def test_the_limit(self):
        self.c.command("CONFIG", "SET", "snapshot-max", 2)
        try:
            self.c.command("SNAPSHOT", "CREATE", "a")
            self.c.command("SNAPSHOT", "CREATE", "b")
            self.refused("^ERR .*limit", "SNAPSHOT", "CREATE", "c")
            self.c.command("SNAPSHOT", "CREATE", "b", "REPLACE")
        finally:
            self.c.command("CONFIG", "SET", "snapshot-max", 10000)

    def test_a_thousand(self):
        c = self.c
        for number in range(1000):
            c.pipeline([("SET", f"key:{number % 50}", number), ("SNAPSHOT", "CREATE", f"s:{number}")])
        self.assertEqual(len(self.listed()), 1000)  # more than at once
        for number in (0, 49, 500, 999):
            self.assertEqual(c.command("ASOF", f"s:{number}", "GET", f"key:{number % 50}"), b"%d" % number)
        names = [f"s:{number * 617 % 1000}" for number in range(1000)]
        self.assertEqual(c.command("SNAPSHOT", "DROP", *names), 1000)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")


class Automatic(unittest.TestCase):
    def names(self, c):
        return [fields(row)["name"] for row in c.command("SNAPSHOT", "LIST", "MATCH", "auto:*")]

    def test_they_come_and_go_by_themselves(self):
        with resp.Server("--snapshot-auto", "1 2", save="") as server:
            c = server.client()
            c.command("SNAPSHOT", "CREATE", "mine")
            first = resp.wait_until(lambda: self.names(c), "the first one comes at once")
            resp.wait_until(lambda: len(self.names(c)) == 2, "the second one")
            resp.wait_until(lambda: first[0] not in self.names(c), "the first one goes")
            self.assertEqual(c.command("CONFIG", "GET", "snapshot-auto"), [b"snapshot-auto", b"1 2"])
            c.command("CONFIG", "SET", "snapshot-auto", "")
            left = self.names(c)
            self.assertEqual(len(left), 2)
            c.command("SAVE")
            server.kill()
            server.start("--snapshot-auto", "1000000 2")
            c = server.client()
            c.command("CONFIG", "SET", "snapshot-auto", "1000000 3")  # the saved ones count: none is due
            self.assertEqual(self.names(c), left)
            self.assertEqual(len(c.command("SNAPSHOT", "LIST")), 3)
            for wrong in ("1", "0 1", "1 0", "a b", "1 2 3", "-1 1"):
                with self.assertRaisesRegex(resp.Error, "snapshot-auto"):
                    c.command("CONFIG", "SET", "snapshot-auto", wrong)


class Rollback(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.c.command("FLUSHALL")

    def test_undo_a_flushall(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", number) for number in range(5000)])
        c.command("SELECT", 5)
        c.command("SADD", "set", "a", "b")
        digest = c.command("DEBUG", "DIGEST")
        c.command("SNAPSHOT", "CREATE", "safe", "REPLACE")
        c.command("FLUSHALL")
        version = c.command("SNAPSHOT", "ROLLBACK", "safe")
        self.assertEqual(c.command("DEBUG", "DIGEST"), digest)
        self.assertEqual(c.command("SMEMBERS", "set").__len__(), 2)
        c.command("SET", "after", "1")
        self.assertIsNone(c.command("ASOF", "safe", "GET", "after"))
        # What was there before is a snapshot, too: undo the undo.
        self.assertEqual(c.command("ASOF", f"rollback:{version}", "DBSIZE"), 0)
        c.command("SNAPSHOT", "ROLLBACK", f"rollback:{version}", "NOBACKUP")
        self.assertEqual(c.command("DBSIZE"), 0)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    def test_watchers_fail_and_waiting_clients_are_served(self):
        c = self.c
        c.command("RPUSH", "list", "x")
        c.command("SNAPSHOT", "CREATE", "full", "REPLACE")
        c.command("DEL", "list")
        waiting = self.client()
        waiting.send_raw(resp.encode(("BLPOP", "list", "0")))
        later = self.client()
        later.send_raw(resp.encode(("BLPOP", "later", "0")))
        resp.wait_until(lambda: self.server.info("clients")["blocked_clients"] == "2", "they wait")
        watching = self.client()
        watching.command("WATCH", "unrelated")
        watching.command("MULTI")
        watching.command("PING")
        c.command("SNAPSHOT", "ROLLBACK", "full")
        self.assertEqual(waiting.read(), [b"list", b"x"])
        self.assertIsNone(watching.command("EXEC"))
        c.command("RPUSH", "later", "y")  # who waits on goes on waiting, in the new line
        self.assertEqual(later.read(), [b"later", b"y"])
        self.assertEqual(self.server.info("clients")["blocked_clients"], "0")

    def test_refusals(self):
        for words, text in ((("nosuch",), "^NOREF"), (("main", "BRANCH", "nosuch"), "^NOREF"), (("main", "X"), "^ERR syntax")):
            with self.assertRaisesRegex(resp.Error, text):
                self.c.command("SNAPSHOT", "ROLLBACK", *words)
        replies = self.c.pipeline([("MULTI",), ("SNAPSHOT", "ROLLBACK", "main"), ("EXEC",)])
        self.assertIn("EXECABORT", str(replies[-1]))

    def test_the_newest_backups_are_kept(self):
        c = self.c
        c.command("SNAPSHOT", "CREATE", "base", "REPLACE")
        versions = []
        for number in range(12):
            c.command("SET", "n", number)
            versions.append(c.command("SNAPSHOT", "ROLLBACK", "base"))
        names = [fields(row)["name"].decode() for row in c.command("SNAPSHOT", "LIST", "MATCH", "rollback:*")]
        self.assertEqual(names, [f"rollback:{version}" for version in versions[-8:]])
        self.assertEqual(c.command("ASOF", names[-1], "GET", "n"), b"11")
        # Their pages lie in lines without a head: what they take is walked, and comes back.
        rows = [fields(row) for row in c.command("SNAPSHOT", "LIST", "MATCH", "rollback:*")]
        self.assertTrue(all(row["unique-bytes"] > 0 for row in rows), rows)
        c.command("SNAPSHOT", "DROP", "base", *names)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    def test_rollback_while_a_save_runs(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", "x" * 100) for number in range(20_000)])
        c.command("SNAPSHOT", "CREATE", "s", "REPLACE")
        c.pipeline([("SET", f"key:{number}", "y" * 100) for number in range(20_000)])
        c.command("BGSAVE")
        c.command("SNAPSHOT", "ROLLBACK", "s")
        c.command("SET", "key:0", "z")
        self.server.wait_saved()
        self.assertEqual(c.command("MGET", "key:0", "key:1"), [b"z", b"x" * 100])
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")
        c.command("SAVE")
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")


class Restart(unittest.TestCase):
    def test_names_are_there_after_a_save_and_a_kill(self):
        with resp.Server(save="") as server:
            c = server.client()
            c.pipeline([("SET", f"key:{number}", "one") for number in range(3000)])
            first = c.command("SNAPSHOT", "CREATE", "one")
            c.pipeline([("SET", f"key:{number}", "two") for number in range(0, 3000, 7)])
            c.command("SNAPSHOT", "CREATE", "two", "EX", 10_000)
            c.command("SNAPSHOT", "ROLLBACK", "one")
            c.command("SET", "key:1", "three")
            self.assertEqual([fields(row)["saved"] for row in c.command("SNAPSHOT", "LIST")], [0, 0, 0])
            c.command("SAVE")
            rows = [fields(row) for row in c.command("SNAPSHOT", "LIST")]
            self.assertEqual([row["saved"] for row in rows], [1, 1, 1])
            c.command("SNAPSHOT", "CREATE", "lost")
            c.command("SNAPSHOT", "DROP", "two")
            for turn in range(2):
                server.kill()
                server.start()
                c = server.client()
                again = [fields(row) for row in c.command("SNAPSHOT", "LIST")]
                self.assertEqual([{**row, "ttl-ms": 0, "unique-bytes": 0} for row in again],
                                 [{**row, "ttl-ms": 0, "unique-bytes": 0} for row in rows])
                self.assertEqual(again[0]["version"], first)
                self.assertEqual(c.command("ASOF", "one", "MGET", "key:0", "key:1", "key:2999"), [b"one"] * 3)
                self.assertEqual(c.command("ASOF", "two", "MGET", "key:0", "key:1", "key:7"), [b"two", b"one", b"two"])
                self.assertEqual(c.command("MGET", "key:0", "key:1"), [b"one", b"three"])
                self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")
                c.command("BGSAVE")  # an increment on top, with the same names
                server.wait_saved()
            c.command("SNAPSHOT", "DROP", *[row["name"] for row in again])
            resp.wait_until(lambda: server.info()["reclaim_backlog"] == "0", "all is freed")
            self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")
            c.command("SAVE")
            server.kill()
            server.start()
            c = server.client()
            self.assertEqual(c.command("SNAPSHOT", "LIST"), [])
            self.assertEqual(c.command("MGET", "key:0", "key:1"), [b"one", b"three"])
            self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
