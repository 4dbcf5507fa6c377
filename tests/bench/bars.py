#!/usr/bin/python3
"""The bars that Verso has to hold, measured against Debian's redis-server in one run.

    bars.py [ROW ...] [--gb 1,5,10] [--scale 1.0] [--rounds 3]

Rows (default: all): see ROWS at the end, or README.md beside this file. Prints a table; the exit status
is 1 if a bar is not held. Binaries: $VERSO_SERVER, $VERSO_PINS_BENCH, else those under build/release/bin.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import log_rows  # noqa: E402
import measured_server as ms  # noqa: E402
import pin_rows  # noqa: E402
import restart_rows  # noqa: E402
import txn_rows  # noqa: E402
import type_rows  # noqa: E402
import version_rows  # noqa: E402
from measured_server import resp  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LEAD_SECONDS = 3.0     # of load before a save, for comparison
BUSY_SHARE_MAX = 0.03  # of the time the server waited for its CPU: above, the machine is not quiet
IDLE_CONNECTIONS = 10_000


class Bench:
    def __init__(self, options, work):
        self.options = options
        self.work = work
        self.load_binary = os.path.join(work, "load")
        subprocess.run(["cc", "-O2", "-o", self.load_binary, os.path.join(HERE, "load.c")], check=True)
        self.servers = []
        self.table = []

    def keys(self, count):
        return max(10_000, int(count * self.options.scale))

    def server(self, name, *arguments, binary=None):
        server = ms.MeasuredServer(name, self.load_binary, self.work, binary)
        self.servers.append(server)
        return server.start(*arguments)

    def each(self):
        """Both servers, one after the other, each alone on the machine; Redis first."""
        for name in ("verso",) if self.options.alone else ("redis", "verso"):
            server = self.server(name)
            yield name, server
            server.stop()

    def add(self, what, ours, theirs, bar, held, note=""):
        """ours, theirs, bar: texts. held: None if there is nothing to hold."""
        self.table.append((what, ours, theirs, bar, "" if held is None else "yes" if held else "NO", note))
        log("  " + " | ".join(self.table[-1]))

    def close(self):
        for server in self.servers:
            server.stop()


def log(text):
    print(text, file=sys.stderr, flush=True)


def megabytes(count):
    return "" if count is None else f"{count / 1e6:.1f} MB"


def milliseconds(value):
    return "" if value is None else f"{value:.2f} ms"


class LoadedSave:
    """One BGSAVE under a load: what the clients, the kernel and the server itself say about it."""

    def __init__(self, bench, server, mode, samples_memory=False, **load):
        timeline = os.path.join(bench.work, "timeline")
        if mode == "rate" or bench.options.first:
            server.put_first()
        process = server.start_load(mode, interval=10, timeline=timeline, **load)
        time.sleep(LEAD_SECONDS)
        self.info_before = server.info()
        with ms.ChildWatch(server, samples_memory) as watch, server.client() as client:
            lead = ms.schedule_of(server.pid)
            lead_at = time.monotonic()
            time.sleep(LEAD_SECONDS / 3)
            begin, at_begin = time.monotonic(), ms.schedule_of(server.pid)
            client.command("BGSAVE")
            time.sleep(max(0.0, begin + 0.5 - time.monotonic()))
            half, at_half = time.monotonic(), ms.schedule_of(server.pid)
            self.info = server.wait_saved()
            end, at_end = time.monotonic(), ms.schedule_of(server.pid)
        time.sleep(0.3)
        ms.terminate(process)
        self.report = server.finish_load(process)
        seen = ms.Timeline(self.report, timeline)
        self.seconds = end - begin
        self.worst_before = seen.worst_ms(begin - LEAD_SECONDS, begin - 0.1)
        self.worst_near = seen.worst_ms(begin - 0.1, begin + 0.5)
        self.worst_during = seen.worst_ms(begin - 0.1, end)
        self.pin_fork_ms = (int(self.info["latest_fork_usec"]) + int(self.info.get("save_pin_usec", 0))) / 1000
        self.memory_extra = watch.memory_most - watch.memory_before
        # Requests per second, and per second that the server had its CPU.
        spans = {"before": (lead_at, begin, lead, at_begin), "half": (begin, half, at_begin, at_half),
                 "save": (begin, end, at_begin, at_end)}
        self.rate, self.rate_cpu, self.busy = {}, {}, {}
        for name, (start, stop, cpu_start, cpu_stop) in spans.items():
            done = seen.done(start, stop)
            self.rate[name] = done / (stop - start)
            self.rate_cpu[name] = done / max(1e-9, cpu_stop[0] - cpu_start[0])
            self.busy[name] = (cpu_stop[1] - cpu_start[1]) / (stop - start)

    def ratio(self, span):
        return self.rate[span] / max(1e-9, self.rate["before"])

    def ratio_cpu(self, span):
        return self.rate_cpu[span] / max(1e-9, self.rate_cpu["before"])


def row_fork(bench):
    """Several saves: what the server does itself shows in each of them, what its neighbours do does not."""
    for gigabytes in bench.options.gb:
        seen = {}
        for name, server in bench.each():
            keys = server.fill_gigabytes(gigabytes, 1024)
            seen[name] = [LoadedSave(bench, server, "rate", op="set", rate=1000, keys=keys, value=1024, fifo=1)
                          for _ in range(bench.options.rounds)]

        def figures(field):
            return ", ".join(f"{getattr(save, field):.2f}" for save in seen["verso"])

        fork = {name: statistics.median(save.pin_fork_ms for save in saves) for name, saves in seen.items()}
        worst = {name: min(save.worst_near for save in saves) for name, saves in seen.items()}
        bench.add(f"pin + fork at {gigabytes:g} GB", milliseconds(fork["verso"]), milliseconds(fork.get("redis")),
                  "under 1 ms", fork["verso"] < 1, figures("pin_fork_ms"))
        bench.add(f"worst request near BGSAVE, {gigabytes:g} GB", milliseconds(worst["verso"]),
                  milliseconds(worst.get("redis")), "under 5 ms", worst["verso"] < 5,
                  f"{figures('worst_near')}; before it {figures('worst_before')}; whole save {figures('worst_during')}")


def row_private(bench):
    gigabytes = max(bench.options.gb)
    full, idle, fork = {}, {}, {}
    for name, server in bench.each():
        server.fill_gigabytes(gigabytes, 1024)
        full[name] = ms.private_bytes(server.pid)
        clients = [server.client() for _ in range(IDLE_CONNECTIONS)]
        for client in clients:
            client.command("PING")
        idle[name] = ms.private_bytes(server.pid)
        info = server.save()
        fork[name] = (int(info["latest_fork_usec"]) + int(info.get("save_pin_usec", 0))) / 1000
        if name == "verso":
            said = int(info["private_memory"])
        for client in clients:
            client.close()
    bench.add(f"private memory at {gigabytes:g} GB", megabytes(full["verso"]), megabytes(full.get("redis")),
              "under 20 MB", full["verso"] < 20e6)
    bench.add(f"the same with {IDLE_CONNECTIONS:,} idle connections", megabytes(idle["verso"]),
              megabytes(idle.get("redis")), "under 20 MB", idle["verso"] < 20e6, f"INFO says {megabytes(said)} anonymous")
    bench.add("pin + fork then", milliseconds(fork["verso"]), milliseconds(fork.get("redis")), "under 2 ms",
              fork["verso"] < 2)


def row_stall(bench):
    gigabytes = min(bench.options.gb)
    seen = {}
    for name, server in bench.each():
        keys = server.fill_gigabytes(gigabytes, 256)
        seen[name] = LoadedSave(bench, server, "sat", op="set", window=32, keys=keys, value=256, fifo=1)
    ours, theirs = seen["verso"], seen["redis"]
    for span, what, bar in (("save", "SETs per second, during / before the save", 0.9),
                            ("half", "the same, its first half second", 0.7)):
        busy = max(ours.busy[span], ours.busy["before"]) > BUSY_SHARE_MAX
        judged = ours.ratio_cpu(span) if busy else ours.ratio(span)
        bench.add(f"{what}, {gigabytes:g} GB", f"{ours.ratio(span):.2f}", f"{theirs.ratio(span):.2f}", f"at least {bar}",
                  judged >= bar,
                  f"per CPU second {ours.ratio_cpu(span):.2f} and {theirs.ratio_cpu(span):.2f}; "
                  + (f"others had its CPU {ours.busy[span]:.0%} of the time, so this was judged; " if busy else "")
                  + f"before: {ours.rate['before']:,.0f} and {theirs.rate['before']:,.0f}; "
                  f"save {ours.seconds:.1f} and {theirs.seconds:.1f} s")


def row_save_memory(bench):
    gigabytes = min(bench.options.gb)
    share, seen = {}, {}
    for name, server in bench.each():
        keys = server.fill_gigabytes(gigabytes, 256)
        before = ms.memory_bytes(server.pid)
        seen[name] = LoadedSave(bench, server, "rate", samples_memory=True, op="set", rate=10_000, keys=keys,
                                value=256, fifo=1)
        share[name] = seen[name].memory_extra / before
    bench.add(f"extra memory of a save under 10,000 SETs/s, {gigabytes:g} GB", f"{share['verso']:.1%}",
              f"{share['redis']:.1%}", "at most 25 %", share["verso"] <= 0.25,
              f"saves of {seen['verso'].seconds:.1f} and {seen['redis'].seconds:.1f} s; "
              f"{megabytes(seen['verso'].memory_extra)} and {megabytes(seen['redis'].memory_extra)}")


def row_key_bytes(bench):
    keys = bench.keys(1_000_000)
    bars = {16: 60, 64: 115, 200: 16 + 200 + 64, 256: 320, 300: 16 + 300 + 64, 1000: 16 + 1000 + 64, 1024: 1150}
    for value, bar in bars.items():
        used, exact = {}, {}
        for name, server in bench.each():
            time.sleep(0.5)  # a server that prepares memory ahead of need has done it by then
            before, info = ms.memory_bytes(server.pid), server.info()
            server.fill(keys, value)
            time.sleep(1)
            used[name] = (ms.memory_bytes(server.pid) - before) / keys
            exact[name] = (int(server.info()["used_memory"]) - int(info["used_memory"])) / keys
        bench.add(f"bytes per key, 16-byte key, {value}-byte value", f"{used['verso']:.1f}", f"{used['redis']:.1f}",
                  f"at most {bar}", used["verso"] <= bar,
                  f"resident; used_memory {exact['verso']:.1f} and {exact['redis']:.1f}; {keys:,} keys")


def row_cpu(bench):
    keys = bench.keys(1_000_000)
    servers = {name: bench.server(name) for name in ("redis", "verso")}
    for server in servers.values():
        server.fill(keys, 64)
    cases = [("GET", "get", 64, 0.8), ("SET", "set", 64, 0.8), ("MGET of 10", "mget", 64, 0.5),
             ("GET", "get", 1, 1.0), ("SET", "set", 1, 1.0), ("PING", "ping", 1, 1.0)]
    for what, op, window, bar in cases:
        count = bench.keys({"mget": 200_000}.get(op, 1_000_000) if window > 1 else 100_000)
        micros, rate = {name: [] for name in servers}, {name: [] for name in servers}
        for turn in range(bench.options.rounds):
            for name in sorted(servers, reverse=turn % 2 == 0):
                server = servers[name]
                cpu = ms.schedule_of(server.pid)[0]
                report = server.load("sat", op=op, conns=50, window=window, batch=1, keys=keys, requests=count,
                                     seed=turn + 1)
                micros[name].append((ms.schedule_of(server.pid)[0] - cpu) / report["done"] * 1e6)
                rate[name].append(report["per_s"])
        ours, theirs = statistics.median(micros["verso"]), statistics.median(micros["redis"])
        bench.add(f"server CPU per {what}, P={window}", f"{ours:.3f} us", f"{theirs:.3f} us",
                  f"at most {bar} of redis", ours / theirs <= bar,
                  f"{ours / theirs:.2f} of redis; {statistics.median(rate['verso']):,.0f} and "
                  f"{statistics.median(rate['redis']):,.0f} per second")
    for server in servers.values():
        server.stop()


def row_increment(bench):
    keys = bench.keys(1_000_000)
    server = bench.server("verso")
    server.fill(keys, 64)
    full = int(server.save()["save_bytes_written"])
    # SCAN goes through the keys leaf by leaf: its first hundredth lies in one hundredth of the leaves.
    chosen, cursor = [], b"0"
    with server.client() as client:
        while len(chosen) < keys // 100:
            cursor, found = client.command("SCAN", cursor, "COUNT", 1000)
            chosen += found
        client.pipeline([("SET", key, os.urandom(64)) for key in chosen])
    written = int(server.save()["save_bytes_written"])
    server.stop()
    bench.add("second BGSAVE, 1 % of the leaves changed", f"{written / full:.2%} of the full one", "", "at most 5 %",
              written / full <= 0.05, f"{megabytes(written)} of {megabytes(full)}; {len(chosen):,} of {keys:,} keys")


def row_store_growth(bench):
    keys, value, saves = bench.keys(400_000), 256, 50
    server = bench.server("verso")
    server.fill(keys, value)
    server.save()
    fresh, most = server.directory_bytes(), 0
    writes = server.start_load("rate", op="set", rate=5000, keys=keys, value=value)
    for turn in range(saves):
        server.load("sat", op="set", window=64, keys=keys, value=value, requests=keys // 20, seed=turn + 1)
        server.save()
        most = max(most, server.directory_bytes())
    ms.terminate(writes)
    server.finish_load(writes)
    size = server.directory_bytes()
    server.stop()
    bench.add(f"store after {saves} incremental saves", f"{size / fresh:.2f} x a fresh full save", "", "at most 2 x",
              max(most, size) <= 2 * fresh, f"{megabytes(size)}, most after any save {megabytes(most)}, fresh "
              f"{megabytes(fresh)}; {keys:,} keys")


def row_readonly(bench):
    keys = bench.keys(2_000_000)
    server = bench.server("verso")
    server.fill(keys, 256)
    copied = {}
    for op in ("get", "set"):  # the SETs show that the counter moves
        before = int(server.info()["pages_copied"])
        process = server.start_load("sat", op=op, window=32, keys=keys, value=256)
        time.sleep(0.2)
        with ms.ChildWatch(server):
            server.save()
        ms.terminate(process)
        report = server.finish_load(process)
        copied[op] = int(server.info()["pages_copied"]) - before
        if op == "get":
            reads = report["done"]
    server.stop()
    bench.add("pages copied by reads under a save's pin", f"{copied['get']:,}", "", "0",
              copied["get"] == 0 and copied["set"] > 0, f"{reads:,} GETs; SETs in the next save: {copied['set']:,}")


def row_pins(bench):
    program = os.environ.get("VERSO_PINS_BENCH",
                             os.path.join(os.path.dirname(resp.SERVER_BINARY), "verso_pins_bench"))
    for turn in range(bench.options.rounds):  # a stall of its own comes back every time, others' do not
        done = subprocess.run([program, str(bench.keys(1_000_000))], stdout=subprocess.PIPE, text=True,
                              preexec_fn=lambda: ms.place(ms.SERVER_CPU))
        log(done.stdout.strip())
        if done.returncode == 0:
            break
    bench.add("1,000 pins dropped in random order", done.stdout.strip().split("\n")[-1].rsplit(":", 1)[0], "",
              "1 %, 2 ms", done.returncode == 0, f"try {turn + 1}")


ROWS = {
    "fork": row_fork,                  # pin + fork and the worst request, at each --gb
    "private": row_private,            # private memory, at the largest --gb, and with idle connections
    "stall": row_stall,                # saturating SETs while a save runs, at the smallest --gb
    "save-memory": row_save_memory,    # extra memory of a save, at the smallest --gb
    "key-bytes": row_key_bytes,
    "cpu": row_cpu,
    "increment": row_increment,
    "store-growth": row_store_growth,
    "readonly": row_readonly,
    "pins": row_pins,
    **log_rows.ROWS,
    **pin_rows.ROWS,
    **restart_rows.ROWS,
    **txn_rows.ROWS,
    **type_rows.ROWS,
    **version_rows.ROWS,
}


def print_table(table):
    heads = ("what", "verso", "redis", "bar", "held", "")
    rows = [heads, *table]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for index, row in enumerate(rows):
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)) + "  " + row[5])
        if index == 0:
            print("  ".join("-" * width for width in widths))


def main():
    parser = argparse.ArgumentParser(description="Measures the bars of Verso against redis-server.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--gb", default="0.5", type=lambda text: [float(word) for word in text.split(",")],
                        help="sizes of the data set for fork, private, stall, save-memory, restart (0.5)")
    parser.add_argument("--scale", default=1.0, type=float, help="of the key counts of the other rows (1.0)")
    parser.add_argument("--rounds", default=3, type=int, help="of the cpu row, of which the median counts (3)")
    parser.add_argument("--hold", default=60.0, type=float, help="seconds of the row long-txn; the bar is for 600 (60)")
    parser.add_argument("--alone", action="store_true",
                        help="rows fork, private and restart: without Redis, for sizes where its save takes minutes")
    parser.add_argument("--first", action="store_true",
                        help="put the server before all others on its CPU in the row stall too (root)")
    parser.add_argument("--nice", default=0, type=int, help="of servers and generators; -10 on a busy machine (0)")
    options = parser.parse_args()
    ms.niceness = options.nice
    unknown = set(options.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    if ms.allow_many_files() < IDLE_CONNECTIONS + 1000:
        sys.exit(f"bars.py: needs `ulimit -n` of more than {IDLE_CONNECTIONS + 1000}")
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit("bars.py: terminated"))
    os.sched_setaffinity(0, {ms.LOAD_CPU})
    work = tempfile.mkdtemp(prefix="verso-bars-")
    bench = Bench(options, work)
    try:
        for name in options.rows or ROWS:
            log(name)
            ROWS[name](bench)
    finally:
        bench.close()
        shutil.rmtree(work, ignore_errors=True)
    print(f"load average {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}; redis-server is Debian's")
    print_table(bench.table)
    return 1 if any(row[4] == "NO" for row in bench.table) else 0


if __name__ == "__main__":
    sys.exit(main())
