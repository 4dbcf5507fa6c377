#!/usr/bin/python3
"""The client libraries and tools that people use: each connects and does its everyday work.

redis-py, hiredis and redis-cli come from Debian. ioredis and node-redis come from the npm registry in
the versions of clients/package-lock.json, installed once under build/clients; without npm, or when the
registry cannot be reached, their tests are skipped with the reason.
"""

import csv
import filecmp
import json
import os
import shutil
import subprocess
import unittest

import redis
import resp

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
INSTALLED = os.path.join(resp.ROOT, "build", "clients")
BINARY = bytes(range(256))


def run(command, **options):
    """The finished process, its output as text in one stream."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=6 * resp.SECONDS_MAX, **options)


class RedisPy(resp.ServerCase):
    def connect(self, **options):
        client = redis.Redis(port=self.server.port, socket_timeout=resp.SECONDS_MAX, **options)
        self.addCleanup(client.close)
        return client

    def test_connecting(self):
        client = self.connect(db=3, client_name="py", single_connection_client=True)
        self.assertTrue(client.ping())
        self.assertEqual(client.client_getname(), "py")
        self.assertTrue(client.client_setname("other"))
        self.assertEqual(client.execute_command("CLIENT SETINFO", "LIB-NAME", "redis-py"), b"OK")
        line = client.client_info()
        self.assertEqual((line["name"], line["db"], line["lib-name"]), ("other", 3, "redis-py"))
        self.assertIn("other", [line["name"] for line in client.client_list()])
        self.assertEqual(redis.Redis.from_url(f"redis://127.0.0.1:{self.server.port}/5").dbsize(), 0)

    def test_password(self):
        with resp.Server("--requirepass", "secret") as server:
            client = redis.Redis(port=server.port, password="secret")
            self.assertTrue(client.set("k", "v"))
            client.close()
            with self.assertRaises(redis.AuthenticationError):
                redis.Redis(port=server.port).get("k")
            with self.assertRaises(redis.ResponseError):
                redis.Redis(port=server.port, password="wrong").get("k")

    def test_values(self):
        client = self.connect()
        self.assertTrue(client.set(BINARY, BINARY))
        self.assertEqual(client.get(BINARY), BINARY)
        self.assertIsNone(client.get("none"))
        self.assertEqual(self.connect(decode_responses=True).set("t", "ä") and
                         self.connect(decode_responses=True).get("t"), "ä")
        self.assertTrue(client.mset({"a": 1, "b": 2}))
        self.assertEqual(client.mget("a", "none", "b"), [b"1", None, b"2"])
        self.assertEqual(client.incrbyfloat("f", "1.5"), 1.5)
        self.assertEqual(client.getrange(BINARY, 65, 67), b"ABC")
        self.assertEqual(client.type("a"), b"string")

    def test_pipeline_and_scan(self):
        client = self.connect()
        pipeline = client.pipeline(transaction=False)
        for i in range(1000):
            pipeline.set(f"p:{i}", i).get(f"p:{i}")
        replies = pipeline.execute()
        self.assertEqual(replies[0::2], [True] * 1000)
        self.assertEqual(replies[1::2], [b"%d" % i for i in range(1000)])
        self.assertEqual(sorted(client.scan_iter("p:*", count=100)),
                         sorted(b"p:%d" % i for i in range(1000)))
        self.assertEqual(len(client.keys("p:*")), 1000)

    def test_errors(self):
        client = self.connect()
        client.set("text", "x")
        with self.assertRaisesRegex(redis.ResponseError, "not an integer or out of range"):
            client.incr("text")
        with self.assertRaisesRegex(redis.ResponseError, "^unknown command 'NOSUCH'"):
            client.execute_command("NOSUCH")
        with self.assertRaisesRegex(redis.ResponseError, "not an integer"):
            client.pipeline(transaction=False).incr("text").get("text").execute()
        self.assertEqual(client.get("text"), b"x")

    def test_expiry(self):
        client = self.connect()
        client.set("short", "x", px=20)
        client.setex("long", 100, "x")
        self.assertIn(client.ttl("long"), range(90, 101))
        resp.wait_until(lambda: client.get("short") is None, "the key expires")
        self.assertTrue(client.persist("long"))
        self.assertEqual(client.ttl("long"), -1)

    def test_info_config_and_saving(self):
        client = self.connect()
        client.set("k", "v")
        info = client.info()
        self.assertRegex(info["redis_version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(info["db0"], {"keys": 1, "expires": 0, "avg_ttl": 0})
        self.assertIsInstance(info["used_memory"], int)
        self.assertEqual(client.config_get("maxmemory"), {"maxmemory": "0"})
        self.assertTrue(client.config_resetstat())
        self.assertTrue(client.save())
        self.assertGreater(client.lastsave().timestamp(), 0)
        self.assertIn("get", client.command())
        self.assertGreater(client.memory_usage("k"), 0)

    def test_reconnecting(self):
        client, admin = self.connect(db=2, client_name="py"), self.connect()
        client.set("k", "v")
        number = client.client_id()
        self.assertEqual(admin.client_kill_filter(_id=number), 1)
        self.assertEqual(client.get("k"), b"v")
        self.assertNotEqual(client.client_id(), number)
        self.assertEqual(client.client_getname(), "py")


class Hiredis(resp.ServerCase):
    def test_program(self):
        program = os.path.join(self.server.directory, "hiredis_client")
        built = run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", program,
                     os.path.join(SOURCES, "hiredis_client.c"), "-lhiredis"])
        self.assertEqual(built.returncode, 0, built.stdout)
        done = run([program, str(self.server.port)])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("ok: it is another connection", done.stdout)


class RedisCli(resp.ServerCase):
    def run_cli(self, *arguments, stdin=b""):
        done = subprocess.run(["redis-cli", "-p", str(self.server.port), *arguments], input=stdin,
                              capture_output=True, timeout=resp.SECONDS_MAX)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_commands_in_both_protocols(self):
        for protocol in ("-2", "-3"):
            self.assertEqual(self.run_cli(protocol, "-x", "SET", "k", stdin=BINARY), b"OK\n")
            self.assertEqual(self.run_cli(protocol, "GET", "k"), BINARY + b"\n")
            self.assertEqual(self.run_cli(protocol, "-n", "3", "EXISTS", "k"), b"0\n")
            self.assertIn(b"redis_version:7.2", self.run_cli(protocol, "INFO", "server"))
            self.assertIn(b"ERR unknown command 'NOSUCH'", self.run_cli(protocol, "NOSUCH"))
            self.assertEqual(self.run_cli(protocol, "--raw", "MGET", "k", "none"), BINARY + b"\n\n")
        self.assertIn(b"1# \"server\" => \"redis\"", self.run_cli("-3", "--no-raw", "HELLO", "3"))

    def test_output_formats(self):
        self.run_cli("MSET", "a", "1", "b", 'with "quotes"')
        row = self.run_cli("--csv", "MGET", "a", "b").decode()
        self.assertEqual(next(csv.reader([row], escapechar="\\", doublequote=False)),
                         ["1", 'with "quotes"'])
        self.assertEqual(json.loads(self.run_cli("--json", "-3", "MGET", "a", "none")), ["1", None])

    def test_typed_lines(self):
        out = self.run_cli(stdin=b'SET "a b" "x\\x00y"\nSTRLEN "a b"\n3 INCR n\nPTTL "a b"\n')
        self.assertEqual(out, b"OK\n3\n1\n2\n3\n-1\n")

    def test_pipe_and_scan(self):
        commands = b"".join(resp.encode(["SET", f"p:{i}", i]) for i in range(1000))
        self.assertIn(b"errors: 0, replies: 1000", self.run_cli("--pipe", stdin=commands))
        found = self.run_cli("--scan", "--pattern", "p:*").split()
        self.assertEqual(sorted(found), sorted(b"p:%d" % i for i in range(1000)))

    def test_tools_of_the_cli(self):
        self.run_cli("SET", "big", "x" * 5000)
        self.assertRegex(self.run_cli("--bigkeys").decode(),
                         r"Biggest string found '\"big\"' has 5000 bytes")
        self.assertIn(b"big", self.run_cli("--memkeys"))

    def test_benchmark(self):
        done = run(["redis-benchmark", "-p", str(self.server.port), "-q", "-n", "1000", "-c", "5",
                    "-t", "ping,set,get,incr,mset"])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("WARNING", done.stdout)
        self.assertNotIn("Error", done.stdout)
        self.assertRegex(done.stdout, r"MSET \(10 keys\): [\d.]+ requests per second")


class Node(resp.ServerCase):
    """ioredis and node-redis; Node's own test runner reports what failed."""

    @classmethod
    def setUpClass(cls):
        cls.install()
        super().setUpClass()

    @classmethod
    def install(cls):
        """The packages under build/clients, as the lock file in the sources names them."""
        for tool in ("node", "npm"):
            if shutil.which(tool) is None:
                raise unittest.SkipTest(f"{tool} is not installed")
        lock = "package-lock.json"
        done_mark = os.path.join(INSTALLED, "installed-lock.json")
        if os.path.exists(done_mark) and filecmp.cmp(os.path.join(SOURCES, lock), done_mark, False):
            return
        os.makedirs(INSTALLED, exist_ok=True)
        for name in ("package.json", lock):
            shutil.copy(os.path.join(SOURCES, name), INSTALLED)
        done = run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                   cwd=INSTALLED)
        if done.returncode != 0:
            raise unittest.SkipTest(f"npm ci: {done.stdout.strip()[-300:]}")
        shutil.copy(os.path.join(SOURCES, lock), done_mark)

    def run_script(self, name):
        done = run(["node", os.path.join(SOURCES, name), str(self.server.port)],
                   env={**os.environ, "NODE_PATH": os.path.join(INSTALLED, "node_modules")})
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^# pass [1-9]", done.stdout)

    def test_ioredis(self):
        self.run_script("ioredis_client.js")

    def test_node_redis(self):
        self.run_script("node_redis_client.js")


if __name__ == "__main__":
    unittest.main()
