"""A small blocking RESP client and a server fixture for the integration tests.

Deliberately independent of our C++ client and of redis-py: a mistake in one codec does not hide the
same mistake in another. Standard library only.

    class Strings(resp.ServerCase):
        arguments = ("--maxmemory", "100mb")

        def test_set(self):
            client = self.client()
            self.assertEqual(client.command("SET", "k", "v"), b"OK")
            with self.assertRaisesRegex(resp.Error, "^WRONGTYPE"):
                client.command("LPUSH", "k", "x")

Replies: bulk and verbatim strings are bytes, simple strings `Simple` (a kind of bytes), integers and
big numbers int, doubles float, nulls None, booleans bool, arrays list, maps dict, sets set (a list when
an element cannot be hashed). Error replies are raised by command(), returned by pipeline() and read().
Pushes go to `client.pushes`. `client.raw` holds the exact bytes of the last reply.

Binaries: $VERSO_SERVER and $VERSO_CLI, else those under build/release/bin.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVER_BINARY = os.environ.get("VERSO_SERVER", os.path.join(ROOT, "build/release/bin/verso-server"))
CLI_BINARY = os.environ.get("VERSO_CLI", os.path.join(ROOT, "build/release/bin/verso-cli"))
# Everything is slower under a sanitizer; tests of time and memory ask this before they judge.
SANITIZED = bool(os.environ.get("VERSO_SANITIZE"))
# RocksDB starts threads in the child of a save. ThreadSanitizer ends a child that does so ("dup thread
# with used id") if its parent had threads, which the operation log has.
saves_beside_a_log = unittest.skipIf(os.environ.get("VERSO_SANITIZE") == "thread",
                                     "ThreadSanitizer allows no save while the operation log is on")
SECONDS_MAX = 180.0 if SANITIZED else 20.0


class Error(Exception):
    """An error reply; str() is its text, `code` the first word."""

    @property
    def code(self):
        return str(self).split(" ", 1)[0]

    def __eq__(self, other):
        return isinstance(other, Error) and str(self) == str(other)

    __hash__ = Exception.__hash__


class ProtocolError(Exception):
    """The server sent what is no RESP."""


class Simple(bytes):
    """A simple string (+OK), equal to the bytes it holds."""


def encode(arguments):
    """One command as RESP arrays of bulk strings."""
    out = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        if isinstance(argument, str):
            argument = argument.encode()
        elif not isinstance(argument, (bytes, bytearray, memoryview)):
            argument = repr(argument).encode() if isinstance(argument, float) else b"%d" % argument
        out.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
    return b"".join(out)


class Client:
    """One connection. protocol=3 sends HELLO 3 first."""

    def __init__(self, port, host="127.0.0.1", protocol=2, timeout=SECONDS_MAX, password=None):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.pushes = []
        self.raw = bytearray()
        if password is not None:
            self.command("AUTH", password)
        if protocol == 3:
            self.command("HELLO", "3")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def command(self, *arguments):
        """Sends one command, returns its reply; an error reply is raised."""
        self.socket.sendall(encode(arguments))
        reply = self.read()
        if isinstance(reply, Error):
            raise reply
        return reply

    def pipeline(self, commands):
        """Sends all commands at once, returns all replies; errors are among them as values."""
        self.socket.sendall(b"".join(encode(arguments) for arguments in commands))
        return [self.read() for _ in commands]

    def send_raw(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next reply that is no push; an error reply is returned."""
        while True:
            kind, value = self._read_top()
            if kind != b">":
                return value
            self.pushes.append(value)

    def read_push(self):
        """The next push, whether it has come already or not."""
        while not self.pushes:
            kind, value = self._read_top()
            if kind != b">":
                raise ProtocolError(f"a reply where a push was expected: {value!r}")
            self.pushes.append(value)
        return self.pushes.pop(0)

    def is_silent(self, seconds):
        """True if nothing arrives for this long."""
        if self.buffer:
            return False
        return not select.select([self.socket], [], [], seconds)[0]

    def is_closed_by_server(self):
        """Waits for the server to close; False if it sends something instead."""
        if self.buffer:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _read_top(self):
        self.raw = bytearray()  # grows piece by piece; bytes would be copied each time
        kind, value = self._read_value()
        return kind, value

    def _receive(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.buffer += data

    def _read_line(self):
        searched = 0
        while True:
            end = self.buffer.find(b"\r\n", searched)
            if end >= 0:
                break
            searched = max(0, len(self.buffer) - 1)
            self._receive()
        return self._take(end + 2)[:-2]

    def _take(self, count):
        while len(self.buffer) < count:
            self._receive()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        self.raw += data
        return data

    def _read_bulk(self, rest):
        length = int(rest)
        if length < 0:
            return None
        data = self._take(length + 2)
        if data[-2:] != b"\r\n":
            raise ProtocolError(f"a bulk string without its end: {data[-20:]!r}")
        return data[:-2]

    def _read_value(self):
        line = self._read_line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return kind, Simple(rest)
        if kind == b"-":
            return kind, Error(rest.decode("utf-8", "replace"))
        if kind == b":" or kind == b"(":
            return kind, int(rest)
        if kind == b"$":
            return kind, self._read_bulk(rest)
        if kind == b"!":
            return kind, Error(self._read_bulk(rest).decode("utf-8", "replace"))
        if kind == b"=":
            return kind, self._read_bulk(rest)[4:]
        if kind == b",":
            return kind, float(rest)
        if kind == b"#" and rest in (b"t", b"f"):
            return kind, rest == b"t"
        if kind == b"_" and not rest:
            return kind, None
        if kind in (b"*", b"~", b">"):
            if int(rest) < 0:
                return kind, None
            items = [self._read_value()[1] for _ in range(int(rest))]
            if kind == b"~":
                try:
                    return kind, set(items)
                except TypeError:
                    return kind, items
            return kind, items
        if kind == b"%":
            pairs = [(self._read_value()[1], self._read_value()[1]) for _ in range(int(rest))]
            return kind, dict(pairs)
        if kind == b"|":  # attributes precede the reply that they describe
            for _ in range(2 * int(rest)):
                self._read_value()
            return self._read_value()
        raise ProtocolError(f"not RESP: {line[:60]!r}")


def wait_until(condition, what, seconds=SECONDS_MAX):
    """Polls until condition() is true and returns its value; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process on a free loopback port, its data in a temporary folder of its own.

    arguments: added to the command line. save: the save points ("" for none, None to leave the
    server's default). config: text of a configuration file. directory: data to start from, kept at
    the end. The folder outlives stop(), kill() and restart(); close() removes it.
    """

    def __init__(self, *arguments, save="", config=None, directory=None, environment=None):
        self.arguments = list(arguments)
        self.save = save
        self.config = config
        self.environment = environment
        self.owns_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="verso-test-")
        self.log_path = os.path.join(tempfile.gettempdir(), f"verso-test-{os.getpid()}-{id(self)}.log")
        self.port = None
        self.process = None
        self.clients = []

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *unused):
        self.close()

    def start(self, *more, wait=True):
        """Starts the process (with more arguments, this time only) and waits until it serves."""
        for attempt in range(5):
            self.port = self.port or free_port()
            self._spawn(more)
            if not wait:
                return self
            try:
                self.wait_ready()
                return self
            except AssertionError:
                taken = self.process.poll() is not None and "in use" in self.log()
                self.kill()
                if not taken or attempt == 4:
                    raise
                self.port = None
        return self

    def _spawn(self, more):
        command = [SERVER_BINARY]
        if self.config is not None:
            path = os.path.join(self.directory, "verso.conf")
            with open(path, "w", encoding="utf-8") as out:
                out.write(self.config)
            command.append(path)
        command += ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory]
        if self.save is not None:
            command += ["--save", self.save]
        command += [str(argument) for argument in [*self.arguments, *more]]
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, cwd=self.directory,
                                            env={**os.environ, **(self.environment or {})})

    def log(self):
        """What the process wrote since it was last started."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode("utf-8", "replace")

    def wait_ready(self, seconds=SECONDS_MAX):
        """Waits for a reply to PING; -NOAUTH counts, a loading server does not."""
        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
            try:
                with Client(self.port, timeout=seconds) as client:
                    reply = client.pipeline([("PING",)])[0]
                    return not isinstance(reply, Error) or reply.code == "NOAUTH"
            except (ConnectionError, socket.timeout):
                return False
        try:
            wait_until(answers, "the server answers PING", seconds)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.log()}") from None

    def client(self, **options):
        """A connection, closed by close() at the latest."""
        self.clients.append(Client(self.port, **options))
        return self.clients[-1]

    @property
    def pid(self):
        return self.process.pid

    def info(self, section="everything"):
        """INFO as a dict of strings."""
        with self.client() as client:
            text = client.command("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line and line[0] != "#")

    def wait_saved(self):
        wait_until(lambda: self.info("persistence")["rdb_bgsave_in_progress"] == "0", "the save's end")

    def wait_loaded(self):
        wait_until(lambda: self.info("persistence")["async_loading"] == "0", "all pages are in", 120)

    def wait_exit(self, seconds=SECONDS_MAX):
        """The exit status, once the process has ended by itself."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end:\n{self.log()}") from None

    def stop(self, seconds=SECONDS_MAX):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(seconds)

    def kill(self):
        """SIGKILL: a crash."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def restart(self, *more):
        """Stops gracefully if still running, then starts on the same data and port."""
        if self.process.poll() is None:
            self.stop()
        return self.start(*more)

    def close(self):
        self.kill()
        for client in self.clients:
            client.close()
        if self.owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        if os.path.exists(self.log_path):
            os.remove(self.log_path)


def back_from_save(test, server, digest):
    """Waits for the running save, kills the server and starts it again. The data must be what the digest says
    and every page accounted for; a new client."""
    server.wait_saved()
    server.kill()
    server.start()
    client = server.client()
    test.assertEqual(client.command("DEBUG", "DIGEST"), digest)
    test.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
    return client


class ServerCase(unittest.TestCase):
    """One server for all tests of the class, emptied before each; on a failure its log is shown."""

    arguments = ()
    save = ""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments, save=cls.save)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def setUp(self):
        with self.server.client() as client:
            client.command("FLUSHALL")

    def client(self, **options):
        """A connection that is closed at the end of the test."""
        client = self.server.client(**options)
        self.addCleanup(client.close)
        return client

    def tearDown(self):
        code = self.server.process.poll()
        if code is not None:
            log = self.server.log()
            self.server.start()
            self.fail(f"the server ended with {code} during the test:\n{log}")


def cli(port, *arguments, stdin=b"", check=True):
    """Runs verso-cli against the port; its standard output."""
    done = subprocess.run([CLI_BINARY, "-p", str(port), *arguments], input=stdin,
                          capture_output=True, timeout=SECONDS_MAX)
    if check and done.returncode != 0:
        raise AssertionError(f"verso-cli {arguments} ended with {done.returncode}: {done.stderr!r}")
    return done.stdout
