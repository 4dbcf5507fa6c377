"""The command table in README.md is the one the server prints."""

import os
import subprocess
import unittest

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")


class Readme(unittest.TestCase):
    def test_commands(self):
        with open(README, encoding="utf-8") as file:
            text = file.read()
        begin = "<!-- verso-server --print-commands -->\n"
        self.assertIn(begin, text)
        table = text.split(begin)[1].split("<!-- end -->")[0]
        printed = subprocess.run([os.environ["VERSO_SERVER"], "--print-commands"], check=True, capture_output=True, text=True)
        self.assertEqual(table, printed.stdout)


if __name__ == "__main__":
    unittest.main()
