#!/usr/bin/python3
"""Clients are served while the pages of the snapshot still come in."""

import os
import random
import re
import signal
import time
import unittest

import resp

KEYS = 20_000 if resp.SANITIZED else 1_000_000
FIRST_REPLY_SECONDS = 20.0 if resp.SANITIZED else 1.0


def value_of(number):
    return b"%d:" % number + b"v" * (number % 300)


def fill(client, count):
    for start in range(0, count, 10_000):
        client.pipeline([("SET", f"key:{i}", value_of(i)) for i in range(start, start + 10_000)])


def first_reply(server, *command):
    """Starts the server; the reply to its first command that is answered, and after how long."""
    began = time.monotonic()
    server.start(wait=False)
    while True:
        try:
            with resp.Client(server.port) as client:
                reply = client.pipeline([command])[0]
                if not isinstance(reply, resp.Error):
                    return reply, time.monotonic() - began
                if reply.code != "LOADING":
                    raise AssertionError(str(reply))
        except ConnectionError:
            if server.process.poll() is not None:
                raise AssertionError(server.log()) from None
        time.sleep(0.002)


def ask(client, *commands):
    client.send_raw(b"".join(resp.encode(command) for command in commands))


class RestartOnDemand(unittest.TestCase):
    """One large store, read again and again: what a test writes is gone after the next kill."""

    @classmethod
    def setUpClass(cls):
        cls.server = resp.Server(save="")
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        client = cls.server.client()
        fill(client, KEYS)
        client.command("RPUSH", "list", *[f"element:{i}" for i in range(5000)])
        client.command("SAVE")
        cls.digest = client.command("DEBUG", "DIGEST")

    def setUp(self):
        self.server.kill()

    def test_the_first_reply_comes_at_once_and_is_right(self):
        reply, seconds = first_reply(self.server, "GET", "key:4711")
        self.assertEqual(reply, value_of(4711))
        self.assertLess(seconds, FIRST_REPLY_SECONDS)

    def test_reads_and_writes_while_pages_come_in(self):
        first_reply(self.server, "PING")
        client = self.server.client()
        info = self.server.info("persistence")
        self.assertEqual((info["loading"], info["async_loading"]), ("0", "1"))
        self.assertGreater(int(info["loading_total_bytes"]), KEYS * 100)
        chosen = random.Random(1)
        written = {}
        rounds = 0
        while rounds < 20 or self.server.info("persistence")["async_loading"] == "1":
            rounds += 1
            numbers = [chosen.randrange(KEYS) for _ in range(40)]
            for number, reply in zip(numbers, client.pipeline([("GET", f"key:{n}") for n in numbers])):
                self.assertEqual(reply, written.get(number, value_of(number)))
            for number in numbers[:10]:
                written[number] = b"new:%d" % number
                client.command("SET", f"key:{number}", written[number])
            client.command("DEL", f"key:{numbers[10]}")
            written[numbers[10]] = None
            self.assertEqual(client.command("LINDEX", "list", str(number % 5000)),
                             b"element:%d" % (number % 5000))
        for number, value in written.items():
            self.assertEqual(client.command("GET", f"key:{number}"), value)
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
        log = self.server.log()
        self.assertRegex(log, r"serving the snapshot of epoch \d+ after \d+ ms")
        self.assertRegex(log, r"loaded the snapshot of epoch .*all of them verified")

    def test_the_digest_while_pages_come_in(self):
        first_reply(self.server, "PING")
        client = self.server.client()
        self.assertEqual(client.command("DEBUG", "DIGEST"), self.digest)
        self.server.wait_loaded()
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_a_background_save_is_queued(self):
        first_reply(self.server, "PING")
        client = self.server.client()
        self.assertEqual(client.command("BGSAVE"), b"Background saving scheduled")
        with self.assertRaisesRegex(resp.Error, "still being brought in"):
            client.command("SNAPSHOT", "EXPORT", "main", "out.rdb")
        self.assertEqual(self.server.info("persistence")["rdb_saves"], "0")
        self.server.wait_loaded()
        resp.wait_until(lambda: self.server.info("persistence")["rdb_saves"] == "1", "it is saved", 120)
        self.assertEqual(client.command("DEBUG", "DIGEST"), self.digest)

    def test_save_waits_for_the_end(self):
        first_reply(self.server, "PING")
        client = self.server.client(timeout=120)
        self.assertEqual(client.command("SAVE"), b"OK")
        self.assertEqual(self.server.info("persistence")["async_loading"], "0")
        self.assertEqual(client.command("DEBUG", "DIGEST"), self.digest)

    def loader(self):
        with open(f"/proc/{self.server.pid}/task/{self.server.pid}/children", encoding="ascii") as listed:
            loader, = listed.read().split()
        return int(loader)

    def test_who_needs_no_missing_page_goes_ahead(self):
        first_reply(self.server, "PING")
        loader = self.loader()
        os.kill(loader, signal.SIGSTOP)
        try:
            info = self.server.info("persistence")
            self.assertEqual(info["async_loading"], "1")
            numbers = [random.Random(5).randrange(KEYS) for _ in range(300)]
            waiting = [self.server.client(timeout=60) for _ in range(3)]
            ask(waiting[0], *[("GET", f"key:{n}") for n in numbers])
            ask(waiting[1], ("MGET", *[f"key:{n}" for n in numbers]), ("PING",))
            ask(waiting[2], ("MULTI",), *[("APPEND", f"key:{n}", "") for n in numbers], ("EXEC",))
            other = self.server.client(timeout=60)
            for _ in range(20):
                began = time.monotonic()
                self.assertEqual(other.command("PING"), b"PONG")
                self.assertLess(time.monotonic() - began, 1.0)
                time.sleep(0.01)
            self.assertTrue(waiting[1].is_silent(0.05), "pages are there that nobody has brought")
            info = self.server.info("persistence")
            self.assertEqual(info["async_loading"], "1")
        finally:
            os.kill(loader, signal.SIGCONT)
        wanted = [value_of(n) for n in numbers]
        self.assertEqual([waiting[0].read() for _ in numbers], wanted)
        self.assertEqual([waiting[1].read(), waiting[1].read()], [wanted, b"PONG"])
        replies = [waiting[2].read() for _ in range(len(numbers) + 2)]
        self.assertEqual(replies[-1], [len(value) for value in wanted])

    def test_who_waits_for_a_page_may_go(self):
        first_reply(self.server, "PING")
        loader = self.loader()
        os.kill(loader, signal.SIGSTOP)
        try:
            for i in range(20):
                client = self.server.client()
                ask(client, *[("GET", f"key:{n}") for n in range(i, KEYS, KEYS // 50)])
                client.close()
        finally:
            os.kill(loader, signal.SIGKILL)
        self.server.wait_loaded()
        resp.wait_until(lambda: self.server.info("clients")["connected_clients"] == "1", "they are gone")
        client = self.server.client()
        self.assertEqual(client.command("GET", "key:1"), value_of(1))
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_a_killed_loader_is_replaced(self):
        first_reply(self.server, "PING")
        os.kill(self.loader(), signal.SIGKILL)
        client = self.server.client(timeout=120)
        for number in range(0, KEYS, KEYS // 200):
            self.assertEqual(client.command("GET", f"key:{number}"), value_of(number))
        self.server.wait_loaded()
        self.assertIn("starting another one", self.server.log())
        self.assertEqual(client.command("DEBUG", "DIGEST"), self.digest)

    def test_killed_again_and_again_while_pages_come_in(self):
        for number in range(5):
            reply, _ = first_reply(self.server, "GET", f"key:{number}")
            self.assertEqual(reply, value_of(number))
            self.server.kill()
        first_reply(self.server, "PING")
        self.assertEqual(self.server.client(timeout=120).command("DEBUG", "DIGEST"), self.digest)

    def test_flushall_while_pages_come_in(self):
        first_reply(self.server, "PING")
        client = self.server.client(timeout=120)
        client.command("FLUSHALL")
        client.command("SET", "a", "b")
        self.assertEqual(client.command("DBSIZE"), 1)
        self.server.wait_loaded()
        resp.wait_until(lambda: self.server.info("memory")["lazyfree_pending_objects"] == "0",
                        "the old pages are freed", 120)
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
        used = int(re.search(r"arena_bytes_allocated:(\d+)",
                             client.command("INFO", "memory").decode()).group(1))
        self.assertLess(used, 20 << 20)


if __name__ == "__main__":
    unittest.main()
