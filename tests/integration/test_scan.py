#!/usr/bin/python3
"""KEYS, SCAN and RANDOMKEY over the wire: what is there comes once, patterns, long searches."""

import threading
import time
import unittest

import resp


class Scan(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.redis = self.client()

    def fill(self, count, prefix="key:"):
        keys = [b"%s%d" % (prefix.encode(), i) for i in range(count)]
        for start in range(0, count, 1000):
            command = ["MSET"]
            for key in keys[start:start + 1000]:
                command += [key, b"v"]
            self.redis.command(*command)
        return keys

    def scan(self, *options):
        found, cursor = [], b"0"
        while True:
            cursor, keys = self.redis.command("SCAN", cursor, *options)
            found += keys
            if cursor == b"0":
                return found

    def test_everything_once(self):
        self.assertEqual(self.redis.command("SCAN", "0"), [b"0", []])
        keys = sorted(self.fill(3000))
        self.assertEqual(sorted(self.scan()), keys)
        self.assertEqual(sorted(self.scan("COUNT", 1)), keys)
        self.assertEqual(sorted(self.scan("COUNT", 100000, "TYPE", "string")), keys)
        self.assertEqual(self.scan("MATCH", "key:123"), [b"key:123"])
        self.assertEqual(self.scan("TYPE", "zset"), [])

    def test_what_stays_is_returned_while_others_come_and_go(self):
        stay = self.fill(1000, "stay:")
        found, cursor, rounds = [], b"0", 0
        while True:
            cursor, keys = self.redis.command("SCAN", cursor, "COUNT", 10)
            found += [key for key in keys if key.startswith(b"stay:")]
            if cursor == b"0":
                break
            names = [f"new:{rounds}:{i}" for i in range(200)]
            self.redis.pipeline([("SET", name, "v") for name in names])
            if rounds % 2:
                self.redis.command("DEL", *names)
            rounds += 1
        self.assertEqual(sorted(found), sorted(stay))

    def test_bad_arguments(self):
        for text, command in (("ERR invalid cursor", ("SCAN", "x")),
                              ("ERR syntax error", ("SCAN", "0", "COUNT", "0")),
                              ("ERR syntax error", ("SCAN", "0", "MATCH")),
                              ("ERR value is not an integer or out of range",
                               ("SCAN", "0", "COUNT", "x"))):
            with self.assertRaises(resp.Error) as caught:
                self.redis.command(*command)
            self.assertEqual(str(caught.exception), text)

    def test_keys_patterns(self):
        self.redis.command("MSET", "hello", 1, "hallo", 1, "hxllo", 1, "h*llo", 1, "hllo", 1)
        for pattern, expected in (("h?llo", {b"hello", b"hallo", b"hxllo", b"h*llo"}),
                                  ("h[ae]llo", {b"hello", b"hallo"}),
                                  ("h[^e]llo", {b"hallo", b"hxllo", b"h*llo"}),
                                  ("h[a-e]llo", {b"hello", b"hallo"}),
                                  ("h\\*llo", {b"h*llo"}), ("none*", set())):
            self.assertEqual(set(self.redis.command("KEYS", pattern)), expected, pattern)

    def test_keys_of_a_large_database_sees_one_version(self):
        keys = self.fill(30000)
        searcher, other = self.client(), self.client()
        replies = []
        thread = threading.Thread(target=lambda: replies.append(searcher.command("KEYS", "*")))
        thread.start()
        added = 0
        while thread.is_alive():
            other.command("SET", f"added:{added}", "v")
            other.command("RENAME", f"added:{added}", f"renamed:{added}")
            added += 1
        thread.join()
        # The number that comes first is that of the keys that follow, each once, and no key is seen
        # under both of its names.
        found = [key for key in replies[0] if key.startswith(b"key:")]
        self.assertEqual(sorted(found), sorted(keys))
        self.assertEqual(len(replies[0]), len(set(replies[0])))
        names = [key.split(b":")[1] for key in replies[0] if not key.startswith(b"key:")]
        self.assertEqual(len(names), len(set(names)))

    def test_a_hostile_pattern(self):
        self.redis.command("SET", b"a" * 2000, "v")
        start = time.monotonic()
        self.assertEqual(self.redis.command("KEYS", "*a" * 200 + "b"), [])
        if not resp.SANITIZED:
            self.assertLess(time.monotonic() - start, 1.0)

    def test_randomkey(self):
        self.assertIsNone(self.redis.command("RANDOMKEY"))
        keys = set(self.fill(20))
        seen = {self.redis.command("RANDOMKEY") for _ in range(2000)}
        self.assertEqual(seen, keys)


if __name__ == "__main__":
    unittest.main()
