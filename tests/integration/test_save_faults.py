#!/usr/bin/python3
"""Stores that cannot be written, stores that cannot be read: a reason, never an empty start."""

import os
import shutil
import unittest

import resp


class SaveFaults(unittest.TestCase):
    def setUp(self):
        self.server = resp.Server(save="")
        self.addCleanup(self.server.close)

    def store(self, *parts):
        return os.path.join(self.server.directory, "store", *parts)

    def saved_server(self):
        self.server.start()
        client = self.server.client()
        client.pipeline([("SET", f"key:{i}", f"value {i}") for i in range(2000)])
        client.command("SAVE")
        return client

    def assert_refused(self, *reasons):
        """The start ends with a status that is no success, naming file and reason."""
        self.server.start(wait=False)
        self.assertNotEqual(self.server.wait_exit(), 0)
        for reason in reasons:
            self.assertIn(reason, self.server.log())

    def test_a_store_that_cannot_be_written(self):
        client = self.saved_server()
        os.rename(self.store(), self.server.directory + "/elsewhere")
        with open(self.store(), "w", encoding="utf-8") as blocker:
            blocker.write("not a directory")
        client.command("SET", "a", "b")
        with self.assertRaises(resp.Error):
            client.command("SAVE")
        client.command("BGSAVE")
        self.server.wait_saved()
        info = self.server.info("persistence")
        self.assertEqual(info["rdb_last_bgsave_status"], "err")
        self.assertIn(self.store(), info["save_last_error"])
        self.assertIn(self.store(), self.server.log())
        self.assertEqual(client.command("GET", "key:7"), b"value 7")
        os.remove(self.store())
        os.rename(self.server.directory + "/elsewhere", self.store())
        self.assertEqual(client.command("SAVE"), b"OK")
        digest = client.command("DEBUG", "DIGEST")
        self.server.kill()
        self.server.start()
        self.assertEqual(self.server.client().command("DEBUG", "DIGEST"), digest)

    def test_missing_store(self):
        self.saved_server()
        self.server.kill()
        shutil.rmtree(self.store())
        self.assert_refused(self.store(), "is missing")

    def test_missing_current(self):
        self.saved_server()
        self.server.kill()
        os.remove(self.store("CURRENT"))
        self.assert_refused(self.store("CURRENT"), "is missing")

    def test_missing_identity(self):
        self.saved_server()
        self.server.kill()
        os.remove(os.path.join(self.server.directory, "store.id"))
        self.assert_refused("store.id", "is missing")

    def test_flipped_bits(self):
        self.saved_server()
        self.server.kill()
        largest = max((self.store(name) for name in os.listdir(self.store()) if name.endswith(".sst")),
                      key=os.path.getsize)
        with open(largest, "r+b") as file:
            file.seek(os.path.getsize(largest) // 3)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        self.assert_refused(self.store())

    def test_two_servers_in_one_directory(self):
        self.saved_server()
        second = resp.Server(save="", directory=self.server.directory)
        self.addCleanup(second.close)
        second.start(wait=False)
        self.assertNotEqual(second.wait_exit(), 0)
        self.assertIn("another server", second.log())
        self.assertEqual(self.server.client().command("GET", "key:1"), b"value 1")


if __name__ == "__main__":
    unittest.main()
