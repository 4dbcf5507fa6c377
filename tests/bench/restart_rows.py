"""Rows of bars.py for the start after a kill -9."""

import os
import random
import threading
import time

import measured_server as ms
import type_rows

VALUE_BYTES = 1000


def processor_seconds(pid):
    """Of the process and of all its children, those that have ended included."""
    def add_up(text):
        return sum(int(word) for word in text[text.rindex(")") + 2:].split()[11:15]) / os.sysconf("SC_CLK_TCK")
    return sum(ms.running_or(f"/proc/{each}/stat", add_up, 0.0) for each in (pid, *ms.children_of(pid)))


class ColdReads(threading.Thread):
    """GETs of keys by chance, one after the other."""

    def __init__(self, server, keys):
        super().__init__(daemon=True)
        self.server, self.keys = server, keys
        self.ended = threading.Event()
        self.done, self.worst_ms = 0, 0.0

    def run(self):
        chance = random.Random(1)
        with self.server.client() as client:
            while not self.ended.is_set():
                began = time.monotonic()
                if client.command("GET", f"key:{chance.randrange(self.keys):012}") is None:
                    raise AssertionError("a key is missing")
                self.worst_ms = max(self.worst_ms, (time.monotonic() - began) * 1000)
                self.done += 1


def first_get(server, key):
    """Kills the server and starts it again; the seconds until it has answered GET."""
    server.kill()
    began = time.monotonic()
    server.start_again()
    with server.client() as client:
        while True:
            reply = client.pipeline([("GET", key)])[0]
            if isinstance(reply, bytes) and len(reply) == VALUE_BYTES:
                return began, time.monotonic() - began
            time.sleep(0.002)


def wait_resident(server):
    while server.info().get("async_loading", "0") == "1":
        time.sleep(0.02)


def row_restart(bench):
    for gigabytes in bench.options.gb:
        first, whole, spent = {}, {}, {}
        for name, server in bench.each():
            keys = int(gigabytes * (1 << 30) / VALUE_BYTES)
            server.fill(keys, VALUE_BYTES)
            server.save()
            began, first[name] = first_get(server, "key:000000004711")
            with ms.ChildWatch(server):
                wait_resident(server)
            whole[name] = time.monotonic() - began
            spent[name] = processor_seconds(server.pid)
        seen = []
        server = bench.server("verso")
        server.fill(keys, VALUE_BYTES)
        server.save()
        for _ in range(bench.options.rounds):
            first_get(server, "key:000000004711")
            reads = ColdReads(server, keys)
            with ms.ChildWatch(server), type_rows.PingsBeside(server) as pings:
                reads.start()
                wait_resident(server)
                reads.ended.set()
                reads.join()
            turn_ms = int(server.info()["eventloop_duration_max"]) / 1000
            seen.append((pings.worst_ms, reads.done, reads.worst_ms, turn_ms))
        server.stop()
        size = f"{gigabytes:g} GB"
        bench.add(f"first correct GET after kill -9, {size}", f"{first['verso']:.2f} s", seconds(first), "under 1 s",
                  first["verso"] < 1)
        bench.add(f"everything resident again, {size}", f"{whole['verso']:.2f} s", seconds(whole), "at most 0.8",
                  held(whole, 0.8))
        bench.add(f"processor time until then, {size}", f"{spent['verso']:.2f} s", seconds(spent), "at most 0.5",
                  held(spent, 0.5))
        bench.add(f"worst PING beside cold GETs, {size}", f"{min(each[0] for each in seen):.2f} ms", "", "", None,
                  "; ".join(f"{worst:.2f}, {done:,} GETs, the slowest {slowest:.1f}, the loop's longest turn {turn:.2f}"
                            for worst, done, slowest, turn in seen))


def seconds(seen):
    return f"{seen['redis']:.2f} s" if "redis" in seen else ""


def held(seen, most):
    return seen["verso"] <= most * seen["redis"] if "redis" in seen else None


ROWS = {
    "restart": row_restart,
}
