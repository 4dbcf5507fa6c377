"""Out of memory: maxmemory, and an arena whose file system is full. Writes that grow are refused whole, reads and
removals go on, nothing is lost and nothing crashes."""

import os
import subprocess
import tempfile
import unittest

import resp

VALUE = b"v" * 200


def fill(client, count, first=0):
    """Sets keys until count or an error; returns how many were acknowledged and the first error."""
    done = 0
    for start in range(first, first + count, 1000):
        replies = client.pipeline([["SET", "key:%d" % i, VALUE] for i in range(start, start + 1000)])
        for reply in replies:
            if isinstance(reply, resp.Error):
                return done, reply
            done += 1
    return done, None


def takes_writes(client, tail=b"yes"):
    try:
        return client.command("APPEND", "again", tail) > 0
    except resp.Error:
        return False


class MaxMemory(unittest.TestCase):
    def test_writes_that_grow_are_refused(self):
        with resp.Server("--maxmemory", "20mb") as server:
            client = server.client()
            done, error = fill(client, 200_000)
            self.assertEqual(error.code, "OOM")
            self.assertEqual(client.command("DBSIZE"), done)
            self.assertEqual(client.command("GET", "key:0"), VALUE)
            # What the long pipeline took is free again: there is room for a few more, one by one.
            resp.wait_until(lambda: not takes_writes(client, VALUE * 50), "the last room is taken")
            with self.assertRaisesRegex(resp.Error, "^OOM"):
                client.command("APPEND", "key:0", VALUE)
            self.assertEqual(client.command("GET", "key:0"), VALUE)
            self.assertEqual(client.command("FLUSHALL"), b"OK")
            resp.wait_until(lambda: takes_writes(client), "memory is back")
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")


    def test_what_clients_leave_unread_counts(self):
        with resp.Server("--maxmemory", "60mb") as server:
            client = server.client()
            # Longer values come in slices, made only as fast as the client reads.
            client.command("SET", "big", bytes(500_000))
            before = server.info("memory")
            readers = [server.client() for _ in range(4)]
            for reader in readers:
                reader.send_raw(resp.encode(["GET", "big"]) * 100)
            resp.wait_until(lambda: not takes_writes(client), "the unread replies fill the memory")
            full = server.info("memory")
            self.assertGreater(int(full["used_memory"]), 60 << 20)
            self.assertEqual(int(full["used_memory"]),
                             int(full["used_memory_overhead"]) + int(full["used_memory_dataset"]))
            self.assertLess(int(full["used_memory_dataset"]), int(before["used_memory_dataset"]) + (1 << 20))
            self.assertGreater(int(full["mem_clients_normal"]), 40 << 20)
            self.assertEqual(client.command("STRLEN", "big"), 500_000)
            for reader in readers:
                reader.close()
            resp.wait_until(lambda: takes_writes(client), "their memory is back")


@unittest.skipUnless(os.geteuid() == 0, "mounting a small tmpfs takes root")
class FullArena(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", self.directory], check=True)
        self.addCleanup(os.rmdir, self.directory)
        self.addCleanup(subprocess.run, ["umount", "-l", self.directory], check=True)

    def test_full_file_system_is_an_error_and_no_sigbus(self):
        with resp.Server("--arena-dir", self.directory) as server:
            client = server.client()
            done, error = fill(client, 400_000)
            self.assertEqual(error.code, "OOM")
            self.assertEqual(client.command("DBSIZE"), done)
            self.assertEqual(client.command("GET", "key:1"), VALUE)
            # A save needs no room here; while it holds its pin, removals copy pages and still get through.
            client.command("BGSAVE")
            self.assertEqual(client.command("DEL", *["key:%d" % i for i in range(500)]), 500)
            server.wait_saved()
            self.assertEqual(server.info()["rdb_last_bgsave_status"], "ok")
            for start in range(500, done - 1000, 1000):
                client.command("DEL", *["key:%d" % i for i in range(start, start + 1000)])
            resp.wait_until(lambda: takes_writes(client), "memory is back")
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
            done, error = fill(client, 400_000)
            self.assertEqual(error.code, "OOM")
            self.assertEqual(client.command("FLUSHALL"), b"OK")
            resp.wait_until(lambda: takes_writes(client), "memory is back")
            self.assertEqual(client.command("DBSIZE"), 1)


if __name__ == "__main__":
    unittest.main()
