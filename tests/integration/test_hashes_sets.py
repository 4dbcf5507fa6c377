#!/usr/bin/python3
"""Hashes and sets over the wire: long replies beside other clients, saving and restarting, what a pin costs."""

import random
import unittest

import resp


def fill(client, seed, count=3000):
    """Changes of hashes and sets of every form: integers, packed, large, with long fields and values."""
    chosen = random.Random(seed)
    commands = []
    for _ in range(count):
        small = chosen.random() < 0.5
        name = chosen.randrange(20 if small else 3)
        element = str(chosen.randrange(15 if small else 5000))
        if not small and chosen.random() < 0.01:
            element += "x" * chosen.choice([127, 128, 129, 9000])
        what = chosen.random()
        if what < 0.35:
            value = chosen.randbytes(chosen.choice([0, 5, 16, 64, 65, 200, 9000]) if not small else 8)
            commands.append(("HSET", f"hash:{small}:{name}", element, value))
        elif what < 0.45:
            commands.append(("HDEL", f"hash:{small}:{name}", element))
        elif what < 0.85:
            commands.append(("SADD", f"set:{small}:{name}", element if name % 2 else "m" + element))
        elif what < 0.95:
            commands.append(("SREM", f"set:{small}:{name}", element if name % 2 else "m" + element))
        elif what < 0.97:
            commands.append(("PEXPIRE", f"set:{small}:{name}", 10_000_000))
        else:
            commands.append(("SUNIONSTORE", f"union:{name}", f"set:{small}:{name}", f"set:{small}:0"))
    client.pipeline(commands)


class Saved(unittest.TestCase):
    def test_a_restart_brings_every_form_back(self):
        with resp.Server(save="") as server:
            client = server.client()
            for seed in range(4):
                fill(client, seed)
                forms = {client.command("OBJECT", "ENCODING", key) for key in client.command("KEYS", "*")}
                self.assertEqual(client.command("SAVE"), b"OK")
                digest = client.command("DEBUG", "DIGEST")
                whole = client.command("HGETALL", "hash:False:1")
                fill(client, seed + 100, 300)
                self.assertNotEqual(client.command("DEBUG", "DIGEST"), digest)
                server.kill()
                server.start()
                client = server.client()
                self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
                self.assertEqual(client.command("HGETALL", "hash:False:1"), whole)
                self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
            self.assertGreaterEqual(forms, {b"intset", b"listpack", b"hashtable"})

    def test_a_save_beside_changes_keeps_its_moment(self):
        with resp.Server(save="") as server:
            client = server.client()
            fill(client, 7)
            client.command("SAVE")
            fill(client, 8)
            digest = client.command("DEBUG", "DIGEST")
            client.command("BGSAVE")
            fill(client, 9)
            server.wait_saved()
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
            server.kill()
            server.start()
            self.assertEqual(server.client().command("DEBUG", "DIGEST"), digest)


class Large(resp.ServerCase):
    FIELDS = 100_000

    def setUp(self):
        super().setUp()
        self.redis = self.client()
        for start in range(0, self.FIELDS, 1000):
            command = ["HSET", "h"]
            members = ["SADD", "s"]
            for i in range(start, start + 1000):
                command += [f"field:{i}", f"value:{i}"]
                members.append(f"member:{i}")
            self.redis.command(*command)
            self.redis.command(*members)

    def test_a_long_reply_shows_one_version_while_others_write(self):
        self.redis.send_raw(b"*2\r\n$7\r\nHGETALL\r\n$1\r\nh\r\n*2\r\n$4\r\nHLEN\r\n$1\r\nh\r\n")
        other = self.client()
        for i in range(0, 200):
            other.command("HSET", "h", f"field:{i}", "changed", f"new:{i}", "x")
        reply = self.redis.read()
        pairs = dict(zip(reply[::2], reply[1::2]))
        self.assertEqual(len(pairs), self.FIELDS)
        self.assertEqual(len(reply), 2 * self.FIELDS)
        changed = [i for i in range(200) if pairs[f"field:{i}".encode()] == b"changed"]
        self.assertEqual(changed, [])
        # What came behind it on the connection ran after it.
        self.assertGreaterEqual(self.redis.read(), self.FIELDS)
        self.assertEqual(other.command("HLEN", "h"), self.FIELDS + 200)

    def test_long_replies_are_whole(self):
        members = {b"member:%d" % i for i in range(self.FIELDS)}
        self.assertEqual(set(self.redis.command("SMEMBERS", "s")), members)
        self.assertEqual(set(self.redis.command("SUNION", "s", "none")), members)
        self.assertEqual(set(self.redis.command("SINTER", "s", "s")), members)
        self.assertEqual(self.redis.command("SDIFF", "s", "s"), [])
        self.assertEqual(self.redis.command("SINTERCARD", 2, "s", "s"), self.FIELDS)
        self.assertEqual(len(set(self.redis.command("SRANDMEMBER", "s", 20_000))), 20_000)
        self.assertEqual(len(self.redis.command("HKEYS", "h")), self.FIELDS)
        self.assertEqual(len(self.redis.command("HVALS", "h")), self.FIELDS)

    def test_one_change_after_a_pin_copies_a_path(self):
        def copied():
            return int(self.server.info("everything")["pages_copied"])

        self.assertEqual(self.redis.command("SAVE"), b"OK")
        for command, pages in [
                (("HGET", "h", "field:1"), 0),
                (("SISMEMBER", "s", "member:1"), 0),
                (("HGETALL", "h"), 0),
                (("SADD", "s", "member:1"), 0),
                (("HDEL", "h", "none"), 0),
                (("HSET", "h", "field:77", "x"), 8),
                (("SADD", "s", "one more"), 8)]:
            before = copied()
            self.redis.command(*command)
            self.assertLessEqual(copied() - before, pages, command)
            self.assertEqual(copied() == before, pages == 0, command)


if __name__ == "__main__":
    unittest.main()
