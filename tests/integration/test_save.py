#!/usr/bin/python3
"""BGSAVE and SAVE against a running server: what they reply, what INFO tells, that serving goes on."""

import os
import threading
import unittest

import resp


class Save(resp.ServerCase):
    def test_save_and_lastsave(self):
        client = self.client()
        before = client.command("LASTSAVE")
        client.command("SET", "k", "v")
        self.assertEqual(client.command("SAVE"), b"OK")
        self.assertGreaterEqual(client.command("LASTSAVE"), before)
        info = self.server.info("persistence")
        self.assertEqual(info["rdb_last_bgsave_status"], "ok")
        self.assertEqual(info["rdb_changes_since_last_save"], "0")
        self.assertTrue(os.path.isdir(os.path.join(self.server.directory, "store")))

    def test_saves_in_a_row(self):
        client = self.client()
        for i in range(10):
            client.command("SET", "k", i)
            self.assertEqual(client.command("SAVE"), b"OK")

    def test_bgsave_while_writing(self):
        client = self.client()
        client.pipeline([("SET", f"key:{i}", b"x" * 500) for i in range(20_000)])
        before = int(self.server.info("persistence")["rdb_saves"])
        stop = threading.Event()
        slowest = []

        def write():
            with resp.Client(self.server.port) as writer:
                i = 0
                while not stop.is_set():
                    writer.pipeline([("SET", f"key:{(i + j) % 20_000}", b"y" * 500) for j in range(50)])
                    i += 50
                slowest.append(i)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.assertEqual(client.command("BGSAVE"), b"Background saving started")
            self.server.wait_saved()
        finally:
            stop.set()
            writer.join()
        self.assertGreater(slowest[0], 0)
        info = self.server.info("persistence")
        self.assertEqual(info["rdb_last_bgsave_status"], "ok")
        self.assertEqual(int(info["rdb_saves"]), before + 1)
        self.assertGreater(int(info["save_pages_written"]), 20_000)
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_second_bgsave_is_refused_while_one_runs(self):
        client = self.client()
        client.pipeline([("SET", f"key:{i}", b"x" * 1000) for i in range(20_000)])
        replies = client.pipeline([("BGSAVE",), ("BGSAVE",)])
        self.assertEqual(replies[0], b"Background saving started")
        self.assertIsInstance(replies[1], resp.Error)
        self.assertIn("already in progress", str(replies[1]))
        self.server.wait_saved()

    def test_increment_is_small(self):
        client = self.client()
        client.pipeline([("SET", f"key:{i}", b"x" * 1000) for i in range(20_000)])
        client.command("SAVE")
        full = int(self.server.info("persistence")["save_bytes_written"])
        client.command("SET", "key:1", b"y" * 1000)
        client.command("SAVE")
        self.assertLess(int(self.server.info("persistence")["save_bytes_written"]), full // 50)

    def test_what_counts_as_a_change(self):
        # As Redis counts: what the save points compare with.
        client = self.client()

        def changes():
            return int(self.server.info("persistence")["rdb_changes_since_last_save"])

        for commands, count in (
                ([("SET", "k", "v", "EX", "100")], 1),
                ([("MSET", "a", "1", "b", "2", "c", "3")], 3),
                ([("RENAME", "a", "d")], 1),
                ([("MOVE", "d", "1")], 1),
                ([("SWAPDB", "0", "1")], 1),
                ([("SWAPDB", "0", "1")], 1),
                ([("APPEND", "b", "")], 1),
                ([("DEL", "b", "none")], 1),
                ([("EXPIRE", "k", "50")], 1),
                ([("FLUSHDB",)], 2),
                ([("FLUSHDB",)], 0),
                ([("SET", "k", "v")], 1),
                ([("FLUSHALL",)], 2)):
            before = changes()
            client.pipeline(commands)
            self.assertEqual(changes() - before, count, commands)

    def test_flushall_saves_if_there_are_save_points(self):
        with resp.Server(save="3600 1000000") as server:
            client = server.client()
            client.command("SET", "k", "v")
            client.command("SAVE")
            client.command("FLUSHALL")
            resp.wait_until(lambda: server.info("persistence")["rdb_saves"] == "2", "the save after it")
            server.kill()
            server.start()
            self.assertEqual(server.client().command("DBSIZE"), 0)

    def test_ping_tells_that_saving_fails(self):
        with resp.Server(save="3600 1000000") as server:
            client = server.client()
            client.command("SET", "k", "v")
            with open(os.path.join(server.directory, "store"), "w", encoding="utf-8"):
                pass
            with self.assertRaises(resp.Error):
                client.command("SAVE")
            for command in (("PING",), ("SET", "k", "w")):
                with self.assertRaisesRegex(resp.Error, "^MISCONF "):
                    client.command(*command)
            self.assertEqual(client.command("GET", "k"), b"v")
            client.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            self.assertEqual(client.command("PING"), b"PONG")

    def test_save_points(self):
        with resp.Server(save="1 5") as server:
            client = server.client()
            client.pipeline([("SET", f"key:{i}", i) for i in range(10)])
            resp.wait_until(lambda: server.info("persistence")["rdb_saves"] == "1", "a save by itself")


if __name__ == "__main__":
    unittest.main()
