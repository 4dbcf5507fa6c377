#!/usr/bin/python3
"""Sorted sets in either form through saves, kills and restarts; long ranges beside writes."""

import random
import unittest

import resp


def fill(client, seed):
    chosen = random.Random(seed)
    scores = ("0", "-0", "inf", "-inf", "0.1", "-1e-300", "1e308", "42")
    commands = []

    def score():
        return chosen.choice(scores) if chosen.random() < 0.3 else repr(chosen.uniform(-1e6, 1e6))

    def pairs(count, length):
        for _ in range(count):
            yield score()
            yield chosen.randbytes(chosen.randrange(length))

    for number in range(200):
        commands.append(("ZADD", f"small:{number}", *pairs(20, 30)))
    for number in range(20):
        for _ in range(30):
            commands.append(("ZADD", f"large:{number}", *pairs(40, 40)))
        commands.append(("ZADD", f"large:{number}", *pairs(3, 700), score(), chosen.randbytes(20_000)))
        commands.append(("ZREMRANGEBYRANK", f"large:{number}", 100, 300))
    commands.append(("ZUNIONSTORE", "union", 2, "large:1", "large:2"))
    client.pipeline(commands)


class Zsets(unittest.TestCase):
    def test_sorted_sets_come_back_after_a_save_and_a_kill(self):
        with resp.Server(save="") as server:
            client = server.client()
            for seed in range(3):
                fill(client, seed)
                digest = client.command("DEBUG", "DIGEST")
                highest = client.command("ZRANGE", "large:3", 0, 20, "REV", "WITHSCORES")
                client.command("BGSAVE")
                client = resp.back_from_save(self, server, digest)
                self.assertEqual(client.command("ZRANGE", "large:3", 0, 20, "REV", "WITHSCORES"), highest)

    def test_what_is_changed_while_a_save_runs_is_not_in_it(self):
        with resp.Server(save="") as server:
            client = server.client()
            fill(client, 9)
            digest = client.command("DEBUG", "DIGEST")
            client.command("BGSAVE")
            for number in range(20):
                client.command("ZADD", f"large:{number}", 7, "later")
                client.command("ZREMRANGEBYSCORE", f"large:{number}", "-inf", 0)
            client.command("DEL", "union")
            resp.back_from_save(self, server, digest)

    def test_a_long_range_shows_one_version(self):
        with resp.Server(save="") as server:
            reader = server.client()
            writer = server.client()
            members = [b"%0500d" % number for number in range(10_000)]
            for at in range(0, len(members), 1000):
                words = [word for place in range(at, at + 1000) for word in (place, members[place])]
                writer.command("ZADD", "zset", *words)
            reader.send_raw(resp.encode(("ZRANGE", "zset", 0, -1)))
            for _ in range(100):
                writer.command("ZPOPMIN", "zset")
                writer.command("ZINCRBY", "zset", -20_000, members[-1])
            writer.command("DEL", "zset")
            shown = reader.read()
            # Whatever of the writes came before it: in the order of its scores, none twice.
            self.assertEqual(len(shown), len(set(shown)))
            moved = members[-1] in shown and shown[-1] != members[-1]
            rest = shown[1:] if moved else shown
            self.assertEqual(rest, sorted(rest))


if __name__ == "__main__":
    unittest.main()
