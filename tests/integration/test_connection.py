"""HELLO, AUTH, SELECT, RESET, QUIT and CLIENT."""

import unittest

import resp


def fields(line):
    return dict(field.split("=", 1) for field in line.decode().split())


class Connection(resp.ServerCase):
    def test_hello(self):
        client = self.client()
        reply = client.command("HELLO", "3", "SETNAME", "me")
        self.assertEqual(reply[b"server"], b"redis")
        self.assertEqual(reply[b"mode"], b"standalone")
        self.assertEqual(client.command("CLIENT", "GETNAME"), b"me")
        for words, error in (
            (["HELLO", "4"], "NOPROTO unsupported protocol version"),
            (["HELLO", "x"], "ERR Protocol version is not an integer or out of range"),
            (["HELLO", "3", "NOSUCH"], "ERR Syntax error in HELLO option 'NOSUCH'"),
        ):
            with self.assertRaises(resp.Error) as caught:
                client.command(*words)
            self.assertEqual(str(caught.exception), error)

    def test_select_and_reset(self):
        client = self.client()
        client.command("SET", "k", "zero")
        client.command("SELECT", "3")
        self.assertIsNone(client.command("GET", "k"))
        client.command("HELLO", "3")
        self.assertEqual(client.command("RESET"), b"RESET")
        self.assertEqual(client.command("GET", "k"), b"zero")
        self.assertIsNone(client.command("GET", "none"))
        self.assertEqual(client.raw, b"$-1\r\n")
        for index in ("16", "-1"):
            with self.assertRaisesRegex(resp.Error, "^ERR DB index is out of range$"):
                client.command("SELECT", index)
        with self.assertRaisesRegex(resp.Error, "^ERR value is not an integer or out of range$"):
            client.command("SELECT", "x")

    def test_quit(self):
        client = self.client()
        client.send_raw(resp.encode(["QUIT"]) + resp.encode(["SET", "after", "quit"]))
        self.assertEqual(client.read(), b"OK")
        self.assertTrue(client.is_closed_by_server())
        self.assertEqual(self.client().command("EXISTS", "after"), 0)

    def test_client_list_and_info(self):
        client = self.client()
        client.command("CLIENT", "SETNAME", "first")
        client.command("CLIENT", "SETINFO", "LIB-NAME", "lib")
        client.command("CLIENT", "SETINFO", "lib-ver", "1.2")
        other = self.client()
        number = client.command("CLIENT", "ID")
        mine = fields(client.command("CLIENT", "INFO"))
        self.assertEqual(int(mine["id"]), number)
        self.assertEqual((mine["name"], mine["lib-name"], mine["lib-ver"]), ("first", "lib", "1.2"))
        self.assertEqual(mine["cmd"], "client|info")
        lines = other.command("CLIENT", "LIST").splitlines()
        self.assertIn(number, [int(fields(line)["id"]) for line in lines])
        lines = other.command("CLIENT", "LIST", "ID", number).splitlines()
        self.assertEqual([fields(line)["name"] for line in lines], ["first"])
        self.assertEqual(other.command("CLIENT", "LIST", "TYPE", "pubsub"), b"")
        for bad in ("with space", "new\nline"):
            with self.assertRaisesRegex(resp.Error, "^ERR Client names cannot contain"):
                client.command("CLIENT", "SETNAME", bad)

    def test_client_kill(self):
        client, victim = self.client(), self.client()
        number = victim.command("CLIENT", "ID")
        self.assertEqual(client.command("CLIENT", "KILL", "ID", number), 1)
        self.assertTrue(victim.is_closed_by_server())
        self.assertEqual(client.command("CLIENT", "KILL", "ID", number), 0)
        with self.assertRaisesRegex(resp.Error, "^ERR No such client$"):
            client.command("CLIENT", "KILL", "1.2.3.4:5")
        own = client.command("CLIENT", "ID")
        self.assertEqual(client.command("CLIENT", "KILL", "ID", own), 0)
        self.assertEqual(client.command("CLIENT", "KILL", "ID", own, "SKIPME", "no"), 1)
        self.assertTrue(client.is_closed_by_server())

    def test_client_reply(self):
        client = self.client()
        client.send_raw(
            resp.encode(["CLIENT", "REPLY", "OFF"]) + resp.encode(["SET", "k", "1"])
            + resp.encode(["CLIENT", "REPLY", "ON"]) + resp.encode(["GET", "k"])
            + resp.encode(["CLIENT", "REPLY", "SKIP"]) + resp.encode(["GET", "k"])
            + resp.encode(["PING"]))
        self.assertEqual([client.read() for _ in range(3)], [b"OK", b"1", b"PONG"])

    def test_command_family(self):
        client = self.client()
        count = client.command("COMMAND", "COUNT")
        self.assertEqual(len(client.command("COMMAND")), count)
        names = client.command("COMMAND", "LIST")
        self.assertEqual(len([name for name in names if b"|" not in name]), count)
        self.assertIn(b"client|id", names)
        self.assertEqual(client.command("ROLE"), [b"master", 0, []])
        self.assertEqual(client.command("MODULE", "LIST"), [])
        get = client.command("COMMAND", "INFO", "get")[0]
        self.assertEqual(get[:2] + get[3:6], [b"get", 2, 1, 1, 1])
        self.assertEqual(set(get[2]), {b"readonly", b"fast"})
        self.assertEqual(set(get[6]), {b"@read", b"@string", b"@fast"})
        self.assertEqual(client.command("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"), [b"a", b"b"])
        stored = client.command("COMMAND", "INFO", "zunionstore")[0]
        self.assertEqual(stored[3:6], [1, 1, 1])
        self.assertEqual(stored[8][1][4:], [b"find_keys", [b"type", b"keynum", b"spec",
                                            [b"keynumidx", 0, b"firstkey", 1, b"keystep", 1]]])
        read = client.command("COMMAND", "INFO", "xread")[0]
        self.assertEqual(read[3:6], [0, 0, 0])
        self.assertEqual(read[8][0][3], [b"type", b"keyword", b"spec", [b"keyword", b"STREAMS", b"startfrom", 1]])
        self.assertEqual(client.command("COMMAND", "GETKEYS", "SORT", "a", "STORE", "b", "store", "c"),
                         [b"a", b"c"])
        self.assertEqual(client.command("COMMAND", "GETKEYS", "XREAD", "STREAMS", "a", "b", "0", "0"), [b"a", b"b"])
        for wrong in (("ZUNION", "3", "a", "b"), ("ZUNION", "x", "a"), ("XREAD", "BLOCK", "1", "a")):
            with self.assertRaisesRegex(resp.Error, "^ERR Invalid arguments specified for command$"):
                client.command("COMMAND", "GETKEYS", *wrong)
        self.assertIn(b"get", client.command("COMMAND", "LIST", "FILTERBY", "ACLCAT", "string"))
        docs = client.command("COMMAND", "DOCS", "set")
        self.assertEqual(docs[0], b"set")
        self.assertEqual(client.command("COMMAND", "INFO", "nosuch"), [None])
        with self.assertRaisesRegex(resp.Error, "^ERR The command has no key arguments$"):
            client.command("COMMAND", "GETKEYS", "PING")


class Password(resp.ServerCase):
    arguments = ("--requirepass", "secret")

    def setUp(self):
        pass

    def test_auth(self):
        client = self.client()
        for words in (["GET", "k"], ["PING"], ["CONFIG", "GET", "*"]):
            with self.assertRaisesRegex(resp.Error, "^NOAUTH Authentication required.$"):
                client.command(*words)
        for words in (["AUTH", "wrong"], ["AUTH", "nobody", "secret"], ["HELLO", "3", "AUTH", "default", "x"]):
            with self.assertRaisesRegex(resp.Error, "^WRONGPASS "):
                client.command(*words)
        with self.assertRaisesRegex(resp.Error, "^NOAUTH HELLO must be called"):
            client.command("HELLO", "3")
        client.command("AUTH", "secret")
        self.assertEqual(client.command("PING"), b"PONG")
        client.command("RESET")
        with self.assertRaisesRegex(resp.Error, "^NOAUTH"):
            client.command("PING")
        client.command("HELLO", "3", "AUTH", "default", "secret")
        self.assertEqual(client.command("PING"), b"PONG")

    def test_strangers_have_small_limits(self):
        for data, text in ((b"*11\r\n", "unauthenticated multibulk length"),
                           (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length")):
            client = self.client()
            client.send_raw(data)
            self.assertEqual(str(client.read()), "ERR Protocol error: " + text)
            self.assertTrue(client.is_closed_by_server())

    def test_auth_and_more_in_one_write(self):
        client = self.client()
        client.send_raw(resp.encode(["AUTH", "secret"]) + resp.encode(["MSET"] + ["k"] * 40))
        self.assertEqual([client.read(), client.read()], [b"OK", b"OK"])


if __name__ == "__main__":
    unittest.main()
