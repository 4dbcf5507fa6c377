#!/usr/bin/python3
"""The five-minute tour of README.md is what a person sees who types it into verso-cli. Each line at a
prompt in its code blocks is typed at a pseudo terminal of a fresh server, and the transcript must be
the same; with $VERSO_WRITE_TOUR it is written into README.md."""
import os
import re
import tempfile
import unittest

import resp
from terminal import ESCAPES, Terminal

README = os.path.join(resp.ROOT, "README.md")
TOUR = re.compile(r"(?<=<!-- tour -->\n).*?(?=<!-- end -->)", re.S)
SHOWN_PORT = "6379"
# Their elements come in the order of hashes, whose secret differs from store to store.
UNORDERED = re.compile(r"(SNAPSHOT DIFF|ASOF \S+ KEYS) ")


def same_elements(one, other):
    return sorted(re.findall(r'"[^"]*"', one)) == sorted(re.findall(r'"[^"]*"', other))


class Tour(resp.ServerCase):
    def setUp(self):
        super().setUp()
        home = tempfile.TemporaryDirectory(prefix="verso-cli-")
        self.addCleanup(home.cleanup)
        # As if it stood where nobody gives a port: 127.0.0.1:6379 is what readers will see.
        self.prompt = rf"127\.0\.0\.1:{self.server.port}[^\s>]*> "
        self.terminal = Terminal("-p", str(self.server.port), home=home.name)
        self.addCleanup(self.terminal.close)

    def at_prompt(self):
        return self.terminal.wait_for(self.prompt).group().replace(str(self.server.port), SHOWN_PORT)

    def typed(self, line):
        """What is shown until the next prompt, and that prompt."""
        self.terminal.everything = ""
        self.terminal.type(line + "\r")
        prompt = self.at_prompt()
        plain = ESCAPES.sub("", self.terminal.everything).replace("\r\n", "\n").replace("\r", "")
        output = plain.split("\n", 1)[1]
        return output[:output.rindex("127.0.0.1")], prompt

    def test_the_tour_is_what_one_sees(self):
        with open(README, encoding="utf-8") as file:
            readme = file.read()
        tour = TOUR.search(readme).group()
        prompt = self.at_prompt()
        made = []
        lines = 0
        inside = False
        shown = dict(re.findall(r"(127\.0\.0\.1:\d+[^\s>]*> .*\n)((?:(?!```|127\.0\.0\.1:).*\n)*)", tour))
        for line in tour.splitlines(keepends=True):
            fence = line.startswith("```")
            if fence:
                inside = not inside
            command = re.match(r"127\.0\.0\.1:\d+[^\s>]*> (.*)\n", line)
            if inside and command:
                lines += 1
                output, after = self.typed(command[1])
                if UNORDERED.match(command[1]) and same_elements(output, shown[line]):
                    output = shown[line]
                made.append(f"{prompt}{command[1]}\n{output}")
                prompt = after
            elif fence or not inside:
                made.append(line)
        made = "".join(made)
        if os.environ.get("VERSO_WRITE_TOUR"):
            with open(README, "w", encoding="utf-8") as file:
                file.write(TOUR.sub(lambda _: made, readme))
        else:
            self.maxDiff = None
            self.assertEqual(made, tour)
        self.assertGreater(lines, 20)


if __name__ == "__main__":
    unittest.main()
