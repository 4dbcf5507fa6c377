"""Eviction: every policy keeps a server under maxmemory and takes what it says; it is recorded, heeds WATCH, counts
what snapshots hold, and leaves branches alone."""

import unittest

import resp

VALUE = b"v" * 200
LIMIT = 30 << 20


def fill(client, count, prefix="key", *options):
    """Sets keys; returns the first error, if any."""
    for start in range(0, count, 1000):
        replies = client.pipeline([["SET", "%s:%d" % (prefix, i), VALUE, *options]
                                   for i in range(start, start + 1000)])
        for reply in replies:
            if isinstance(reply, resp.Error):
                return reply
    return None


def used(server):
    return int(server.info("memory")["used_memory"])


def evicted(server):
    return int(server.info("stats")["evicted_keys"])


class Eviction(unittest.TestCase):
    def server(self, policy, *options):
        server = resp.Server("--maxmemory", str(LIMIT), "--maxmemory-policy", policy, *options)
        self.addCleanup(server.__exit__, None, None, None)
        return server.__enter__()

    def test_every_policy_keeps_under_the_limit(self):
        for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu",
                       "volatile-random", "volatile-ttl"):
            with self.subTest(policy):
                server = self.server(policy)
                client = server.client()
                options = ("EX", "1000") if policy.startswith("volatile") else ()
                self.assertIsNone(fill(client, 200_000, "key", *options))
                # What the last command added is beyond it until the next one.
                resp.wait_until(lambda: used(server) <= LIMIT + 100_000, "memory is under the limit")
                size = client.command("DBSIZE")
                self.assertGreater(size, 50_000)
                self.assertEqual(size + evicted(server), 200_000)
                self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_volatile_policies_take_nothing_else(self):
        server = self.server("volatile-lru")
        client = server.client()
        client.pipeline([["SET", "lasting:%d" % i, VALUE] for i in range(1000)])
        self.assertIsNone(fill(client, 150_000, "key", "EX", "1000"))
        self.assertGreater(evicted(server), 0)
        self.assertEqual(client.command("EXISTS", *["lasting:%d" % i for i in range(1000)]), 1000)
        error = fill(client, 200_000)
        self.assertEqual(error.code, "OOM")
        self.assertEqual(client.command("EXISTS", *["lasting:%d" % i for i in range(1000)]), 1000)

    def test_what_is_used_stays(self):
        for policy in ("allkeys-lru", "allkeys-lfu"):
            with self.subTest(policy):
                server = self.server(policy)
                client = server.client()
                hot = ["hot:%d" % i for i in range(500)]
                client.pipeline([["SET", key, VALUE] for key in hot])
                for part in range(20):
                    client.pipeline([["GET", key] for key in hot] * (5 if policy == "allkeys-lfu" else 1))
                    self.assertIsNone(fill(client, 10_000, "cold:%d" % part))
                    if policy == "allkeys-lru":
                        client.command("DEBUG", "SLEEP", "0.12")
                self.assertGreater(evicted(server), 10_000)
                self.assertGreater(client.command("EXISTS", *hot), 400)

    def test_object_freq_and_idletime(self):
        server = self.server("allkeys-lfu")
        client = server.client()
        client.command("SET", "k", "v")
        self.assertEqual(client.command("OBJECT", "FREQ", "k"), 5)
        client.command("GET", "k")
        self.assertEqual(client.command("OBJECT", "FREQ", "k"), 6)
        self.assertIsNone(client.command("OBJECT", "FREQ", "none"))
        with self.assertRaisesRegex(resp.Error, "An LFU maxmemory policy is selected"):
            client.command("OBJECT", "IDLETIME", "k")
        payload = client.command("DUMP", "k")
        client.command("RESTORE", "r", "0", payload, "FREQ", "200")
        self.assertEqual(client.command("OBJECT", "FREQ", "r"), 200)
        client.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        with self.assertRaisesRegex(resp.Error, "An LFU maxmemory policy is not selected"):
            client.command("OBJECT", "FREQ", "k")
        client.command("RESTORE", "i", "0", payload, "IDLETIME", "100")
        self.assertIn(client.command("OBJECT", "IDLETIME", "i"), (100, 101))

    def test_a_lower_limit_is_reached_without_commands(self):
        server = self.server("allkeys-random")
        client = server.client()
        self.assertIsNone(fill(client, 60_000))
        client.command("CONFIG", "SET", "maxmemory", str(LIMIT // 3))
        client.command("SET", "one", "more")
        resp.wait_until(lambda: used(server) <= LIMIT // 3, "the rest goes in the background")

    def test_a_large_collection_goes_once_and_not_its_neighbours(self):
        server = self.server("allkeys-lru")
        client = server.client()
        for start in range(0, 80_000, 1000):
            client.command("SADD", "large", *["member:%d" % i for i in range(start, start + 1000)])
        client.command("DEBUG", "SLEEP", "2")
        for _ in range(4):  # each key that goes is the coldest of some, not of all
            self.assertIsNone(fill(client, 150_000))
        self.assertEqual(client.command("EXISTS", "large"), 0)
        self.assertGreater(client.command("DBSIZE"), 50_000)
        resp.wait_until(lambda: used(server) <= LIMIT, "its memory is back")

    def test_the_log_and_watch_hear_of_it(self):
        server = self.server("volatile-ttl", "--appendonly", "yes", "--appendfsync", "always")
        client = server.client()
        client.command("SET", "watched", VALUE, "EX", "100")
        watcher = server.client()
        watcher.command("WATCH", "watched")
        self.assertIsNone(fill(client, 150_000, "key", "EX", "1000"))
        self.assertEqual(client.command("EXISTS", "watched"), 0)
        watcher.command("MULTI")
        watcher.command("PING")
        self.assertIsNone(watcher.command("EXEC"))
        digest = client.command("DEBUG", "DIGEST")
        size = client.command("DBSIZE")
        self.assertLess(size, 150_000)
        server.restart()
        client = server.client()
        self.assertEqual(client.command("DBSIZE"), size)
        self.assertEqual(client.command("DEBUG", "DIGEST"), digest)

    def test_a_transaction_evicts_before_it_runs(self):
        server = self.server("allkeys-lru")
        client = server.client()
        self.assertIsNone(fill(client, 110_000))
        client.command("MULTI")
        for i in range(1000):
            client.command("SET", "in:%d" % i, VALUE)
        self.assertEqual(client.command("EXEC"), [b"OK"] * 1000)
        self.assertEqual(client.command("EXISTS", *["in:%d" % i for i in range(1000)]), 1000)

    def test_what_a_snapshot_holds_counts_as_evicted(self):
        server = self.server("allkeys-lru")
        client = server.client()
        self.assertIsNone(fill(client, 80_000))
        before = client.command("DBSIZE")
        client.command("SNAPSHOT", "CREATE", "held")
        # One byte beyond is one key, though its page is copied; the data set is not emptied for it.
        error = fill(client, 200_000, "more")
        self.assertEqual(error.code, "OOM")
        self.assertIn("snapshot 'held'", str(error))
        self.assertGreater(client.command("DBSIZE"), before // 3)
        self.assertEqual(client.command("ASOF", "held", "DBSIZE"), before)
        memory = server.info("memory")
        self.assertLess(int(memory["used_memory"]), LIMIT * 1.4)
        client.command("SNAPSHOT", "DROP", "held")
        self.assertIsNone(fill(client, 20_000, "after"))
        resp.wait_until(lambda: used(server) <= LIMIT, "memory is under the limit")
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_a_save_at_the_limit_loses_no_write(self):
        server = self.server("allkeys-lru")
        client = server.client()
        self.assertIsNone(fill(client, 110_000))
        client.command("BGSAVE")
        self.assertIsNone(fill(client, 10_000, "meanwhile"))
        server.wait_saved()
        self.assertIsNone(fill(client, 10_000, "after"))
        self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")

    def test_branches_are_left_alone(self):
        server = self.server("allkeys-lru")
        client = server.client()
        client.command("SET", "base", "1")
        client.command("BRANCH", "CREATE", "work")
        client.command("BRANCH", "USE", "work")
        self.assertIsNone(fill(client, 20_000, "mine"))
        other = server.client()
        self.assertIsNone(fill(other, 120_000))
        self.assertEqual(client.command("DBSIZE"), 20_001)
        self.assertGreater(evicted(server), 0)


if __name__ == "__main__":
    unittest.main()
