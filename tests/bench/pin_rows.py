"""Rows of bars.py for what many versions cost: names that are taken, writes beside them, their end.

Judged is processor time of the server where there is any choice: requests per second and wall clock
say as much about the neighbours on the machine.
"""

import math
import os
import random
import statistics
import sys
import time

import measured_server as ms
import type_rows

CONNECTIONS = 50
VALUE_BYTES = 64
SNAPSHOTS = 1000
WRITES_BETWEEN = 300  # SETs between two snapshots


def key_name(number):
    return f"key:{number:012}"


def cpu_seconds(server):
    return ms.schedule_of(server.pid)[0]


def dataset(server):
    return int(server.info()["used_memory_dataset"])


def wait_idle(server):
    """Until what goes on in the background is done: the memory stands still."""
    before = None
    while (now := dataset(server)) != before:
        before = now
        time.sleep(0.5)
    return now


def cpu_per_request(server, op, keys, count, seed):
    """Microseconds of the server for each of many pipelined requests."""
    cpu = cpu_seconds(server)
    report = server.load("sat", op=op, conns=CONNECTIONS, window=64, batch=1, keys=keys, value=VALUE_BYTES,
                         requests=count, seed=seed)
    return (cpu_seconds(server) - cpu) / report["done"] * 1e6


def log_rounds(seen):
    for name, values in seen.items():
        print(f"    {name}: " + ", ".join(f"{value:.3f}" for value in values), file=sys.stderr)


def audit(server):
    if (said := server.command("DEBUG", "AUDIT")) != b"OK":
        raise AssertionError(said)


# ---- the time of one command

def row_version_latency(bench):
    """The server's own time for SNAPSHOT CREATE and BRANCH CREATE, each after a write, by its SLOWLOG."""
    keys = bench.keys(10_000_000)
    server = bench.server("verso")
    server.fill(keys, VALUE_BYTES)
    count, kept, bar_us, most_us = 5000, 100, 50, 1000
    with server.client() as client:
        client.command("CONFIG", "SET", "slowlog-max-len", 4 * count, "slowlog-log-slower-than", bar_us)
        for word in ("SNAPSHOT", "BRANCH"):
            seen = []
            for _ in range(bench.options.rounds):
                client.command("SLOWLOG", "RESET")
                for number in range(count):
                    client.pipeline([("SET", key_name(number * 1997 % keys), "x"), (word, "CREATE", f"n:{number}"),
                                     (word, "DROP", f"n:{number - kept}")])
                slow = [entry[2] for entry in client.command("SLOWLOG", "GET", -1)
                        if entry[3][:2] == [word.encode(), b"CREATE"]]
                seen.append((len(slow) / count, max(slow, default=bar_us)))
                for number in range(count - kept, count):
                    client.command(word, "DROP", f"n:{number}")
            share, worst_us = min(seen)
            bench.add(f"{word} CREATE slower than {bar_us} us, {keys:,} keys", f"{share:.2%}", "", "at most 1 %",
                      share <= 0.01, f"{count:,} in each of {len(seen)} rounds: "
                      + ", ".join(f"{part:.2%}" for part, _ in seen))
            bench.add("the slowest of them", f"{worst_us} us", "", f"at most {most_us} us", worst_us <= most_us,
                      "slowest of each round: " + ", ".join(f"{worst}" for _, worst in seen))
    server.stop()


# ---- writes beside open snapshots

def take_snapshots(server, keys, count, name=lambda number: f"s:{number}"):
    """So many, with random SETs between two, the same ones each time."""
    chance = random.Random(7)
    with server.client() as client:
        for number in range(count):
            commands = [("SET", key_name(chance.randrange(keys)), "y" * VALUE_BYTES) for _ in range(WRITES_BETWEEN)]
            if (taken := name(number)) is not None:
                commands.append(("SNAPSHOT", "CREATE", taken))
            client.pipeline(commands)


def row_pinned_set(bench):
    """SETs with 1,000 open snapshots, beside a server with the newest of them only, and one with none. First while
    pages are copied, then after every page was. All three have had the same writes."""
    keys, count = bench.keys(1_000_000), bench.keys(500_000)
    names = {"all": lambda number: f"s:{number}", "one": lambda number: f"s:{number}" if number == SNAPSHOTS - 1 else None,
             "none": lambda number: None}
    first = {name: [] for name in names}
    after = {name: [] for name in names}
    for turn in range(max(3, bench.options.rounds)):
        # New ones each time: memory that was given back by a snapshot before would be there already.
        servers = {name: bench.server("verso") for name in names}
        order = list(names)[turn % 3:] + list(names)[:turn % 3]
        for name in order:
            servers[name].fill(keys, VALUE_BYTES)
            take_snapshots(servers[name], keys, SNAPSHOTS, names[name])
            wait_idle(servers[name])
        for name in order:
            first[name].append(cpu_per_request(servers[name], "set", keys, count, turn + 1))
        for name in order:
            servers[name].fill(keys, VALUE_BYTES)  # every page
        for _ in range(3):
            for name in order:
                after[name].append(cpu_per_request(servers[name], "set", keys, count, turn + 100))
        counts = {name: server.info()["snapshots"] for name, server in servers.items()}
        for server in servers.values():
            server.stop()
    middle = {name: statistics.median(seen) for name, seen in first.items()}
    ratio = middle["all"] / middle["one"]
    bench.add(f"SET with {counts['all']} snapshots, of that with the newest alone", f"{ratio:.2f}", "", "at most 1.15",
              ratio <= 1.15, f"{middle['all']:.2f} and {middle['one']:.2f} us of server CPU, {middle['none']:.2f} with none; "
              f"{count:,} SETs of {keys:,} keys")
    log_rounds(first)
    middle = {name: statistics.median(seen) for name, seen in after.items()}
    ratio = middle["all"] / middle["none"]
    bench.add("the same after every page was touched, of that with none", f"{ratio:.2f}", "", "at most 1.05",
              ratio <= 1.05, f"{middle['all']:.3f}, {middle['one']:.3f} and {middle['none']:.3f} us")
    log_rounds(after)


def row_idle_versions(bench):
    """What is left of versions when none is open: a server that never had one beside one that had a thousand
    snapshots, branches and transactions. $VERSO_SERVER_BEFORE: a binary from before there were any, too."""
    keys, count = bench.keys(1_000_000), bench.keys(500_000)
    servers = {"never": bench.server("verso"), "had": bench.server("verso")}
    if before := os.environ.get("VERSO_SERVER_BEFORE"):
        servers["before"] = bench.server("verso", binary=before)
    for server in servers.values():
        server.fill(keys, VALUE_BYTES)
    had = servers["had"]
    take_snapshots(had, keys, SNAPSHOTS)
    with had.client() as client:
        for number in range(100):
            client.pipeline([("BRANCH", "CREATE", f"b:{number}"), ("BRANCH", "USE", f"b:{number}"),
                             ("SET", key_name(number), "b"), ("BRANCH", "USE", "main"), ("TXN", "BEGIN"),
                             ("SET", key_name(number + 1), "t"), ("TXN", "COMMIT"), ("BRANCH", "DROP", f"b:{number}")])
        client.command("SNAPSHOT", "DROP", *[f"s:{number}" for number in range(SNAPSHOTS)])
    for server in servers.values():  # the others have been written as often
        wait_idle(server)
        server.fill(keys, VALUE_BYTES)
    for op in ("get", "set"):
        micros = {name: [] for name in servers}
        for turn in range(5 * bench.options.rounds):
            order = list(servers)[turn % len(servers):] + list(servers)[:turn % len(servers)]
            for name in order:
                micros[name].append(cpu_per_request(servers[name], op, keys, count, turn + 1))
        log_rounds(micros)
        middle = {name: statistics.median(seen) for name, seen in micros.items()}
        ratio = middle["had"] / middle["never"]
        bench.add(f"{op.upper()} after versions were there, of that without, P=64", f"{ratio:.3f}", "", "at most 1.03",
                  ratio <= 1.03, f"{middle['had']:.3f} and {middle['never']:.3f} us of server CPU")
        if "before" in middle:
            ratio = middle["never"] / middle["before"]
            bench.add(f"{op.upper()} without versions, of that of {os.path.basename(before)}", f"{ratio:.3f}", "",
                      "at most 1.03", ratio <= 1.03, f"{middle['never']:.3f} and {middle['before']:.3f} us of server CPU")
    for server in servers.values():
        server.stop()


# ---- their end

def row_drop_snapshots(bench):
    """1,000 snapshots dropped in random order, one command each, while another client sends PINGs."""
    keys = bench.keys(10_000_000)
    server = bench.server("verso")
    server.fill(keys, VALUE_BYTES)
    before = wait_idle(server)
    idle, _, _ = type_rows.beside(server, lambda: time.sleep(2), 1)
    worst, off, turns, most = [], [], [], 0
    for turn in range(bench.options.rounds):
        take_snapshots(server, keys, SNAPSHOTS)
        most = max(most, dataset(server))
        names = [f"s:{number}" for number in range(SNAPSHOTS)]
        random.Random(turn).shuffle(names)
        server.command("CONFIG", "RESETSTAT")

        def drop_all():
            with server.client() as client:
                for name in names:
                    client.command("SNAPSHOT", "DROP", name)
            wait_idle(server)

        seen, _, _ = type_rows.beside(server, drop_all, 1)
        worst += seen
        info = server.info()
        turns.append(int(info["eventloop_duration_max"]) / 1000)
        off.append(abs(int(info["used_memory_dataset"]) - before) / before)
    audit(server)
    server.stop()
    bench.add(f"memory after {SNAPSHOTS:,} snapshots, dropped in random order, {keys:,} keys", f"{max(off):.3%} off", "",
              "at most 1 %", max(off) <= 0.01, f"{before / 1e6:.1f} MB before, {most / 1e6:.1f} MB with all of them")
    bench.add("worst PING beside it", f"{min(worst):.2f} ms", "", "at most 2 ms", min(worst) <= 2,
              ", ".join(f"{value:.2f}" for value in worst) + f"; idle {idle[0]:.2f}; longest turns of the loop "
              + ", ".join(f"{value:.2f}" for value in turns) + " ms")


# ---- one held for long

def row_long_txn(bench):
    """A read-only transaction held for --hold seconds under 50,000 SETs a second, while a snapshot is taken every 100 ms
    and the one before it dropped. What may be held: the pages of its own version that have been changed since,

        dataset at BEGIN x (1 - exp(-1.1 x SETs / pages)) + SETs of the last two intervals x 1.1 x bytes of a page

    The second term is what the short pins need; 1.1, because pages with many keys are large and hit more often."""
    keys, rate, interval, hold = bench.keys(1_000_000), 50_000, 0.1, bench.options.hold
    server = bench.server("verso")
    server.fill(keys, VALUE_BYTES)
    begin = wait_idle(server)
    load = server.start_load("rate", op="set", rate=rate, keys=keys, value=VALUE_BYTES)
    client = server.client()
    short = server.client()
    time.sleep(1)
    info = server.info()
    client.command("TXN", "BEGIN", "READ", "ONLY", "TIMEOUT", int(hold * 1000) + 60_000)
    seen = client.command("GET", key_name(1))
    sets = int(info["total_commands_processed"])
    start = time.monotonic()
    samples, done, number, next_sample = [], [0, 0], 0, start
    while (now := time.monotonic()) - start < hold:
        info = server.info()
        done.append(int(info["total_commands_processed"]) - sets)
        if now >= next_sample:
            # On a busy machine an interval may be longer, and have more SETs in it.
            samples.append((now - start, done[-1], cpu_seconds(server), int(info["used_memory_dataset"]), done[-1] - done[-3]))
            next_sample += hold / 20
        short.pipeline([("SNAPSHOT", "CREATE", f"s:{number}"), ("SNAPSHOT", "DROP", f"s:{number - 1}")])
        number += 1
        time.sleep(max(0.0, start + number * interval - time.monotonic()))
    held = client.command("GET", key_name(1)) == seen
    short.command("SNAPSHOT", "DROP", f"s:{number - 1}")
    client.command("TXN", "ABORT")
    ms.terminate(load)
    report = server.finish_load(load)
    after = wait_idle(server)
    audit(server)
    # A full overwrite right after a pin copies every page once: so many there are.
    server.command("SNAPSHOT", "CREATE", "count")
    pages = int(server.info()["pages_copied"])
    server.fill(keys, VALUE_BYTES)
    pages = int(server.info()["pages_copied"]) - pages
    server.stop()

    def needed(changed, lately):
        return begin * (1 - math.exp(-1.1 * changed / pages)) + lately * 1.1 * begin / pages

    most = max((memory - begin) / needed(changed, lately) for _, changed, _, memory, lately in samples[1:])
    bench.add(f"memory held by a read-only TXN of {hold:.0f} s, of what it needs", f"{most:.2f}", "", "at most 1.05",
              most <= 1.05 and held, f"{(samples[-1][3] - begin) / 1e6:.1f} MB more than {begin / 1e6:.1f} MB; "
              f"{samples[-1][1] / samples[-1][0]:,.0f} SETs per second, {number:,} other pins")
    off = abs(after - begin) / begin
    bench.add("memory after it", f"{off:.3%} off", "", "at most 1 %", off <= 0.01)

    def micros(first, last):
        a, b = samples[first], samples[last]
        return (b[2] - a[2]) / (b[1] - a[1]) * 1e6

    early, late = micros(len(samples) // 4, len(samples) // 2), micros(-len(samples) // 4, -1)
    bench.add("CPU per SET in its last quarter, of its second", f"{late / early:.2f}", "", "at most 1.1", late / early <= 1.1,
              f"{late:.2f} and {early:.2f} us; p99.9 of the SETs {report['p999_us'] / 1e3:.2f} ms")


# ---- many of them, all the time

def row_snapshot_rate(bench):
    """1,000 snapshots a second, the last 100 kept, each read once in its life, beside one stream of SETs, P=16."""
    keys, seconds, kept = bench.keys(1_000_000), 10, 100
    server = bench.server("verso")
    server.fill(keys, VALUE_BYTES)
    options = {"op": "set", "window": 16, "batch": 1, "keys": keys, "value": VALUE_BYTES}
    cpu = cpu_seconds(server)
    alone = server.load("sat", secs=seconds, **options)
    alone_cpu = (cpu_seconds(server) - cpu) / alone["done"]
    memory = []
    with server.client() as client:
        load = server.start_load("sat", **options)
        time.sleep(0.5)
        number, read, begin = 0, 0, time.monotonic()
        cpu = cpu_seconds(server)
        while time.monotonic() - begin < seconds:
            for _ in range(max(1, int((time.monotonic() - begin) * 1000) - number)):
                commands = [("SET", "number", number), ("SNAPSHOT", "CREATE", f"s:{number}")]
                if number >= kept:
                    commands += [("ASOF", f"s:{number - kept // 2}", "GET", "number"),
                                 ("SNAPSHOT", "DROP", f"s:{number - kept}")]
                replies = client.pipeline(commands)
                if number >= kept:
                    read += replies[2] == str(number - kept // 2).encode() and replies[3] == 1
                number += 1
            if number % 500 < 2:
                memory.append(dataset(server))
            time.sleep(0.0003)
        took = time.monotonic() - begin
        cpu = cpu_seconds(server) - cpu
        ms.terminate(load)
        report = server.finish_load(load)
    info = server.info()
    server.stop()
    done = report["done"] * took / report["secs"]
    # Beside snapshots the server works for them, too: all its processor time is counted.
    ratio = alone_cpu / (cpu / done)
    wall = report["per_s"] / alone["per_s"]
    right = number / took >= 990 and read == number - kept and int(info["snapshots"]) == kept
    bench.add(f"SETs per CPU second beside {number / took:,.0f} snapshots per second, of without", f"{ratio:.2f}", "",
              "at least 0.4", ratio >= 0.4 and right,
              f"{read:,} of {number - kept:,} read right; {report['per_s']:,.0f} and {alone['per_s']:,.0f} per second ({wall:.2f}); "
              f"memory {min(memory) / 1e6:.0f} to {max(memory) / 1e6:.0f} MB")


# ---- long histories

def row_chains(bench):
    """1,000 rollbacks one after the other, and branches of branches, 100 deep: the server's time for each of them."""
    keys, rollbacks, deep = bench.keys(1_000_000), 1000, 100
    server = bench.server("verso")
    server.fill(keys, VALUE_BYTES)
    before = wait_idle(server)

    def costs(count, parts, commands):
        """Microseconds of CPU per operation, in each part of them."""
        seen = []
        with server.client() as client:
            for part in range(parts):
                cpu = cpu_seconds(server)
                for number in range(part * count // parts, (part + 1) * count // parts):
                    for reply in client.pipeline(commands(number)):
                        if isinstance(reply, Exception):
                            raise reply
                seen.append((cpu_seconds(server) - cpu) / count * parts * 1e6)
        return seen

    def add(what, seen):
        # The first part has what happens once: memory that is touched first, and the like.
        ratio = seen[-1] / statistics.median(seen[1:-1])
        bench.add(what, f"{ratio:.2f}", "", "at most 1.2", ratio <= 1.2, ", ".join(f"{value:.0f}" for value in seen) + " us")

    writes = [("SET", key_name(number * 7919 % keys), "z" * VALUE_BYTES) for number in range(10)]

    def rollback(number):
        return [("SNAPSHOT", "CREATE", f"s:{number}"), *writes, ("SNAPSHOT", "ROLLBACK", f"s:{number}", "NOBACKUP")]

    def branch(number):
        start = [("BRANCH", "USE", "main")] if number == 0 else []
        return [*start, ("BRANCH", "CREATE", f"b:{number}"), ("BRANCH", "USE", f"b:{number}"), *writes]

    chains, trees, off = [], [], []
    for _ in range(max(5, bench.options.rounds)):
        for count, parts, commands, seen, word, letter in ((rollbacks, 10, rollback, chains, "SNAPSHOT", "s"),
                                                           (deep, 4, branch, trees, "BRANCH", "b")):
            seen.append(costs(count, parts, commands))
            audit(server)
            names = [f"{letter}:{number}" for number in range(count)]
            random.Random(1).shuffle(names)
            with server.client() as client:
                client.pipeline([(word, "DROP", name) for name in names])
            off.append(abs(wait_idle(server) - before) / before)
    # What comes back in each round is the server's.
    add(f"the last hundred of {rollbacks:,} rollbacks, CPU of those before", [min(part) for part in zip(*chains)])
    add(f"the deepest of branches of branches, {deep} deep, CPU of those before", [min(part) for part in zip(*trees)])
    audit(server)
    server.stop()
    bench.add("memory after all were dropped, audit clean", f"{max(off):.3%} off", "", "at most 1 %", max(off) <= 0.01)


ROWS = {
    "version-latency": row_version_latency,  # the server's time for SNAPSHOT CREATE, BRANCH CREATE
    "pinned-set": row_pinned_set,            # SETs beside 1,000 open snapshots
    "idle-versions": row_idle_versions,      # GET and SET after versions were there
    "drop-snapshots": row_drop_snapshots,    # memory back, and who waits for it
    "long-txn": row_long_txn,                # one version held for --hold seconds under load
    "snapshot-rate": row_snapshot_rate,      # 1,000 snapshots a second
    "chains": row_chains,                    # long histories
}
