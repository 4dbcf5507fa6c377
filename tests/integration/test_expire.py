#!/usr/bin/python3
"""Deadlines: every way to set, ask and remove them, and that they are kept by themselves."""

import time
import unittest

import resp


class Expire(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.redis = self.client()

    def fails(self, text, *command):
        with self.assertRaises(resp.Error) as caught:
            self.redis.command(*command)
        self.assertEqual(str(caught.exception), text)

    def test_set_ask_remove(self):
        redis = self.redis
        self.assertEqual(redis.command("EXPIRE", "none", 10), 0)
        self.assertEqual(redis.command("TTL", "none"), -2)
        redis.command("SET", "k", "v")
        self.assertEqual(redis.command("PTTL", "k"), -1)
        self.assertEqual(redis.command("EXPIRE", "k", 1000), 1)
        self.assertIn(redis.command("TTL", "k"), (999, 1000))
        self.assertEqual(redis.command("PEXPIRE", "k", 5000), 1)
        self.assertTrue(4000 < redis.command("PTTL", "k") <= 5000)
        self.assertEqual(redis.command("EXPIREAT", "k", 4102444800), 1)
        self.assertEqual(redis.command("EXPIRETIME", "k"), 4102444800)
        self.assertEqual(redis.command("PEXPIREAT", "k", 4102444800001), 1)
        self.assertEqual(redis.command("PEXPIRETIME", "k"), 4102444800001)
        self.assertEqual(redis.command("PERSIST", "k"), 1)
        self.assertEqual(redis.command("PERSIST", "k"), 0)
        self.assertEqual(redis.command("EXPIRETIME", "k"), -1)

    def test_conditions(self):
        redis = self.redis
        redis.command("SET", "k", "v")
        for options, expected in ((("XX",), 0), (("GT",), 0), (("nx",), 1), (("NX",), 0),
                                  (("GT",), 0), (("LT",), 0)):
            self.assertEqual(redis.command("PEXPIREAT", "k", 4102444800000, *options), expected)
        self.assertEqual(redis.command("PEXPIREAT", "k", 4102444800001, "GT", "XX"), 1)
        self.assertEqual(redis.command("PEXPIREAT", "k", 4102444800000, "LT"), 1)
        self.fails("ERR NX and XX, GT or LT options at the same time are not compatible",
                   "EXPIRE", "k", 1, "NX", "XX")
        self.fails("ERR GT and LT options at the same time are not compatible",
                   "EXPIRE", "k", 1, "GT", "LT")
        self.fails("ERR Unsupported option ZZ", "EXPIRE", "k", 1, "ZZ")

    def test_bad_times(self):
        redis = self.redis
        redis.command("SET", "k", "v")
        self.fails("ERR value is not an integer or out of range", "EXPIRE", "k", "1.5")
        self.fails("ERR invalid expire time in 'expire' command",
                   "EXPIRE", "k", 9223372036854775807)
        self.fails("ERR invalid expire time in 'pexpire' command",
                   "PEXPIRE", "k", 9223372036854775807)
        self.fails("ERR invalid expire time in 'expireat' command",
                   "EXPIREAT", "k", 9223372036854776)
        self.assertEqual(redis.command("PTTL", "k"), -1)

    def test_the_past_removes_at_once(self):
        redis = self.redis
        for command in (("EXPIRE", "k", -1), ("PEXPIRE", "k", 0), ("EXPIREAT", "k", 1),
                        ("PEXPIREAT", "k", "-5")):
            redis.command("SET", "k", "v")
            self.assertEqual(redis.command(*command), 1)
            self.assertEqual(redis.command("EXISTS", "k"), 0)
        redis.command("SET", "k", "v", "PXAT", "1")
        self.assertIsNone(redis.command("GET", "k"))

    def test_keys_go_by_themselves(self):
        redis = self.redis
        expired_before = int(self.server.info()["expired_keys"])
        commands = [("SET", f"k{i}", "v", "PX", 20 + i % 50) for i in range(2000)]
        redis.pipeline(commands + [("SET", "stays", "v"), ("SET", "later", "v", "EX", 1000)])
        resp.wait_until(lambda: int(self.server.info()["expired_keys"]) == expired_before + 2000,
                        "all keys that are due were removed without being asked for")
        self.assertEqual(redis.command("DBSIZE"), 2)
        self.assertEqual(sorted(redis.command("KEYS", "*")), [b"later", b"stays"])

    def test_expired_keys_that_are_still_there(self):
        redis = self.redis
        self.fails("ERR value is not an integer or out of range", "DEBUG", "SET-ACTIVE-EXPIRE", "x")
        expired_before = self.server.info()["expired_keys"]
        redis.command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        redis.command("SET", "k", "v", "PX", 1)
        resp.wait_until(lambda: redis.command("EXISTS", "k") == 0, "the deadline passes")
        self.assertEqual(redis.command("DBSIZE"), 0)
        self.assertEqual(redis.command("EXPIRE", "k", 10), 0)  # nothing comes to life again
        self.assertEqual(self.server.info()["expired_keys"], expired_before)
        redis.command("DEBUG", "SET-ACTIVE-EXPIRE", 1)
        resp.wait_until(lambda: self.server.info()["expired_keys"] != expired_before,
                        "what had been left was removed")

    def test_a_key_is_never_seen_after_its_deadline(self):
        redis = self.redis
        for _ in range(20):
            deadline = int(time.time() * 1000) + 15
            redis.command("SET", "k", "v", "PXAT", deadline)
            value = b"v"
            while value is not None:
                asked = time.time() * 1000
                value = redis.command("GET", "k")
                self.assertFalse(value is not None and asked > deadline + 1)
            self.assertGreaterEqual(time.time() * 1000, deadline - 1)
            self.assertEqual(redis.command("DBSIZE"), 0)


if __name__ == "__main__":
    unittest.main()
