#!/usr/bin/python3
"""The operation log: what was acknowledged is there after a kill, whatever the policy; switching, damage, full disks."""

import os
import time
import unittest

import resp


def log_files(server):
    folder = os.path.join(server.directory, "log")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".seg"))


def newest_with_records(server):
    """The last segment is one that is ready for later."""
    def has_records(path):
        with open(path, "rb") as file:
            return b"key:" in file.read()
    return max(filter(has_records, log_files(server)))


class Log(unittest.TestCase):
    def server(self, *arguments, policy="everysec"):
        server = resp.Server("--appendonly", "yes", "--appendfsync", policy, *arguments)
        self.addCleanup(server.close)
        return server.start()

    def crash(self, server, *more):
        digest = server.client().command("DEBUG", "DIGEST")
        server.kill()
        server.start(*more)
        client = server.client()
        self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
        return client

    def fill(self, client):
        client.pipeline([("SET", f"key:{i}", f"value {i}") for i in range(500)])
        client.pipeline([("RPUSH", "list", i) for i in range(300)])
        client.pipeline([("ZADD", "scores", i, f"m{i}") for i in range(300)])
        client.pipeline([("SADD", "set", f"member {i}") for i in range(100)])
        client.command("SPOP", "set", 20)
        client.command("XADD", "stream", "*", "field", "value")
        client.command("SET", "short", "x", "PX", 50)
        client.command("SET", "long", "x", "EX", 1000)
        client.command("INCRBYFLOAT", "float", "1.25")
        client.pipeline([("MULTI",), ("SET", "a", "1"), ("SELECT", "3"), ("SET", "b", "2"),
                         ("SELECT", "0"), ("EXEC",)])
        time.sleep(0.06)  # or the digest before a kill still has `short`

    def test_everything_comes_back_after_a_kill(self):
        for policy in ("always", "everysec", "no"):
            with self.subTest(policy=policy):
                server = self.server(policy=policy)
                self.fill(server.client())
                self.crash(server)
                info = server.info("persistence")
                self.assertEqual(info["aof_enabled"], "1")
                self.assertGreater(int(info["log_records_replayed"]), 1000)
                server.close()

    @resp.saves_beside_a_log
    def test_a_save_takes_over_what_the_log_had(self):
        server = self.server()
        client = server.client()
        self.fill(client)
        before = int(server.info("persistence")["aof_current_size"])
        self.assertEqual(client.command("BGREWRITEAOF"),
                         b"Background append only file rewriting started")
        server.wait_saved()
        resp.wait_until(lambda: int(server.info("persistence")["aof_current_size"]) < before / 10,
                        "old segments go")
        client.command("SET", "after", "the save")
        client = self.crash(server)
        self.assertEqual(client.command("GET", "after"), b"the save")
        self.assertLess(int(server.info("persistence")["log_records_replayed"]), 10)

    def test_versions_come_back(self):
        server = self.server()
        client = server.client()
        client.command("SET", "k", "1")
        client.command("SNAPSHOT", "CREATE", "before")
        client.command("BRANCH", "CREATE", "side")
        client.command("SET", "k", "2")
        client.command("BRANCH", "USE", "side")
        client.command("SET", "k", "side")
        client.command("BRANCH", "USE", "main")
        client.command("SNAPSHOT", "CREATE", "after")
        client.command("SNAPSHOT", "ROLLBACK", "before")
        client.command("SET", "other", "3")
        client = self.crash(server)
        self.assertEqual(client.command("GET", "k"), b"1")
        self.assertEqual(client.command("GET", "other"), b"3")
        self.assertEqual(client.command("ASOF", "after", "GET", "k"), b"2")
        self.assertEqual(client.command("ASOF", "side", "GET", "k"), b"side")
        client.command("BRANCH", "PROMOTE", "side")
        client.command("TXN", "BEGIN")
        client.command("SET", "k", "in the transaction")
        client.command("SET", "other", "too")
        client.command("TXN", "COMMIT")
        client = self.crash(server)
        self.assertEqual(client.command("GET", "k"), b"in the transaction")
        self.assertEqual(client.command("ASOF", "side", "GET", "k"), b"1")

    @resp.saves_beside_a_log
    def test_switching_on_and_off_at_run_time(self):
        server = resp.Server()
        self.addCleanup(server.close)
        client = server.start().client()
        client.command("SET", "unlogged", "1")
        self.assertEqual(client.command("CONFIG", "SET", "appendonly", "yes"), b"OK")
        resp.wait_until(lambda: server.info("persistence")["rdb_saves"] == "1", "the save it builds on")
        server.wait_saved()
        client.command("SET", "logged", "2")
        client = self.crash(server, "--appendonly", "yes")
        client.command("SET", "more", "3")
        client.command("CONFIG", "SET", "appendonly", "no")
        client.command("SET", "lost", "4")
        server.kill()
        client = server.start("--appendonly", "yes").client()
        self.assertEqual(client.pipeline([("GET", key) for key in ("unlogged", "logged", "more", "lost")]),
                         [b"1", b"2", b"3", None])
        # What the log holds is used whether or not it goes on.
        client.command("SET", "last", "5")
        server.kill()
        client = server.start("--appendonly", "no").client()
        self.assertEqual(client.command("GET", "last"), b"5")

    def test_torn_tails_are_cut_and_said(self):
        for what, tail in (("junk", os.urandom(700)), ("zeros", bytes(1500)), ("cut", None)):
            with self.subTest(what=what):
                server = self.server()
                client = server.client()
                client.pipeline([("SET", f"key:{i}", "v" * 50) for i in range(100)])
                server.kill()
                path = newest_with_records(server)
                if tail is None:
                    os.truncate(path, os.path.getsize(path) - 7)  # nothing stands behind the last record
                else:
                    with open(path, "ab") as file:
                        file.write(tail)
                server.start()
                self.assertEqual(server.client().command("DBSIZE"), 99 if tail is None else 100)
                self.assertIn("cut", server.log())
                server.client().command("SET", "again", "1")
                self.crash(server)
                server.close()

    def test_damage_in_the_middle_is_refused_with_a_way_out(self):
        server = self.server(policy="always")
        client = server.client()
        for i in range(50):
            client.command("SET", f"key:{i}", "v" * 100)
        server.kill()
        path = newest_with_records(server)
        with open(path, "r+b") as file:
            at = file.read().index(b"key:20")
            file.seek(at)
            file.write(b"K")
        server.start(wait=False)
        self.assertNotEqual(server.wait_exit(), 0)
        log = server.log()
        self.assertIn(path, log)
        option = log[log.index("--log-recover-to"):].split()[:2]
        server.start(*option)
        kept = server.client().command("DBSIZE")
        self.assertGreater(kept, 5)
        self.assertLess(kept, 50)
        self.crash(server)

    @resp.saves_beside_a_log
    def test_a_missing_segment_is_refused(self):
        server = self.server()
        client = server.client()
        client.command("SET", "a", "1")
        client.command("SAVE")
        client.command("SET", "b", "2")
        server.kill()
        for path in log_files(server):
            os.remove(path)
        server.start(wait=False)
        self.assertNotEqual(server.wait_exit(), 0)
        self.assertIn("log", server.log())

    def test_waitaof(self):
        server = self.server()
        client = server.client()
        client.command("SET", "a", "1")
        self.assertEqual(client.command("WAITAOF", "1", "0", "5000"), [1, 0])
        begin = time.monotonic()
        self.assertEqual(client.command("WAITAOF", "1", "1", "200"), [1, 0])
        self.assertGreaterEqual(time.monotonic() - begin, 0.19)
        client.command("CONFIG", "SET", "appendonly", "no")
        with self.assertRaisesRegex(resp.Error, "appendonly is disabled"):
            client.command("WAITAOF", "1", "0", "0")
        self.assertEqual(client.command("WAITAOF", "0", "0", "0"), [0, 0])

    @resp.saves_beside_a_log
    def test_a_log_that_grows_makes_a_save(self):
        server = self.server()
        client = server.client()
        value = "v" * 1_000_000
        for i in range(80):
            client.command("SET", f"key:{i % 3}", value)
        resp.wait_until(lambda: int(server.info("persistence")["rdb_saves"]) > 0, "a save by itself")
        self.crash(server)

    def test_an_end_while_it_is_repeated_saves_nothing(self):
        server = resp.Server("--appendonly", "yes", save="3600 100000000")
        self.addCleanup(server.close)
        client = server.start().client()
        for _ in range(50):
            client.pipeline([("RPUSH", f"list:{number % 97}", "v" * 50) for number in range(4000)])
        server.kill()
        server.start(wait=False)

        def replies():
            try:
                with resp.Client(server.port) as other:
                    return str(other.pipeline([("DBSIZE",)])[0])
            except OSError:
                return None

        resp.wait_until(replies, "it answers, LOADING mostly")
        server.process.terminate()
        self.assertEqual(server.process.wait(), 0)
        if "DB loaded" not in server.log():  # else it was faster
            self.assertNotIn("Background saving", server.log())
        server.start(wait=False)
        resp.wait_until(lambda: "LOADING" not in (replies() or "LOADING"), "it is served")
        lengths = server.client().pipeline([("LLEN", f"list:{number}") for number in range(97)])
        self.assertEqual(sum(lengths), 200_000)

    @resp.saves_beside_a_log
    def test_a_dump_file_at_the_start_is_in_a_save(self):
        first = resp.Server()
        self.addCleanup(first.close)
        client = first.start().client()
        client.command("SET", "from", "the dump")
        client.command("SNAPSHOT", "CREATE", "s")
        client.command("SNAPSHOT", "EXPORT", "s", "dump.rdb")
        dump = os.path.join(first.directory, "dump.rdb")
        resp.wait_until(lambda: os.path.exists(dump), "the export")
        server = resp.Server("--appendonly", "yes")
        self.addCleanup(server.close)
        os.rename(dump, os.path.join(server.directory, "dump.rdb"))
        client = server.start().client()
        client.command("SET", "more", "1")
        resp.wait_until(lambda: server.info("persistence")["rdb_saves"] == "1", "the save")
        server.wait_saved()
        client = self.crash(server)
        self.assertEqual(client.command("GET", "from"), b"the dump")


class FullDisk(unittest.TestCase):
    """On a tmpfs of a few megabytes."""

    def setUp(self):
        self.folder = resp.tempfile.mkdtemp(prefix="verso-full-")
        self.addCleanup(os.rmdir, self.folder)
        if os.system(f"mount -t tmpfs -o size=24m none {self.folder} 2>/dev/null") != 0:
            self.skipTest("no right to mount a tmpfs")
        self.addCleanup(os.system, f"umount {self.folder}")

    def test_writes_are_refused_reads_go_on_and_it_ends_by_itself(self):
        server = resp.Server("--appendonly", "yes", directory=self.folder)
        self.addCleanup(server.close)
        client = server.start().client()
        client.command("SET", "a", "1")
        filler = os.path.join(self.folder, "filler")
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(bytes(65536))
                    file.flush()
            except OSError:
                pass
        writer = server.client()
        writer.send_raw(b"".join(resp.encode(("SET", f"key:{i}", "v" * 60000)) for i in range(40)))
        resp.wait_until(lambda: server.info("persistence")["aof_last_write_status"] == "err", "full")
        self.assertEqual(client.command("GET", "a"), b"1")
        with self.assertRaisesRegex(resp.Error, "^MISCONF .*No space left"):
            client.command("SET", "b", "2")
        os.remove(filler)
        resp.wait_until(lambda: server.info("persistence")["aof_last_write_status"] == "ok", "space again")
        replies = [writer.read() for _ in range(40)]
        client.command("SET", "b", "2")
        digest = client.command("DEBUG", "DIGEST")
        server.kill()
        client = server.start().client()
        self.assertEqual(client.command("DEBUG", "DIGEST"), digest)
        for i, reply in enumerate(replies):
            if reply == b"OK":
                self.assertEqual(client.command("STRLEN", f"key:{i}"), 60000)


if __name__ == "__main__":
    unittest.main()
