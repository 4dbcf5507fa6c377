#!/usr/bin/python3
"""DUMP and RESTORE: between this server and Redis both ways, over restarts, beside other clients, at
the memory limit."""

import os
import unittest

import resp
from redis_values import REDIS, Redis, content, fill, stream_numbers


@unittest.skipIf(REDIS is None, "redis-server is not installed")
class WithRedis(unittest.TestCase):
    # How Redis keeps values decides what its payloads look like.
    LARGE = ["--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0",
             "--set-max-intset-entries", "0", "--list-max-listpack-size", "3", "--rdbcompression", "no"]
    PACKED = ["--hash-max-listpack-entries", "5000", "--hash-max-listpack-value", "10000",
              "--zset-max-listpack-entries", "5000", "--zset-max-listpack-value", "10000",
              "--set-max-intset-entries", "5000", "--list-max-listpack-size", "5000",
              "--list-compress-depth", "1"]

    def pair(self, *arguments):
        ours = resp.Server(save="")
        theirs = Redis(*arguments)
        for server in (ours, theirs):
            self.addCleanup(server.close)
            server.start()
        return ours.client(protocol=3), theirs.client(protocol=3)

    def test_what_redis_dumps_is_restored_here(self):
        for arguments in ([], self.LARGE, self.PACKED):
            ours, theirs = self.pair(*arguments)
            for key in fill(theirs):
                with self.subTest(key=key, arguments=arguments):
                    payload = theirs.command("DUMP", key)
                    self.assertEqual(ours.command("RESTORE", key, 0, payload), b"OK")
                    self.assertEqual(content(ours, key), content(theirs, key))
                    if key.startswith(b"stream"):
                        told = [stream_numbers(client.command("XINFO", "STREAM", key, "FULL", "COUNT", 0))
                                for client in (ours, theirs)]
                        self.assertEqual(told[0], told[1])
            self.assertEqual(ours.command("DEBUG", "AUDIT"), b"OK")

    def test_what_is_dumped_here_is_restored_by_redis(self):
        ours, theirs = self.pair()
        for key in fill(ours):
            with self.subTest(key=key):
                payload = ours.command("DUMP", key)
                self.assertEqual(theirs.command("RESTORE", key, 0, payload), b"OK")
                self.assertEqual(content(theirs, key), content(ours, key))
                # And back: what was lost on the way out is lost for good, the rest is the same.
                back = theirs.command("DUMP", key)
                self.assertEqual(ours.command("RESTORE", b"back", 0, back, "REPLACE"), b"OK")
                self.assertEqual(content(ours, b"back"), content(theirs, key))
        self.assertEqual(ours.command("DEBUG", "AUDIT"), b"OK")

    def test_damaged_payloads_are_errors_for_both(self):
        ours, theirs = self.pair()
        fill(theirs)
        for key in (b"hash:small", b"zset:many", b"stream:many", b"list:one"):
            payload = theirs.command("DUMP", key)
            for place in (0, len(payload) // 2, len(payload) - 1):
                damaged = payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1:]
                errors = [client.pipeline([("RESTORE", "new", 0, damaged)])[0] for client in (ours, theirs)]
                self.assertIsInstance(errors[0], resp.Error)
                self.assertEqual(errors[0], errors[1])
        self.assertEqual(ours.command("DBSIZE"), 0)


class Alone(unittest.TestCase):
    def test_a_restored_value_survives_a_save_and_a_kill(self):
        with resp.Server(save="") as server:
            client = server.client(protocol=3)
            for key in fill(client):
                payload = client.command("DUMP", key)
                self.assertEqual(client.command("RESTORE", b"copy:" + key, 10 ** 8, payload), b"OK")
            digest = client.command("DEBUG", "DIGEST")
            client.command("SAVE")
            server.kill()
            server.start()
            client = server.client()
            self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_restoring_beside_a_save(self):
        with resp.Server(save="") as server:
            client = server.client(protocol=3)
            keys = fill(client)
            digest = client.command("DEBUG", "DIGEST")
            payloads = [client.command("DUMP", key) for key in keys]
            client.command("BGSAVE")
            for key, payload in zip(keys, payloads):
                client.command("RESTORE", key, 0, payload, "REPLACE")
                client.command("RESTORE", b"late:" + key, 0, payload)
            resp.wait_until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", "the save's end")
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
            server.kill()
            server.start()
            client = server.client()
            self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_a_branch_is_restored_into_alone(self):
        with resp.Server(save="") as server:
            client, inside = server.client(protocol=3), server.client(protocol=3)
            keys = fill(client)
            digest = client.command("DEBUG", "DIGEST")
            payloads = {key: client.command("DUMP", key) for key in keys}
            client.command("BRANCH", "CREATE", "aside")
            inside.command("BRANCH", "USE", "aside")
            for key, other in zip(keys, reversed(keys)):
                inside.command("RESTORE", key, 0, payloads[other], "REPLACE")
            for key, other in zip(keys, reversed(keys)):
                self.assertEqual(content(inside, key), content(client, other))
            self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_a_large_dump_stalls_nobody_and_can_be_left(self):
        with resp.Server(save="") as server:
            writer = server.client()
            for start in range(0, 200_000, 5000):
                pairs = [part for number in range(start, start + 5000) for part in (f"field:{number}", number)]
                writer.command("HSET", "hash", *pairs)
            reader, other = server.client(), server.client()
            reader.send_raw(resp.encode(("DUMP", "hash")))
            for number in range(50):
                other.command("HSET", "hash", f"later:{number}", "x")
            self.assertEqual(other.command("PING"), b"PONG")
            payload = reader.read()
            # The version of one moment, and a payload that is whole.
            self.assertEqual(other.command("RESTORE", "copy", 0, payload), b"OK")
            self.assertIn(other.command("HLEN", "copy") - 200_000, range(51))
            reader.send_raw(resp.encode(("DUMP", "hash")))
            reader.close()
            self.assertEqual(other.command("DEL", "hash", "copy"), 2)
            resp.wait_until(lambda: server.info("everything").get("reclaim_backlog", "0") == "0", "nothing is left")
            self.assertEqual(other.command("DEBUG", "AUDIT"), b"OK")

    def test_at_the_memory_limit_nothing_is_changed(self):
        with resp.Server(save="") as server:
            client = server.client()
            client.command("SET", "key", "old")
            client.command("SET", "big", os.urandom(1 << 20))
            payload = client.command("DUMP", "big")
            client.command("CONFIG", "SET", "maxmemory", "1")
            digest = client.command("DEBUG", "DIGEST")
            for arguments in ((), ("REPLACE",)):
                reply = client.pipeline([("RESTORE", "key", 0, payload, *arguments)])[0]
                self.assertEqual(reply.code, "OOM")
            self.assertEqual(client.command("DEBUG", "DIGEST"), digest)


if __name__ == "__main__":
    unittest.main()
