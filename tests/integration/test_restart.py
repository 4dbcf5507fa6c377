#!/usr/bin/python3
"""What comes back after a stop, a crash, a crash in the middle of a save."""

import os
import random
import re
import time
import unittest

import resp


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listed:
        return [int(child) for child in listed.read().split()]


def fill(client, seed, count=5000):
    chosen = random.Random(seed)
    commands = []
    for _ in range(count):
        key = f"key:{chosen.randrange(3000)}"
        if chosen.random() < 0.1:
            commands.append(("DEL", key))
        elif chosen.random() < 0.2:
            commands.append(("SET", key, chosen.randbytes(chosen.randrange(20_000))))
        elif chosen.random() < 0.2:
            commands.append(("SET", key, "x", "PX", 10_000_000 + chosen.randrange(1000)))
        else:
            commands.append(("SET", key, chosen.randbytes(chosen.randrange(300))))
    client.pipeline(commands)


class Restart(unittest.TestCase):
    def test_stop_saves_when_there_are_save_points(self):
        with resp.Server(save="3600 1") as server:
            client = server.client()
            fill(client, 1)
            digest = client.command("DEBUG", "DIGEST")
            self.assertEqual(server.stop(), 0)
            server.start()
            client = server.client()
            self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_stop_without_save_points_keeps_the_last_save(self):
        with resp.Server(save="") as server:
            client = server.client()
            fill(client, 2)
            client.command("SAVE")
            digest = client.command("DEBUG", "DIGEST")
            client.command("SET", "later", "lost")
            self.assertEqual(server.stop(), 0)
            server.start()
            self.assertEqual(server.client().command("DEBUG", "DIGEST"), digest)

    def test_kill_brings_back_the_newest_save(self):
        with resp.Server(save="") as server:
            for seed in range(4):
                client = server.client()
                fill(client, seed)
                client.command("SAVE")
                digest = client.command("DEBUG", "DIGEST")
                fill(client, seed + 100, 500)
                server.kill()
                server.start()
                client = server.client()
                self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
                self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_kill_during_a_save_leaves_the_old_one_or_the_new_one(self):
        with resp.Server(save="") as server:
            client = server.client()
            fill(client, 3)
            client.command("SAVE")
            possible = {client.command("DEBUG", "DIGEST")}
            for seed in range(8):
                fill(client, seed, 2000)
                possible.add(client.command("DEBUG", "DIGEST"))
                client.command("BGSAVE")
                pause = time.monotonic() + random.Random(seed).random() * 0.15
                while time.monotonic() < pause:
                    client.command("PING")
                server.kill()  # the child goes with it
                server.start()
                client = server.client()
                digest = client.command("DEBUG", "DIGEST")
                self.assertIn(digest, possible)
                self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
                possible = {digest}

    def test_killed_child(self):
        with resp.Server(save="") as server:
            client = server.client()
            fill(client, 4)
            client.command("SAVE")
            for _ in range(20):  # a busy machine may let the child finish before it is killed
                saved = client.command("DEBUG", "DIGEST")
                client.pipeline([("SET", f"big:{i}", random.randbytes(1000)) for i in range(20_000)])
                client.command("BGSAVE")
                for child in children(server.pid):
                    os.kill(child, 9)
                server.wait_saved()
                info = server.info("persistence")
                if info["rdb_last_bgsave_status"] == "err":
                    break
            self.assertEqual(info["rdb_last_bgsave_status"], "err")
            self.assertRegex(info["save_last_error"], "signal 9")
            now = client.command("DEBUG", "DIGEST")
            self.assertNotEqual(now, saved)
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
            server.kill()
            server.start()
            client = server.client()
            self.assertEqual(client.command("DEBUG", "DIGEST"), saved)
            client.command("SET", "a", "b")
            self.assertEqual(client.command("SAVE"), b"OK")

    def test_nothing_of_the_store_is_open_in_the_server(self):
        with resp.Server(save="") as server:
            client = server.client()
            client.command("SET", "a", "b")
            client.command("SAVE")
            resp.wait_until(lambda: not children(server.pid), "the child ends")
            folder = f"/proc/{server.pid}/fd"
            names = [os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)]
            self.assertFalse([name for name in names if re.search(r"/store/", name)])


if __name__ == "__main__":
    unittest.main()
