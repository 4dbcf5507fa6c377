#!/usr/bin/python3
"""Streams through saves and restarts; readers that wait, over sockets; long ranges beside writes."""

import random
import unittest

import resp


def fill(client, seed):
    chosen = random.Random(seed)
    commands = []
    for number in range(20):
        key = f"stream:{seed}:{number}"
        for _ in range(300):
            value = chosen.randbytes(chosen.randrange(2000) if chosen.random() < 0.05 else chosen.randrange(20))
            commands.append(("XADD", key, "MAXLEN", "~", 200, "*", "field", value, "number", number))
        for group in ("g", "h"):
            commands.append(("XGROUP", "CREATE", key, group, "0"))
            for consumer in range(chosen.randrange(4)):
                commands.append(("XREADGROUP", "GROUP", group, f"consumer:{consumer}", "COUNT", 30, "STREAMS", key, ">"))
        commands.append(("XADD", f"long:{seed}", "*", "value", chosen.randbytes(100_000)))
    client.pipeline(commands)


class Streams(unittest.TestCase):
    def test_streams_and_groups_come_back_after_a_save_and_a_kill(self):
        with resp.Server(save="") as server:
            client = server.client()
            for seed in range(3):
                fill(client, seed)
                key = f"stream:{seed}:1"
                first = client.command("XRANGE", key, "-", "+", "COUNT", 1)[0][0]
                client.command("XDEL", key, first)
                client.command("XGROUP", "DESTROY", f"stream:{seed}:2", "h")
                client.command("XGROUP", "CREATE", f"empty:{seed}", "g", "$", "MKSTREAM")
                digest = client.command("DEBUG", "DIGEST")
                pending = client.command("XPENDING", key, "g")
                client.command("BGSAVE")
                client = resp.back_from_save(self, server, digest)
                self.assertEqual(client.command("XPENDING", key, "g"), pending)
                self.assertIn(first, client.command("XINFO", "STREAM", key))

    def test_what_is_changed_while_a_save_runs_is_not_in_it(self):
        with resp.Server(save="") as server:
            client = server.client()
            fill(client, 9)
            digest = client.command("DEBUG", "DIGEST")
            client.command("BGSAVE")
            for number in range(20):
                key = f"stream:9:{number}"
                client.command("XADD", key, "*", "later", "x")
                client.command("XREADGROUP", "GROUP", "g", "late", "STREAMS", key, ">")
                client.command("XTRIM", key, "MAXLEN", 10)
            client.command("DEL", "long:9")
            resp.back_from_save(self, server, digest)

    def test_readers_wait_for_entries(self):
        with resp.Server(save="") as server:
            writer = server.client()
            writer.command("XADD", "s", "1-0", "f", "v")
            writer.command("XGROUP", "CREATE", "s", "g", "$")
            reader = server.client()
            member = server.client(protocol=3)
            leaver = server.client()
            reader.send_raw(resp.encode(("XREAD", "BLOCK", 0, "STREAMS", "s", "$")))
            leaver.send_raw(resp.encode(("XREADGROUP", "GROUP", "g", "leaver", "BLOCK", 0, "STREAMS", "s", ">")))
            resp.wait_until(lambda: server.info("clients")["blocked_clients"] == "2", "two waiting clients")
            member.send_raw(resp.encode(("XREADGROUP", "GROUP", "g", "member", "BLOCK", 0, "STREAMS", "s", ">")))
            resp.wait_until(lambda: server.info("clients")["blocked_clients"] == "3", "three waiting clients")
            leaver.close()
            resp.wait_until(lambda: server.info("clients")["blocked_clients"] == "2", "the one that left")
            writer.command("XADD", "s", "2-0", "f", "w")
            entry = [b"2-0", [b"f", b"w"]]
            self.assertEqual(reader.read(), [[b"s", [entry]]])
            self.assertEqual(member.read(), {b"s": [entry]})
            self.assertIsNone(reader.command("XREAD", "BLOCK", 1, "STREAMS", "s", "$"))
            member.send_raw(resp.encode(("XREADGROUP", "GROUP", "g", "member", "BLOCK", 0, "STREAMS", "s", ">")))
            resp.wait_until(lambda: server.info("clients")["blocked_clients"] == "1", "a waiting client")
            writer.command("DEL", "s")
            self.assertEqual(member.read().code, "NOGROUP")

    def test_a_long_range_shows_one_version(self):
        with resp.Server(save="") as server:
            reader = server.client()
            writer = server.client()
            entries = [[b"%d-0" % number, [b"f", b"%02000d" % number]] for number in range(1, 1_201)]
            writer.pipeline([("XADD", "s", name, *fields) for name, fields in entries])
            reader.send_raw(resp.encode(("XRANGE", "s", "-", "+")))
            for number in range(1, 101):
                writer.command("XDEL", "s", number)
            writer.command("DEL", "s")
            shown = reader.read()
            # Whatever of the removals came before it: the first ones.
            self.assertTrue(not shown or shown == entries[len(entries) - len(shown) :])
            self.assertEqual(writer.command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
