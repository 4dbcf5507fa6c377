"""Directives: file, command line, CONFIG, and what stops the start."""

import os
import socket
import subprocess
import tempfile
import unittest

import resp


def run(*arguments):
    """Starts the server with arguments that must end it; (status, output)."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([resp.SERVER_BINARY, *arguments], cwd=folder, timeout=resp.SECONDS_MAX,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


class Config(resp.ServerCase):
    def get(self, pattern):
        flat = self.client().command("CONFIG", "GET", pattern)
        return dict(zip(flat[::2], flat[1::2]))

    def test_get(self):
        self.assertEqual(self.get("maxmemory"), {b"maxmemory": b"0"})
        self.assertEqual(set(self.get("MAXMEMORY*")), {b"maxmemory", b"maxmemory-policy"})
        self.assertEqual(self.get("nosuch"), {})
        self.assertEqual(self.get("save"), {b"save": b""})
        self.assertEqual(self.get("appendonly"), {b"appendonly": b"no"})
        client = self.client()
        self.assertEqual(len(client.command("CONFIG", "GET", "port", "dir")), 4)

    def test_set_is_all_or_nothing(self):
        client = self.client()
        client.command("CONFIG", "SET", "timeout", "100", "maxmemory", "1gb")
        self.addCleanup(lambda: self.client().command("CONFIG", "SET", "timeout", "0", "maxmemory", "0"))
        self.assertEqual(self.get("maxmemory")[b"maxmemory"], b"1073741824")
        errors = {
            ("timeout", "5", "maxmemory", "x"): "argument must be a memory value",
            ("timeout", "5", "port", "1"): "can't set immutable config",
            ("timeout", "5", "timeout", "6"): "duplicate parameter",
            ("timeout", "5", "loglevel", "loud"): "argument(s) must be one of the following: "
                                                  "debug, verbose, notice, warning, nothing",
            ("timeout", "5", "protected-mode", "perhaps"): "argument must be 'yes' or 'no'",
        }
        for words, why in errors.items():
            with self.assertRaises(resp.Error) as caught:
                client.command("CONFIG", "SET", *words)
            self.assertEqual(str(caught.exception), "ERR CONFIG SET failed (possibly related to argument "
                                                    f"'{words[2]}') - {why}")
            self.assertEqual(self.get("timeout")[b"timeout"], b"100")
        with self.assertRaisesRegex(resp.Error, "^ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'$"):
            client.command("CONFIG", "SET", "nosuch", "1")

    def test_maxmemory(self):
        client = self.client()
        client.command("SET", "k", "v")
        client.command("CONFIG", "SET", "maxmemory", "1")
        try:
            with self.assertRaisesRegex(resp.Error, "^OOM command not allowed when used memory > 'maxmemory'.$"):
                client.command("SET", "k", "w")
            self.assertEqual(client.command("GET", "k"), b"v")
            self.assertEqual(client.command("DEL", "k"), 1)
        finally:
            client.command("CONFIG", "SET", "maxmemory", "0")

    def test_resetstat(self):
        client = self.client()
        client.command("GET", "none")
        self.assertNotEqual(self.server.info("stats")["keyspace_misses"], "0")
        client.command("CONFIG", "RESETSTAT")
        self.assertEqual(self.server.info("stats")["keyspace_misses"], "0")

    def test_debug_is_for_local_connections(self):
        self.assertEqual(self.client().command("DEBUG", "SLEEP", "0"), b"OK")


class Start(unittest.TestCase):
    def test_version_and_help(self):
        status, text = run("--version")
        self.assertEqual(status, 0)
        self.assertIn("Verso server v=", text)
        self.assertEqual(run("--help")[0], 0)
        self.assertIn("| `GET` |", run("--print-commands")[1])

    def test_bad_directives_stop_the_start(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bad.conf")
            with open(path, "w", encoding="ascii") as file:
                file.write("port 0\nno-such-directive yes\n")
            status, text = run(path)
        self.assertEqual(status, 1)
        self.assertIn("at line 2", text)
        self.assertIn("no-such-directive", text)
        for words in (["--port", "x"], ["--appendonly", "yes"], ["--nosuch", "1"], ["/no/such.conf"]):
            with self.subTest(words=words):
                self.assertEqual(run(*words)[0], 1)

    def test_file_with_inert_directives(self):
        server = resp.Server(config="hz 20\nrdbcompression yes\n")
        with server:
            client = server.client()
            self.assertEqual(client.command("CONFIG", "GET", "hz"), [b"hz", b"20"])
            self.assertIn("rdbcompression", server.log())

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            with resp.Server("--unixsocket", path, "--unixsocketperm", "700") as server:
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o700)
                with socket.socket(socket.AF_UNIX) as local:
                    local.connect(path)
                    local.sendall(b"PING\r\n")
                    self.assertEqual(local.recv(100), b"+PONG\r\n")
                server.process.terminate()
                server.process.wait(resp.SECONDS_MAX)
                self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
