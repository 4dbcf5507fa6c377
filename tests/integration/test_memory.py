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


def takes_writes(client):
    try:
        return client.command("SET", "again", "yes") == b"OK"
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
            with self.assertRaisesRegex(resp.Error, "^OOM"):
                client.command("APPEND", "key:0", VALUE)
            self.assertEqual(client.command("GET", "key:0"), VALUE)
            self.assertEqual(client.command("FLUSHALL"), b"OK")
            resp.wait_until(lambda: takes_writes(client), "memory is back")
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")


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
            resp.wait_until(lambda: server.info()["rdb_bgsave_in_progress"] == "0", "the save has ended")
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
