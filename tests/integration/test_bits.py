#!/usr/bin/python3
"""Bit commands over the wire, against Python's own arithmetic."""

import random
import unittest

import resp


class Bits(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.redis = self.client()

    def fails(self, text, *command):
        with self.assertRaises(resp.Error) as caught:
            self.redis.command(*command)
        self.assertEqual(str(caught.exception), text)

    def test_setbit_getbit(self):
        redis = self.redis
        self.assertEqual(redis.command("SETBIT", "k", 7, 1), 0)
        self.assertEqual(redis.command("SETBIT", "k", 7, 0), 1)
        self.assertEqual(redis.command("GET", "k"), b"\0")
        self.assertEqual(redis.command("SETBIT", "k", 0, 1), 0)
        self.assertEqual(redis.command("GET", "k"), b"\x80")
        self.assertEqual(redis.command("GETBIT", "k", 0), 1)
        self.assertEqual(redis.command("GETBIT", "k", 1000), 0)
        self.assertEqual(redis.command("GETBIT", "none", 0), 0)
        offset = "ERR bit offset is not an integer or out of range"
        self.fails(offset, "SETBIT", "k", -1, 1)
        self.fails(offset, "SETBIT", "k", 4294967296, 1)
        self.fails(offset, "GETBIT", "k", "x")
        self.fails("ERR bit is not an integer or out of range", "SETBIT", "k", 0, 2)

    def test_bitcount(self):
        redis = self.redis
        redis.command("SET", "k", "foobar")
        for arguments, expected in (((), 26), ((0, 0), 4), ((1, 1), 6), ((1, 1, "BYTE"), 6),
                                    ((5, 30, "BIT"), 17), ((0, -1), 26), ((-2, -1), 7),
                                    ((3, 2), 0), ((-1, -2), 0), ((100, 200), 0),
                                    ((-100, 100, "bit"), 26)):
            self.assertEqual(redis.command("BITCOUNT", "k", *arguments), expected, arguments)
        self.assertEqual(redis.command("BITCOUNT", "none"), 0)
        self.fails("ERR syntax error", "BITCOUNT", "k", 0)
        self.fails("ERR syntax error", "BITCOUNT", "k", 0, 1, "bits")
        self.fails("ERR value is not an integer or out of range", "BITCOUNT", "k", 0, "x")
        # As Redis 7.2: what follows a missing key is not looked at.
        self.assertEqual(redis.command("BITCOUNT", "none", 0, "x"), 0)

    def test_against_python(self):
        source = random.Random(5)
        for length in (1, 100, 8000, 50000):
            value = source.randbytes(length)
            self.redis.command("SET", "k", value)
            bits = "".join(f"{byte:08b}" for byte in value)
            for _ in range(50):
                a, b = source.randrange(len(bits)), source.randrange(len(bits))
                expected = bits[a:b + 1].count("1") if a <= b else 0
                self.assertEqual(self.redis.command("BITCOUNT", "k", a, b, "BIT"), expected)
                self.assertEqual(self.redis.command("GETBIT", "k", a), int(bits[a]))

    def test_bitpos(self):
        redis = self.redis
        redis.command("SET", "k", b"\xff\xf0\x00")
        for arguments, expected in (((0,), 12), ((1,), 0), ((1, 2), -1), ((0, 0, 0), -1),
                                    ((0, 2), 16), ((0, 1, -1), 12), ((1, 7, 15, "BIT"), 7),
                                    ((0, 0, 11, "BIT"), -1), ((0, 5, 6), -1)):
            self.assertEqual(redis.command("BITPOS", "k", *arguments), expected, arguments)
        redis.command("SET", "ones", b"\xff" * 3)
        self.assertEqual(redis.command("BITPOS", "ones", 0), 24)
        self.assertEqual(redis.command("BITPOS", "ones", 0, 1), 24)
        self.assertEqual(redis.command("BITPOS", "ones", 0, 1, -1), -1)
        self.assertEqual(redis.command("BITPOS", "none", 0), 0)
        self.assertEqual(redis.command("BITPOS", "none", 1), -1)
        self.fails("ERR The bit argument must be 1 or 0.", "BITPOS", "k", 2)
        self.fails("ERR The bit argument must be 1 or 0.", "BITPOS", "k", 2, 0, 1, "BIT", "x")
        self.fails("ERR syntax error", "BITPOS", "k", 0, 0, 1, "bits")
        self.assertEqual(redis.command("BITPOS", "none", 0, "x"), 0)
        redis.command("SETBIT", "far", 200000003, 1)
        self.assertEqual(redis.command("BITPOS", "far", 1), 200000003)
        self.assertEqual(redis.command("BITPOS", "far", 0, 200000001, -1, "BIT"), 200000001)

    def test_the_last_bit_of_the_longest_string(self):
        redis = self.redis
        self.assertEqual(redis.command("SETBIT", "k", 4294967295, 1), 0)
        self.assertEqual(redis.command("STRLEN", "k"), 536870912)
        self.assertEqual(redis.command("GETBIT", "k", 4294967295), 1)
        self.assertEqual(redis.command("BITCOUNT", "k"), 1)
        self.fails("ERR string exceeds maximum allowed size (proto-max-bulk-len)",
                   "APPEND", "k", "x")


if __name__ == "__main__":
    unittest.main()
