"""Rows of bars.py for snapshots and branches."""

import random
import time

import measured_server as ms
import type_rows

CHANGED = 1000


def cpu_seconds(server):
    return ms.schedule_of(server.pid)[0]


def read_diff(client, a, b):
    """All rows of a diff, and how many calls it took."""
    rows, calls, cursor = 0, 0, b"0"
    while calls == 0 or cursor != b"0":
        cursor, found = client.command("SNAPSHOT", "DIFF", a, b, "CURSOR", cursor, "COUNT", CHANGED)
        rows, calls = rows + len(found), calls + 1
    return rows, calls


def row_diff(bench):
    """SNAPSHOT DIFF after some of many keys were changed: what it costs the server, and who waits for it."""
    keys = bench.keys(10_000_000)
    server = bench.server("verso")
    server.fill(keys, 16)
    chance = random.Random(1)
    spent = []
    with server.client() as client:
        for _ in range(bench.options.rounds):
            client.command("SNAPSHOT", "CREATE", "before", "REPLACE")
            changed = {f"key:{chance.randrange(keys):012}" for _ in range(CHANGED)}
            client.pipeline([("SET", key, "changed") for key in changed])
            begin = cpu_seconds(server)
            rows, calls = read_diff(client, "before", "main")
            spent.append((cpu_seconds(server) - begin) * 1000)
            if rows < len(changed):
                raise AssertionError(f"{rows} rows of {len(changed)}")

        def again():
            for _ in range(50):
                read_diff(client, "before", "main")

        idle, _, _ = type_rows.beside(server, lambda: time.sleep(2), 1)
        worst, _, _ = type_rows.beside(server, again, bench.options.rounds)
        bench.add(f"SNAPSHOT DIFF after changing {CHANGED:,} of {keys:,} keys", f"{min(spent):.1f} ms", "", "50 ms", min(spent) < 50,
                  ", ".join(f"{value:.1f}" for value in spent) + f" of processor time; {calls} calls")
        bench.add("worst PING beside 50 of them", f"{min(worst):.2f} ms", "", "under 2 ms", min(worst) < 2,
                  ", ".join(f"{value:.2f}" for value in worst) + f"; idle {idle[0]:.2f}")
    server.stop()


ROWS = {
    "diff": row_diff,
}
