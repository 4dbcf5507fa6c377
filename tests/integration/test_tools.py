#!/usr/bin/python3
"""What operators use: SLOWLOG and CLIENT PAUSE."""

import time
import unittest

import resp


class SlowLog(resp.ServerCase):
    def setUp(self):
        super().setUp()
        client = self.client()
        client.command("CONFIG", "SET", "slowlog-log-slower-than", "10000", "slowlog-max-len", "128")
        client.command("SLOWLOG", "RESET")

    def test_a_slow_command_is_remembered(self):
        client = self.client()
        client.command("CLIENT", "SETNAME", "me")
        client.command("SET", "fast", "x")
        before = int(time.time())
        client.command("DEBUG", "SLEEP", "0.05")
        self.assertEqual(client.command("SLOWLOG", "LEN"), 1)
        [[number, when, us, words, address, name]] = client.command("SLOWLOG", "GET")
        self.assertGreaterEqual(when, before - 1)
        self.assertGreater(us, 45_000)
        self.assertLess(us, 5_000_000)
        self.assertEqual(words, [b"DEBUG", b"SLEEP", b"0.05"])
        self.assertEqual(address.decode(), "%s:%d" % client.socket.getsockname())
        self.assertEqual(name, b"me")
        client.command("DEBUG", "SLEEP", "0.02")
        self.assertEqual([entry[0] for entry in client.command("SLOWLOG", "GET")], [number + 1, number])
        self.assertEqual([entry[0] for entry in client.command("SLOWLOG", "GET", "1")], [number + 1])
        self.assertEqual(len(client.command("SLOWLOG", "GET", "-1")), 2)
        self.assertEqual(client.command("SLOWLOG", "GET", "0"), [])
        self.assertEqual(client.command("SLOWLOG", "RESET"), b"OK")
        self.assertEqual(client.command("SLOWLOG", "GET"), [])
        for count in ("-2", "x"):
            with self.assertRaisesRegex(resp.Error, "^ERR count should be greater than or equal to -1$"):
                client.command("SLOWLOG", "GET", count)

    def test_limits(self):
        client = self.client()
        client.command("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "3")
        client.command("MGET", *[str(i) for i in range(40)])
        words = client.command("SLOWLOG", "GET", "1")[0][3]
        self.assertEqual(len(words), 32)
        self.assertEqual(words[-1], b"... (10 more arguments)")
        client.command("SET", "k", "x" * 200)
        words = client.command("SLOWLOG", "GET", "1")[0][3]
        self.assertEqual(words[2], b"x" * 128 + b"... (72 more bytes)")
        client.command("CONFIG", "SET", "requirepass", "")
        self.assertEqual(client.command("SLOWLOG", "GET", "1")[0][3],
                         [b"CONFIG", b"SET", b"requirepass", b"(redacted)"])
        self.assertEqual(client.command("SLOWLOG", "LEN"), 3)
        client.pipeline([("AUTH", "secret"), ("MULTI",), ("GET", "k"), ("EXEC",)])
        names = [entry[3][0] for entry in client.command("SLOWLOG", "GET", "-1")]
        self.assertEqual(names, [b"GET", b"MULTI", b"SLOWLOG"])  # neither AUTH nor EXEC
        client.command("CONFIG", "SET", "slowlog-log-slower-than", "-1")
        client.command("SLOWLOG", "RESET")
        client.command("DEBUG", "SLEEP", "0.02")
        self.assertEqual(client.command("SLOWLOG", "LEN"), 0)


class Pause(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: self.client().command("CLIENT", "UNPAUSE"))

    def held(self, client, *words):
        """Sends a command that must get no reply for a while."""
        client.send_raw(resp.encode(words))
        resp.wait_until(lambda: self.server.info("clients")["blocked_clients"] != "0", "it is held")
        self.assertTrue(client.is_silent(0.05))

    def test_writes_wait_and_reads_do_not(self):
        client, writer = self.client(), self.client()
        client.command("SET", "k", "before")
        client.command("CLIENT", "PAUSE", "100000", "WRITE")
        self.held(writer, "SET", "k", "after")
        writer.send_raw(resp.encode(["GET", "k"]))
        self.assertEqual(client.command("GET", "k"), b"before")
        self.assertEqual(client.command("CLIENT", "UNBLOCK", "%d" % (client.command("CLIENT", "ID") + 1)), 0)
        self.assertEqual(client.command("CLIENT", "UNPAUSE"), b"OK")
        self.assertEqual([writer.read(), writer.read()], [b"OK", b"after"])
        self.assertEqual(self.server.info("clients")["blocked_clients"], "0")

    def test_a_transaction_that_writes_waits_whole(self):
        client, writer = self.client(), self.client()
        writer.pipeline([("MULTI",), ("INCR", "n"), ("INCR", "n")])
        client.command("CLIENT", "PAUSE", "100000", "WRITE")
        self.held(writer, "EXEC")
        self.assertIsNone(client.command("GET", "n"))
        client.command("CLIENT", "UNPAUSE")
        self.assertEqual(writer.read(), [1, 2])

    def test_all_wait_until_the_time_is_up(self):
        client, other = self.client(), self.client()
        other.command("PING")
        begin = time.monotonic()
        client.command("CLIENT", "PAUSE", "400")
        other.send_raw(resp.encode(["PING"]))
        self.assertEqual(other.read(), b"PONG")
        self.assertGreater(time.monotonic() - begin, 0.35)
        self.assertEqual(client.command("PING"), b"PONG")

    def test_a_pause_becomes_longer_not_shorter(self):
        client, writer = self.client(), self.client()
        client.command("CLIENT", "PAUSE", "100000", "WRITE")
        client.command("CLIENT", "PAUSE", "1", "WRITE")
        self.held(writer, "SET", "k", "v")
        client.command("CLIENT", "UNPAUSE")
        self.assertEqual(writer.read(), b"OK")

    def test_nothing_expires_meanwhile(self):
        client = self.client()
        client.command("SET", "k", "v", "PX", "1")
        client.command("CLIENT", "PAUSE", "100000", "WRITE")
        before = self.server.info("stats")["expired_keys"]
        resp.wait_until(lambda: client.command("GET", "k") is None, "its time is up")
        self.assertEqual(self.server.info("stats")["expired_keys"], before)
        client.command("CLIENT", "UNPAUSE")
        resp.wait_until(lambda: self.server.info("stats")["expired_keys"] != before, "it goes now")

    def test_who_leaves_is_forgotten(self):
        client, writer = self.client(), self.client()
        client.command("CLIENT", "PAUSE", "100000", "WRITE")
        self.held(writer, "SET", "k", "v")
        writer.close()
        resp.wait_until(lambda: self.server.info("clients")["blocked_clients"] == "0", "it is gone")
        client.command("CLIENT", "UNPAUSE")
        self.assertEqual(client.command("EXISTS", "k"), 0)

    def test_arguments(self):
        client = self.client()
        for words, error in ((["x"], "ERR timeout is not an integer or out of range"),
                             (["-1"], "ERR timeout is negative"),
                             (["1", "READ"], "ERR CLIENT PAUSE mode must be WRITE or ALL")):
            with self.assertRaises(resp.Error) as caught:
                client.command("CLIENT", "PAUSE", *words)
            self.assertEqual(str(caught.exception), error)


if __name__ == "__main__":
    unittest.main()
