#!/usr/bin/python3
"""TXN: the anomalies of isolation by name, what refuses, limits, timeouts, and saves while transactions are open."""
import unittest

import resp


def fields(flat):
    return {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}


class Transactions(resp.ServerCase):
    def setUp(self):
        super().setUp()
        self.a = self.client()
        self.b = self.client()
        self.a.command("FLUSHALL")

    def tearDown(self):
        self.assertEqual(self.client().command("DEBUG", "AUDIT"), b"OK")
        super().tearDown()

    def refused(self, client, text, *words):
        with self.assertRaisesRegex(resp.Error, text):
            client.command(*words)

    def begin(self, client, level="SNAPSHOT"):
        self.assertGreater(client.command("TXN", "BEGIN", "ISOLATION", level), 0)

    def open_transactions(self):
        return self.server.info("transactions")["transactions"]

    # ---- anomalies

    def test_no_dirty_read(self):
        self.a.command("SET", "k", "1")
        self.begin(self.a)
        self.a.command("SET", "k", "2")
        self.assertEqual(self.b.command("GET", "k"), b"1")
        self.begin(self.b)
        self.assertEqual(self.b.command("GET", "k"), b"1")
        self.a.command("TXN", "ABORT")
        self.assertEqual(self.b.command("GET", "k"), b"1")
        self.b.command("TXN", "COMMIT")

    def test_no_non_repeatable_read(self):
        self.a.command("SET", "k", "1")
        for mode in (("READ", "ONLY"), ("ISOLATION", "SNAPSHOT"), ("ISOLATION", "SERIALIZABLE")):
            self.a.command("SET", "k", "1")
            self.b.command("TXN", "BEGIN", *mode)
            self.assertEqual(self.b.command("GET", "k"), b"1")
            self.a.command("SET", "k", "2")
            self.a.command("DEL", "k")
            self.assertEqual(self.b.command("GET", "k"), b"1")
            self.b.command("TXN", "ABORT")

    def test_no_phantom(self):
        self.a.pipeline([("SET", f"key:{number}", "1") for number in range(100)])
        self.b.command("TXN", "BEGIN", "READ", "ONLY")
        self.begin(self.a)
        self.a.pipeline([("SET", f"new:{number}", "1") for number in range(100)] + [("DEL", "key:1")])
        self.assertEqual(self.a.command("DBSIZE"), 199)
        self.a.command("TXN", "COMMIT")
        self.assertEqual(self.b.command("DBSIZE"), 100)
        self.assertEqual(len(self.b.command("KEYS", "*")), 100)
        seen, cursor = [], b"0"
        while True:
            cursor, keys = self.b.command("SCAN", cursor, "COUNT", 7)
            seen += keys
            if cursor == b"0":
                break
        self.assertEqual(len(seen), 100)
        self.assertEqual(set(seen), {b"key:%d" % number for number in range(100)})
        self.b.command("TXN", "COMMIT")

    def test_no_lost_update(self):
        self.a.command("SET", "k", "10")
        self.begin(self.a)
        self.begin(self.b)
        for client in (self.a, self.b):
            client.command("SET", "k", int(client.command("GET", "k")) + 1)
        self.a.command("TXN", "COMMIT")
        self.refused(self.b, "^TXNCONFLICT k$", "TXN", "COMMIT")
        self.assertEqual(self.b.command("GET", "k"), b"11")
        # A plain command is no worse than a transaction.
        self.begin(self.a)
        self.a.command("INCR", "k")
        self.b.command("INCR", "k")
        self.refused(self.a, "^TXNCONFLICT k$", "TXN", "COMMIT")
        self.assertEqual(self.b.command("GET", "k"), b"12")

    def test_no_read_skew(self):
        self.a.command("MSET", "x", "50", "y", "50")
        self.begin(self.b)
        self.assertEqual(self.b.command("GET", "x"), b"50")
        self.begin(self.a)
        self.a.command("DECRBY", "x", 20)
        self.a.command("INCRBY", "y", 20)
        self.a.command("TXN", "COMMIT")
        self.assertEqual(self.b.command("GET", "y"), b"50")
        self.b.command("TXN", "COMMIT")
        self.assertEqual(self.b.command("MGET", "x", "y"), [b"30", b"70"])

    def write_skew(self, level):
        """Two on call; each goes if the other stays."""
        self.a.command("MSET", "alice", "on", "bob", "on")
        self.begin(self.a, level)
        self.begin(self.b, level)
        for client, name in ((self.a, "alice"), (self.b, "bob")):
            self.assertEqual(client.command("MGET", "alice", "bob"), [b"on", b"on"])
            client.command("SET", name, "off")
        self.a.command("TXN", "COMMIT")
        return self.b.pipeline([("TXN", "COMMIT")])[0]

    def test_write_skew_only_under_snapshot(self):
        self.assertIsInstance(self.write_skew("SNAPSHOT"), int)
        self.assertEqual(self.a.command("MGET", "alice", "bob"), [b"off", b"off"])
        self.assertEqual(self.write_skew("SERIALIZABLE"), resp.Error("TXNCONFLICT alice"))
        self.assertEqual(self.a.command("MGET", "alice", "bob"), [b"off", b"on"])

    # ---- several databases, branches, snapshots

    def test_several_databases(self):
        self.begin(self.a)
        self.a.pipeline([("SET", "k", "0"), ("SELECT", 5), ("SET", "k", "5"), ("SELECT", 9), ("RPUSH", "k", "9")])
        self.b.command("SELECT", 5)
        self.assertIsNone(self.b.command("GET", "k"))
        self.a.command("TXN", "COMMIT")
        self.assertEqual(self.b.command("GET", "k"), b"5")
        self.assertEqual(self.a.command("TYPE", "k"), b"list")  # the selected database stays
        self.a.command("SELECT", 0)
        self.assertEqual(self.a.command("GET", "k"), b"0")

    def test_a_branch_of_its_own(self):
        a, b = self.a, self.b
        a.command("SET", "k", "main")
        a.command("BRANCH", "CREATE", "dev")
        b.command("BRANCH", "USE", "dev")
        self.begin(a)
        self.begin(b)
        a.command("SET", "k", "a")
        b.command("SET", "k", "b")
        self.assertEqual(a.command("ASOF", "dev", "GET", "k"), b"main")
        self.refused(a, "not allowed in TXN", "BRANCH", "USE", "dev")
        self.refused(self.client(), "^INUSE 1 ", "BRANCH", "DROP", "dev")
        a.command("TXN", "COMMIT")
        b.command("TXN", "COMMIT")
        self.assertEqual((a.command("GET", "k"), b.command("GET", "k")), (b"a", b"b"))
        # A branch that goes on from elsewhere.
        c = self.client()
        for words in (("BRANCH", "RESET", "dev", "main"), ("SNAPSHOT", "ROLLBACK", "main", "BRANCH", "dev"),
                      ("BRANCH", "PROMOTE", "dev")):
            self.begin(b)
            b.command("SET", "k", "c")
            c.command(*words)
            self.refused(b, "^TXNCONFLICT k$", "TXN", "COMMIT")
        b.command("RESET")
        c.command("BRANCH", "DROP", "dev")

    def test_read_only_at_a_snapshot(self):
        a, b = self.a, self.b
        a.command("SET", "k", "1", "PX", 60)
        version = a.command("SNAPSHOT", "CREATE", "s")
        a.command("SET", "k", "2")
        self.assertEqual(b.command("TXN", "BEGIN", "READ", "ONLY", "AT", "s"), version)
        self.assertEqual(fields(a.command("SNAPSHOT", "INFO", "s"))["pins"], 1)
        self.assertEqual(b.command("GET", "k"), b"1")
        self.assertEqual(b.command("ASOF", "main", "GET", "k"), b"2")
        self.refused(b, "^VIEWREADONLY ", "DEL", "k")
        a.command("SNAPSHOT", "DROP", "s")
        a.command("DEL", "k")
        self.assertEqual(b.command("GET", "k"), b"1")
        self.assertGreater(b.command("PTTL", "k"), 0)
        b.command("TXN", "COMMIT")
        self.assertIsNone(b.command("GET", "k"))
        self.refused(b, "^NOREF ", "TXN", "BEGIN", "READ", "ONLY", "AT", "s")

    # ---- ends

    def test_clients_that_go(self):
        self.a.command("SET", "k", "1")
        before = int(self.server.info("transactions")["txn_aborted"])
        gone = self.client()
        self.begin(gone)
        gone.command("SET", "k", "2")
        gone.close()
        resp.wait_until(lambda: self.open_transactions() == "0", "its transaction goes with it")
        self.begin(self.b)
        self.b.command("SET", "k", "3")
        self.assertEqual(self.b.command("RESET"), b"RESET")
        self.refused(self.b, "^NOTXN ", "TXN", "COMMIT")
        self.assertEqual(self.a.command("GET", "k"), b"1")
        self.assertEqual(int(self.server.info("transactions")["txn_aborted"]), before + 2)

    def test_idle_for_too_long(self):
        self.a.command("TXN", "BEGIN", "TIMEOUT", 50)
        self.a.command("SET", "k", "1")
        resp.wait_until(lambda: self.open_transactions() == "0", "it is over")
        self.refused(self.a, "^TXNEXPIRED ", "PING")
        self.assertEqual(self.a.command("PING"), b"PONG")
        self.refused(self.a, "^NOTXN ", "TXN", "COMMIT")
        self.assertIsNone(self.a.command("GET", "k"))
        self.b.command("CONFIG", "SET", "txn-timeout", 50)
        self.begin(self.a)
        self.a.command("SET", "k", "1")
        resp.wait_until(lambda: self.open_transactions() == "0", "it is over")
        self.refused(self.a, "^TXNEXPIRED ", "TXN", "COMMIT")
        self.b.command("CONFIG", "SET", "txn-timeout", 60000)
        self.assertIsNone(self.a.command("GET", "k"))

    def test_too_many(self):
        self.a.command("CONFIG", "SET", "txn-max", 3)
        clients = [self.client() for _ in range(4)]
        for client in clients[:3]:
            self.begin(client)
        self.refused(clients[3], "^ERR .*limit", "TXN", "BEGIN")
        self.assertEqual(len(self.a.command("TXN", "LIST")), 3)
        clients[0].command("TXN", "ABORT")
        self.begin(clients[3])
        self.a.command("CONFIG", "SET", "txn-max", 10000)
        for client in clients[1:]:
            client.command("TXN", "ABORT")

    # ---- other clients

    def test_watchers_and_waiters_hear_of_a_commit(self):
        self.begin(self.a)
        self.b.command("WATCH", "k")
        waiting = self.client()
        waiting.send_raw(resp.encode(("BLPOP", "list", "0")))
        resp.wait_until(lambda: self.server.info("clients")["blocked_clients"] == "1", "it waits")
        self.a.command("SET", "k", "1")
        self.a.command("RPUSH", "list", "x", "y")
        self.assertTrue(waiting.is_silent(0.05))
        self.assertEqual(self.b.pipeline([("MULTI",), ("PING",), ("EXEC",)])[-1], [b"PONG"])
        self.b.command("WATCH", "k")
        self.a.command("TXN", "COMMIT")
        self.assertEqual(waiting.read(), [b"list", b"x"])
        self.assertIsNone(self.b.pipeline([("MULTI",), ("PING",), ("EXEC",)])[-1])
        self.assertIsNone(self.a.command("BLPOP", "other", "0.01"))

    def test_a_pause_holds_a_commit(self):
        self.begin(self.a)
        self.a.command("SET", "k", "1")
        self.b.command("CLIENT", "PAUSE", "100000", "WRITE")
        self.a.send_raw(resp.encode(("TXN", "COMMIT")))
        self.assertTrue(self.a.is_silent(0.05))
        self.b.command("CLIENT", "UNPAUSE")
        self.assertIsInstance(self.a.read(), int)
        self.assertEqual(self.b.command("GET", "k"), b"1")

    def test_memory_comes_back(self):
        self.a.pipeline([("SET", f"key:{number}", "x" * 100) for number in range(20_000)])

        def settled():
            self.a.command("DEBUG", "AUDIT")
            return int(self.server.info("memory")["used_memory_dataset"])

        before = settled()
        for end in ("ABORT", "COMMIT"):
            self.begin(self.b)
            for _ in range(3):
                self.b.pipeline([("SET", f"key:{number}", "y" * 100) for number in range(0, 20_000, 2)])
            self.assertGreater(fields(self.b.command("TXN", "INFO"))["unique-bytes"], 1_000_000)
            self.b.command("TXN", end)
            resp.wait_until(lambda: settled() < before * 1.02, "the pages of the transaction are free")


class Saves(unittest.TestCase):
    def test_a_save_between_the_writes_and_the_commit(self):
        """V6: what is linked at COMMIT was born before the save, which does not contain it."""
        with resp.Server(save="") as server:
            a, b = server.client(), server.client()
            b.pipeline([("SET", f"key:{number}", "old") for number in range(2000)])
            b.pipeline([("HSET", "hash", f"f{number}", "old") for number in range(2000)])
            a.command("TXN", "BEGIN")
            a.pipeline([("SET", f"key:{number}", "new" * 100) for number in range(0, 2000, 3)])
            a.pipeline([("HSET", "hash", f"f{number}", "new") for number in range(0, 2000, 3)])
            a.pipeline([("RPUSH", "list", *range(100)) for _ in range(50)])
            a.command("RENAME", "hash", "renamed")
            b.command("BGSAVE")
            server.wait_saved()
            version = a.command("TXN", "COMMIT")
            self.assertGreater(version, 0)
            b.command("SET", "after", "1")
            digest = b.command("DEBUG", "DIGEST")
            self.assertEqual(b.command("DEBUG", "AUDIT"), b"OK")
            b.command("SAVE")
            for _ in range(2):
                server.kill()
                server.start()
                b = server.client()
                self.assertEqual(b.command("DEBUG", "DIGEST"), digest)
                self.assertEqual(b.command("HGET", "renamed", "f3"), b"new")
                self.assertEqual(b.command("LLEN", "list"), 5000)
                self.assertEqual(b.command("DEBUG", "AUDIT"), b"OK")
                b.command("SAVE")

    def test_a_save_while_one_is_open_does_not_contain_it(self):
        with resp.Server(save="") as server:
            a, b = server.client(), server.client()
            b.command("SET", "k", "1")
            a.command("TXN", "BEGIN")
            a.pipeline([("SET", "k", "2"), ("RPUSH", "list", *range(5000))])
            b.command("SAVE")
            server.kill()
            server.start()
            b = server.client()
            self.assertEqual(b.command("GET", "k"), b"1")
            self.assertEqual(b.command("DBSIZE"), 1)
            self.assertEqual(b.command("DEBUG", "AUDIT"), b"OK")
            self.assertEqual(server.info("transactions")["transactions"], "0")


if __name__ == "__main__":
    unittest.main()
