#!/usr/bin/python3
"""Writes that are computed aside: others are served meanwhile, see nothing of it before its end,
and nothing is left of one whose client has gone."""

import unittest

import resp

MEMBERS = 200_000


def fill(client):
    commands = []
    for at in range(0, MEMBERS, 1000):
        commands.append(("SADD", "odd", *(2 * n + 1 for n in range(at, at + 1000))))
        commands.append(("SADD", "third", *(3 * n for n in range(at, at + 1000))))
        commands.append(("ZADD", "scored", *(w for n in range(at, at + 1000) for w in (n, f"m{n}"))))
        commands.append(("RPUSH", "list", *(n for n in range(at, at + 1000))))
    client.pipeline(commands)


class Aside(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.writer = self.client()
        fill(self.writer)

    def pins(self):
        return int(self.server.info()["pins"])

    def test_others_are_served_and_see_nothing_of_it(self):
        other = self.client()
        for command in (("SUNIONSTORE", "to", "odd", "third"), ("ZUNIONSTORE", "to", 2, "scored", "odd"),
                        ("COPY", "scored", "to"), ("SORT", "list", "DESC", "STORE", "to")):
            other.command("DEL", "to")
            self.writer.send_raw(resp.encode(command))
            resp.wait_until(lambda: self.pins() > 0 or other.command("EXISTS", "to") == 1, "its beginning")
            self.assertEqual(other.command("PING"), b"PONG")
            reply = self.writer.read()
            self.assertEqual(other.command("EXISTS", "to"), 1)
            self.assertEqual(reply, {b"COPY": 1}.get(command[0].encode(), self.size(other)))
        self.assertEqual(other.command("DEBUG", "AUDIT"), b"OK")

    def size(self, client):
        size = {b"set": "SCARD", b"zset": "ZCARD", b"list": "LLEN"}[client.command("TYPE", "to")]
        return client.command(size, "to")

    def test_a_client_that_goes_away_leaves_nothing(self):
        other = self.client()
        for command in (("SUNIONSTORE", "to", "odd", "third"), ("COPY", "scored", "to"),
                        ("SORT", "list", "ALPHA", "STORE", "to")):
            goes = self.client()
            goes.send_raw(resp.encode(command))
            other.command("PING")
            goes.close()
            resp.wait_until(lambda: self.pins() == 0, "its end")
            other.command("DEL", "to")
        self.assertEqual(other.command("DEBUG", "AUDIT"), b"OK")

    def test_who_waits_for_the_target_gets_it(self):
        waiting = self.client()
        waiting.send_raw(resp.encode(("BLPOP", "sorted", 0)))
        self.assertEqual(self.writer.command("SORT", "list", "DESC", "STORE", "sorted"), MEMBERS)
        self.assertEqual(waiting.read(), [b"sorted", b"%d" % (MEMBERS - 1)])

    def test_a_save_in_the_middle_and_a_restart(self):
        with resp.Server(save="") as server:
            client = server.client()
            fill(client)
            saver = server.client()
            for number in range(3):
                client.send_raw(resp.encode(("SUNIONSTORE", f"union{number}", "odd", "third")))
                client.send_raw(resp.encode(("COPY", "scored", f"copy{number}")))
                saver.command("BGSAVE")
                self.assertGreater(client.read(), MEMBERS)
                self.assertEqual(client.read(), 1)
                server.wait_saved()
            # Increments contain what was published between two saves.
            client.command("BGSAVE")
            server.wait_saved()
            digest = client.command("DEBUG", "DIGEST")
            server.kill()
            server.start()
            client = server.client()
            self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
