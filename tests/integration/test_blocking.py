"""Blocked clients: who is served when, by what, and what ends their wait."""

import socket
import time
import unittest

import resp


def fields(line):
    return dict(field.split("=", 1) for field in line.decode().split())


class Blocking(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.control = self.client()

    def blocked(self):
        return int(self.server.info("clients")["blocked_clients"])

    def block(self, *words, protocol=2, db=0):
        """A client that has sent a command, which waits now."""
        before = self.blocked()
        client = self.client(protocol=protocol)
        client.number = client.command("CLIENT", "ID")
        if db:
            client.command("SELECT", db)
        client.send_raw(resp.encode(words))
        resp.wait_until(lambda: self.blocked() == before + 1, f"{words} waits")
        return client

    def test_served_at_once_when_there_is_something(self):
        client = self.client()
        client.command("RPUSH", "l", "a", "b", "c")
        self.assertEqual(client.command("BLPOP", "none", "l", "0"), [b"l", b"a"])
        self.assertEqual(client.command("BRPOP", "l", "0"), [b"l", b"c"])
        self.assertEqual(client.command("BLMOVE", "l", "m", "LEFT", "RIGHT", "0"), b"b")
        self.assertEqual(client.command("BRPOPLPUSH", "m", "m", "0"), b"b")
        self.assertEqual(client.command("BLMPOP", "0", "2", "l", "m", "LEFT", "COUNT", "5"),
                         [b"m", [b"b"]])
        self.assertEqual(client.command("EXISTS", "l", "m"), 0)

    def test_first_come_first_served(self):
        clients = [self.block("BLPOP", "k", "0") for _ in range(4)]
        self.assertEqual(self.control.command("RPUSH", "k", "1", "2", "3"), 3)
        self.assertEqual([client.read() for client in clients[:3]],
                         [[b"k", b"1"], [b"k", b"2"], [b"k", b"3"]])
        self.assertEqual(self.blocked(), 1)
        self.assertEqual(self.control.command("EXISTS", "k"), 0)
        self.control.command("LPUSH", "k", "4")
        self.assertEqual(clients[3].read(), [b"k", b"4"])

    def test_each_command_is_served(self):
        for words, reply in (
            (["BRPOP", "x", "k", "0"], [b"k", b"2"]),
            (["BLMOVE", "k", "to", "LEFT", "LEFT", "0"], b"1"),
            (["BRPOPLPUSH", "k", "to", "0"], b"2"),
            (["BLMPOP", "0", "2", "x", "k", "RIGHT"], [b"k", [b"2"]]),
            (["BLMPOP", "0", "1", "k", "LEFT", "COUNT", "9"], [b"k", [b"1", b"2"]]),
        ):
            client = self.block(*words)
            self.control.command("RPUSH", "k", "1", "2")
            self.assertEqual(client.read(), reply, words)
            self.control.command("DEL", "k")
        self.assertEqual(self.control.command("LRANGE", "to", "0", "-1"), [b"2", b"1"])

    def test_timeouts(self):
        for words, raw in (
            (["BLPOP", "k", "0.05"], b"*-1\r\n"),
            (["BRPOP", "k", "k2", "0.05"], b"*-1\r\n"),
            (["BLMOVE", "k", "l", "LEFT", "RIGHT", "0.001"], b"*-1\r\n"),
            (["BRPOPLPUSH", "k", "l", "0.05"], b"*-1\r\n"),
            (["BLMPOP", "0.05", "1", "k", "LEFT"], b"*-1\r\n"),
        ):
            for protocol in (2, 3):
                client = self.client(protocol=protocol)
                start = time.monotonic()
                self.assertIsNone(client.command(*words))
                self.assertGreaterEqual(time.monotonic() - start, 0.001)
                self.assertEqual(client.raw, raw if protocol == 2 else b"_\r\n")
        self.assertEqual(self.blocked(), 0)
        for timeout, error in (("-1", "timeout is negative"),
                               ("x", "timeout is not a float or out of range"),
                               ("1e400", "timeout is out of range"),
                               ("1e30", "timeout is out of range")):
            with self.assertRaisesRegex(resp.Error, f"^ERR {error}$"):
                self.control.command("BLPOP", "k", timeout)

    def test_a_short_wait_ends_before_a_long_one(self):
        long = self.block("BLPOP", "k", "1000")
        self.assertEqual(self.server.info("clients")["clients_in_timeout_table"], "1")
        short = self.client()
        self.assertIsNone(short.command("BLPOP", "k", "0.05"))
        self.control.command("LPUSH", "k", "v")
        self.assertEqual(long.read(), [b"k", b"v"])
        self.assertEqual(self.server.info("clients")["clients_in_timeout_table"], "0")

    def test_what_comes_behind_waits_too(self):
        client = self.client()
        client.send_raw(resp.encode(["BLPOP", "k", "0"]) + resp.encode(["PING"])
                        + resp.encode(["BLPOP", "k", "0"]) + resp.encode(["ECHO", "end"]))
        resp.wait_until(lambda: self.blocked() == 1, "it waits")
        self.assertTrue(client.is_silent(0.05))
        self.control.command("RPUSH", "k", "1")
        self.assertEqual([client.read(), client.read()], [[b"k", b"1"], b"PONG"])
        resp.wait_until(lambda: self.blocked() == 1, "it waits again")
        self.control.command("RPUSH", "k", "2")
        self.assertEqual([client.read(), client.read()], [[b"k", b"2"], b"end"])

    def test_much_input_while_blocked(self):
        client = self.block("BLPOP", "k", "0")
        value = b"x" * 100000
        client.send_raw(b"".join(resp.encode(["SET", f"s{i}", value]) for i in range(20)))
        self.assertTrue(client.is_silent(0.05))
        self.control.command("RPUSH", "k", "1")
        self.assertEqual(client.read(), [b"k", b"1"])
        self.assertEqual([client.read() for _ in range(20)], [b"OK"] * 20)
        self.assertEqual(self.control.command("STRLEN", "s19"), 100000)

    def test_unblock(self):
        client = self.block("BLPOP", "k", "0")
        number = client.number
        line = fields(self.control.command("CLIENT", "LIST", "ID", number))
        self.assertEqual((line["flags"], line["cmd"]), ("b", "blpop"))
        self.assertEqual(self.control.command("CLIENT", "UNBLOCK", number), 1)
        self.assertIsNone(client.read())
        self.assertEqual(self.control.command("CLIENT", "UNBLOCK", number), 0)
        client.send_raw(resp.encode(["BLMOVE", "k", "l", "LEFT", "LEFT", "0"]))
        resp.wait_until(lambda: self.blocked() == 1, "it waits")
        self.assertEqual(self.control.command("CLIENT", "UNBLOCK", number, "ERROR"), 1)
        self.assertEqual(str(client.read()), "UNBLOCKED client unblocked via CLIENT UNBLOCK")
        self.assertEqual(self.control.command("CLIENT", "UNBLOCK", 999999, "TIMEOUT"), 0)
        for words, error in ((["x"], "value is not an integer or out of range"),
                             (["1", "x"], "CLIENT UNBLOCK reason should be TIMEOUT or ERROR")):
            with self.assertRaisesRegex(resp.Error, f"^ERR {error}$"):
                self.control.command("CLIENT", "UNBLOCK", *words)
        # It is as if nothing had been.
        client.send_raw(resp.encode(["PING"]))
        self.assertEqual(client.read(), b"PONG")
        self.control.command("RPUSH", "k", "v")
        self.assertEqual(self.control.command("LLEN", "k"), 1)

    def test_killed_or_gone_clients_take_nothing(self):
        killed = self.block("BLPOP", "k", "0")
        gone = self.block("BLPOP", "k", "0")
        half = self.block("BLPOP", "k", "0")
        full = self.block("BLPOP", "k", "0")
        last = self.block("BLPOP", "k", "0")
        full.send_raw(b"x" * 200000)
        self.assertEqual(self.control.command("CLIENT", "KILL", "ID", killed.number), 1)
        self.assertTrue(killed.is_closed_by_server())
        gone.close()
        half.socket.shutdown(socket.SHUT_WR)
        full.close()
        resp.wait_until(lambda: self.blocked() == 1, "only one is left")
        self.control.command("RPUSH", "k", "1", "2")
        self.assertEqual(last.read(), [b"k", b"1"])
        self.assertEqual(self.control.command("LRANGE", "k", "0", "-1"), [b"2"])
        self.assertEqual(self.server.info("clients")["total_blocking_keys"], "0")

    def test_a_transaction_is_one_step(self):
        client = self.block("BLPOP", "k", "0")
        replies = self.control.pipeline([("MULTI",), ("RPUSH", "k", "1"), ("DEL", "k"), ("EXEC",)])
        self.assertEqual(replies[3], [1, 1])
        self.assertEqual(self.blocked(), 1)
        self.control.pipeline([("MULTI",), ("RPUSH", "k", "1"), ("DEL", "k"), ("SET", "k", "x"),
                               ("DEL", "k"), ("RPUSH", "k", "2"), ("EXEC",)])
        self.assertEqual(client.read(), [b"k", b"2"])

    def test_never_in_a_transaction(self):
        client = self.client()
        replies = client.pipeline([
            ("MULTI",), ("BLPOP", "k", "0"), ("BRPOP", "k", "0"), ("BLMOVE", "k", "l", "LEFT", "LEFT", "0"),
            ("BRPOPLPUSH", "k", "l", "0"), ("BLMPOP", "0", "1", "k", "LEFT"), ("RPUSH", "k", "v"),
            ("BLPOP", "k", "0"), ("EXEC",)])
        self.assertEqual(replies[8], [None, None, None, None, None, 1, [b"k", b"v"]])

    def test_a_key_of_another_type_wakes_nobody(self):
        client = self.block("BLPOP", "k", "0")
        self.control.command("SET", "k", "string")
        self.assertEqual(self.blocked(), 1)
        self.control.command("DEL", "k")
        self.control.command("RPUSH", "k", "v")
        self.assertEqual(client.read(), [b"k", b"v"])
        self.control.command("SET", "s", "string")
        for words in (["BLPOP", "s", "0"], ["BLMOVE", "s", "t", "LEFT", "LEFT", "0"],
                      ["BLMPOP", "0", "1", "s", "LEFT"]):
            with self.assertRaisesRegex(resp.Error, "^WRONGTYPE"):
                self.control.command(*words)

    def test_wrong_type_at_the_other_end(self):
        client = self.block("BLMOVE", "k", "to", "LEFT", "LEFT", "0")
        self.control.command("SET", "to", "string")
        self.control.command("RPUSH", "k", "v")
        self.assertRegex(str(client.read()), "^WRONGTYPE")
        self.assertEqual(self.control.command("LRANGE", "k", "0", "-1"), [b"v"])

    def test_keys_that_come_by_other_ways(self):
        self.control.command("RPUSH", "made", "v")
        for words in (["RENAME", "made", "k"], ["COPY", "made", "k"], ["RENAMENX", "made", "k"]):
            self.control.command("DEL", "made")
            self.control.command("RPUSH", "made", "v")
            client = self.block("BLPOP", "k", "0")
            self.control.command(*words)
            self.assertEqual(client.read(), [b"k", b"v"], words)
        client = self.block("BLPOP", "moved", "0", db=3)
        self.control.command("RPUSH", "moved", "v")
        self.assertEqual(self.blocked(), 1)
        self.control.command("MOVE", "moved", "3")
        self.assertEqual(client.read(), [b"moved", b"v"])
        client = self.block("BLPOP", "swapped", "0", db=3)
        self.control.command("RPUSH", "swapped", "v")
        self.control.command("SWAPDB", "0", "3")
        self.assertEqual(client.read(), [b"swapped", b"v"])
        client = self.block("BLPOP", "k", "0")
        self.control.command("FLUSHALL")
        self.assertEqual(self.blocked(), 1)
        self.control.command("LPUSH", "k", "v")
        self.assertEqual(client.read(), [b"k", b"v"])

    def test_chains(self):
        first = self.block("BLMOVE", "a", "b", "LEFT", "RIGHT", "0")
        second = self.block("BRPOPLPUSH", "b", "c", "0")
        third = self.block("BLPOP", "c", "0")
        self.control.command("RPUSH", "a", "v")
        self.assertEqual([first.read(), second.read(), third.read()], [b"v", b"v", [b"c", b"v"]])
        self.assertEqual(self.control.command("EXISTS", "a", "b", "c"), 0)
        # In a circle: each moves it once.
        there = self.block("BLMOVE", "a", "b", "LEFT", "LEFT", "0")
        back = self.block("BLMOVE", "b", "a", "LEFT", "LEFT", "0")
        own = self.block("BRPOPLPUSH", "a", "a", "0")
        self.control.command("RPUSH", "a", "v")
        self.assertEqual([there.read(), back.read(), own.read()], [b"v"] * 3)
        self.assertEqual(self.control.command("LRANGE", "a", "0", "-1"), [b"v"])

    def test_the_same_key_twice_and_expiry(self):
        client = self.block("BLPOP", "k", "k", "0")
        self.assertEqual(self.server.info("clients")["total_blocking_keys"], "1")
        self.control.command("RPUSH", "k", "1", "2")
        self.assertEqual(client.read(), [b"k", b"1"])
        self.assertEqual(self.control.command("LLEN", "k"), 1)
        self.control.command("DEL", "k")
        client = self.block("BLPOP", "k", "0")
        self.control.pipeline([("MULTI",), ("RPUSH", "k", "v"), ("PEXPIRE", "k", "0"), ("EXEC",)])
        self.assertEqual(self.blocked(), 1)
        self.control.command("RPUSH", "k", "w")
        self.assertEqual(client.read(), [b"k", b"w"])

    def test_many_wait(self):
        clients = [self.client() for _ in range(200)]
        for i, client in enumerate(clients):
            client.send_raw(resp.encode(["BLPOP", "k", f"own:{i}", "1000"]))
            resp.wait_until(lambda: self.blocked() == i + 1, "it waits")
        info = self.server.info("clients")
        self.assertEqual((info["total_blocking_keys"], info["clients_in_timeout_table"]), ("201", "200"))
        self.control.command("RPUSH", "own:150", "mine")
        self.assertEqual(clients.pop(150).read(), [b"own:150", b"mine"])
        self.control.command("RPUSH", "k", *range(199))
        self.assertEqual([int(client.read()[1]) for client in clients], list(range(199)))
        self.assertEqual(self.server.info("clients")["total_blocking_keys"], "0")

    def test_no_reply_wanted(self):
        client = self.client()
        client.send_raw(resp.encode(["CLIENT", "REPLY", "SKIP"]) + resp.encode(["BLPOP", "k", "0"])
                        + resp.encode(["PING"]))
        resp.wait_until(lambda: self.blocked() == 1, "it waits")
        self.control.command("RPUSH", "k", "v")
        self.assertEqual(client.read(), b"PONG")
        self.assertEqual(self.control.command("EXISTS", "k"), 0)

    def test_a_pause_holds_them_too(self):
        client = self.block("BLPOP", "k", "0")
        self.control.pipeline([("MULTI",), ("CLIENT", "PAUSE", "100000", "WRITE"), ("RPUSH", "k", "v"),
                               ("EXEC",)])
        self.assertTrue(client.is_silent(0.05))
        self.assertEqual(self.control.command("LLEN", "k"), 1)
        self.control.command("CLIENT", "UNPAUSE")
        self.assertEqual(client.read(), [b"k", b"v"])
        self.assertEqual(self.blocked(), 0)

    def test_calls_are_counted_when_they_end(self):
        self.control.command("CONFIG", "RESETSTAT")
        client = self.block("BLPOP", "k", "0")
        self.assertNotIn("cmdstat_blpop", self.server.info("commandstats"))
        self.control.command("RPUSH", "k", "v")
        client.read()
        self.assertIn("calls=1,", self.server.info("commandstats")["cmdstat_blpop"])

    def test_waits_that_end_in_vain_count_too(self):
        self.control.command("CONFIG", "RESETSTAT")
        self.assertIsNone(self.client().command("BLPOP", "k", "0.01"))
        client = self.block("BLPOP", "k", "0")
        self.assertIn("calls=1,", self.server.info("commandstats")["cmdstat_blpop"])
        self.control.command("CLIENT", "UNBLOCK", client.number, "ERROR")
        self.assertEqual(client.read().code, "UNBLOCKED")
        self.assertRegex(self.server.info("commandstats")["cmdstat_blpop"],
                         r"^calls=2,.*rejected_calls=0,failed_calls=1$")

    def test_a_move_is_one_change(self):
        def changes():
            return int(self.server.info("persistence")["rdb_changes_since_last_save"])

        before = changes()
        client = self.block("BLMOVE", "from", "to", "LEFT", "LEFT", "0")
        self.control.command("RPUSH", "from", "v")
        self.assertEqual(client.read(), b"v")
        self.assertEqual(changes() - before, 2)  # the push and the move


if __name__ == "__main__":
    unittest.main()
