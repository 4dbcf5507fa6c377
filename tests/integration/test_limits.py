"""Limits on clients: how many, how long idle, how much they may leave unread."""

import resource
import signal
import time
import unittest

import resp


class Limits(unittest.TestCase):
    def test_maxclients(self):
        with resp.Server("--maxclients", "5") as server:
            clients = [server.client() for _ in range(5)]
            for client in clients:
                self.assertEqual(client.command("PING"), b"PONG")
            one_more = server.client()
            self.assertEqual(str(one_more.read()), "ERR max number of clients reached")
            self.assertTrue(one_more.is_closed_by_server())
            clients[0].close()
            deadline = time.monotonic() + resp.SECONDS_MAX
            while True:
                reply = None
                client = server.client()
                try:
                    client.send_raw(resp.encode(["PING"]))
                    reply = client.read()
                except (ConnectionError, EOFError):
                    pass
                if reply == b"PONG":
                    break
                self.assertLess(time.monotonic(), deadline)

    def test_idle_clients_are_ended(self):
        with resp.Server("--timeout", "1") as server:
            idle = server.client()
            idle.command("PING")
            self.assertTrue(idle.is_closed_by_server())
            self.assertEqual(server.client().command("PING"), b"PONG")

    def test_query_buffer_limit(self):
        with resp.Server("--client-query-buffer-limit", "1mb") as server:
            client = server.client()
            try:
                client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n" + b"x" * 2500000)
                self.assertTrue(client.is_closed_by_server())
            except ConnectionError:
                pass
            self.assertEqual(server.client().command("EXISTS", "k"), 0)
            self.assertEqual(server.info("stats")["client_query_buffer_limit_disconnections"], "1")

    def test_output_buffer_limit(self):
        with resp.Server("--client-output-buffer-limit", "normal", "1mb", "0", "0") as server:
            client = server.client()
            client.command("SET", "k", "x" * 60000)
            client.send_raw(resp.encode(["GET", "k"]) * 500)
            deadline = time.monotonic() + resp.SECONDS_MAX
            while server.info("stats")["client_output_buffer_limit_disconnections"] != "1":
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)

    def test_many_idle_connections_take_no_private_memory(self):
        count = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
        with resp.Server("--maxclients", str(count + 100)) as server:
            for _ in range(count):
                client = server.client()
                client.send_raw(resp.encode(["PING"]))
            for client in server.clients[-count:]:
                self.assertEqual(client.read(), b"PONG")
            info = server.info()
            self.assertGreaterEqual(int(info["connected_clients"]), count)
            if not resp.SANITIZED:
                self.assertLess(int(info["private_memory"]), 20 << 20)
            # Less than 1 KiB for each connection, and no buffers for those that are idle.
            self.assertLess(int(info["mem_clients_normal"]), count * 1024 + (4 << 20))

    def test_signals(self):
        with resp.Server() as server:
            server.process.send_signal(signal.SIGHUP)
            self.assertEqual(server.client().command("PING"), b"PONG")
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(resp.SECONDS_MAX), 0)


if __name__ == "__main__":
    unittest.main()
