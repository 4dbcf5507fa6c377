#!/usr/bin/python3
"""The rules about the sources themselves.

    check.py             every rule
    check.py RULE ...    only these; `check.py --list` names them

Each rule is a function that takes the root folder of a checkout and yields one line per violation
("file:line: what is wrong"). test_check.py plants a violation of each rule in a temporary folder
and expects it to be found: a rule that cannot fail is no rule.
"""

import concurrent.futures
import fnmatch
import glob
import os
import re
import shutil
import subprocess
import sys

ROOMS = ("storage", "persistence", "server", "client")

# What may stand at the root, besides what .gitignore names.
ROOT_ENTRIES = {
    ".ci", ".clang-format", ".clang-tidy", ".git", ".gitignore", "CMakeLists.txt", "README.md",
    "client", "docker", "persistence", "server", "storage", "tests",
}
ROOT_IGNORED = {"build", "data", ".cache", "compile_commands.json"}

# Includes point one way: server -> persistence -> storage; client knows none of them.
OWN_INCLUDES = {
    "storage": {"storage"},
    "persistence": {"persistence", "storage"},
    "server": {"server", "persistence", "storage"},
    "client": {"client", "verso"},
}

# Foreign headers that belong to some rooms only: pattern of the header -> patterns of the files.
FOREIGN_INCLUDES = {
    r"rocksdb/": ["persistence/store_db.h", "persistence/store_*.cpp", "persistence/snapshot_*.cpp",
                  "tests/*"],
    # The one header that shows RocksDB stays behind the same files.
    r"persistence/store_db\.h": ["persistence/store_*.cpp", "persistence/snapshot_*.cpp", "tests/*"],
    r"asio(/|\.hpp)": ["server/*", "client/*", "tests/*"],
    r"spdlog/": ["server/*", "tests/*"],
    r"openssl/": ["server/*", "client/*", "tests/*"],
    r"(lua|lauxlib|lualib)\b": ["server/*", "tests/*"],
    r"CLI/": ["server/*", "client/*", "tests/*"],
    r"sys/socket\.h|netinet/|arpa/inet\.h": ["server/*", "client/*", "tests/*"],
}

LINES_MAX = 700
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
# Spelled in pieces, so that this file does not break its own rule.
FORBIDDEN_WORDS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")


def files(root, *suffixes, under=("",)):
    """Paths relative to root, sorted; skips what git ignores by name."""
    found = []
    for folder, folders, names in os.walk(root):
        relative = os.path.relpath(folder, root)
        folders[:] = [f for f in folders if f not in (".git", "__pycache__", ".cache")
                      and not (relative == "." and f in ROOT_IGNORED)]
        for name in names:
            path = os.path.normpath(os.path.join(relative, name))
            if name.endswith(suffixes) and any(path.startswith(u) for u in under):
                found.append(path)
    return sorted(found)


def lines(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as source:
        return list(enumerate(source.read().split("\n"), 1))


def room_files(root, *suffixes):
    return files(root, *suffixes, under=tuple(room + "/" for room in ROOMS))


def rule_root(root):
    """Only the agreed entries stand at the top level."""
    for name in sorted(set(os.listdir(root)) - ROOT_ENTRIES - ROOT_IGNORED):
        yield f"{name}: not one of the agreed top-level entries"


def rule_includes(root):
    """Includes point one way, are spelled from the root, and foreign libraries stay in their room."""
    for path in files(root, ".h", ".cpp"):
        room = path.split("/")[0]
        for number, line in lines(root, path):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, header = match.groups()
            first = header.split("/")[0]
            if first in ROOMS and room in ROOMS and first not in OWN_INCLUDES[room]:
                yield f"{path}:{number}: {room} must not include {header}"
            bases = ["", "client/include", "tests/support"]
            if room == "tests":
                bases.append(os.path.dirname(path))  # a fixture beside its tests
            if quote == '"' and not any(os.path.isfile(os.path.join(root, base, header))
                                        for base in bases):
                yield f'{path}:{number}: "{header}" is not spelled from the root of the repository'
            for pattern, allowed in FOREIGN_INCLUDES.items():
                if re.match(pattern, header) and not any(fnmatch.fnmatch(path, a) for a in allowed):
                    yield f"{path}:{number}: {header} does not belong here"


def rule_guards(root):
    """Every header is protected against being included twice."""
    for path in files(root, ".h"):
        text = "\n".join(line for _, line in lines(root, path))
        if not re.search(r"^#pragma once$", text, re.M):
            yield f"{path}:1: no #pragma once"


def rule_words(root):
    """Nothing is left for later in the sources."""
    for path in files(root, ".h", ".cpp", ".py", ".sh", ".txt", ".md", ".yaml", "Dockerfile", "run"):
        for number, line in lines(root, path):
            match = FORBIDDEN_WORDS.search(line)
            if match:
                yield f"{path}:{number}: {match.group()}"


def rule_length(root):
    """A file of a room fits into one head."""
    for path in room_files(root, ".h", ".cpp"):
        count = len(lines(root, path)) - 1
        if count > LINES_MAX:
            yield f"{path}: {count} lines, at most {LINES_MAX}"


def rule_registered(root):
    """Every test lies where tests/CMakeLists.txt picks it up, and is named so."""
    places = [
        ("*_test.cpp", r"tests/(unit/(%s)/(.+/)?|crash/|integration/client_library/)[^/]+$" % "|".join(ROOMS)),
        ("*_bench.cpp", r"tests/bench/[^/]+$"),
        ("*_fuzz.cpp", r"tests/fuzz/[^/]+$"),
        ("test_*.py", r"tests/(integration|style)/[^/]+$"),
    ]
    for path in files(root, ".cpp", ".py"):
        name = os.path.basename(path)
        for pattern, place in places:
            if fnmatch.fnmatch(name, pattern) and not re.match(place, path):
                yield f"{path}: {pattern} is not picked up here"
    for path in files(root, ".cpp", under=("tests/",)):
        text = "\n".join(line for _, line in lines(root, path))
        if re.search(r"^\s*(TEST_CASE|SCENARIO|TEMPLATE_TEST_CASE)\b", text, re.M) and \
                not path.endswith("_test.cpp"):
            yield f"{path}: has test cases but is not named *_test.cpp"
    for path in files(root, ".py", under=("tests/",)):
        text = "\n".join(line for _, line in lines(root, path))
        is_test = fnmatch.fnmatch(os.path.basename(path), "test_*.py")
        if re.search(r"^class \w+\(.*TestCase\):", text, re.M) and not is_test and \
                "/support/" not in path:
            yield f"{path}: has test cases but is not named test_*.py"
        if is_test and not re.search(r"^    unittest\.main\(", text, re.M):
            yield f"{path}: does not call unittest.main(), so nothing would run"


# Commands that no test names, and why not.
COMMANDS_UNTESTED = {}


def rule_commands(root):
    """Every row of the command table is named by a test of the server."""
    texts = []
    for path in files(root, ".py", ".cpp", under=("tests/integration/", "tests/unit/server/")):
        texts.append("\n".join(line for _, line in lines(root, path)).lower())
    tested = "\n".join(texts)
    for path in files(root, ".cpp", under=("server/command/",)):
        for number, line in lines(root, path):
            match = re.search(r'\{\.name = "([a-z-]+)", \.arity', line)
            name = match and match.group(1)
            # In quotes, or as a word of a quoted command: "GET", 'get key', "object encoding".
            if name and name not in COMMANDS_UNTESTED and \
                    not re.search(r"[\"' ]" + re.escape(name) + r"(?![\w-])", tested):
                yield f"{path}:{number}: no test names {name}"


def expand_braces(pattern):
    match = re.search(r"\{([^{}]*)\}", pattern)
    if not match:
        return [pattern]
    return [p for part in match.group(1).split(",")
            for p in expand_braces(pattern[:match.start()] + part + pattern[match.end():])]


def rule_docs(root):
    """Paths in the documentation exist: in `backticks` and in [links](...)."""
    names = {os.path.basename(path) for path in files(root, "")}
    tops = tuple(f"{entry}/" for entry in ROOT_ENTRIES if "." not in entry[1:]) + ROOMS
    for path in files(root, ".md"):
        folder = os.path.dirname(path)
        in_block = False
        for number, line in lines(root, path):
            if line.lstrip().startswith("```"):
                in_block = not in_block
            if in_block:
                continue
            spans = [span.split()[0] for span in re.findall(r"`([^`]+)`", line) if span.split()]
            spans = [s for s in spans if "/" in s and s.startswith(tops)
                     or re.fullmatch(r"[\w./*{},-]+\.(h|cpp|py|sh|md|\*)", s)]
            spans += [link for link in re.findall(r"\]\(([^)#\s]+)", line) if "://" not in link]
            for span in spans:
                span = re.sub(r":\d+$", "", span.rstrip(".,;:"))
                if span.startswith("build/"):
                    continue
                for wanted in expand_braces(span):
                    if wanted in names:  # a bare name may stand for a file of any folder
                        continue
                    if not any(glob.glob(os.path.join(root, base, wanted)) for base in ("", folder)):
                        yield f"{path}:{number}: {wanted} does not exist"


def rule_format(root):
    """Sources are formatted by clang-format 14 (tests/run.sh format does it)."""
    tool = shutil.which("clang-format-14")
    if not tool:
        yield "clang-format-14 is missing (docker/packages.sh install test)"
        return
    sources = files(root, ".h", ".cpp", under=tuple(r + "/" for r in ROOMS + ("tests",)))

    def unformatted(path):
        full = os.path.join(root, path)
        done = subprocess.run([tool, "--style=file", full], capture_output=True, check=True)
        with open(full, "rb") as source:
            return path if source.read() != done.stdout else None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path in pool.map(unformatted, sources):
            if path:
                yield f"{path}: not formatted (tests/run.sh format)"


def rule_headers(root):
    """Every header compiles alone (and twice in one file)."""
    launcher = ["ccache"] if shutil.which("ccache") else []
    # Without ccache nothing but the check is wanted; ccache needs an object to remember.
    action = ["-O0", "-c"] if launcher else ["-fsyntax-only"]
    environment = dict(os.environ, CCACHE_BASEDIR=os.path.abspath(root), CCACHE_NOHASHDIR="1")

    def compiles(work, header):
        name = re.sub(r"\W", "_", header)
        source = os.path.join(work, name + ".cpp")
        with open(source, "w", encoding="utf-8") as out:
            out.write(f'#include "{header}"\n#include "{header}"\n')
        command = launcher + ["g++", "-std=c++20", "-Wall", "-Wextra", "-Wshadow", "-Werror",
                              "-march=x86-64-v2", "-I", os.path.abspath(root),
                              "-I", os.path.join(os.path.abspath(root), "client/include"),
                              "-I", os.path.join(os.path.abspath(root), "tests/support")]
        command += action + [source] + (["-o", source + ".o"] if launcher else [])
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        first = next((l for l in done.stderr.split("\n") if "error" in l), done.stderr[:200])
        return None if done.returncode == 0 else f"{header}: does not compile alone: {first}"

    # A lasting folder, so that the compiler's cache recognises the same work.
    work = os.path.join(root, "build", "style-headers")
    os.makedirs(work, exist_ok=True)
    headers = files(root, ".h", under=tuple(r + "/" for r in ROOMS + ("tests",)))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for problem in pool.map(lambda header: compiles(work, header), headers):
            if problem:
                yield problem


RULES = {name[len("rule_"):]: rule for name, rule in list(globals().items())
         if name.startswith("rule_")}


def main(arguments):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if arguments == ["--list"]:
        for name, rule in RULES.items():
            print(f"{name:12} {rule.__doc__}")
        return 0
    unknown = [name for name in arguments if name not in RULES]
    if unknown:
        print(f"no such rule: {' '.join(unknown)} (check.py --list)", file=sys.stderr)
        return 2
    failed = 0
    for name in arguments or RULES:
        problems = list(RULES[name](root))
        print(f"{name}: {'ok' if not problems else f'{len(problems)} violations'}")
        for problem in problems:
            print(f"  {problem}")
        failed += bool(problems)
    print(f"{len(arguments or RULES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
