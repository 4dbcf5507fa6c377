"""A server under measurement: started on a CPU of its own, observed from outside through /proc.

Everything is read from the kernel where it can be, so that Verso and Redis are measured with the same
ruler. Load generators run on LOAD_CPU, and so do the forked children of both servers (on two CPUs a
child on the server's CPU would measure the scheduler, not the server).
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import resp  # noqa: E402

SERVER_CPU, LOAD_CPU = 0, 1
SECONDS_MAX = 600
niceness = 0  # of servers and generators; below 0 (root) the neighbours on a busy machine disturb less


def place(cpu):
    """In the child, before it becomes a server or a generator: its CPU and its priority."""
    os.sched_setaffinity(0, {cpu})
    if niceness:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
        # Where the kernel schedules by session, niceness counts only inside one.
        os.setsid()
        if os.path.exists("/proc/self/autogroup"):
            with open("/proc/self/autogroup", "w", encoding="ascii") as group:
                group.write(str(niceness))


def running_or(path, what, fallback):
    """The text of a file under /proc, or `fallback` if the process has just gone."""
    try:
        with open(path, encoding="ascii", errors="replace") as source:
            return what(source.read())
    except OSError:
        return fallback


def children_of(pid):
    return running_or(f"/proc/{pid}/task/{pid}/children", lambda text: [int(word) for word in text.split()], [])


def private_bytes(pid):
    """Memory of private mappings that nobody shares (Private_* of smaps): what a fork must copy tables of."""
    def add_up(text):
        total, is_private = 0, False
        for line in text.split("\n"):
            mapping = re.match(r"[0-9a-f]+-[0-9a-f]+ (....) ", line)
            if mapping:
                is_private = mapping.group(1)[3] == "p"
            elif is_private and line.startswith("Private_"):
                total += int(line.split()[1]) * 1024
        return total
    return running_or(f"/proc/{pid}/smaps", add_up, 0)


def status_bytes(pid, *names):
    def add_up(text):
        return sum(int(line.split()[1]) * 1024 for line in text.split("\n") if line.split(":")[0] in names)
    return running_or(f"/proc/{pid}/status", add_up, 0)


def shared_file_bytes(pid):
    """What the memfds (and files on a tmpfs that are unlinked) of the process hold, mapped or not."""
    seen = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        try:
            if os.readlink(path).startswith("/memfd:"):
                stat = os.stat(path)
                seen[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
        except OSError:
            continue  # closed meanwhile
    return sum(seen.values())


def memory_bytes(pid):
    """All memory of a process: private, and its shared files once, whether or not they are mapped now."""
    shared = shared_file_bytes(pid) or status_bytes(pid, "RssShmem")
    return status_bytes(pid, "RssAnon") + shared


def schedule_of(pid):
    """(processor seconds of all threads, seconds that the main thread was ready but had to wait)."""
    cpu = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        cpu += running_or(f"/proc/{pid}/task/{task}/schedstat", lambda text: int(text.split()[0]), 0)
    waited = running_or(f"/proc/{pid}/schedstat", lambda text: int(text.split()[1]), 0)
    return cpu / 1e9, waited / 1e9


class MeasuredServer:
    """name: "verso" or "redis"; `load` is the compiled load generator; `binary`, if it is another one than usual."""

    def __init__(self, name, load, work, binary=None):
        self.name = name
        self.binary = binary or (resp.SERVER_BINARY if name == "verso" else shutil.which("redis-server"))
        self.load_binary = load
        self.work = work
        self.process = None
        self.directory = None

    def start(self, *arguments):
        self.directory = tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.work)
        self.arguments = arguments
        return self.start_again()

    def start_again(self):
        """On what it has left."""
        self.log_path = os.path.join(self.work, f"{self.name}.log")
        for _ in range(5):
            self.port = resp.free_port()
            command = [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory,
                       "--save", "", "--maxclients", "11000", *self.arguments]
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                    preexec_fn=lambda: place(SERVER_CPU))
            if self._comes_up():
                return self
        raise AssertionError(f"{self.name} does not start, see {self.log_path}")

    def _comes_up(self):
        end = time.monotonic() + SECONDS_MAX
        while self.process.poll() is None and time.monotonic() < end:
            try:
                with self.client() as client:
                    return client.pipeline([("PING",)])[0] is not None  # -LOADING will do
            except OSError:
                time.sleep(0.01)
        return False

    @property
    def pid(self):
        return self.process.pid

    def client(self):
        return resp.Client(self.port, timeout=SECONDS_MAX)

    def command(self, *arguments):
        with self.client() as client:
            return client.command(*arguments)

    def info(self):
        text = self.command("INFO", "everything").decode()
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None:
            self.kill()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.process = self.directory = None

    def put_first(self):
        """Before all others on its CPU, its children excepted: then what delays a request is the server
        itself and not its neighbours. For loads that leave the CPU idle most of the time; only root may."""
        try:
            os.sched_setscheduler(self.pid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(10))
        except PermissionError:
            pass

    # ---- load

    def start_load(self, mode, **options):
        command = [self.load_binary, mode, "--port", str(self.port)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                preexec_fn=lambda: place(LOAD_CPU))

    def finish_load(self, process):
        report = json.loads(process.communicate(timeout=SECONDS_MAX)[0])
        if report["errors"] or report["missing"] or report["sent"] != report["done"]:
            raise AssertionError(f"{self.name}: {report}")
        return report

    def load(self, mode, **options):
        return self.finish_load(self.start_load(mode, **options))

    def fill(self, keys, value, first=0):
        self.load("fill", keys=keys, value=value, first=first)

    def fill_gigabytes(self, gigabytes, value):
        """Returns the number of keys whose values are so many GiB."""
        keys = int(gigabytes * (1 << 30) / value)
        self.fill(keys, value)
        return keys

    # ---- saves

    def save(self):
        """BGSAVE to its end, children and all; INFO after it."""
        self.command("BGSAVE")
        return self.wait_saved()

    def wait_saved(self):
        def ended():
            info = self.info()
            return info if info["rdb_bgsave_in_progress"] == "0" else None
        info = resp.wait_until(ended, f"{self.name} saves", SECONDS_MAX)
        if info["rdb_last_bgsave_status"] != "ok":
            raise AssertionError(f"{self.name}: the save failed: {info.get('save_last_error')}")
        # A child may go on tidying up the store.
        resp.wait_until(lambda: not children_of(self.pid), "children end", SECONDS_MAX)
        return info

    def directory_bytes(self):
        total = 0
        for folder, _, names in os.walk(self.directory):
            for name in names:
                total += os.path.getsize(os.path.join(folder, name))
        return total


class ChildWatch(threading.Thread):
    """Moves forked children to LOAD_CPU as soon as they exist; keeps the highest memory seen."""

    def __init__(self, server, samples_memory=False):
        super().__init__(daemon=True)
        self.server = server
        self.samples_memory = samples_memory
        self.ended = threading.Event()
        self.memory_before = memory_bytes(server.pid) if samples_memory else 0
        self.memory_most = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.join()

    def run(self):
        moved, sampled = set(), 0.0
        while not self.ended.wait(0.003):
            children = children_of(self.server.pid)
            for child in set(children) - moved:
                moved.add(child)
                for task in running_or(f"/proc/{child}/status", lambda _, c=child: os.listdir(f"/proc/{c}/task"), []):
                    try:
                        os.sched_setaffinity(int(task), {LOAD_CPU})
                    except OSError:
                        continue  # has ended
            if self.samples_memory and time.monotonic() - sampled > 0.2:
                sampled = time.monotonic()
                memory = memory_bytes(self.server.pid) + sum(map(private_bytes, children))
                self.memory_most = max(self.memory_most, memory)


class Timeline:
    """What a load generator saw per interval, in seconds of the monotonic clock."""

    def __init__(self, report, path):
        self.rows = []
        with open(path, encoding="ascii") as source:
            for line in source:
                ms, done, slowest_us = line.split(",")
                self.rows.append((report["start_s"] + int(ms) / 1e3, int(done), float(slowest_us) / 1e3))

    def done(self, begin, end):
        return sum(done for at, done, _ in self.rows if begin <= at < end)

    def worst_ms(self, begin, end):
        return max((worst for at, _, worst in self.rows if begin <= at < end), default=0.0)


def terminate(process):
    process.send_signal(signal.SIGTERM)


def allow_many_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
