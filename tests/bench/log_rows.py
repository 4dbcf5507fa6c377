"""Rows of bars.py for the operation log: what it costs, under each policy."""

import os
import statistics

CONNECTIONS = 50
KEYS = 1_000_000
VALUE_BYTES = 64
SECONDS = 5


def on_both_cpus(server):
    """The log is written by threads of its own: on one CPU they would stand in the loop's way."""
    for thread in os.listdir(f"/proc/{server.pid}/task"):
        os.sched_setaffinity(int(thread), {0, 1})


def rates(server, keys, **options):
    report = server.load("sat", op="set", conns=CONNECTIONS, keys=keys, value=VALUE_BYTES, secs=SECONDS, **options)
    return report["done"] / SECONDS


def row_log_everysec(bench):
    """SETs in batches of 16, without a log and with one, in turns."""
    keys = bench.keys(KEYS)
    servers = {}
    for name, policy in (("none", ("--appendonly", "no")), ("everysec", ("--appendonly", "yes"))):
        servers[name] = bench.server("verso", *policy)
        on_both_cpus(servers[name])
        servers[name].fill(keys, VALUE_BYTES)
    seen = {name: [] for name in servers}
    for _ in range(bench.options.rounds):
        for name, server in servers.items():
            seen[name].append(rates(server, keys, window=16, batch=1))
    for server in servers.values():
        server.stop()
    none, log = (statistics.median(seen[name]) for name in ("none", "everysec"))
    bench.add("SET/s with everysec, of that without a log, P=16", f"{log / none:.2f}", "", "at least 0.85",
              log / none >= 0.85, f"{log:,.0f} of {none:,.0f}")


def row_log_always(bench):
    """50 connections, one SET at a time, each reply after the disk has it."""
    keys = bench.keys(100_000)
    servers = {}
    for name in ("redis", "verso"):
        servers[name] = bench.server(name, "--appendonly", "yes", "--appendfsync", "always")
        on_both_cpus(servers[name])
    seen = {name: [] for name in servers}
    for _ in range(bench.options.rounds):
        for name, server in servers.items():
            seen[name].append(rates(server, keys, window=1))
    for server in servers.values():
        server.stop()
    redis, verso = (statistics.median(seen[name]) for name in ("redis", "verso"))
    bench.add("SET/s with always, 50 connections", f"{verso:,.0f}", f"{redis:,.0f}", "at least 1.5 x",
              verso >= 1.5 * redis, f"{verso / redis:.2f} x")


ROWS = {
    "log-everysec": row_log_everysec,
    "log-always": row_log_always,
}
