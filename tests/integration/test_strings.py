#!/usr/bin/python3
"""String commands over the wire: every option of SET, numbers, ranges, errors word for word."""

import unittest

import resp


class Strings(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.redis = self.client()

    def fails(self, text, *command):
        with self.assertRaises(resp.Error) as caught:
            self.redis.command(*command)
        self.assertEqual(str(caught.exception), text)

    def test_values_are_binary_safe_and_of_any_length(self):
        for length in (0, 1, 44, 45, 127, 128, 129, 8191, 8192, 8193, 100000, 3000000):
            value = bytes(i * 7 % 256 for i in range(length))
            self.assertEqual(self.redis.command("SET", b"\r\n\0key", value), b"OK")
            self.assertEqual(self.redis.command("GET", b"\r\n\0key"), value)
            self.assertEqual(self.redis.command("STRLEN", b"\r\n\0key"), length)
            self.assertEqual(self.redis.command("GETRANGE", b"\r\n\0key", 1, -2), value[1:-1])

    def test_get_of_another_size_replaces(self):
        for length in (10, 20000, 10, 300, 301, 300, 5, 100000, 0):
            self.redis.command("SET", "k", b"x" * length)
            self.assertEqual(self.redis.command("GET", "k"), b"x" * length)

    def test_set_options(self):
        redis = self.redis
        self.assertIsNone(redis.command("SET", "k", "v", "XX"))
        self.assertEqual(redis.command("SET", "k", "v", "nx", "ex", "100"), b"OK")
        self.assertIsNone(redis.command("SET", "k", "w", "NX"))
        self.assertEqual(redis.command("SET", "k", "w", "GET", "KEEPTTL"), b"v")
        self.assertIn(redis.command("TTL", "k"), (99, 100))
        self.assertEqual(redis.command("SET", "k", "x", "GET"), b"w")
        self.assertEqual(redis.command("TTL", "k"), -1)
        redis.command("SET", "k", "v", "EXAT", 4102444800)
        self.assertEqual(redis.command("EXPIRETIME", "k"), 4102444800)
        redis.command("SET", "k", "v", "PXAT", 4102444800123)
        self.assertEqual(redis.command("PEXPIRETIME", "k"), 4102444800123)
        self.fails("ERR syntax error", "SET", "k", "v", "NX", "XX")
        self.fails("ERR syntax error", "SET", "k", "v", "EX", "1", "PX", "1")
        self.fails("ERR syntax error", "SET", "k", "v", "EX")
        self.fails("ERR value is not an integer or out of range", "SET", "k", "v", "EX", "1.5")
        self.fails("ERR invalid expire time in 'set' command", "SET", "k", "v", "EX", "0")
        self.fails("ERR invalid expire time in 'psetex' command", "PSETEX", "k", "-1", "v")
        self.fails("ERR wrong number of arguments for 'set' command", "SET", "k")

    def test_setnx_getset_getdel_getex(self):
        redis = self.redis
        self.assertEqual(redis.command("SETNX", "k", "1"), 1)
        self.assertEqual(redis.command("SETNX", "k", "2"), 0)
        self.assertEqual(redis.command("GETSET", "k", "3"), b"1")
        self.assertEqual(redis.command("GETEX", "k", "PX", "100000"), b"3")
        self.assertGreater(redis.command("PTTL", "k"), 90000)
        self.assertEqual(redis.command("GETEX", "k", "PERSIST"), b"3")
        self.assertEqual(redis.command("PTTL", "k"), -1)
        self.assertEqual(redis.command("GETDEL", "k"), b"3")
        self.assertIsNone(redis.command("GETDEL", "k"))
        self.assertEqual(redis.command("SETEX", "k", "100", "v"), b"OK")
        self.assertEqual(redis.command("PSETEX", "k", "100000", "v"), b"OK")

    def test_mget_mset_msetnx(self):
        redis = self.redis
        self.assertEqual(redis.command("MSET", "a", "1", "b", "2"), b"OK")
        self.assertEqual(redis.command("MGET", "a", "none", "b", "a"), [b"1", None, b"2", b"1"])
        self.assertEqual(redis.command("MSETNX", "c", "1", "a", "2"), 0)
        self.assertEqual(redis.command("EXISTS", "c"), 0)
        self.assertEqual(redis.command("MSETNX", "c", "1", "d", "2"), 1)
        self.fails("ERR wrong number of arguments for 'mset' command", "MSET", "a", "1", "b")
        self.fails("ERR wrong number of arguments for 'msetnx' command", "MSETNX", "a", "1", "b")

    def test_numbers(self):
        redis = self.redis
        self.assertEqual(redis.command("INCR", "n"), 1)
        self.assertEqual(redis.command("INCRBY", "n", 41), 42)
        self.assertEqual(redis.command("DECR", "n"), 41)
        self.assertEqual(redis.command("DECRBY", "n", "-9"), 50)
        redis.command("SET", "n", 9223372036854775807)
        self.fails("ERR increment or decrement would overflow", "INCR", "n")
        self.fails("ERR decrement would overflow", "DECRBY", "n", "-9223372036854775808")
        self.fails("ERR value is not an integer or out of range", "INCRBY", "n", "1e3")
        self.assertEqual(redis.command("INCRBYFLOAT", "f", "3.14"), b"3.14")
        self.assertEqual(redis.command("INCRBYFLOAT", "f", "2.0e2"), b"203.14")
        self.assertEqual(redis.command("INCRBYFLOAT", "f", "-0x1.8p1"), b"200.14")
        for text in ("abc", "", " 1", "1 ", "0x", "1e5000", "nan", b"1\0"):
            self.fails("ERR value is not a valid float", "INCRBYFLOAT", "f", text)
        self.fails("ERR increment would produce NaN or Infinity", "INCRBYFLOAT", "f", "+inf")

    def test_append_setrange_getrange_substr(self):
        redis = self.redis
        self.assertEqual(redis.command("APPEND", "k", "Hello "), 6)
        self.assertEqual(redis.command("APPEND", "k", "World"), 11)
        self.assertEqual(redis.command("SETRANGE", "k", 6, "Redis"), 11)
        self.assertEqual(redis.command("GET", "k"), b"Hello Redis")
        self.assertEqual(redis.command("SETRANGE", "gap", 3, "x"), 4)
        self.assertEqual(redis.command("GET", "gap"), b"\0\0\0x")
        self.assertEqual(redis.command("SUBSTR", "k", -5, -1), b"Redis")
        self.fails("ERR offset is out of range", "SETRANGE", "k", -1, "x")
        self.fails("ERR string exceeds maximum allowed size (proto-max-bulk-len)",
                   "SETRANGE", "k", 536870912, "x")

    def test_a_long_value_arrives_whole_and_in_order(self):
        value = b"".join(b"%015d\n" % i for i in range(1 << 18))
        self.redis.command("SET", "big", value)
        replies = self.redis.pipeline([("GET", "big"), ("STRLEN", "big"), ("GET", "none"),
                                       ("GETRANGE", "big", 16, -17), ("GET", "big")])
        self.assertEqual(replies, [value, len(value), None, value[16:-16], value])

    def test_what_is_there_while_a_long_reply_runs_does_not_change_it(self):
        value = b"a" * (8 << 20)
        self.redis.command("SET", "big", value)
        reader = self.client()
        reader.send_raw(resp.encode(("GET", "big")))
        for _ in range(100):
            self.redis.command("SETRANGE", "big", len(value) - 1, "b")
            self.redis.command("SETRANGE", "big", len(value) - 1, "a")
        self.redis.command("DEL", "big")
        self.assertIn(reader.read()[:-1], (value[:-1],))


if __name__ == "__main__":
    unittest.main()
