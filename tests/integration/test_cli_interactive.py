#!/usr/bin/python3
"""verso-cli as people use it: typed at a pseudo terminal, and its options that choose connection and
format. What is asserted is what the person would see, or what the line did to the server."""

import json
import os
import re
import subprocess
import tempfile
import unittest

import resp
from terminal import Terminal

UP, TAB, CTRL_D, CTRL_U = "\x1b[A", "\t", "\x04", "\x15"


class Interactive(resp.ServerCase):
    def setUp(self):
        super().setUp()
        home = tempfile.TemporaryDirectory(prefix="verso-cli-")
        self.addCleanup(home.cleanup)
        self.home = home.name
        self.prompt = f"127\\.0\\.0\\.1:{self.server.port}> "

    def open(self, *arguments, **options):
        """At the prompt."""
        terminal = self.run_in_terminal(*arguments, **options)
        terminal.wait_for(self.prompt.replace("> ", r"(\[\d+\])?> "))
        return terminal

    def run_in_terminal(self, *arguments, **options):
        terminal = Terminal("-p", str(self.server.port), *arguments, home=self.home, **options)
        self.addCleanup(terminal.close)
        return terminal

    def test_replies_are_printed_by_type(self):
        terminal = self.open()
        terminal.enter("SET greeting hello", "\r\nOK\r\n")
        terminal.enter("GET greeting", '\r\n"hello"\r\n')
        terminal.enter("GET none", r"\r\n\(nil\)\r\n")
        terminal.enter("STRLEN greeting", r"\r\n\(integer\) 5\r\n")
        terminal.enter("MGET greeting none", r'\r\n1\) "hello"\r\n2\) \(nil\)\r\n')
        terminal.enter("SCAN 0", r'\r\n1\) "0"\r\n2\) 1\) "greeting"\r\n')
        terminal.enter("KEYS nothing", r"\r\n\(empty array\)\r\n")
        terminal.enter("2 INCR n", r"\r\n\(integer\) 1\r\n\(integer\) 2\r\n")

    def test_errors_are_printed_and_the_prompt_comes_back(self):
        terminal = self.open()
        terminal.enter("NOSUCH command", r"\r\n\(error\) ERR unknown command 'NOSUCH'")
        terminal.wait_for(self.prompt)
        terminal.enter("SET text x", "OK")
        terminal.enter("INCR text", r"\r\n\(error\) ERR value is not an integer or out of range\r\n")
        terminal.enter('SET open "quote', r"\r\nInvalid argument\(s\)\r\n")
        terminal.enter("DBSIZE", r"\(integer\) 1\r\n")

    def test_quoting(self):
        terminal = self.open()
        terminal.enter(r'''SET "a key" "two\nlines \x00\xff \"q\""''', "OK")
        terminal.enter("SET 'single' 'it\\'s \\n'", "OK")
        client = self.client()
        self.assertEqual(client.command("GET", "a key"), b'two\nlines \x00\xff "q"')
        self.assertEqual(client.command("GET", "single"), b"it's \\n")
        terminal.enter('GET "a key"', re.escape(r'"two\nlines \x00\xff \"q\""'))

    def test_history(self):
        terminal = self.open()
        terminal.enter("INCR n", r"\(integer\) 1\r\n")
        terminal.wait_for(self.prompt)
        terminal.enter(UP, r"\(integer\) 2\r\n")
        terminal.enter("AUTH of no use", "error")
        terminal.enter("EXISTS n", r"\(integer\) 1\r\n")
        terminal.enter(UP + UP, r"\(integer\) 3\r\n")  # AUTH was not remembered
        terminal.type("exit\r")
        self.assertEqual(terminal.wait_exit(), 0)
        with open(os.path.join(self.home, ".verso_cli_history"), encoding="utf-8") as history:
            text = history.read()
        self.assertIn("INCR", text)
        self.assertNotIn("AUTH", text)
        terminal = self.open()  # another session finds the history of the first
        terminal.enter(UP + UP, r"\(integer\) 4\r\n")  # before `exit`

    def test_completion(self):
        self.client().command("SET", "k", "v", "EX", 1000)
        terminal = self.open()
        terminal.enter("expiret" + TAB + "k", r"\(integer\) \d{10}\r\n")  # EXPIRETIME k
        terminal.enter("CONFIG RESET" + TAB, "\r\nOK\r\n")
        terminal.type("INCR" + TAB)
        terminal.wait_for("INCR +INCRBY +INCRBYFLOAT")
        terminal.type(CTRL_U + "SETRANGE ")
        terminal.wait_for("key offset value")
        terminal.type(CTRL_U)
        terminal.enter("help getdel", r"GETDEL key\r\n +summary: ")

    def test_ways_out(self):
        for words in ("exit\r", "quit\r", "QUIT\r", CTRL_D):
            with self.subTest(words=words):
                terminal = self.open()
                terminal.type(words)
                self.assertEqual(terminal.wait_exit(), 0)

    def test_database_in_the_prompt(self):
        terminal = self.open("-n", "3")
        terminal.enter("SET k three", "OK")
        terminal.wait_for(r"\[3\]> ")
        terminal.enter("SELECT 0", "OK")
        terminal.wait_for(self.prompt)
        terminal.enter("EXISTS k", r"\(integer\) 0\r\n")
        terminal.enter("SELECT 4", "OK")
        terminal.wait_for(r"\[4\]> ")

    def test_a_restarted_server_is_found_again(self):
        with resp.Server() as server:
            self.prompt = f"127\\.0\\.0\\.1:{server.port}> "
            terminal = Terminal("-p", str(server.port), "-3", home=self.home)
            self.addCleanup(terminal.close)
            terminal.wait_for(self.prompt)
            terminal.enter("SELECT 2", "OK")
            terminal.enter("SET k v", "OK")
            terminal.enter("SAVE", "OK")
            terminal.wait_for(r"\[2\]> ")
            server.kill()
            terminal.enter("GET k", r"Could not connect to Verso at 127\.0\.0\.1:\d+: .*refused")
            terminal.wait_for("not connected> ")
            server.start()
            terminal.enter("GET k", '\r\n"v"\r\n')  # SELECT was repeated
            terminal.wait_for(r"\[2\]> ")
            terminal.enter("CONFIG GET port", r'1# "port" => "\d+"\r\n')  # and HELLO 3
            server.restart()
            terminal.enter("GET k", '\r\n"v"\r\n')  # the loss was seen before anything was sent

    def test_connect_to_another_server(self):
        with resp.Server() as other:
            with other.client() as client:
                client.command("SET", "where", "there")
            terminal = self.open()
            terminal.enter("GET where", r"\(nil\)\r\n")
            terminal.type(f"connect 127.0.0.1 {other.port}\r")
            terminal.wait_for(f"127\\.0\\.0\\.1:{other.port}> ")
            terminal.enter("GET where", '\r\n"there"\r\n')

    def test_resp3_is_shown_by_its_types(self):
        terminal = self.open("-3")
        terminal.enter("CONFIG GET maxmemory", r'\r\n1# "maxmemory" => "0"\r\n')
        terminal.enter("CLIENT INFO", r" resp=3 ")
        terminal = self.open()
        terminal.enter("CONFIG GET maxmemory", r'\r\n1\) "maxmemory"\r\n2\) "0"\r\n')

    def test_formats_at_the_terminal(self):
        self.client().command("MSET", "a", 'say "hi"', "b", "2")
        cases = (
            (["--raw", "MGET", "a", "b", "c"], 'say "hi"\r\n2\r\n\r\n'),
            (["MGET", "a", "b", "c"], '1) "say \\"hi\\""\r\n2) "2"\r\n3) (nil)\r\n'),
            (["--csv", "MGET", "a", "b", "c"], '"say \\"hi\\"","2",NULL\r\n'),
        )
        for arguments, expected in cases:
            with self.subTest(arguments=arguments):
                terminal = self.run_in_terminal(*arguments)
                self.assertEqual(terminal.wait_exit(), 0)
                self.assertEqual(terminal.everything, expected)
        terminal = self.run_in_terminal("--json", "CONFIG", "GET", "maxmemory")
        self.assertEqual(terminal.wait_exit(), 0)
        self.assertEqual(json.loads(terminal.everything), {"maxmemory": "0"})
        terminal = self.open("--csv")
        terminal.enter("MGET b none", '\r\n"2",NULL\r\n')

    def test_formats_in_a_pipe(self):
        self.client().command("MSET", "a", "1", "b", "x y")
        self.assertEqual(resp.cli(self.server.port, "MGET", "a", "b", "c"), b"1\nx y\n\n")
        self.assertEqual(resp.cli(self.server.port, "--no-raw", "GET", "b"), b'"x y"\n')
        self.assertEqual(resp.cli(self.server.port, "--csv", "MGET", "a", "c"), b'"1",NULL\n')
        self.assertEqual(json.loads(resp.cli(self.server.port, "--json", "MGET", "a", "c")), ["1", None])
        self.assertEqual(resp.cli(self.server.port, "-n", "1", "DBSIZE"), b"0\n")
        self.assertEqual(resp.cli(self.server.port, stdin=b"SET 'k 1' v\nGET 'k 1'\n"), b"OK\nv\n")

    def test_passwords(self):
        with resp.Server("--requirepass", "secret") as server:
            address = ("-p", str(server.port))

            def one_shot(*arguments, environment=None):
                terminal = Terminal(*address, *arguments, home=self.home, environment=environment)
                self.addCleanup(terminal.close)
                self.assertEqual(terminal.wait_exit(), 0)
                return terminal.everything

            self.assertIn("NOAUTH", one_shot("PING"))
            shown = one_shot("-a", "secret", "PING")
            self.assertRegex(shown, "^Warning: Using a password .*\r\nPONG\r\n$")
            self.assertEqual(one_shot("-a", "secret", "--no-auth-warning", "PING"), "PONG\r\n")
            self.assertEqual(one_shot("PING", environment={"REDISCLI_AUTH": "secret"}), "PONG\r\n")
            self.assertRegex(one_shot("-a", "wrong", "PING"), "AUTH failed: WRONGPASS")
            terminal = Terminal(*address, "--askpass", "PING", home=self.home)
            self.addCleanup(terminal.close)
            terminal.wait_for("Please input password: ")
            terminal.type("secret\r", edited=False)
            terminal.wait_for("PONG")
            self.assertNotIn("secret", terminal.everything)

    def test_pipe_mode(self):
        commands = b"".join(resp.encode(["SET", f"k:{i}", b"\r\n\0"]) for i in range(20_000))
        self.assertIn(b"errors: 0, replies: 20000\n", resp.cli(self.server.port, "--pipe", stdin=commands))
        self.assertEqual(self.client().command("DBSIZE"), 20_000)
        out = resp.cli(self.server.port, "--pipe", stdin=b"INCR k:1\nPING\n", check=False)
        self.assertIn(b"errors: 1, replies: 2\n", out)

    def fill(self):
        self.client().pipeline([("SET", f"k:{i}", b"x" * 1000) for i in range(20_000)])

    def test_bgsave_shows_a_bar_and_the_result(self):
        self.fill()
        terminal = self.open()
        terminal.type("bgsave --wait\r")
        terminal.wait_for(r"\[[#-]{30}\] +\d+\.\d%  ")
        terminal.wait_for(r"\rBGSAVE ok  \d+ pages  [\d.]+ [KM]?B  [\d.]+ s\r\n")
        terminal.wait_for(self.prompt)
        self.assertEqual(self.server.info("persistence")["rdb_bgsave_in_progress"], "0")
        self.client().command("SET", "k", "v")
        self.assertRegex(resp.cli(self.server.port, "bgsave", "--wait"), rb"(?m)^BGSAVE ok  \d+ pages")

    def test_scrub_tells_how_much_is_verified(self):
        self.assertEqual(resp.cli(self.server.port, "scrub"), b"no saved pages to verify: the data set began empty\n")
        with resp.Server() as server:
            server.client().pipeline([("SET", f"k:{i}", b"x" * 1000) for i in range(20_000)])
            server.client().command("SAVE")
            server.restart()
            told = resp.cli(server.port, "scrub", "--wait")
            self.assertRegex(told, rb"^(\d{4,}) of \1 saved pages verified, 100.0%\n$")
            self.assertEqual(resp.cli(server.port, "scrub"), told)

    def test_bgsave_tells_why_it_failed(self):
        with resp.Server() as server:
            with server.client() as client:
                client.command("SET", "k", "v")
            with open(os.path.join(server.directory, "store"), "w", encoding="utf-8"):
                pass  # a file where the folder of the store should be
            done = subprocess.run([resp.CLI_BINARY, "-p", str(server.port), "bgsave", "--wait"],
                                  capture_output=True, text=True, timeout=resp.SECONDS_MAX)
            self.assertEqual(done.returncode, 1)
            reason = server.info("persistence")["save_last_error"]
            self.assertNotEqual(reason, "")
            self.assertEqual(done.stderr, f"BGSAVE failed: {reason}\n")


if __name__ == "__main__":
    unittest.main()
