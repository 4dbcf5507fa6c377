"""Rows of bars.py for transactions: what beginning one costs, and what one costs beside plain
commands."""

import random
import time

import measured_server as ms

CONNECTIONS = 50
VALUE_BYTES = 64


def row_txn_begin(bench):
    """The server's own time for TXN BEGIN, each after a write, by its SLOWLOG; the best of some rounds counts, for
    what others do on the machine only adds to it."""
    keys = bench.keys(10_000_000)
    server = bench.server("verso")
    server.fill(keys, VALUE_BYTES)
    count, bar_us, most_us = 5000, 50, 1000
    seen = []
    with server.client() as client:
        client.command("CONFIG", "SET", "slowlog-max-len", 2 * count, "slowlog-log-slower-than", bar_us)
        for _ in range(bench.options.rounds):
            client.command("SLOWLOG", "RESET")
            for number in range(count):
                client.pipeline([("SET", f"written:{number}", "x"), ("TXN", "BEGIN"), ("TXN", "ABORT")])
            slow = [entry[2] for entry in client.command("SLOWLOG", "GET", -1) if entry[3][:2] == [b"TXN", b"BEGIN"]]
            seen.append((len(slow) / count, max(slow, default=bar_us)))
    share, worst_us = min(seen)
    bench.add(f"TXN BEGIN slower than {bar_us} us, {keys:,} keys", f"{share:.2%}", "", "at most 1 %", share <= 0.01)
    bench.add("the slowest of them", f"{worst_us} us", "", f"at most {most_us} us", worst_us <= most_us)
    server.stop()


class Script:
    """What one connection sends again and again: the same six commands, by themselves or in a transaction."""

    def __init__(self, server, keys, seed, inside):
        self.client = server.client()
        self.keys, self.random, self.inside = keys, random.Random(seed), inside
        self.conflicts = 0

    def commands(self):
        key = lambda: f"key:{self.random.randrange(self.keys):012}"  # noqa: E731
        six = [("GET", key()) for _ in range(4)] + [("SET", key(), "y" * VALUE_BYTES) for _ in range(2)]
        return [("TXN", "BEGIN"), *six, ("TXN", "COMMIT")] if self.inside else six


def run_scripts(server, keys, inside, seconds):
    """Rounds of one script each, all connections a command at a time. Server CPU per script, share of conflicts."""
    scripts = [Script(server, keys, seed, inside) for seed in range(CONNECTIONS)]
    done = conflicts = 0
    cpu = ms.schedule_of(server.pid)[0]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rounds = [script.commands() for script in scripts]
        for at in range(len(rounds[0])):
            for script, commands in zip(scripts, rounds):
                script.client.socket.sendall(ms.resp.encode(commands[at]))
            for script in scripts:
                reply = script.client.read()
                if isinstance(reply, ms.resp.Error):
                    if reply.code != "TXNCONFLICT":
                        raise reply
                    conflicts += 1
        done += len(scripts)
    cpu = ms.schedule_of(server.pid)[0] - cpu
    for script in scripts:
        script.client.close()
    return cpu / done, conflicts / done


def row_txn(bench):
    """50 connections, read 4 and write 2 of a million keys: in transactions, and as plain commands."""
    keys = bench.keys(1_000_000)
    server = bench.server("verso")
    server.fill(keys, VALUE_BYTES)
    plain, txn, conflicts = [], [], []
    for _ in range(bench.options.rounds):
        plain.append(run_scripts(server, keys, False, 4)[0])
        cost, share = run_scripts(server, keys, True, 4)
        txn.append(cost)
        conflicts.append(share)
    ratio = min(plain) / min(txn)
    bench.add("six commands as a TXN against by themselves", f"{ratio:.2f}", "", "at least 0.5", ratio >= 0.5,
              f"{min(txn) * 1e6:.1f} and {min(plain) * 1e6:.1f} us of server CPU")
    share = max(conflicts)
    bench.add(f"of these conflicts, {keys:,} keys", f"{share:.3%}", "", "under 0.1 %", share < 0.001)
    server.stop()


ROWS = {
    "txn-begin": row_txn_begin,  # time of the server for TXN BEGIN
    "txn": row_txn,              # processor time of transactions beside plain commands
}
