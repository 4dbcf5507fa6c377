#!/usr/bin/python3
"""SORT of many elements: others are served meanwhile, and change nothing of what it returns."""

import random
import unittest

import resp


def fill(client, count):
    chosen = random.Random(5)
    numbers = [chosen.randrange(10**9) for _ in range(count)]
    commands = [("RPUSH", "numbers", *numbers[at:at + 1000]) for at in range(0, count, 1000)]
    commands += [("MSET", *(word for number in numbers[at:at + 1000]
                            for word in (f"weight:{number}", -number)))
                 for at in range(0, count, 1000)]
    client.pipeline(commands)
    return numbers


class Sort(resp.ServerCase):
    def test_a_long_sort_returns_what_was_there_when_it_began(self):
        client = self.client()
        numbers = fill(client, 200_000)
        reader = self.client()
        reader.send_raw(resp.encode(("SORT", "numbers", "BY", "weight:*", "GET", "#", "GET", "weight:*")))
        # Served in between: the reply has more bytes than sockets and the server's buffers hold.
        self.assertEqual(client.command("PING"), b"PONG")
        slices = int(self.server.info("stats")["reply_slices"])
        self.assertEqual(client.command("DEL", "numbers"), 1)
        client.pipeline([("SET", f"weight:{number}", 0) for number in numbers[:5000]])
        reply = reader.read()
        wanted = [word for number in sorted(numbers, reverse=True) for word in (b"%d" % number, b"%d" % -number)]
        self.assertEqual(reply, wanted)
        self.assertGreater(int(self.server.info("stats")["reply_slices"]), slices)
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_a_client_that_goes_away_leaves_nothing_behind(self):
        client = self.client()
        fill(client, 100_000)
        for _ in range(3):
            reader = self.client()
            reader.send_raw(resp.encode(("SORT", "numbers", "ALPHA", "DESC")))
            client.command("PING")
            reader.close()
        resp.wait_until(lambda: self.server.info()["pins"] == "0", "the pins' end")
        self.assertEqual(client.command("SORT", "numbers", "LIMIT", 0, 3, "STORE", "lowest"), 3)
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
