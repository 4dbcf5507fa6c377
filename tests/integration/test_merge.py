#!/usr/bin/python3
"""BRANCH MERGE: what it takes over, conflicts, bases through everything that becomes of branches, restarts, words."""
import random
import unittest

import resp


class Merge(resp.ServerCase):
    arguments = ("--enable-debug-command", "yes")

    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.connections = {b"main": self.c}

    def tearDown(self):
        self.afresh()
        self.assertEqual(self.c.command("DEBUG", "AUDIT"), b"OK")
        super().tearDown()

    def afresh(self):
        """Without branches, empty."""
        for name in [name.decode() for name in self.connections if name != b"main"]:
            self.leave(name)
        for row in self.c.command("BRANCH", "LIST"):
            if row[1] != b"main":
                self.c.command("BRANCH", "DROP", row[1])
        self.c.command("FLUSHALL")

    def on(self, branch):
        """A connection that works in the branch, which is made from main if it is not there."""
        name = branch.encode()
        if name not in self.connections:
            if all(row[1] != name for row in self.c.command("BRANCH", "LIST")):
                self.c.command("BRANCH", "CREATE", branch)
            client = self.connections[name] = self.client()
            client.command("BRANCH", "USE", branch)
        return self.connections[name]

    def leave(self, branch):
        client = self.connections.pop(branch.encode())
        client.command("BRANCH", "USE", "main")
        client.close()

    def merge(self, *words):
        """(applied, conflicts) of the reply."""
        flat = self.c.command("BRANCH", "MERGE", *words)
        reply = {flat[at]: flat[at + 1] for at in range(0, len(flat), 2)}
        self.assertEqual(list(reply), [b"applied", b"conflicts", b"version"])
        self.assertGreater(reply[b"version"], 0)
        return reply[b"applied"], sorted(reply[b"conflicts"])

    def refused(self, text, *words):
        with self.assertRaisesRegex(resp.Error, text):
            self.c.command(*words)

    def test_three_ways(self):
        c = self.c
        c.pipeline([("SET", key, "base") for key in ("theirs", "ours", "both same", "deleted", "deleted by both", "back")])
        b = self.on("b")
        b.pipeline([("SET", "theirs", "1"), ("SET", "both same", "2"), ("DEL", "deleted", "deleted by both"), ("SET", "new", "n"),
                    ("RPUSH", "list", *range(10)), ("SET", "back", "x"), ("SET", "back", "base"), ("EXPIRE", "ours", 1000), ("PERSIST", "ours")])
        c.pipeline([("SET", "ours", "3"), ("SET", "both same", "2"), ("DEL", "deleted by both"), ("SET", "mine", "m")])
        self.assertEqual(self.merge("b", "DRYRUN"), (4, []))
        self.assertEqual(c.command("EXISTS", "new"), 0)
        self.assertEqual(self.merge("b"), (4, []))
        self.assertEqual(c.command("MGET", "theirs", "ours", "both same", "deleted", "deleted by both", "new", "back", "mine"),
                         [b"1", b"3", b"2", None, None, b"n", b"base", b"m"])
        self.assertEqual(c.command("LRANGE", "list", 0, -1), [b"%d" % number for number in range(10)])
        self.assertEqual(b.command("EXISTS", "mine"), 0)  # one direction only
        self.assertEqual(self.merge("b"), (0, []))
        self.assertEqual(self.merge("main", "INTO", "b"), (2, []))
        self.assertEqual(c.command("SNAPSHOT", "DIFF", "b", "main"), [b"0", []])

    def test_conflicts(self):
        c, b = self.c, self.on("b")
        keys = [f"key:{number}" for number in range(1500)]
        b.pipeline([("SET", key, "b") for key in keys] + [("SET", "fine", "b")])
        c.pipeline([("SET", key, "main") for key in keys])
        with self.assertRaisesRegex(resp.Error, "^MERGECONFLICT 1500 key:") as raised:
            c.command("BRANCH", "MERGE", "b")
        self.assertEqual(len(str(raised.exception).split()), 12)
        self.assertEqual(c.command("EXISTS", "fine"), 0)
        applied, conflicts = self.merge("b", "DRYRUN")
        self.assertEqual((applied, len(conflicts)), (0, 1000))
        self.assertEqual(self.merge("b", "ONCONFLICT", "OURS", "DRYRUN")[0], 1)
        self.assertEqual(self.merge("b", "DRYRUN", "ONCONFLICT", "THEIRS")[0], 1501)
        self.assertEqual(self.merge("b", "ONCONFLICT", "OURS")[0], 1)
        self.assertEqual(c.command("MGET", "key:0", "fine"), [b"main", b"b"])
        self.assertEqual(self.merge("b", "ONCONFLICT", "THEIRS"), (0, []))  # OURS counts as merged
        b.command("SET", "key:1", "again")
        c.command("DEL", "key:1")
        self.refused("^MERGECONFLICT 1 key:1$", "BRANCH", "MERGE", "b")
        self.assertEqual(self.merge("b", "ONCONFLICT", "THEIRS"), (1, [b"key:1"]))
        self.assertEqual(c.command("GET", "key:1"), b"again")

    def test_every_type_small_and_large_and_all_databases(self):
        c, b = self.c, self.on("b")
        many = [f"element:{number}" for number in range(20_000)]
        b.pipeline([("SET", "string", "x" * 300), ("SET", "rope", "r" * 3_000_000, "EX", 1000), ("RPUSH", "list", *many), ("SADD", "set", *many), ("SADD", "few", 1, 2),
                    ("HSET", "hash", *[word for element in many for word in (element, "v")]), ("HSET", "pack", "f", "v"),
                    ("ZADD", "zset", *[word for at, element in enumerate(many) for word in (at, element)])])
        b.pipeline([("XADD", "stream", f"{number}-1", "f", "v") for number in range(1, 2000)] + [("XGROUP", "CREATE", "stream", "g", "5")])
        b.command("XREADGROUP", "GROUP", "g", "me", "COUNT", 10, "STREAMS", "stream", ">")
        b.command("SELECT", 9)
        b.pipeline([("SET", "k" * 300, "in nine", "PX", 10_000_000), ("SET", "short", "in nine")])
        digest = b.command("DEBUG", "DIGEST")
        self.assertEqual(self.merge("b"), (11, []))
        self.assertEqual(c.command("DEBUG", "DIGEST"), digest)
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")
        b.command("SELECT", 0)
        b.pipeline([("HDEL", "hash", "element:77"), ("LSET", "list", 5000, "other"), ("XACK", "stream", "g", "6-1")])
        self.assertEqual(self.merge("b"), (3, []))
        self.leave("b")
        c.command("BRANCH", "DROP", "b")
        self.assertEqual(c.command("LINDEX", "list", 5000), b"other")

    def test_expiry_is_judged_now(self):
        c, b = self.c, self.on("b")
        c.command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        try:
            b.command("SET", "short", "v", "PX", 30)
            c.command("SET", "mine", "v", "PX", 30)
            b.command("SET", "mine", "other")
            resp.wait_until(lambda: b.command("EXISTS", "short") + c.command("EXISTS", "mine") == 0, "they expire")
            self.assertEqual(self.merge("b"), (1, []))
            self.assertEqual(c.command("MGET", "short", "mine"), [None, b"other"])
        finally:
            c.command("DEBUG", "SET-ACTIVE-EXPIRE", 1)

    def test_watchers_and_waiting_clients_hear_of_it(self):
        c, b = self.c, self.on("b")
        waiting = self.client()
        waiting.send_raw(resp.encode(("BLPOP", "list", "0")))
        resp.wait_until(lambda: b"cmd=blpop" in c.command("CLIENT", "LIST"), "it waits")
        watcher = self.client()
        watcher.command("WATCH", "watched")
        b.pipeline([("RPUSH", "list", "a"), ("SET", "watched", "1"), ("SET", "other", "1")])
        self.assertEqual(self.merge("b"), (3, []))
        self.assertEqual(waiting.read(), [b"list", b"a"])
        self.assertEqual(watcher.pipeline([("MULTI",), ("SET", "x", 1), ("EXEC",)])[-1], None)
        watcher.command("WATCH", "unrelated")
        b.command("SET", "watched", "2")
        self.merge("b", "ONCONFLICT", "OURS")
        self.assertEqual(watcher.pipeline([("MULTI",), ("SET", "x", 1), ("EXEC",)])[-1], [b"OK"])

    def test_the_base_follows_the_branches(self):
        c, b = self.c, self.on("b")
        b.command("SET", "k", "1")
        self.assertEqual(self.merge("b"), (1, []))
        c.command("SET", "k", "2")
        self.leave("b")
        c.command("BRANCH", "RENAME", "b", "renamed")
        self.assertEqual(self.merge("renamed"), (0, []))  # unchanged since the merge
        self.assertEqual(self.merge("main", "INTO", "renamed"), (1, []))
        c.command("SET", "k", "3")
        c.command("BRANCH", "PROMOTE", "renamed")  # main has 2 now, renamed 3
        self.assertEqual(self.merge("renamed"), (1, []))
        self.assertEqual(c.command("GET", "k"), b"3")
        # Rolled back to before the merge, it is undone and can be done again.
        before = self.on("other")
        before.command("SET", "o", "1")
        c.command("SNAPSHOT", "CREATE", "s", "REPLACE")
        self.assertEqual(self.merge("other"), (1, []))
        c.command("SNAPSHOT", "CREATE", "later", "REPLACE")
        c.command("SET", "o", "2")
        c.command("SNAPSHOT", "ROLLBACK", "later", "NOBACKUP")
        c.command("SET", "o", "3")
        self.assertEqual(self.merge("other"), (0, []))  # the base is still that of the merge
        c.command("SNAPSHOT", "ROLLBACK", "s", "NOBACKUP")
        self.assertIsNone(c.command("GET", "o"))
        self.assertEqual(self.merge("other"), (1, []))
        self.assertEqual(c.command("GET", "o"), b"1")
        # A new branch of an old name starts from its own fork.
        self.leave("other")
        c.command("BRANCH", "DROP", "other")
        c.command("SET", "o", "4")
        self.on("other").command("SET", "o", "5")
        self.assertEqual(self.merge("other"), (1, []))

    def test_while_others_write(self):
        c, b = self.c, self.on("b")
        c.pipeline([("SET", f"key:{number}", "base") for number in range(30_000)])
        self.assertEqual(self.merge("main", "INTO", "b")[0], 30_000)
        b.pipeline([("SET", f"key:{number}", "b" * 300) for number in range(0, 30_000, 2)])
        writer, merger = self.client(), self.client()
        merger.send_raw(resp.encode(("BRANCH", "MERGE", "b", "ONCONFLICT", "OURS")))
        written = 0
        while merger.is_silent(0):
            writer.command("SET", f"key:{written * 7 % 30_000}", "main")
            writer.command("SET", f"more:{written}", "main")
            written += 1
        self.assertGreater(written, 0)
        reply = merger.read()
        self.assertLessEqual(reply[1], 15_000)
        values = c.command("MGET", *[f"key:{number}" for number in range(30_000)])
        mine = {written_at * 7 % 30_000 for written_at in range(written)}
        for number, value in enumerate(values):
            if number in mine:
                self.assertIn(value, (b"main",) if number % 2 else (b"main", b"b" * 300))
            else:
                self.assertEqual(value, b"b" * 300 if number % 2 == 0 else b"base")

    def test_after_a_restart(self):
        c, b = self.c, self.on("b")
        c.command("SET", "k", "0")
        b.pipeline([("SET", "k2", "1"), ("SADD", "set", *range(2000))])
        self.assertEqual(self.merge("b"), (2, []))
        self.assertEqual(self.merge("main", "INTO", "b"), (1, []))
        c.command("SAVE")
        self.leave("b")
        self.server.restart()
        self.c = c = self.client()
        self.connections = {b"main": c}
        c.command("SET", "k2", "2")
        self.assertEqual(self.merge("b"), (0, []))
        self.assertEqual(self.merge("main", "INTO", "b"), (1, []))
        self.assertEqual(c.command("ASOF", "b", "GET", "k2"), b"2")

    def test_errors(self):
        c = self.c
        self.on("b")
        c.command("SNAPSHOT", "CREATE", "s", "REPLACE")
        self.refused("^NOREF", "BRANCH", "MERGE", "nosuch")
        self.refused("^NOREF", "BRANCH", "MERGE", "s")
        self.refused("^NOREF", "BRANCH", "MERGE", "b", "INTO", "nosuch")
        self.refused("^ERR wrong number", "BRANCH", "MERGE")
        for words in (("INTO",), ("ONCONFLICT",), ("ONCONFLICT", "NOBODY"), ("NOW",)):
            self.refused("^ERR syntax error", "BRANCH", "MERGE", "b", *words)
        self.assertEqual(self.merge("b"), (0, []))
        self.assertEqual(self.merge("main"), (0, []))
        replies = c.pipeline([("MULTI",), ("BRANCH", "MERGE", "b"), ("DISCARD",)])
        self.assertIsInstance(replies[1], resp.Error)
        c3 = self.client(protocol=3)
        self.assertEqual(c3.command("BRANCH", "MERGE", "b")[b"applied"], 0)

    def test_against_plain_dictionaries(self):
        for seed in range(6):
            with self.subTest(seed=seed):
                self.afresh()
                self.random_merges(random.Random(seed))

    def random_merges(self, chance):
        """Branches are dictionaries; a base is a copy, of the last merge or of the fork."""
        names = ["main", "a", "b"]
        content = {name: {} for name in names}
        for name in names:
            self.on(name)
        bases = {frozenset(pair): {} for pair in (("main", "a"), ("main", "b"), ("a", "b"))}
        for _ in range(60):
            name = chance.choice(names)
            for _ in range(chance.randrange(12)):
                key, value = f"key:{chance.randrange(25)}", chance.choice(["1", "2", "x" * 500, "y" * 20_000])
                if chance.randrange(4) == 0:
                    self.on(name).command("DEL", key)
                    content[name].pop(key, None)
                else:
                    self.on(name).command("SET", key, value)
                    content[name][key] = value
            if chance.randrange(8) == 0:
                self.c.command("SNAPSHOT", "CREATE", f"s{chance.randrange(4)}", "REPLACE")
            source, target = chance.sample(names, 2)
            mode = chance.choice(["FAIL", "OURS", "THEIRS"])
            base, theirs, ours = bases[frozenset((source, target))], content[source], content[target]
            changes, conflicts = {}, []
            for key in set(base) | set(theirs):
                if base.get(key) == theirs.get(key):
                    continue
                if ours.get(key) == base.get(key):
                    changes[key] = theirs.get(key)
                elif ours.get(key) != theirs.get(key):
                    conflicts.append(key.encode())
                    if mode == "THEIRS":
                        changes[key] = theirs.get(key)
            if conflicts and mode == "FAIL":
                self.refused(f"^MERGECONFLICT {len(conflicts)} ", "BRANCH", "MERGE", source, "INTO", target)
                continue
            self.assertEqual(self.merge(source, "INTO", target, "ONCONFLICT", mode), (len(changes), sorted(conflicts)))
            bases[frozenset((source, target))] = dict(theirs)
            for key, value in changes.items():
                ours.pop(key, None)
                if value is not None:
                    ours[key] = value
            there = {key.decode(): self.on(target).command("GET", key).decode() for key in self.on(target).command("KEYS", "*")}
            self.assertEqual(there, ours)
        self.assertEqual(self.c.command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
