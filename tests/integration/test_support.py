#!/usr/bin/python3
"""The tests' own RESP client: every reply type, split at every byte, and what is no RESP."""

import socket
import threading
import unittest

import resp


class Codec(unittest.TestCase):
    """Feeds bytes through a socket pair, in pieces of a chosen size."""

    def read(self, data, piece=1 << 20, count=1):
        ours, theirs = socket.socketpair()
        client = resp.Client.__new__(resp.Client)
        client.socket, client.buffer, client.pushes, client.raw = ours, bytearray(), [], b""
        ours.settimeout(resp.SECONDS_MAX)

        def feed():
            for start in range(0, len(data), piece):
                theirs.sendall(data[start:start + piece])
            theirs.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            values = [client.read() for _ in range(count)]
        finally:
            feeder.join()
            ours.close()
        self.pushes = client.pushes
        self.assertEqual(bytes(client.buffer), b"", "bytes were left over")
        return values[0] if count == 1 else values

    def test_every_type_in_any_pieces(self):
        cases = [
            (b"+OK\r\n", b"OK"),
            (b"-ERR no\r\n", resp.Error("ERR no")),
            (b"!6\r\nERR no\r\n", resp.Error("ERR no")),
            (b":-12\r\n", -12),
            (b"(123456789012345678901234567890\r\n", 123456789012345678901234567890),
            (b"$5\r\na\r\nbc\r\n", b"a\r\nbc"),
            (b"$0\r\n\r\n", b""),
            (b"$-1\r\n", None),
            (b"*-1\r\n", None),
            (b"_\r\n", None),
            (b"=7\r\ntxt:abc\r\n", b"abc"),
            (b",1.5\r\n", 1.5),
            (b",inf\r\n", float("inf")),
            (b"#t\r\n", True),
            (b"#f\r\n", False),
            (b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", [1, [b"x"]]),
            (b"*0\r\n", []),
            (b"~2\r\n:1\r\n:2\r\n", {1, 2}),
            (b"~1\r\n*0\r\n", [[]]),
            (b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*0\r\n", {b"a": 1, b"b": []}),
            (b"|1\r\n+ttl\r\n:3\r\n:7\r\n", 7),
        ]
        for data, expected in cases:
            for piece in (1, 2, 1000):
                with self.subTest(data=data, piece=piece):
                    value = self.read(data, piece)
                    self.assertEqual(value, expected)
                    self.assertIs(type(value) is bool, type(expected) is bool)

    def test_simple_strings_differ_from_bulk_strings(self):
        self.assertIsInstance(self.read(b"+a\r\n"), resp.Simple)
        self.assertNotIsInstance(self.read(b"$1\r\na\r\n"), resp.Simple)

    def test_pushes_are_kept_apart(self):
        self.assertEqual(self.read(b":1\r\n>2\r\n+m\r\n:5\r\n:2\r\n", count=2), [1, 2])
        self.assertEqual(self.pushes, [[b"m", 5]])

    def test_what_is_no_resp(self):
        for data in (b"OK\r\n", b"#x\r\n", b"$1\r\nabc\r\n"):
            with self.subTest(data=data):
                with self.assertRaises(resp.ProtocolError):
                    self.read(data)
        with self.assertRaises(ConnectionError):
            self.read(b"$5\r\nab")

    def test_encode(self):
        self.assertEqual(resp.encode(["SET", b"k\r\n", 5]),
                         b"*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$1\r\n5\r\n")
        self.assertEqual(resp.encode([1.5]), b"*1\r\n$3\r\n1.5\r\n")


if __name__ == "__main__":
    unittest.main()
