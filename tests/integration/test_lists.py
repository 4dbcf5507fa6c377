#!/usr/bin/python3
"""Lists in either form through saves, restarts and snapshots' eyes; long ranges beside writes."""

import random
import time
import unittest

import resp


def fill(client, seed):
    chosen = random.Random(seed)
    commands = []
    for number in range(200):
        commands.append(("RPUSH", f"small:{number}", *(chosen.randbytes(chosen.randrange(30)) for _ in range(20))))
    for number in range(20):
        for _ in range(30):
            end = chosen.choice(("LPUSH", "RPUSH"))
            commands.append((end, f"large:{number}", *(chosen.randbytes(chosen.randrange(40)) for _ in range(40))))
    for number in range(5):
        commands.append(("RPUSH", "long", chosen.randbytes(chosen.randrange(500, 40_000))))
        commands.append(("LPUSH", f"large:{number}", chosen.randbytes(300_000)))
    client.pipeline(commands)


class Lists(unittest.TestCase):
    def test_lists_come_back_after_a_save_and_a_kill(self):
        with resp.Server(save="") as server:
            client = server.client()
            for seed in range(3):
                fill(client, seed)
                client.command("LTRIM", "large:7", 100, -100)
                client.command("LREM", "large:8", 0, b"")
                client.command("LSET", "large:9", 500, b"set")
                digest = client.command("DEBUG", "DIGEST")
                client.command("BGSAVE")
                client = resp.back_from_save(self, server, digest)
                self.assertEqual(client.command("LINDEX", "large:9", 500), b"set")

    def test_what_is_changed_while_a_save_runs_is_not_in_it(self):
        with resp.Server(save="") as server:
            client = server.client()
            fill(client, 9)
            digest = client.command("DEBUG", "DIGEST")
            client.command("BGSAVE")
            for number in range(20):
                client.command("LPUSH", f"large:{number}", "later")
                client.command("LTRIM", f"large:{number}", 0, 10)
            client.command("DEL", "long")
            resp.back_from_save(self, server, digest)

    def test_a_long_range_shows_one_version(self):
        with resp.Server(save="") as server:
            reader = server.client()
            writer = server.client()
            elements = [b"%02000d" % number for number in range(1_200)]  # 2.4 MB: several slices
            for at in range(0, len(elements), 100):
                writer.command("RPUSH", "list", *elements[at : at + 100])
            reader.send_raw(resp.encode(("LRANGE", "list", 0, -1)))
            for number in range(100):
                writer.command("LPOP", "list")
                writer.command("LSET", "list", -1 - number, "changed")
            writer.command("DEL", "list")
            shown = reader.read()
            # Whatever of the writes came before it: a prefix of them, nothing in between.
            gone = len(elements) - len(shown)
            if shown:
                changed = [at for at, element in enumerate(shown) if element == b"changed"]
                self.assertLessEqual(gone, 100)
                self.assertLessEqual(abs(len(changed) - gone), 1)
                for at in set(range(len(shown))) - set(changed):
                    self.assertEqual(shown[at], elements[at + gone])
            self.assertEqual(writer.command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
