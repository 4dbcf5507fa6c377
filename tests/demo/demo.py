"""Real data from end to end: load, snapshot under fire, kill, restart, compare. See ../demo.sh."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "support")]
import package_index  # noqa: E402
import resp  # noqa: E402

SEED = int(os.environ.get("DEMO_SEED", "1"))
OVERWRITERS = 3
SAMPLES = 1000
PROBE_RATE = 1000
PROBE_LEAD_SECONDS = 0.5  # of quiet before the save, for comparison
SECONDS_MAX = 300


class Demo:
    def __init__(self, work):
        self.work = work
        self.failures = []
        self.children = []
        data = os.path.join(work, "data")
        os.mkdir(data)
        self.server = resp.Server("--enable-debug-command", "local", directory=data)

    def path(self, name):
        return os.path.join(self.work, name)

    def check(self, what, good, detail=""):
        print(f"  {'ok  ' if good else 'FAIL'} {what}{f': {detail}' if detail and not good else ''}", flush=True)
        if not good:
            self.failures.append(what)

    def info(self):
        return self.server.info()

    def command(self, *arguments):
        with resp.Client(self.server.port, timeout=SECONDS_MAX) as client:
            return client.command(*arguments)

    # ---- steps

    def generate(self):
        started = time.monotonic()
        self.pairs = package_index.pairs_of(package_index.index_text())
        if len(self.pairs) < 1000:
            sys.exit("demo: there is next to no package index on this machine; run `apt-get update` first")
        self.payload = sum(len(key) + len(value) for key, value in self.pairs.items())
        package_index.write_stream(self.path("load.resp"), self.pairs.items())
        self.parts = [self.path(f"overwrite{i}.resp") for i in range(OVERWRITERS)]
        package_index.write_overwrites(self.parts, self.pairs, SEED)
        lengths = sorted(map(len, self.pairs.values()))
        figure("key-value pairs", f"{len(self.pairs):,}, {megabytes(self.payload)} of keys and values; values of "
               f"{lengths[0]} to {lengths[-1]:,} bytes, median {lengths[len(lengths) // 2]}"
               f" (generated in {time.monotonic() - started:.1f} s)")

    def load(self):
        self.server.start()
        self.empty = self.info()
        started = time.monotonic()
        with open(self.path("load.resp"), "rb") as stream:
            done = subprocess.run([resp.CLI_BINARY, "-p", str(self.server.port), "--pipe"], stdin=stream,
                                  capture_output=True, text=True)
        seconds = time.monotonic() - started
        self.check("every SET of the stream was answered OK", done.returncode == 0 and "errors: 0" in done.stdout,
                   done.stdout + done.stderr)
        size = self.command("DBSIZE")
        self.check("DBSIZE is the number of pairs", size == len(self.pairs), size)
        figure("loading", f"{seconds:.1f} s, {len(self.pairs) / seconds:,.0f} SETs per second")
        used = int(self.info()["used_memory"]) - int(self.empty["used_memory"])
        figure("memory per key", f"{used / len(self.pairs):.0f} bytes, {self.payload / len(self.pairs):.0f} of them "
               "key and value")

    def start_probe(self):
        """PING a thousand times a second; PING and SET in turn once the snapshot is taken."""
        command = [os.environ["DEMO_LOAD"], "rate", "--op", "mix", "--port", str(self.server.port),
                   "--rate", str(PROBE_RATE), "--interval", "10", "--fifo", "1", "--timeline", self.path("probe")]
        probe = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.children.append(probe)
        return probe

    def finish_probe(self, probe, begin, end):
        probe.send_signal(signal.SIGTERM)
        report = json.loads(probe.communicate(timeout=SECONDS_MAX)[0])
        self.check("every request of the probe was answered", report["errors"] == 0 and
                   report["sent"] == report["done"], report)
        worst = {"before": 0.0, "around": 0.0, "during": 0.0}
        with open(self.path("probe"), encoding="ascii") as timeline:
            for line in timeline:
                ms, _, slowest_us = line.split(",")
                at = report["start_s"] + int(ms) / 1000
                phase = "before" if at < begin - 0.01 else "during" if at < end else None
                if phase:
                    worst[phase] = max(worst[phase], float(slowest_us) / 1000)
                if begin - 0.01 <= at < begin + 0.1:
                    worst["around"] = max(worst["around"], float(slowest_us) / 1000)
        return worst

    def overwrite(self):
        """Connections that overwrite everything with other values, again and again."""
        for part in self.parts:
            source = subprocess.Popen(["cat", *[part] * 500], stdout=subprocess.PIPE)
            writer = subprocess.Popen([resp.CLI_BINARY, "-p", str(self.server.port), "--pipe"], stdin=source.stdout,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            source.stdout.close()
            self.children += [source, writer]

    def snapshot_under_fire(self):
        self.digest = self.command("DEBUG", "DIGEST")
        probe = self.start_probe()
        time.sleep(PROBE_LEAD_SECONDS)
        before = self.info()
        with resp.Client(self.server.port, timeout=SECONDS_MAX) as client:
            begin, waited = time.monotonic(), self.waited_for_cpu()
            client.command("BGSAVE")  # nobody writes between the digest and this
            probe.send_signal(signal.SIGUSR1)
            self.overwrite()
            after = resp.wait_until(self.save_ended, "the save ends", SECONDS_MAX)
            end, waited = time.monotonic(), self.waited_for_cpu() - waited
        # Still overwriting: what is in memory now is not what was saved.
        worst = self.finish_probe(probe, begin, end)
        changed = self.command("DEBUG", "DIGEST")
        self.server.kill()
        written = int(after["total_commands_processed"]) - int(before["total_commands_processed"])
        self.check("the save committed", after["rdb_last_bgsave_status"] == "ok", after.get("save_last_error"))
        self.check("clients overwrote data during the save and after it", written > PROBE_RATE and
                   changed != self.digest)
        figure("pin + fork", f"{after.get('save_pin_usec', '?')} + {after['latest_fork_usec']} us")
        figure("the save took", f"{end - begin:.2f} s, while {written:,} commands ran")
        figure("worst request", f"{worst['around']:.2f} ms within 0.1 s of BGSAVE, {worst['during']:.2f} ms in the "
               f"whole save, {worst['before']:.2f} ms before it (probe at {PROBE_RATE} a second; other processes "
               f"kept the server from its CPU for {waited / (end - begin):.0%} of the save)")
        if "pages_copied" in after:
            figure("pages copied", f"{int(after['pages_copied']) - int(before['pages_copied']):,} of "
                   f"{int(after['save_pages_total']):,}, {int(after['pages_released_early']):,} of them given back "
                   "while the save ran")
        size = sum(os.path.getsize(os.path.join(folder, name))
                   for folder, _, names in os.walk(self.server.directory) for name in names)
        figure("store on disk", f"{megabytes(size)}, {size / len(self.pairs):.0f} bytes per key")

    def waited_for_cpu(self):
        with open(f"/proc/{self.server.pid}/schedstat", encoding="ascii") as schedstat:
            return int(schedstat.read().split()[1]) / 1e9

    def save_ended(self):
        info = self.info()
        return info if info["rdb_bgsave_in_progress"] == "0" else None

    def restart(self):
        started = time.monotonic()
        self.server.start(wait=False)
        first = resp.wait_until(self.any_reply, "a reply after the restart", SECONDS_MAX) - started
        resp.wait_until(self.serves, "clients are served", SECONDS_MAX)
        served = time.monotonic() - started
        # Pages come in behind it; a Redis has them all when it serves.
        resp.wait_until(lambda: self.info().get("async_loading", "0") == "0", "everything is loaded", SECONDS_MAX)
        figure("after kill -9", f"first reply {first * 1000:.0f} ms after the start, clients served after "
               f"{served * 1000:.0f} ms, everything loaded after {(time.monotonic() - started) * 1000:.0f} ms")
        digest = self.command("DEBUG", "DIGEST")
        self.check("the digest is that of the snapshot", digest == self.digest, f"{digest} is not {self.digest}")
        size = self.command("DBSIZE")
        self.check("DBSIZE is that of the snapshot", size == len(self.pairs), size)
        keys = random.Random(SEED).sample(sorted(self.pairs), SAMPLES)
        values = self.command("MGET", *keys)
        self.check(f"{SAMPLES} keys have the value of the package index",
                   values == [self.pairs[key] for key in keys])
        if "verso_version" in self.info():
            self.check("the audit finds every page accounted for", self.command("DEBUG", "AUDIT") == b"OK")
        print(f"  digest {self.digest.decode()}")

    def any_reply(self):
        try:
            with resp.Client(self.server.port, timeout=SECONDS_MAX) as client:
                client.pipeline([("PING",)])
                return time.monotonic()
        except OSError:
            if self.server.process.poll() is not None:
                raise AssertionError(f"the server ended:\n{self.server.log()}") from None
            return None

    def serves(self):
        with resp.Client(self.server.port, timeout=SECONDS_MAX) as client:
            return not isinstance(client.pipeline([("PING",)])[0], resp.Error)

    def close(self):
        self.server.close()
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()


def megabytes(count):
    return f"{count / 1e6:.0f} MB"


def figure(name, text):
    print(f"  {name:<18} {text}", flush=True)


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    work = tempfile.mkdtemp(prefix="verso-demo-")
    demo = Demo(work)
    # A terminated demo cleans up too.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit("demo: terminated"))
    try:
        for step in (demo.generate, demo.load, demo.snapshot_under_fire, demo.restart):
            print(step.__name__.replace("_", " "))
            step()
    except (AssertionError, OSError, resp.Error, resp.ProtocolError) as error:
        demo.check(f"no step broke off ({type(error).__name__})", False, error)
    finally:
        demo.close()
        shutil.rmtree(work, ignore_errors=True)
    print("PASS" if not demo.failures else f"FAIL: {'; '.join(demo.failures)}")
    return 0 if not demo.failures else 1


if __name__ == "__main__":
    sys.exit(main())
