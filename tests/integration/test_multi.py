"""MULTI, EXEC, DISCARD, WATCH, UNWATCH between real connections, and against saves and crashes."""

import threading
import unittest

import resp


def fields(line):
    return dict(field.split("=", 1) for field in line.decode().split())


class Multi(resp.ServerCase):
    def test_one_after_the_other(self):
        client, other = self.client(), self.client()
        client.command("WATCH", "k")
        replies = client.pipeline([("MULTI",), ("SET", "k", "1"), ("INCR", "k"), ("EXEC",)])
        self.assertEqual(replies, [b"OK", b"QUEUED", b"QUEUED", [b"OK", 2]])
        client.command("WATCH", "k")
        other.command("INCR", "k")
        replies = client.pipeline([("MULTI",), ("SET", "k", "0"), ("EXEC",)])
        self.assertEqual(replies, [b"OK", b"QUEUED", None])
        self.assertEqual(client.raw, b"*-1\r\n")
        self.assertEqual(other.command("GET", "k"), b"3")

    def test_resp3(self):
        client, other = self.client(protocol=3), self.client()
        client.command("WATCH", "k")
        other.command("SET", "k", "v")
        replies = client.pipeline([("MULTI",), ("GET", "k"), ("EXEC",)])
        self.assertIsNone(replies[2])
        self.assertEqual(client.raw, b"_\r\n")
        replies = client.pipeline([("MULTI",), ("GET", "none"), ("CONFIG", "GET", "port"), ("EXEC",)])
        self.assertEqual(replies[3], [None, {b"port": str(self.server.port).encode()}])

    def test_pieces_and_inline(self):
        client = self.client()
        for byte in b"MULTI\r\nSET k 'a b'\r\nGET k\r\nEXEC\r\n":
            client.send_raw(bytes([byte]))
        self.assertEqual([client.read() for _ in range(4)],
                         [b"OK", b"QUEUED", b"QUEUED", [b"OK", b"a b"]])

    def test_arguments_are_kept(self):
        """The queue has copies: the input they came in is used again long before EXEC."""
        client = self.client()
        values = [bytes([65 + i % 26]) * (7001 * i % 90000) for i in range(100)]
        client.command("MULTI")
        for i, value in enumerate(values):
            self.assertEqual(client.command("SET", f"key:{i}", value), b"QUEUED")
        self.assertEqual(client.command("EXEC"), [b"OK"] * 100)
        self.assertEqual(client.command("MGET", *[f"key:{i}" for i in range(100)]), values)

    def test_client_list_shows_it(self):
        client, other = self.client(), self.client()
        number = client.command("CLIENT", "ID")

        def line():
            return fields(other.command("CLIENT", "LIST", "ID", number))

        self.assertEqual((line()["flags"], line()["multi"], line()["multi-mem"]), ("N", "-1", "0"))
        client.command("WATCH", "k")
        self.assertEqual(self.server.info("clients")["watching_clients"], "1")
        client.command("MULTI")
        client.command("SET", "big", b"x" * 100000)
        client.command("GET", "k")
        self.assertEqual((line()["flags"], line()["multi"]), ("x", "2"))
        self.assertGreater(int(line()["multi-mem"]), 100000)
        self.assertGreater(int(line()["tot-mem"]), 100000)
        other.command("SET", "k", "changed")
        self.assertEqual(line()["flags"], "xd")
        self.assertEqual(self.server.info("clients")["watching_clients"], "0")
        client.command("DISCARD")
        self.assertEqual((line()["flags"], line()["multi"], line()["multi-mem"]), ("N", "-1", "0"))

    def test_reset_quit_and_disconnect(self):
        client, other = self.client(), self.client()
        client.pipeline([("WATCH", "a"), ("MULTI",), ("SET", "k", "v")])
        self.assertEqual(client.command("RESET"), b"RESET")
        with self.assertRaisesRegex(resp.Error, "^ERR EXEC without MULTI$"):
            client.command("EXEC")
        client.pipeline([("WATCH", "a", "b"), ("MULTI",), ("SET", "k", "v")])
        self.assertEqual(self.server.info("clients")["total_watched_keys"], "2")
        client.close()
        resp.wait_until(lambda: self.server.info("clients")["total_watched_keys"] == "0",
                        "the watches go with the client")
        leaving = self.client()
        leaving.pipeline([("MULTI",), ("SET", "k", "v")])
        self.assertEqual(leaving.command("QUIT"), b"OK")
        self.assertTrue(leaving.is_closed_by_server())
        self.assertEqual(other.command("EXISTS", "k"), 0)

    def test_killed_between_multi_and_exec(self):
        client, other = self.client(), self.client()
        number = client.command("CLIENT", "ID")
        client.pipeline([("MULTI",), ("SET", "k", "v")])
        self.assertEqual(other.command("CLIENT", "KILL", "ID", number), 1)
        self.assertTrue(client.is_closed_by_server())
        self.assertEqual(other.command("EXISTS", "k"), 0)

    def test_no_reply_wanted(self):
        client = self.client()
        client.send_raw(b"".join(resp.encode(words) for words in (
            ["CLIENT", "REPLY", "OFF"], ["MULTI"], ["SET", "k", "v"], ["EXEC"],
            ["CLIENT", "REPLY", "ON"], ["GET", "k"])))
        self.assertEqual([client.read(), client.read()], [b"OK", b"v"])

    def test_long_reads_see_one_version(self):
        """KEYS of 20,000 keys twice in an EXEC: a writer between the slices shows in neither."""
        client, other = self.client(), self.client()
        other.command("MSET", *[word for i in range(20000) for word in (f"key:{i:05}", "v")])
        slices = int(self.server.info("stats")["reply_slices"])
        stop = threading.Event()

        def write():
            with self.server.client() as writer:
                i = 0
                while not stop.is_set():
                    writer.command("SET", f"new:{i}", "v")
                    i += 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(3):
                replies = client.pipeline([("MULTI",), ("DBSIZE",), ("KEYS", "*"), ("ECHO", "x"),
                                           ("KEYS", "*"), ("DBSIZE",), ("EXEC",), ("PING",)])
                first, keys, echo, again, last = replies[6]
                self.assertEqual(set(keys), set(again))
                self.assertEqual((first, len(keys), last), (len(keys), len(again), len(keys)))
                self.assertEqual((echo, replies[7]), (b"x", b"PONG"))
        finally:
            stop.set()
            thread.join()
        self.assertGreater(int(self.server.info("stats")["reply_slices"]), slices)

    def test_contended_counter(self):
        """Optimistic locking from many clients: no increment is lost."""
        def count():
            with self.server.client() as client:
                done = 0
                while done < 50:
                    client.command("WATCH", "counter")
                    value = int(client.command("GET", "counter") or 0)
                    if client.pipeline([("MULTI",), ("SET", "counter", value + 1), ("EXEC",)])[2]:
                        done += 1

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client().command("GET", "counter"), b"200")
        self.assertEqual(self.server.info("clients")["total_watched_keys"], "0")

    def test_save_inside_waits(self):
        client = self.client()
        saves = int(self.server.info("persistence")["rdb_saves"])
        replies = client.pipeline([("MULTI",), ("SET", "a", "1"), ("BGSAVE",), ("SET", "b", "2"), ("EXEC",)])
        self.assertEqual(replies[4], [b"OK", b"Background saving scheduled", b"OK"])
        resp.wait_until(lambda: int(self.server.info("persistence")["rdb_saves"]) > saves,
                        "the scheduled save is made")
        self.server.kill()
        self.server.start()
        self.assertEqual(self.client().command("MGET", "a", "b"), [b"1", b"2"])


class Atomic(unittest.TestCase):
    def test_a_save_has_all_of_an_exec_or_nothing(self):
        """EXECs write one number into 40 keys while saves run; after kill -9 all keys agree."""
        keys = [f"key:{i}" for i in range(40)]
        with resp.Server() as server:
            client = server.client()
            for generation in range(3):
                stop = threading.Event()
                written = [0]

                def write():
                    with server.client() as writer:
                        while not stop.is_set():
                            written[0] += 1
                            commands = [("SET", key, str(written[0]) * 50) for key in keys]
                            writer.pipeline([("MULTI",), *commands, ("EXEC",)])

                thread = threading.Thread(target=write)
                thread.start()
                try:
                    resp.wait_until(lambda: written[0] > 10, "some EXECs are through")
                    for _ in range(3):
                        client.command("BGSAVE")
                        server.wait_saved()
                finally:
                    stop.set()
                    thread.join()
                server.kill()
                server.start()
                client = server.client()
                values = client.command("MGET", *keys)
                self.assertEqual(len(set(values)), 1, f"generation {generation}: half an EXEC")
                self.assertIsNotNone(values[0])


if __name__ == "__main__":
    unittest.main()
