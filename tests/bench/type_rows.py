"""Rows of bars.py for the data types: what their elements cost, and that none of them stalls others."""

import random
import socket
import statistics
import subprocess
import threading
import time

import measured_server as ms

ELEMENT_BYTES = 16
BATCH = 1000
PING_RATE = 1000


def elements(count, seed):
    """Random bytes, the same for both servers."""
    source = random.Random(seed)
    return [source.randbytes(ELEMENT_BYTES) for _ in range(count)]


def add_command(kind, key, chosen, source):
    """One command that adds these elements to a collection of that kind."""
    if kind == "zset":
        words = [word for element in chosen for word in (repr(source.random() * 1e6), element)]
        return ("ZADD", key, *words)
    if kind == "hash":
        return ("HSET", key, *[word for element in chosen for word in (element, element)])
    return ({"list": "RPUSH", "set": "SADD"}[kind], key, *chosen)


def fill_collection(client, kind, key, count, seed=1):
    source = random.Random(seed)
    for at in range(0, count, BATCH):
        chosen = [source.randbytes(ELEMENT_BYTES) for _ in range(min(BATCH, count - at))]
        client.command(*add_command(kind, key, chosen, source))


def row_elements(bench):
    """Bytes per element of one large collection, and of many small ones."""
    many = bench.keys(1_000_000)
    for size, bar in ((many, 0.7), (100, 1.05)):
        collections = 1 if size == many else max(1, many // 10 // size)
        for kind in ("hash", "set", "zset", "list"):
            used = {}
            for name, server in bench.each():
                time.sleep(0.5)
                before = int(server.info()["used_memory"])
                with server.client() as client:
                    for number in range(collections):
                        fill_collection(client, kind, f"{kind}:{number}", size, number)
                time.sleep(0.5)
                used[name] = (int(server.info()["used_memory"]) - before) / (collections * size)
            ratio = used["verso"] / used["redis"]
            bench.add(f"bytes per element, {kind} of {size:,}", f"{used['verso']:.1f}", f"{used['redis']:.1f}",
                      f"at most {bar} of redis", ratio <= bar, f"{ratio:.2f} of redis; used_memory")


TYPE_COMMANDS = [
    ("HSET", ["HSET", "h:__rand_int__", "f:__rand_int__", "0123456789abcdef"]),
    ("SADD", ["SADD", "s:__rand_int__", "m:__rand_int__"]),
    ("ZADD", ["ZADD", "z:__rand_int__", "__rand_int__", "m:__rand_int__"]),
    ("LPUSH", ["LPUSH", "l:__rand_int__", "0123456789abcdef"]),
    ("XADD", ["XADD", "x:__rand_int__", "*", "f", "0123456789abcdef"]),
    ("LRANGE 100", ["LRANGE", "list", "0", "99"]),
]


def row_type_cpu(bench):
    """Processor time per request of one large collection each, P=64."""
    requests = bench.keys(1_000_000)
    servers = {name: bench.server(name) for name in ("redis", "verso")}
    for server in servers.values():
        with server.client() as client:
            fill_collection(client, "list", "list", 1000)
    ratios = []
    for what, words in TYPE_COMMANDS:
        words = [word.removesuffix(":__rand_int__") if at == 1 else word for at, word in enumerate(words)]
        count = requests // 10 if what.startswith("LRANGE") else requests
        micros = {name: [] for name in servers}
        for turn in range(bench.options.rounds):
            for name in sorted(servers, reverse=turn % 2 == 0):
                server = servers[name]
                cpu = ms.schedule_of(server.pid)[0]
                subprocess.run(["redis-benchmark", "-p", str(server.port), "-P", "64", "-c", "50", "-q", "-n", str(count),
                                "-r", str(requests), *words], check=True, stdout=subprocess.DEVNULL,
                               preexec_fn=lambda: ms.place(ms.LOAD_CPU))
                micros[name].append((ms.schedule_of(server.pid)[0] - cpu) / count * 1e6)
        ours, theirs = statistics.median(micros["verso"]), statistics.median(micros["redis"])
        ratios.append(ours / theirs)
        bench.add(f"server CPU per {what}, P=64", f"{ours:.3f} us", f"{theirs:.3f} us", "at most 1.1 of redis",
                  ours / theirs <= 1.1, f"{ours / theirs:.2f} of redis")
    mean = statistics.geometric_mean(ratios)
    bench.add("their geometric mean", f"{mean:.2f}", "1", "at most 0.9", mean <= 0.9)
    for server in servers.values():
        server.stop()


def row_path_copies(bench):
    """Pages that one write to a large collection copies right after a pin."""
    server = bench.server("verso")
    count, source = bench.keys(1_000_000), random.Random(7)
    with server.client() as client:
        for kind in ("zset", "hash", "list"):
            fill_collection(client, kind, kind, count)
        for _ in range(0, count, BATCH):
            client.pipeline([("XADD", "stream", "*", "f", b"0123456789abcdef")] * BATCH)
        known = elements(BATCH, 1)
        cases = {
            "ZADD of a new member": lambda: ("ZADD", "zset", source.random() * 1e6, source.randbytes(ELEMENT_BYTES)),
            "HSET": lambda: ("HSET", "hash", source.randbytes(ELEMENT_BYTES), "v"),
            "LPUSH": lambda: ("LPUSH", "list", source.randbytes(ELEMENT_BYTES)),
            "XADD": lambda: ("XADD", "stream", "*", "f", "v"),
            "HSET of a field that is there": lambda: ("HSET", "hash", source.choice(known), "w"),
        }
        for what, command in cases.items():
            copied = []
            for _ in range(5 * bench.options.rounds):
                before = int(server.info()["pages_copied"])
                client.command("BGSAVE")  # pins
                client.command(*command())
                copied.append(int(server.info()["pages_copied"]) - before)
                server.wait_saved()
            bench.add(f"pages copied by {what} after a pin, {count:,} elements", f"{max(copied)}", "", "at most 8",
                      max(copied) <= 8, f"{min(copied)} to {max(copied)}, median {statistics.median(copied):g}")
    server.stop()


class PingsBeside:
    """PING at 1 kHz, each due at its time, while something runs; what the slowest of them waited."""

    def __init__(self, server):
        # Not put first on its CPU: what works for more than a second there is throttled for 50 ms.
        self.server = server
        self.process = server.start_load("rate", op="ping", rate=PING_RATE, fifo=1)
        self.report = None

    def __enter__(self):
        time.sleep(0.2)
        return self

    def __exit__(self, *unused):
        time.sleep(0.2)
        ms.terminate(self.process)
        self.report = self.server.finish_load(self.process)

    @property
    def worst_ms(self):
        return self.report["max_us"] / 1e3

    @property
    def p999_ms(self):
        return self.report["p999_us"] / 1e3


def read_all(server, *command):
    """Sends a command and reads its reply as fast as it comes, without looking at it."""
    words = [str(word).encode() if not isinstance(word, bytes) else word for word in command]
    request = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    # A request that is answered behind it shows where the reply ends.
    marker = b"end of the reply"
    request += b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (len(marker), marker)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request)
        got, tail = 0, b""
        while marker not in tail:
            piece = connection.recv(1 << 20)
            if not piece:
                raise AssertionError("the server closed the connection")
            got += len(piece)
            tail = (tail + piece)[-len(marker) - 2:] if len(piece) < 64 else piece[-len(marker) - 2:]
    return got


def beside(server, work, rounds):
    """The best of some rounds: what the server does itself comes back in each of them."""
    worst, p999 = [], []
    for _ in range(rounds):
        with PingsBeside(server) as pings:
            begin = time.monotonic()
            work()
            seconds = time.monotonic() - begin
        worst.append(pings.worst_ms)
        p999.append(pings.p999_ms)
    return worst, p999, seconds


def add_beside(bench, what, seen, idle, both_bars=True):
    worst, p999, seconds = seen["verso"]
    theirs = f"{min(seen['redis'][0]):.2f} ms" if "redis" in seen else ""
    beyond = min(p999) - idle["verso"]
    held = min(worst) < 3 and (not both_bars or beyond < 1)
    bench.add(f"worst PING beside {what}", f"{min(worst):.2f} ms", theirs, "under 3 ms", held,
              ", ".join(f"{value:.2f}" for value in worst) + f"; p99.9 {min(p999):.2f} ms, {beyond:+.2f} to idle"
              f"{' (under 1)' if both_bars else ''}; took {seconds:.1f} s")


def row_long_reads(bench):
    keys, members = bench.keys(10_000_000), bench.keys(1_000_000)
    commands = {
        f"KEYS * of {keys:,}": ("KEYS", "*"),
        f"SMEMBERS of {members:,}": ("SMEMBERS", "set"),
        f"HGETALL of {members:,}": ("HGETALL", "hash"),
        f"LRANGE of {members:,}": ("LRANGE", "list", 0, -1),
        f"ZRANGE of {members:,}": ("ZRANGE", "zset", 0, -1, "WITHSCORES"),
        f"SUNION of two of {members:,}": ("SUNION", "set", "set2"),
        f"SORT of {members:,}": ("SORT", "list", "ALPHA", "LIMIT", 0, 10),
        f"ZUNION of two of {members:,}": ("ZUNION", 2, "zset", "zset2"),
        f"SUNIONSTORE of two of {members:,}": ("SUNIONSTORE", "target", "set", "set2"),
        f"ZUNIONSTORE of two of {members:,}": ("ZUNIONSTORE", "target", 2, "zset", "zset2"),
        f"COPY of {members:,}": ("COPY", "hash", "target", "REPLACE"),
    }
    seen, idle = {what: {} for what in commands}, {}
    for name, server in bench.each():
        server.fill(keys, 16)
        with server.client() as client:
            for kind in ("set", "hash", "list", "zset"):
                fill_collection(client, kind, kind, members)
            fill_collection(client, "set", "set2", members, 2)
            fill_collection(client, "zset", "zset2", members, 2)
        _, p999, _ = beside(server, lambda: time.sleep(2), 1)
        idle[name] = p999[0]
        for what, command in commands.items():
            rounds = bench.options.rounds if name == "verso" else 1
            seen[what][name] = beside(server, lambda c=command: read_all(server, *c), rounds)
    for what in commands:
        add_beside(bench, what, seen[what], idle)


def row_slow_reader(bench):
    """A reply of a gigabyte that is read slowly: the memory of the server, all of it."""
    megabytes = max(128, int(1024 * bench.options.scale))
    server = bench.server("verso")
    with server.client() as client:
        piece = random.Random(3).randbytes(1 << 20)
        for number in range(megabytes):
            client.command("RPUSH", "list", piece[number % 1000:] + piece[:number % 1000])
    time.sleep(1)
    before, most, stop = ms.memory_bytes(server.pid), [0], threading.Event()

    def watch():
        while not stop.wait(0.05):
            most[0] = max(most[0], ms.memory_bytes(server.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"LRANGE list 0 -1\r\n")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            connection.recv(1 << 16)
            time.sleep(0.01)
    stop.set()
    watcher.join()
    bench.add(f"memory for a slow reader of {megabytes:,} MB", f"{(most[0] - before) / 1e6:.1f} MB", "", "at most 16 MB",
              most[0] - before <= 16 << 20)
    server.stop()


def row_freeing(bench):
    """Other clients while something huge is freed."""
    members, gigabytes = bench.keys(10_000_000), max(0.1, 5 * bench.options.scale)
    seen, idle = {"DEL": {}, "FLUSHALL": {}}, {}

    def several(name, what, server, fill, work):
        rounds = []
        for _ in range(3 if name == "verso" else 1):
            fill()
            rounds.append(beside(server, work, 1))
        seen[what][name] = ([worst for one in rounds for worst in one[0]], [p for one in rounds for p in one[1]],
                            rounds[-1][2])

    for name, server in bench.each():
        with server.client() as client:
            _, p999, _ = beside(server, lambda: time.sleep(1), 1)
            idle[name] = p999[0]

            def delete(command, done):
                client.command(*command)
                end = time.monotonic() + 60
                while not done() and time.monotonic() < end:
                    time.sleep(0.05)

            def little_left():
                return name == "redis" or int(server.info()["used_memory"]) < 64 << 20

            several(name, "DEL", server, lambda: fill_collection(client, "zset", "zset", members),
                    lambda: delete(("DEL", "zset"), little_left))
            several(name, "FLUSHALL", server, lambda: server.fill_gigabytes(gigabytes, 1024),
                    lambda: delete(("FLUSHALL",), little_left))
    add_beside(bench, f"DEL of a sorted set of {members:,}", seen["DEL"], idle, both_bars=False)
    add_beside(bench, f"FLUSHALL at {gigabytes:g} GB", seen["FLUSHALL"], idle, both_bars=False)


ROWS = {
    "elements": row_elements,          # bytes per element, large and small collections
    "type-cpu": row_type_cpu,          # processor time per request of the types' commands
    "path-copies": row_path_copies,    # pages that one write copies after a pin
    "long-reads": row_long_reads,      # others' PINGs while one client reads everything
    "slow-reader": row_slow_reader,    # memory while a client reads a gigabyte slowly
    "freeing": row_freeing,            # others' PINGs while something huge goes
}
