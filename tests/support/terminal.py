"""verso-cli in a pseudo terminal, for the tests that type."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import resp

# What moves the cursor and colours the text.
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>]|\([A-B0])")


class Terminal:
    """verso-cli in a terminal of 24 rows and 200 columns; `home` keeps its history."""

    def __init__(self, *arguments, home, environment=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
        self.process = subprocess.Popen(
            [resp.CLI_BINARY, *arguments], stdin=slave, stdout=slave, stderr=slave, close_fds=True,
            start_new_session=True, cwd=home,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "HOME": home, "TERM": "xterm", "LC_ALL": "C.UTF-8",
                 **(environment or {})})
        os.close(slave)
        self.shown = ""  # what came and no wait_for has passed yet
        self.everything = ""

    def type(self, text, edited=True):
        """Types, to the line editor: it shows its prompt a moment before it takes over the keys."""
        while edited and termios.tcgetattr(self.master)[3] & termios.ICANON:
            time.sleep(0.001)
        os.write(self.master, text.encode())

    def read(self, seconds):
        """Takes in what has come; False at the end of the output."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        text = data.decode("utf-8", "replace")
        self.shown += text
        self.everything += text
        return bool(data)

    def wait_for(self, pattern):
        """Reads until the pattern is shown; the match, escapes left out. Goes on behind it."""
        end = time.monotonic() + resp.SECONDS_MAX
        while True:
            plain = ESCAPES.sub("", self.shown)
            match = re.search(pattern, plain)
            if match:
                self.shown = plain[match.end():]
                return match
            goes_on = time.monotonic() < end and self.read(0.05)
            if not goes_on and not re.search(pattern, ESCAPES.sub("", self.shown)):
                raise AssertionError(f"{pattern!r} was not shown: {self.everything!r}")

    def enter(self, line, pattern):
        """Types a line, waits for what it prints."""
        self.type(line + "\r")
        return self.wait_for(pattern)

    def wait_exit(self):
        end = time.monotonic() + resp.SECONDS_MAX
        while self.read(0.05) and time.monotonic() < end:
            pass
        return self.process.wait(resp.SECONDS_MAX)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)
