#!/usr/bin/python3
"""Each style rule finds a violation of it, and is silent without one.

A small clean tree is made in a temporary folder; every test first sees its rule pass on it, then
plants one violation and expects exactly that file to be named.
"""

import os
import re
import shutil
import tempfile
import unittest

import check

CLEAN = {
    "CMakeLists.txt": "",
    "README.md": "See `storage/base/a.h` and [tests](tests/run.sh), `storage/base/*.{h,cpp}`.\n",
    "tests/run.sh": "#!/bin/sh\n",
    ".clang-format": "BasedOnStyle: Google\n",
    "storage/base/a.h": "#pragma once\n#include <cstdint>\nint A();\n",
    "storage/base/a.cpp": '#include "storage/base/a.h"\n\nint A() { return 1; }\n',
    "persistence/store_x.cpp": '#include <rocksdb/db.h>\n\n#include "storage/base/a.h"\n',
    "server/main.cpp": '#include <asio.hpp>\n\n#include "storage/base/a.h"\n',
    "server/command/cmd_a.cpp": 'const Row kRows[] = {{.name = "get", .arity = 2},\n                     {.name = "encoding", .arity = 3}};\n',
    "client/include/verso/client.h": "#pragma once\n",
    "client/client.cpp": '#include "verso/client.h"\n',
    "tests/unit/storage/base/a_test.cpp": '#include "storage/base/a.h"\n\nTEST_CASE("a") {}\n',
    "tests/integration/test_b.py": "# 'GET', 'object encoding'\nif x:\n    unittest.main()\n",
    "tests/integration/test_a.py": "if __name__ == '__main__':\n    unittest.main()\n",
    "build/generated/bad.h": "int unguarded;\n",
}


class StyleRules(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="verso-style-")
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as out:
            out.write(text)

    def expect(self, rule, path, text):
        """The rule passes, then fails once `path` holds `text`, naming that file and no other."""
        before = list(check.RULES[rule](self.root))
        self.assertEqual(before, [], "the clean tree is not clean")
        self.write(path, text)
        problems = list(check.RULES[rule](self.root))
        self.assertTrue(problems, f"{rule} did not see the violation")
        for problem in problems:
            self.assertTrue(problem.startswith(path), problem)
        os.remove(os.path.join(self.root, path))
        if path in CLEAN:
            self.write(path, CLEAN[path])
        folder = os.path.dirname(os.path.join(self.root, path))
        while not os.listdir(folder):
            os.rmdir(folder)
            folder = os.path.dirname(folder)

    def test_root(self):
        self.expect("root", "notes.txt", "x\n")

    def test_includes_of_our_rooms(self):
        for path, header in [("storage/b.h", "persistence/store_x.cpp"),
                             ("storage/b.h", "server/main.cpp"),
                             ("persistence/b.cpp", "server/main.cpp"),
                             ("persistence/b.cpp", "client/client.cpp"),
                             ("server/b.cpp", "client/client.cpp"),
                             ("client/b.cpp", "storage/base/a.h")]:
            with self.subTest(path=path, header=header):
                self.expect("includes", path, f'#pragma once\n#include "{header}"\n')

    def test_includes_spelled_from_the_root(self):
        self.expect("includes", "storage/base/b.cpp", '#include "a.h"\n')
        self.expect("includes", "storage/base/b.cpp", '#include "../base/a.h"\n')

    def test_foreign_includes(self):
        for path, header in [("storage/b.cpp", "rocksdb/db.h"), ("persistence/log.cpp", "rocksdb/db.h"),
                             ("persistence/store_b.h", "rocksdb/db.h"), ("server/b.cpp", "rocksdb/db.h"),
                             ("persistence/log.cpp", "persistence/store_db.h"),
                             ("storage/b.cpp", "asio.hpp"), ("persistence/b.cpp", "asio/write.hpp"),
                             ("storage/b.cpp", "sys/socket.h"), ("persistence/b.cpp", "spdlog/spdlog.h"),
                             ("client/b.cpp", "spdlog/spdlog.h"), ("client/b.cpp", "lua.hpp")]:
            with self.subTest(path=path, header=header):
                self.expect("includes", path, f"#include <{header}>\n")

    def test_guards(self):
        self.expect("guards", "server/b.h", "int B();\n")

    def test_words(self):
        self.expect("words", "server/b.cpp", "// TO" + "DO: later\n")
        self.expect("words", "docker/b.md", "FIX" + "ME\n")

    def test_length(self):
        self.write("server/b.cpp", "\n" * check.LINES_MAX)
        self.expect("length", "server/c.cpp", "\n" * (check.LINES_MAX + 1))

    def test_registered(self):
        for path, text in [("tests/unit/b_test.cpp", ""), ("storage/base/b_test.cpp", ""),
                           ("tests/unit/nowhere/b_test.cpp", ""), ("tests/model/b_test.cpp", ""),
                           ("tests/unit/storage/b.cpp", 'TEST_CASE("b") {}\n'),
                           ("tests/bench/deep/b_bench.cpp", ""), ("tests/b_fuzz.cpp", ""),
                           ("tests/test_b.py", "if x:\n    unittest.main()\n"),
                           ("tests/integration/test_c.py", "class B(unittest.TestCase):\n"),
                           ("tests/integration/b.py", "class B(unittest.TestCase):\n")]:
            with self.subTest(path=path):
                self.expect("registered", path, text)

    def test_commands(self):
        for name in ("getex", "ge", "coding"):
            with self.subTest(name=name):
                self.expect("commands", "server/command/cmd_b.cpp",
                            f'    {{.name = "{name}", .arity = 2}},\n')

    def test_docs(self):
        for text in ["`storage/base/b.h`", "[b](tests/b.sh)", "`tests/b.sh --x`", "`base/b.cpp`",
                     "`storage/base/a.{h,py}`", "`storage/c*.h`"]:
            with self.subTest(text=text):
                self.expect("docs", "storage/README.md", text + "\n")

    def test_docs_accepts_the_folder_of_the_document(self):
        self.write("storage/README.md", "`base/a.h`, `base/a.h:3`, `main.cpp`, `build/x.h`, `GET/SET`, `./data`\n")
        self.assertEqual(list(check.RULES["docs"](self.root)), [])

    def test_format(self):
        self.expect("format", "server/b.cpp", "int  B( ) {return 1;}\n")

    def test_headers(self):
        for path in ("server/main.cpp", "persistence/store_x.cpp"):
            os.remove(os.path.join(self.root, path))
        self.expect("headers", "storage/b.h", "#pragma once\nstd::string B();\n")
        self.expect("headers", "storage/b.h", "struct B {};\n")

    def test_every_rule_runs_in_ctest(self):
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, "..", "CMakeLists.txt"), encoding="utf-8") as source:
            listed = re.search(r"foreach\(rule ([^)]*)\)", source.read()).group(1).split()
        self.assertEqual(sorted(listed), sorted(check.RULES))

    def test_every_rule_has_a_test(self):
        with open(os.path.abspath(__file__), encoding="utf-8") as source:
            text = source.read()
        for rule in check.RULES:
            self.assertIn(f'self.expect("{rule}"', text)


if __name__ == "__main__":
    unittest.main()
