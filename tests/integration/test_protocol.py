"""The wire: what arrives in odd pieces, what is malformed, what is hostile."""

import os
import socket
import time
import unittest

import resp


class Protocol(resp.ServerCase):
    def raw(self):
        client = self.client()
        return client, client.socket

    def reply_to(self, data):
        client, _ = self.raw()
        client.send_raw(data)
        return client.read()

    def test_inline_commands(self):
        client, _ = self.raw()
        client.send_raw(b'SET k "a\\x41 b"\r\nGET k\nPING\r\n\r\nECHO \'it\\\'s\'\r\n')
        self.assertEqual([client.read() for _ in range(4)], [b"OK", b"aA b", b"PONG", b"it's"])

    def test_one_byte_at_a_time(self):
        client, _ = self.raw()
        for byte in resp.encode(["SET", "k", "value"]) + resp.encode(["GET", "k"]):
            client.send_raw(bytes([byte]))
        self.assertEqual([client.read(), client.read()], [b"OK", b"value"])

    def test_long_pipeline(self):
        client, _ = self.raw()
        count = 20000
        replies = client.pipeline([["SET", f"k{i}", f"v{i}"] for i in range(count)])
        self.assertEqual(replies, [b"OK"] * count)
        replies = client.pipeline([["GET", f"k{i}"] for i in range(count)])
        self.assertEqual(replies, [b"v%d" % i for i in range(count)])

    def test_malformed_requests_end_the_connection(self):
        cases = {
            b"*a\r\n": "Protocol error: invalid multibulk length",
            b"*1048577\r\n": "Protocol error: invalid multibulk length",
            b"*1\r\nfoo\r\n": "Protocol error: expected '$', got 'f'",
            b"*1\r\n$-5\r\n": "Protocol error: invalid bulk length",
            b"*1\r\n$999999999999\r\n": "Protocol error: invalid bulk length",
            b'SET "k\r\n': "Protocol error: unbalanced quotes in request",
            b"x" * 70000: "Protocol error: too big inline request",
        }
        for data, text in cases.items():
            with self.subTest(data=data[:20]):
                client, _ = self.raw()
                client.send_raw(resp.encode(["PING"]) + data)
                self.assertEqual(client.read(), b"PONG")
                self.assertEqual(str(client.read()), "ERR " + text)
                self.assertTrue(client.is_closed_by_server())

    def test_empty_requests_have_no_reply(self):
        client, _ = self.raw()
        client.send_raw(b"*0\r\n\r\n*-1\r\n" + resp.encode(["PING"]))
        self.assertEqual(client.read(), b"PONG")

    def test_http_is_cut_off(self):
        for data in (b"POST / HTTP/1.1\r\nSET canary x\r\n", b"GET canary\r\nHost: x\r\nSET canary x\r\n"):
            client, _ = self.raw()
            client.send_raw(data)
            received = b""
            try:
                while chunk := client.socket.recv(4096):
                    received += chunk
            except ConnectionResetError:
                pass
            self.assertIsNone(self.client().command("GET", "canary"))

    def test_big_value_both_ways(self):
        value = os.urandom(1 << 20) * 40
        client = self.client()
        self.assertEqual(client.command("SET", "big", value), b"OK")
        self.assertEqual(client.command("STRLEN", "big"), len(value))
        self.assertEqual(client.command("GET", "big"), value)
        # Its input and output buffers are gone afterwards.
        info = client.command("CLIENT", "INFO").decode()
        fields = dict(field.split("=", 1) for field in info.split())
        self.assertLess(int(fields["tot-mem"]), 100_000)

    def test_announced_but_not_sent_takes_no_memory(self):
        before = self.info("memory")
        clients = [self.client() for _ in range(20)]
        for client in clients:
            client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc")
        self.assertEqual(self.client().command("PING"), b"PONG")
        after = self.info("memory")
        grown = int(after["used_memory_rss"]) - int(before["used_memory_rss"])
        self.assertLess(grown, 20 << 20)

    def info(self, section):
        text = self.client().command("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)

    def test_resp3_shapes(self):
        client = self.client(protocol=3)
        hello = client.command("HELLO")
        self.assertEqual(hello[b"proto"], 3)
        self.assertEqual(client.command("GET", "none"), None)
        self.assertEqual(client.raw, b"_\r\n")
        self.assertIsInstance(client.command("CONFIG", "GET", "port"), dict)
        self.assertIsInstance(client.command("INFO", "server"), bytes)
        self.assertTrue(client.raw.startswith(b"="))
        self.assertEqual(client.command("HELLO", "2")[:2], [b"server", b"redis"])

    def test_a_reader_that_stops_is_not_served_on(self):
        # 2 GiB of replies are asked for and none is read: the server must neither hold them nor stop serving others.
        client = self.client()
        client.command("SET", "big", b"x" * (1 << 20))
        stuck = self.client()
        stuck.socket.setblocking(False)
        request = resp.encode(["GET", "big"]) * 2048
        try:
            stuck.socket.send(request)
        except BlockingIOError:
            pass
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            self.assertEqual(client.command("PING"), b"PONG")
        self.assertLess(int(self.info("memory")["mem_clients_normal"]), 70 << 20)
        stuck.close()


if __name__ == "__main__":
    unittest.main()
