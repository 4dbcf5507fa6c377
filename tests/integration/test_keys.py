#!/usr/bin/python3
"""Commands on keys whatever they hold, over the wire and between databases."""

import unittest

import resp


class Keys(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.redis = self.client()

    def fails(self, text, *command):
        with self.assertRaises(resp.Error) as caught:
            self.redis.command(*command)
        self.assertEqual(str(caught.exception), text)

    def test_del_unlink_exists_touch_type(self):
        redis = self.redis
        redis.command("MSET", "a", 1, "b", 2, "c", 3)
        self.assertEqual(redis.command("EXISTS", "a", "a", "none"), 2)
        self.assertEqual(redis.command("TOUCH", "a", "none"), 1)
        self.assertEqual(redis.command("TYPE", "a"), b"string")
        self.assertEqual(redis.command("TYPE", "none"), b"none")
        self.assertEqual(redis.command("DEL", "a", "none"), 1)
        self.assertEqual(redis.command("UNLINK", "b", "c"), 2)
        self.assertEqual(redis.command("DBSIZE"), 0)

    def test_keys_up_to_any_length(self):
        for length in (0, 1, 255, 256, 5000, 100000):
            key = b"k" * length
            self.redis.command("SET", key, b"v%d" % length)
            self.assertEqual(self.redis.command("GET", key), b"v%d" % length)
        self.assertEqual(sorted(len(key) for key in self.redis.command("KEYS", "*")),
                         [0, 1, 255, 256, 5000, 100000])
        self.assertEqual(self.redis.command("RENAME", b"k" * 100000, "short"), b"OK")
        self.assertEqual(self.redis.command("GET", "short"), b"v100000")

    def test_rename_and_renamenx(self):
        redis = self.redis
        self.fails("ERR no such key", "RENAME", "none", "b")
        redis.command("SET", "a", "1", "EX", 1000)
        redis.command("SET", "b", "2")
        self.assertEqual(redis.command("RENAMENX", "a", "b"), 0)
        self.assertEqual(redis.command("RENAME", "a", "a"), b"OK")
        self.assertEqual(redis.command("RENAME", "a", "b"), b"OK")
        self.assertEqual(redis.command("GET", "b"), b"1")
        self.assertGreater(redis.command("TTL", "b"), 900)
        self.assertEqual(redis.command("RENAMENX", "b", "c"), 1)

    def test_copy_and_move(self):
        redis = self.redis
        redis.command("SET", "a", b"x" * 20000, "EX", 1000)
        self.assertEqual(redis.command("COPY", "a", "b"), 1)
        self.assertEqual(redis.command("COPY", "a", "b"), 0)
        self.assertEqual(redis.command("COPY", "a", "b", "REPLACE", "DB", "0"), 1)
        self.assertEqual(redis.command("COPY", "a", "b", "DB", "2"), 1)
        self.fails("ERR DB index is out of range", "COPY", "a", "b", "DB", "99")
        self.fails("ERR source and destination objects are the same", "COPY", "a", "a")
        self.assertEqual(redis.command("MOVE", "b", "2"), 0)
        self.assertEqual(redis.command("MOVE", "a", "2"), 1)
        self.fails("ERR source and destination objects are the same", "MOVE", "b", "0")
        redis.command("SELECT", 2)
        self.assertEqual(redis.command("GET", "a"), b"x" * 20000)
        self.assertGreater(redis.command("TTL", "b"), 900)
        self.assertEqual(redis.command("DBSIZE"), 2)

    def test_object(self):
        redis = self.redis
        for value, encoding in (("1", b"int"), ("abc", b"embstr"), ("a" * 44, b"embstr"),
                                ("a" * 45, b"raw"), ("9" * 20, b"embstr"), ("-1", b"int"),
                                ("01", b"embstr")):
            redis.command("SET", "k", value)
            self.assertEqual(redis.command("OBJECT", "ENCODING", "k"), encoding, value)
        # What a string is called depends on how it came to be.
        for commands, encoding in (
                ([("INCRBYFLOAT", "k", "5")], b"embstr"),
                ([("SET", "k", "5"), ("INCRBYFLOAT", "k", "0x10")], b"embstr"),
                ([("INCRBYFLOAT", "k", "1e60")], b"raw"),
                ([("INCRBYFLOAT", "k", "5"), ("COPY", "k", "j"), ("RENAME", "j", "k")], b"embstr"),
                ([("INCRBYFLOAT", "k", "5"), ("INCR", "k")], b"int"),
                ([("APPEND", "k", "1")], b"int"),
                ([("SET", "k", "1"), ("APPEND", "k", "2")], b"raw"),
                ([("SET", "k", "1"), ("APPEND", "k", "")], b"raw"),
                ([("SET", "k", ""), ("APPEND", "k", "")], b"raw"),
                ([("SET", "k", "1"), ("SETRANGE", "k", "0", "")], b"int"),
                ([("SETRANGE", "k", "0", "1")], b"raw"),
                ([("SETBIT", "k", "2", "1"), ("GETSET", "k", "1")], b"int")):
            redis.command("DEL", "k")
            redis.pipeline(commands)
            self.assertEqual(redis.command("OBJECT", "ENCODING", "k"), encoding, commands)
        redis.command("INCRBYFLOAT", "f", "5")
        redis.command("SET", "k", "text")
        for key in ("f", "k"):
            self.assertEqual(redis.command("OBJECT", "REFCOUNT", key), 1)
        self.assertEqual(redis.command("OBJECT", "IDLETIME", "k"), 0)
        self.assertIsNone(redis.command("OBJECT", "IDLETIME", "none"))
        with self.assertRaisesRegex(resp.Error, "^ERR An LFU maxmemory policy is not selected"):
            redis.command("OBJECT", "FREQ", "k")
        self.fails("ERR unknown subcommand 'bogus'. Try OBJECT HELP.", "OBJECT", "bogus", "k")
        self.assertIn(b"ENCODING <key>", redis.command("OBJECT", "HELP"))

    def test_resp3_nulls(self):
        client = self.client(protocol=3)
        client.command("GET", "none")
        self.assertEqual(client.raw, b"_\r\n")
        client.command("RANDOMKEY")
        self.assertEqual(client.raw, b"_\r\n")


if __name__ == "__main__":
    unittest.main()
