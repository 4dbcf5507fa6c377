#!/usr/bin/python3
"""RESTORE-TO and appendonly-retain: what a branch held at a record or a moment, and which history stays."""

import os
import random
import threading
import time
import unittest

import resp


def segments(server):
    folder = os.path.join(server.directory, "log")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".seg"))


def last_record(server):
    return int(server.info("persistence")["log_last_seq"])


class RestoreTo(unittest.TestCase):
    def server(self, *arguments, retain="1h"):
        server = resp.Server("--appendonly", "yes", "--appendonly-retain", retain, *arguments)
        self.addCleanup(server.close)
        return server.start()

    def refused(self, client, text, *words):
        with self.assertRaisesRegex(resp.Error, text):
            client.command(*words)

    def mark(self, server, client):
        """A point of the history: its record, its time, what there is."""
        while True:
            record = last_record(server)
            time.sleep(0.004)
            now = int(time.time() * 1000)
            time.sleep(0.004)
            digest = client.command("DEBUG", "DIGEST")
            if last_record(server) == record:  # nothing has expired meanwhile
                return record, now, digest

    def digest_of(self, server, branch):
        with server.client() as client:
            client.command("BRANCH", "USE", branch)
            return client.command("DEBUG", "DIGEST")

    def check(self, server, mark, by_time=False):
        """The state at the mark comes back, as a branch that is dropped again."""
        record, moment, digest = mark
        client = server.client()
        name = f"at-{record}-{'t' if by_time else 'r'}"
        self.assertEqual(client.command("RESTORE-TO", moment if by_time else record, "AS", name), record)
        self.assertEqual(self.digest_of(server, name), digest)
        # Whoever was in it may not be gone yet.
        resp.wait_until(lambda: client.pipeline([("BRANCH", "DROP", name)])[0] == 1, "the branch goes")
        client.close()

    def step(self, client, number):
        """Something of everything that writes."""
        client.pipeline([("SET", f"key:{number}:{i}", f"value {i}") for i in range(50)])
        client.pipeline([("INCRBY", "counter", number), ("APPEND", "long", "x" * 100 * number),
                         ("LPUSH", "list", *range(number, number + 40)), ("LPOP", "list", 7),
                         ("SADD", "set", *range(number * 30)), ("SPOP", "set", 5),
                         ("ZADD", "scores", number, f"m{number}"), ("ZINCRBY", "scores", 1.5, "m1"),
                         ("HSET", "hash", f"f{number}", "v", "same", str(number)),
                         ("XADD", "stream", "*", "number", number), ("SET", "ttl", "v", "EX", 1000 + number),
                         ("SET", f"short:{number}", "v", "PX", 1), ("INCRBYFLOAT", "float", "0.1"),
                         ("MULTI",), ("SET", "in", number), ("SELECT", 3), ("RPUSH", "three", number),
                         ("SELECT", 0), ("EXEC",), ("GETDEL", f"key:{number}:3"),
                         ("SUNIONSTORE", "union", "set", "other"), ("SORT", "list", "STORE", "sorted")])
        # Its deletion is a unit of its own, and an expired key is in no digest.
        resp.wait_until(lambda: client.command("DBSIZE") and not client.command("EXISTS", f"short:{number}"), "expiry")

    @resp.saves_beside_a_log
    def test_every_point_of_a_history(self):
        server = self.server()
        client = server.client()
        marks = []

        def done():
            marks.append(self.mark(server, client))

        done()
        for number in range(1, 4):
            self.step(client, number)
            done()
        client.command("SNAPSHOT", "CREATE", "named")
        done()
        self.step(client, 4)
        done()
        client.command("SAVE")
        done()
        self.step(client, 5)
        client.command("FLUSHALL")
        done()
        self.step(client, 6)
        done()
        client.pipeline([("MULTI",), ("SET", "a", "1"), ("SNAPSHOT", "CREATE", "within"), ("SET", "a", "2"), ("EXEC",)])
        done()
        server.kill()
        server.start()
        client = server.client()
        done()
        client.command("SNAPSHOT", "ROLLBACK", "named")
        done()
        self.step(client, 7)
        done()
        client.pipeline([("TXN", "BEGIN"), ("SET", "txn", "1"), ("DEL", "counter"), ("SELECT", 3), ("DEL", "three"),
                         ("TXN", "COMMIT"), ("SELECT", 0)])
        done()
        client.pipeline([("BRANCH", "CREATE", "side"), ("BRANCH", "USE", "side"), ("SET", "of side", "1"),
                         ("DEL", "list"), ("BRANCH", "USE", "main"), ("SET", "of main", "1")])
        done()
        client.command("BRANCH", "MERGE", "side")
        done()
        client.command("BRANCH", "PROMOTE", "side")
        done()
        self.step(client, 8)
        client.command("SWAPDB", 0, 3)
        done()
        client.command("BGSAVE")
        server.wait_saved()
        client.command("SNAPSHOT", "ROLLBACK", "within")
        done()
        server.restart()
        server.wait_loaded()
        client = server.client()
        before = client.command("DEBUG", "DIGEST")
        for mark in marks:
            with self.subTest(record=mark[0]):
                self.check(server, mark)
                self.check(server, mark, by_time=True)
        self.assertEqual(client.command("DEBUG", "DIGEST"), before)
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
        info = server.info("persistence")
        self.assertEqual((info["restore_in_progress"], info["restore_last_status"]), ("0", "ok"))

    @resp.saves_beside_a_log
    def test_it_is_a_branch_like_any_other_and_lasts(self):
        server = self.server()
        client = server.client()
        client.command("SET", "k", "1")
        record, _, digest = self.mark(server, client)
        client.command("SET", "k", "2")
        self.assertEqual(client.command("RESTORE-TO", record, "AS", "then"), record)
        server.kill()
        client = server.start().client()
        self.assertEqual(self.digest_of(server, "then"), digest)
        info = client.command("BRANCH", "INFO", "then")
        self.assertEqual(info[info.index(b"parent") + 1], b"main")
        client.command("BRANCH", "USE", "then")
        client.command("SET", "more", "3")
        client.command("BRANCH", "USE", "main")
        server.kill()
        client = server.start().client()
        self.assertEqual(client.command("ASOF", "then", "MGET", "k", "more"), [b"1", b"3"])
        self.assertEqual(client.command("GET", "k"), b"2")
        client.command("BRANCH", "MERGE", "then", "ONCONFLICT", "THEIRS")
        client.command("BRANCH", "PROMOTE", "then")
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
        server.restart()
        self.assertEqual(server.client().command("GET", "k"), b"1")

    @resp.saves_beside_a_log
    def test_the_branch_of_the_connection(self):
        server = self.server()
        client = server.client()
        client.command("SET", "k", "main")
        client.command("BRANCH", "CREATE", "side")
        before = last_record(server) - 1
        client.command("BRANCH", "USE", "side")
        client.command("SET", "k", "side")
        record = last_record(server)
        client.command("SET", "k", "later")
        client.command("RESTORE-TO", record, "AS", "of-side")
        self.assertEqual(client.command("ASOF", "of-side", "GET", "k"), b"side")
        self.refused(client, "no branch 'side' at record", "RESTORE-TO", before, "AS", "early")
        client.command("BRANCH", "USE", "main")
        client.command("RESTORE-TO", record, "AS", "of-main")
        self.assertEqual(client.command("ASOF", "of-main", "GET", "k"), b"main")

    @resp.saves_beside_a_log
    def test_others_are_served_meanwhile(self):
        server = self.server()
        client = server.client()
        for start in range(0, 100_000, 5000):
            client.pipeline([("SET", f"key:{i % 20000}", f"value {i}") for i in range(start, start + 5000)])
        record, _, digest = self.mark(server, client)
        client.command("FLUSHALL")
        reply = []
        waiting = server.client()
        thread = threading.Thread(target=lambda: reply.append(waiting.command("RESTORE-TO", record, "AS", "then")))
        thread.start()
        resp.wait_until(lambda: server.info("persistence")["restore_in_progress"] == "1" or reply, "it has begun")
        writes = 0
        while thread.is_alive():
            client.command("SET", f"meanwhile:{writes}", "x")
            if writes == 0:
                self.refused(server.client(), "running already", "RESTORE-TO", record, "AS", "second")
            writes += 1
        thread.join()
        self.assertEqual(reply, [record])
        self.assertGreater(writes, 10)
        self.assertEqual(self.digest_of(server, "then"), digest)
        self.assertEqual(client.command("DBSIZE"), writes)
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    @resp.saves_beside_a_log
    def test_a_kill_leaves_nothing_half_done(self):
        server = self.server()
        client = server.client()
        for start in range(0, 30_000, 5000):
            client.pipeline([("SET", f"key:{i}", f"value {i}") for i in range(start, start + 5000)])
        record, _, then = self.mark(server, client)
        client.pipeline([("SET", f"key:{i}", "other") for i in range(1000)])
        digest = client.command("DEBUG", "DIGEST")
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        there = 0
        for cycle in range(int(os.environ.get("VERSO_KILL_CYCLES", 12))):
            with self.subTest(seed=seed, cycle=cycle):
                name = f"then-{cycle}"
                waiting = server.client()
                waiting.send_raw(resp.encode(["RESTORE-TO", record, "AS", name]))
                time.sleep(chance.random() * 0.6)
                answered = not waiting.is_silent(0)
                server.kill()
                client = server.start().client()
                self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
                names = [row[1].decode() for row in client.command("BRANCH", "LIST")]
                if answered:
                    self.assertIn(name, names)
                if name in names:
                    there += 1
                    self.assertEqual(self.digest_of(server, name), then)
                self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
                server.wait_loaded()
        self.assertLessEqual(there, cycle + 1)

    @resp.saves_beside_a_log
    def test_history_goes_when_it_is_old(self):
        server = self.server(retain="4s")
        client = server.client()
        client.command("SET", "k", "first")
        first = last_record(server)
        files = segments(server)
        client.command("SAVE")
        client.command("SET", "k", "second")
        time.sleep(0.3)
        self.assertEqual(segments(server)[:len(files)], files)
        self.check(server, (first, 0, self.digest_at_first(client)))
        resp.wait_until(lambda: not os.path.exists(files[0]), "the old segment goes")
        self.refused(client, "the operation log begins behind record [0-9]+",
                     "RESTORE-TO", first, "AS", "early")
        # Whatever goes, a start has what it needs.
        digest = client.command("DEBUG", "DIGEST")
        server.kill()
        client = server.start().client()
        self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
        # Without a retention what the last save does not need goes at once.
        client.command("SET", "k", "third")
        client.command("CONFIG", "SET", "appendonly-retain", "1h")
        client.command("SAVE")
        client.command("SET", "k", "fourth")
        time.sleep(0.3)
        count = len(segments(server))
        client.command("CONFIG", "SET", "appendonly-retain", "0")
        resp.wait_until(lambda: len(segments(server)) < count, "what no save needs goes")

    def digest_at_first(self, client):
        client.command("SET", "k", "first")
        digest = client.command("DEBUG", "DIGEST")
        client.command("SET", "k", "second")
        return digest

    @resp.saves_beside_a_log
    def test_damaged_history_does_not_stop_a_start(self):
        server = self.server()
        client = server.client()
        marks = []
        for number in range(3):
            client.pipeline([("SET", f"key:{number}:{i}", "v" * 50) for i in range(100)])
            client.command("SNAPSHOT", "CREATE", f"s{number}")
            marks.append(self.mark(server, client))
            client.command("SAVE")
        server.kill()
        for path in segments(server):
            with open(path, "r+b") as file:
                at = file.read().find(b"key:1:50")
                if at >= 0:
                    file.seek(at)
                    file.write(b"K")
                    break
        client = server.start().client()
        server.wait_loaded()
        self.check(server, marks[2])
        self.refused(client, "begins behind record .*" + os.path.basename(path), "RESTORE-TO", marks[0][0], "AS", "x")
        os.remove(path)
        self.refused(client, "begins behind record .*", "RESTORE-TO", marks[1][0], "AS", "x")
        server.kill()
        server.start()

    @resp.saves_beside_a_log
    def test_what_cannot_be_had_is_refused(self):
        server = self.server("--branch-max", "2")
        client = server.client()
        client.command("SET", "k", "v")
        client.command("SNAPSHOT", "CREATE", "taken")
        record = last_record(server)
        for words in (("x", "AS", "b"), ("0", "AS", "b"), ("-1", "AS", "b"), ("1.5", "AS", "b")):
            self.refused(client, "no record's number and no time", "RESTORE-TO", *words)
        self.refused(client, "syntax error", "RESTORE-TO", record, "TO", "b")
        self.refused(client, "wrong number", "RESTORE-TO", record, "AS", "b", "LINE", "3", "OF", "main")
        self.refused(client, "future: the last record is", "RESTORE-TO", record + 1, "AS", "b")
        self.refused(client, "future: it is", "RESTORE-TO", int(time.time() * 1000) + 60_000, "AS", "b")
        self.refused(client, "invalid name", "RESTORE-TO", record, "AS", "a b")
        for name in ("taken", "main"):
            self.refused(client, "BUSYNAME", "RESTORE-TO", record, "AS", name)
        self.refused(client, "the target lies before", "RESTORE-TO", 1_000_000_000_000, "AS", "b")
        client.command("CONFIG", "SET", "maxmemory", "100kb")
        self.refused(client, "^OOM", "RESTORE-TO", record, "AS", "b")
        client.command("CONFIG", "SET", "maxmemory", "0")
        client.command("BRANCH", "CREATE", "last")
        self.refused(client, "branch limit", "RESTORE-TO", record, "AS", "b")
        client.command("BRANCH", "DROP", "last")
        client.command("MULTI")
        self.refused(client, "not allowed|inside", "RESTORE-TO", record, "AS", "b")
        client.command("DISCARD")
        client.command("CONFIG", "SET", "appendonly", "no")
        self.refused(client, "no operation log", "RESTORE-TO", record, "AS", "b")
        client.command("SET", "k", "unlogged")
        client.command("CONFIG", "SET", "appendonly", "yes")
        resp.wait_until(lambda: int(server.info("persistence")["rdb_saves"]) >= 1, "the save it builds on")
        server.wait_saved()
        self.refused(client, "the target lies before", "RESTORE-TO", record, "AS", "b")
        client.command("SNAPSHOT", "CREATE", "new")
        client.command("RESTORE-TO", last_record(server), "AS", "b")
        self.assertEqual(client.command("ASOF", "b", "GET", "k"), b"unlogged")
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    @resp.saves_beside_a_log
    def test_imports_are_in_the_log(self):
        server = self.server()
        client = server.client()
        client.pipeline([("SET", f"key:{i}", i) for i in range(300)])
        client.command("SNAPSHOT", "EXPORT", "main", "x.rdb")
        resp.wait_until(lambda: server.info("persistence")["export_in_progress"] == "0", "the export has ended")
        client.command("FLUSHALL")
        client.command("SNAPSHOT", "IMPORT", "x.rdb", "AS", "imported")
        client.command("SNAPSHOT", "ROLLBACK", "imported")
        client.command("SET", "more", "1")
        mark = self.mark(server, client)
        client.command("FLUSHALL")
        client.command("SNAPSHOT", "DROP", "imported")
        server.kill()
        client = server.start().client()
        self.check(server, mark)

    def test_the_directive(self):
        with resp.Server() as server:
            client = server.client()
            for given, shown in (("0", "0"), ("90s", "90s"), ("120s", "2m"), ("24h", "1d"), ("7d", "7d"), ("36h", "36h"),
                                 ("45", "45s")):
                client.command("CONFIG", "SET", "appendonly-retain", given)
                self.assertEqual(client.command("CONFIG", "GET", "appendonly-retain"),
                                 [b"appendonly-retain", shown.encode()])
            for wrong in ("", "h", "-1s", "1w", "1.5h", "400d", "99999999999999999999s"):
                self.refused(client, "appendonly-retain takes", "CONFIG", "SET", "appendonly-retain", wrong)


if __name__ == "__main__":
    unittest.main()
