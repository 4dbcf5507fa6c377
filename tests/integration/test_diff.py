#!/usr/bin/python3
"""SNAPSHOT DIFF: words, cursors, values, deadlines that pass between two versions, errors."""
import unittest

import resp


class Diff(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.c.command("FLUSHALL")
        self.c.command("SNAPSHOT", "CREATE", "empty", "REPLACE")

    def diff(self, a, b, *options):
        """All rows, over all cursors, as {key: (kind, type, ...)}."""
        found, cursor = {}, b"0"
        while True:
            cursor, rows = self.c.command("SNAPSHOT", "DIFF", a, b, "CURSOR", cursor, *options)
            for kind, key, *rest in rows:
                self.assertNotIn(key, found)
                found[key] = (kind.decode(), *rest)
            if cursor == b"0":
                return found

    def refused(self, text, *words):
        with self.assertRaisesRegex(resp.Error, text):
            self.c.command(*words)

    def test_kinds_and_types(self):
        c = self.c
        c.pipeline([("SET", "gone", "1"), ("SET", "same", "1"), ("SADD", "changed", "a"), ("RPUSH", "back", "a"),
                    ("SET", "becomes a hash", "1"), ("SET", "deadline", "1"), ("SET", "rewritten", "1")])
        c.command("SNAPSHOT", "CREATE", "s", "REPLACE")
        c.pipeline([("DEL", "gone"), ("SADD", "changed", "b"), ("RPUSH", "back", "b"), ("RPOP", "back"), ("ZADD", "new", 1, "m"),
                    ("DEL", "becomes a hash"), ("HSET", "becomes a hash", "f", "v"), ("EXPIRE", "deadline", 1000),
                    ("SET", "rewritten", "1")])
        wanted = {b"gone": ("del", b"string"), b"changed": ("mod", b"set"), b"new": ("add", b"zset"),
                  b"becomes a hash": ("mod", b"hash"), b"deadline": ("mod", b"string")}
        self.assertEqual(self.diff("s", "main"), wanted)
        self.assertEqual(self.diff("s", "main", "COUNT", 1), wanted)
        inverse = {"add": "del", "del": "add", "mod": "mod"}
        types = {b"becomes a hash": b"string"}
        self.assertEqual(self.diff("main", "s"),
                         {key: (inverse[kind], types.get(key, name)) for key, (kind, name) in wanted.items()})
        self.assertEqual(self.diff("s", "s"), {})
        self.assertEqual(self.diff("main", "main"), {})
        self.assertEqual(self.diff("s", "main", "MATCH", "*e*", "TYPE", "STRING"),
                         {b"gone": ("del", b"string"), b"deadline": ("mod", b"string")})
        self.assertEqual(set(self.diff("empty", "s")), {b"gone", b"same", b"changed", b"back", b"becomes a hash", b"deadline", b"rewritten"})
        c.command("SELECT", 5)
        self.assertEqual(self.diff("s", "main"), {})
        c.command("SET", "here", 1)
        self.assertEqual(self.diff("s", "main"), {b"here": ("add", b"string")})

    def test_resp3_is_arrays_too(self):
        c3 = self.client(protocol=3)
        c3.command("SET", "k", "v")
        self.assertEqual(c3.command("SNAPSHOT", "DIFF", "empty", "main"), [b"0", [[b"add", b"k", b"string"]]])
        _, [row] = c3.command("SNAPSHOT", "DIFF", "empty", "main", "VALUES")
        self.assertEqual(row[:4], [b"add", b"k", b"string", None])

    def test_values_are_payloads_for_restore(self):
        c = self.c
        c.pipeline([("SET", "k", "old"), ("RPUSH", "long", *["x" * 100] * 5000), ("XADD", "x", "1-1", "f", "v")])
        c.command("SNAPSHOT", "CREATE", "s", "REPLACE")
        c.pipeline([("SET", "k", "new"), ("RPUSH", "long", "one more"), ("DEL", "x"), ("SET", "big", "b" * 3_000_000)])
        found = self.diff("s", "main", "VALUES", "COUNT", 100)
        self.assertEqual({key: row[0] for key, row in found.items()}, {b"k": "mod", b"long": "mod", b"x": "del", b"big": "add"})
        self.assertEqual(found[b"k"][3], c.command("DUMP", "k"))
        self.assertEqual(found[b"k"][2], c.command("ASOF", "s", "DUMP", "k"))
        self.assertEqual(found[b"long"][3], c.command("DUMP", "long"))
        self.assertEqual(found[b"long"][2], c.command("ASOF", "s", "DUMP", "long"))
        self.assertEqual(found[b"big"][2:], (None, c.command("DUMP", "big")))
        self.assertIsNone(found[b"x"][3])
        c.command("RESTORE", "again", 0, found[b"x"][2])
        self.assertEqual(c.command("XRANGE", "again", "-", "+"), [[b"1-1", [b"f", b"v"]]])

    def test_what_expires_between_is_deleted(self):
        c = self.c
        c.command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        try:
            c.pipeline([("SET", f"short:{number}", "v", "PX", 50) for number in range(300)] + [("SET", "long", "v", "EX", 1000)])
            c.command("SNAPSHOT", "CREATE", "s", "REPLACE")
            resp.wait_until(lambda: c.command("EXISTS", *[f"short:{number}" for number in range(300)]) == 0, "they expire")
            found = self.diff("s", "main", "COUNT", 7)
            self.assertEqual(found, {b"short:%d" % number: ("del", b"string") for number in range(300)})
            self.assertEqual({row[0] for row in self.diff("main", "s").values()}, {"add"})
            c.command("SNAPSHOT", "CREATE", "later", "REPLACE")
            self.assertEqual(len(self.diff("s", "later")), 300)
        finally:
            c.command("DEBUG", "SET-ACTIVE-EXPIRE", 1)
        resp.wait_until(lambda: c.command("DBSIZE") == 1, "they go")
        self.assertEqual(len(self.diff("s", "main")), 300)
        self.assertEqual(self.diff("later", "main"), {})

    def test_cursors_over_many_keys(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", number) for number in range(20_000)])
        c.command("SNAPSHOT", "CREATE", "s", "REPLACE")
        changed = range(0, 20_000, 37)
        c.pipeline([("SET", f"key:{number}", "x") for number in changed])
        wanted = {b"key:%d" % number for number in changed}
        for count in (1, 50, 10_000):
            self.assertEqual(set(self.diff("s", "main", "COUNT", count)), wanted)
        cursor, rows = c.command("SNAPSHOT", "DIFF", "s", "main", "COUNT", 100)
        self.assertTrue(100 <= len(rows) <= 200, len(rows))
        # Each call sees the head of that call; what differed all the time comes once.
        c.pipeline([("SET", f"key:{number}", "y") for number in range(20_000)])
        rest = []
        while cursor != b"0":
            cursor, more = c.command("SNAPSHOT", "DIFF", "s", "main", "CURSOR", cursor, "COUNT", 1000)
            rest += more
        keys = [row[1] for row in rows + rest]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertLessEqual(wanted, set(keys))
        replies = c.pipeline([("MULTI",), ("SET", "inside", 1), ("SNAPSHOT", "DIFF", "s", "main", "MATCH", "inside", "COUNT", 100_000), ("EXEC",)])
        self.assertEqual(replies[-1][1], [b"0", [[b"add", b"inside", b"string"]]])

    def test_branches(self):
        c = self.c
        c.command("SET", "k", "1")
        c.command("BRANCH", "CREATE", "b")
        try:
            c.command("SET", "k", "2")
            self.assertEqual(self.diff("b", "main"), {b"k": ("mod", b"string")})
            c.command("SNAPSHOT", "ROLLBACK", "b")
            self.assertEqual(self.diff("b", "main"), {})
        finally:
            c.command("BRANCH", "DROP", "b")

    def test_a_disconnect_drops_the_pins(self):
        c = self.c
        c.pipeline([("SET", f"key:{number}", "x" * 500) for number in range(30_000)])
        reader = self.client()
        reader.send_raw(resp.encode(("SNAPSHOT", "DIFF", "empty", "main", "COUNT", "1000000", "VALUES")))
        resp.wait_until(lambda: b"cmd=snapshot|diff" in c.command("CLIENT", "LIST"), "it has begun")
        reader.close()
        resp.wait_until(lambda: b"cmd=snapshot|diff" not in c.command("CLIENT", "LIST"), "it has ended")
        c.command("SNAPSHOT", "DROP", "empty")
        c.command("FLUSHALL")
        self.assertEqual(c.command("DEBUG", "AUDIT"), b"OK")

    def test_in_the_command_line_client(self):
        c = self.c
        c.pipeline([("SET", "changed", "old"), ("SET", "gone", "x" * 100), ("SET", "becomes a set", "v")])
        c.command("SNAPSHOT", "CREATE", "s", "REPLACE")
        c.pipeline([("SET", "changed", "new"), ("DEL", "gone", "becomes a set"), ("SADD", "becomes a set", "m"), ("HSET", "hash", "f", "v")])
        c.pipeline([("SET", f"many:{number}", number) for number in range(2500)])
        lines = resp.cli(self.server.port, "diff", "s", "main").decode().splitlines()
        self.assertEqual(lines[-1], "2501 added, 1 deleted, 2 changed")
        self.assertEqual(len(lines), 2505)
        for line in ('~ "changed"  string  "old" -> "new"', '- "gone"  string  "' + "x" * 60 + '"...', '~ "becomes a set"  set',
                     '+ "hash"  hash', '+ "many:77"  string  "77"'):
            self.assertIn(line, lines)
        self.assertEqual(resp.cli(self.server.port, "diff", "s", "main", "MATCH", "h*").decode(), '+ "hash"  hash\n1 added, 0 deleted, 0 changed\n')
        self.assertEqual(resp.cli(self.server.port, "diff", "s", "nosuch", check=False), b"")

    def test_errors(self):
        self.refused("^NOREF", "SNAPSHOT", "DIFF", "empty", "nosuch")
        self.refused("^NOREF", "SNAPSHOT", "DIFF", "nosuch", "empty")
        self.refused("^ERR invalid name", "SNAPSHOT", "DIFF", "a b", "empty")
        self.refused("^ERR wrong number", "SNAPSHOT", "DIFF", "empty")
        for cursor in ("", "1", "h", "h1", "h1-", "h1-2x", "d1-2", "d1-2-3-4", "x1-2", "h99999999999999999999-1"):
            self.refused("^ERR invalid cursor", "SNAPSHOT", "DIFF", "empty", "main", "CURSOR", cursor)
        for count in ("0", "-1"):
            self.refused("^ERR syntax error", "SNAPSHOT", "DIFF", "empty", "main", "COUNT", count)
        self.refused("^ERR value is not an integer", "SNAPSHOT", "DIFF", "empty", "main", "COUNT", "x")
        for words in (("CURSOR",), ("VALUE",), ("MATCH",), ("TYPE",)):
            self.refused("^ERR syntax error", "SNAPSHOT", "DIFF", "empty", "main", *words)
        self.refused("^VIEWREADONLY", "ASOF", "empty", "SNAPSHOT", "DIFF", "empty", "main")


if __name__ == "__main__":
    unittest.main()
