#!/usr/bin/python3
"""kill -9 under load, at random moments, saves and starts included: nothing acknowledged is lost, no unit split.

Each client writes its own keys, numbered; after the start they must hold exactly what some prefix of its writes
leaves, no shorter than what was acknowledged. VERSO_KILL_CYCLES=2000 for the long form (60 here), VERSO_KILL_SEED
to repeat one.
"""

import os
import random
import threading
import time
import unittest

import resp

CYCLES = int(os.environ.get("VERSO_KILL_CYCLES", "60"))
SEED = int(os.environ.get("VERSO_KILL_SEED", str(random.randrange(1 << 30))))
CLIENTS = 4


class Writer(threading.Thread):
    """Writes numbered units until the connection breaks; knows what was sent and what acknowledged."""

    def __init__(self, server, number, first, seed):
        super().__init__(daemon=True)
        self.server = server
        self.number = number
        self.first = first  # what the keys hold already
        self.acknowledged = self.sent = first
        self.random = random.Random(seed)

    def unit(self, n):
        """The commands of write n: one EXEC over several keys and two databases."""
        me = self.number
        if n % 2:
            return [("MULTI",), ("SET", f"{me}:a", n), ("RPUSH", f"{me}:list", n),
                    ("SELECT", 1), ("SET", f"{me}:b", n), ("SELECT", 0), ("EXEC",)]
        # The padding goes beyond a sector and, now and then, beyond a page of everything.
        pad = "x" * self.random.choice((1, 10, 100, 700, 5000, 70000))
        return [("MULTI",), ("SET", f"{me}:a", n), ("RPUSH", f"{me}:list", n),
                ("SELECT", 1), ("SET", f"{me}:b", n), ("SELECT", 0), ("SET", f"{me}:pad", f"{n}:{pad}"),
                ("EXEC",)]

    def run(self):
        try:
            with resp.Client(self.server.port, timeout=30) as client:
                while self.write(client):
                    pass
        except (OSError, resp.ProtocolError):
            pass

    def write(self, client):
        count = self.random.choice((1, 1, 3, 20))
        units = [self.unit(n) for n in range(self.sent + 1, self.sent + 1 + count)]
        self.sent += count
        client.send_raw(b"".join(resp.encode(command) for unit in units for command in unit))
        for unit in units:
            replies = [client.read() for _ in unit]
            if any(isinstance(reply, resp.Error) for reply in (replies[0], replies[-1])):
                return False
            self.acknowledged += 1
        return True


class Kill(unittest.TestCase):
    def check(self, server, writers):
        client = server.client()
        for writer in writers:
            me = writer.number
            a, length = client.pipeline([("GET", f"{me}:a"), ("LLEN", f"{me}:list")])
            client.command("SELECT", 1)
            b = client.command("GET", f"{me}:b")
            client.command("SELECT", 0)
            self.assertEqual(a, b, f"a unit was split, seed {SEED}")
            found = int(a or 0)
            self.assertEqual(length, found, f"seed {SEED}")
            self.assertGreaterEqual(found, writer.acknowledged, f"acknowledged and lost, seed {SEED}")
            self.assertLessEqual(found, writer.sent, f"seed {SEED}")
            tail = client.command("LRANGE", f"{me}:list", -50, -1)
            self.assertEqual(tail, [b"%d" % n for n in range(max(1, found - 49), found + 1)])
            writer.first = found
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
        client.close()

    def cycles(self, policy, count):
        chosen = random.Random(SEED)
        server = resp.Server("--appendonly", "yes", "--appendfsync", policy)
        self.addCleanup(server.close)
        server.start()
        firsts = [0] * CLIENTS
        acknowledged = during_save = killed_starts = 0
        for cycle in range(count):
            writers = [Writer(server, i, firsts[i], chosen.random()) for i in range(CLIENTS)]
            for writer in writers:
                writer.start()
            time.sleep(chosen.uniform(0.02, 0.3))
            if chosen.random() < 0.4:
                try:
                    with resp.Client(server.port) as client:
                        client.command("BGSAVE")
                except (OSError, resp.Error):
                    pass
                during_save += 1
                time.sleep(chosen.choice((0, 0.005, 0.02, 0.05)))
            server.kill()
            for writer in writers:
                writer.join(60)
                self.assertFalse(writer.is_alive())
            # Up to five kills in a row while it comes back.
            for _ in range(chosen.choice((0, 0, 1, 5))):
                server.start(wait=False)
                time.sleep(chosen.uniform(0, 0.06))
                server.kill()
                killed_starts += 1
            server.start()
            self.check(server, writers)
            acknowledged += sum(w.acknowledged - f for w, f in zip(writers, firsts))
            firsts = [writer.first for writer in writers]
            if cycle % 25 == 24:  # or the lists take over
                with server.client() as client:
                    client.command("FLUSHALL")
                firsts = [0] * CLIENTS
        self.assertGreater(acknowledged, count)
        print(f"{policy}: {count} kills ({during_save} with a save begun just before, {killed_starts} more during "
              f"the start), {acknowledged} acknowledged units: lost 0, split 0, refused starts 0", flush=True)

    def test_always(self):
        self.cycles("always", CYCLES // 2)

    def test_everysec(self):
        self.cycles("everysec", CYCLES - CYCLES // 2)


if __name__ == "__main__":
    unittest.main()
