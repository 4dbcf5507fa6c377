#!/usr/bin/python3
"""A start on what Redis has left with appendonly yes: base, increments, torn ends, damage.

The truth is Redis itself, started once more on a copy of its files. Two environment variables make the
tests longer: VERSO_AOF_COMMANDS (of the random workload) and VERSO_AOF_STATES (cuts and flips); VERSO_AOF_SEED
chooses others.
"""
import hashlib
import os
import random
import shutil
import tempfile
import time
import unittest

import resp
from redis_values import REDIS, Redis, content, fill

COMMANDS = int(os.environ.get("VERSO_AOF_COMMANDS", "2000"))
STATES = int(os.environ.get("VERSO_AOF_STATES", "4"))
SEED = int(os.environ.get("VERSO_AOF_SEED", "1"))


class Workload:
    """Random commands on few keys, so that they meet; what a key's type refuses is part of it."""

    def __init__(self, seed):
        self.chosen = random.Random(seed)

    def key(self, kind):
        return f"{kind}:{self.chosen.randrange(12)}" if self.chosen.random() < 0.97 else f"any:{self.chosen.randrange(4)}"

    def word(self):
        chosen = self.chosen
        return chosen.choice([str(chosen.randrange(-200, 200)), chosen.randbytes(chosen.randrange(1, 30)),
                              "w" * chosen.randrange(1, 200), f"word{chosen.randrange(30)}", b"\r\n*3\r\n"])

    def words(self, most=6):
        return [self.word() for _ in range(self.chosen.randrange(1, most))]

    def pairs(self):
        return [part for word in self.words() for part in (word, self.word())]

    def scores(self):
        return [part for word in self.words()
                for part in (self.chosen.choice([str(self.chosen.randrange(-50, 50)), "1.25", "+inf", "1e-7"]), word)]

    def string(self):
        key, other, chosen = self.key("string"), self.key("string"), self.chosen
        counter = f"counter:{chosen.randrange(6)}"
        return chosen.choice([
            ("SET", key, self.word()), ("SET", key, self.word(), "PX", chosen.choice([40, 200, 100_000])),
            ("SET", counter, chosen.randrange(100), "EX", 1000), ("SET", key, self.word(), "KEEPTTL", "GET"),
            ("SET", key, self.word(), "NX", "EX", 500), ("APPEND", key, self.word()), ("INCR", counter),
            ("INCRBY", counter, 7), ("INCRBYFLOAT", counter, "1.5"), ("DECR", counter), ("SETRANGE", key, 7, "range"),
            ("GETEX", key, "PX", 60_000), ("GETEX", key, "PERSIST"), ("GETDEL", key), ("GETSET", key, self.word()),
            ("MSET", key, self.word(), other, self.word()), ("MSETNX", key, "1", other, "2"), ("SETBIT", key, 77, 1),
            ("BITFIELD", key, "SET", "u8", "#1", 200, "INCRBY", "i5", 20, 3), ("BITOP", "XOR", key, other, self.key("string")),
            ("SETEX", key, 300, "v"), ("PSETEX", key, 50, "v"), ("SETNX", key, "v"),
            ("PFADD", f"hll:{chosen.randrange(3)}", *self.words()), ("PFMERGE", "hll:9", "hll:1", "hll:2"), ("PFCOUNT", "hll:1")])

    def list(self):
        key, other = self.key("list"), self.key("list")
        return self.chosen.choice([
            ("RPUSH", key, *self.words()), ("LPUSH", key, *self.words()), ("RPUSHX", key, "x"), ("LPOP", key), ("RPOP", key, 2),
            ("LINSERT", key, "BEFORE", f"word{self.chosen.randrange(30)}", "inserted"), ("LSET", key, 0, "first"),
            ("LREM", key, 1, f"word{self.chosen.randrange(30)}"), ("LTRIM", key, 0, 40), ("LMOVE", key, other, "LEFT", "RIGHT"),
            ("RPOPLPUSH", key, other), ("LMPOP", 2, key, other, "LEFT", "COUNT", 2), ("BLPOP", key, other, 0.01),
            ("BLMOVE", key, other, "RIGHT", "LEFT", 0.01), ("SORT", key, "ALPHA", "STORE", other)])

    def hash(self):
        key = self.key("hash")
        return self.chosen.choice([
            ("HSET", key, *self.pairs()), ("HDEL", key, *self.words()), ("HINCRBY", key, "number", 5), ("HSETNX", key, "f", "v"),
            ("HINCRBYFLOAT", key, "float", "0.1"), ("HMSET", key, *self.pairs())])

    def set(self):
        key, other, third = self.key("set"), self.key("set"), self.key("set")
        return self.chosen.choice([
            ("SADD", key, *self.words()), ("SADD", key, *[self.chosen.randrange(100) for _ in range(5)]), ("SREM", key, *self.words()),
            ("SPOP", key), ("SPOP", key, 2), ("SMOVE", key, other, f"word{self.chosen.randrange(30)}"),
            ("SUNIONSTORE", key, other, third), ("SINTERSTORE", key, other, third), ("SDIFFSTORE", key, other, third)])

    def zset(self):
        key, other = self.key("zset"), self.key("zset")
        return self.chosen.choice([
            ("ZADD", key, *self.scores()), ("ZADD", key, "GT", "CH", *self.scores()), ("ZINCRBY", key, "0.3", f"word{self.chosen.randrange(30)}"),
            ("ZREM", key, *self.words()), ("ZPOPMIN", key), ("ZPOPMAX", key, 2), ("ZMPOP", 2, key, other, "MIN"),
            ("BZPOPMIN", key, 0.01), ("ZUNIONSTORE", key, 2, key, other, "WEIGHTS", 1, 2), ("ZRANGESTORE", key, other, 0, 5),
            ("ZINTERSTORE", key, 2, key, other), ("ZREMRANGEBYRANK", key, 30, -1), ("ZREMRANGEBYSCORE", key, "-inf", "-40"),
            ("GEOADD", f"geo:{self.chosen.randrange(3)}", "13.36", "38.11", "a", "15.08", "37.5", "b"),
            ("GEOSEARCHSTORE", key, "geo:1", "FROMMEMBER", "a", "BYRADIUS", 500, "km")])

    def stream(self):
        key, group, who = self.key("stream"), f"g{self.chosen.randrange(2)}", f"c{self.chosen.randrange(3)}"
        add = ("XADD", key, "*", *self.pairs())
        return self.chosen.choice([
            add, add, add, ("XADD", key, "MAXLEN", "~", 50, "*", "f", "v"), ("XADD", key, "NOMKSTREAM", "*", "f", "v"),
            ("XTRIM", key, "MAXLEN", 30), ("XGROUP", "CREATE", key, group, "0", "MKSTREAM"), ("XGROUP", "CREATECONSUMER", key, group, who),
            ("XGROUP", "DELCONSUMER", key, group, "c2"), ("XGROUP", "SETID", key, group, "$"), ("XGROUP", "DESTROY", key, "g1"),
            ("XREADGROUP", "GROUP", group, who, "COUNT", 5, "STREAMS", key, ">"),
            ("XREADGROUP", "GROUP", group, who, "NOACK", "COUNT", 2, "STREAMS", key, ">"),
            ("XAUTOCLAIM", key, group, who, 0, "0", "COUNT", 3), ("XSETID", key, "99999999999999-1"), ("EXPIRE", key, 5000)]
            if self.chosen.random() < 0.999 else [("XDEL", key, "0-1")])

    def any(self):
        chosen = self.chosen
        key = self.key(chosen.choice(["string", "list", "hash", "set", "zset", "stream"]))
        other = self.key(chosen.choice(["string", "list", "hash", "set", "zset", "stream"]))
        return chosen.choice([
            ("DEL", key), ("UNLINK", key, other), ("RENAME", key, other), ("RENAMENX", key, other), ("COPY", key, other, "REPLACE"),
            ("MOVE", key, 1), ("EXPIRE", key, 900), ("PEXPIRE", key, chosen.choice([30, 150])), ("EXPIREAT", key, 33_000_000_000),
            ("PEXPIREAT", key, 33_000_000_000_123, "NX"), ("PERSIST", key), ("TOUCH", key), ("SWAPDB", 2, 3), ("SELECT", chosen.randrange(4)),
            ("SELECT", 0), ("PERSIST", key)] + ([("FLUSHDB",)] if chosen.random() < 0.01 else []))

    def run(self, client, count):
        """In pieces of a pipeline; some of them transactions."""
        kinds = [self.string, self.list, self.hash, self.set, self.zset, self.stream, self.any]
        while count > 0:
            batch = [self.chosen.choice(kinds)() for _ in range(self.chosen.randrange(1, 20))]
            count -= len(batch)
            if self.chosen.random() < 0.3:
                batch = [("MULTI",), *batch, ("EXEC",)]
            client.pipeline(batch)


def everything(server):
    """All that a server of either kind holds, as far as an append-only file tells it."""
    found = {}
    with server.client(protocol=3) as client:
        for db in range(16):
            client.command("SELECT", db)
            for key in client.command("KEYS", "*"):
                value = content(client, key)
                if client.command("TYPE", key) == b"stream":
                    length, last, entries, groups = value  # when consumers were seen is the time of the start
                    value = length, last, entries, [(*group[:4], [(name, pending) for name, _, pending in group[4]]) for group in groups]
                if isinstance(value, bytes) and value.startswith(b"HYLL"):
                    value = value[:8] + value[16:]  # without the count that Redis keeps there for the next PFCOUNT
                found[db, key] = value, client.command("PEXPIRETIME", key)
    return found


def digests(directory):
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[path] = hashlib.sha256(file.read()).hexdigest()
    return found


def encoded(*commands):
    return b"".join(resp.encode(command) for command in commands)


class Case(unittest.TestCase):
    def folder(self):
        directory = tempfile.mkdtemp(prefix="verso-aof-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        return directory

    def copy(self, directory):
        target = os.path.join(self.folder(), "copy")
        shutil.copytree(directory, target)
        return target

    def verso(self, directory, *arguments, **options):
        server = resp.Server(*arguments, directory=directory, **options)
        self.addCleanup(server.close)
        return server

    def refused(self, directory, pattern, *arguments):
        before = digests(directory)
        server = self.verso(directory, *arguments)
        server.start(wait=False)
        self.assertEqual(server.wait_exit(), 1)
        self.assertRegex(server.log(), pattern)
        after = digests(directory)
        self.assertEqual({path: after.get(path) for path in before}, before)


@unittest.skipIf(REDIS is None, "no redis-server here")
@resp.saves_beside_a_log
class FromRedis(Case):
    def redis(self, *arguments, directory=None):
        server = Redis("--appendonly", "yes", *arguments, directory=directory)
        self.addCleanup(server.close)
        server.start()
        return server

    def same(self, directory, *arguments):
        """A start of ours on a copy holds what one of Redis does."""
        theirs = self.redis(*arguments, directory=self.copy(directory))
        ours = self.verso(self.copy(directory), "--appendonly", "yes", *arguments)
        before = digests(ours.directory)
        ours.start()
        time.sleep(0.3)  # the shortest times of the workload end meanwhile
        expected, found = everything(theirs), everything(ours)
        self.assertEqual(sorted(found), sorted(expected))
        for key, value in expected.items():
            self.assertEqual(found[key], value, key)
        after = digests(ours.directory)
        self.assertEqual({path: after.get(path) for path in before}, before)
        with ours.client() as client:
            self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
        theirs.kill()
        return ours, found

    def worked(self, seed, *arguments, rewrite=False):
        redis = self.redis(*arguments)
        work = Workload(seed)
        with redis.client() as client:
            fill(client)
            work.run(client, COMMANDS // 2)
            if rewrite:
                client.command("BGREWRITEAOF")
            work.run(client, COMMANDS // 2)
            resp.wait_until(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == "0", "the rewrite has ended")
            work.run(client, 200)
        redis.kill()
        return redis

    def test_as_redis_left_it(self):
        redis = self.worked(SEED)
        ours, found = self.same(redis.directory)
        self.assertIn("taken over in", ours.log())
        # It goes on from there: what is written stays, the files of Redis are not read again.
        with ours.client() as client:
            client.command("SET", "ours", "1")
        ours.kill()
        ours.start()
        self.assertRegex(ours.log(), "manifest is not read: there is data already")
        again = everything(ours)
        self.assertEqual(again.pop((0, b"ours")), (b"1", -1))
        self.assertEqual(sorted(again), sorted(found))

    def test_after_a_rewrite(self):
        self.same(self.worked(SEED + 1, rewrite=True).directory)

    def test_a_base_of_commands_and_annotations(self):
        redis = self.worked(SEED + 2, "--aof-use-rdb-preamble", "no", "--aof-timestamp-enabled", "yes", rewrite=True)
        parts = os.path.join(redis.directory, "appendonlydir")
        self.assertTrue(any(name.endswith(".base.aof") for name in os.listdir(parts)))
        self.same(redis.directory)

    def test_the_single_file_of_redis_6(self):
        redis = self.worked(SEED + 3, rewrite=True)
        parts = os.path.join(redis.directory, "appendonlydir")
        old = self.folder()
        with open(os.path.join(old, "appendonly.aof"), "wb") as whole:
            for suffix in (".base.rdb", ".incr.aof"):
                for name in sorted(os.listdir(parts)):
                    if name.endswith(suffix):
                        with open(os.path.join(parts, name), "rb") as part:
                            whole.write(part.read())
        ours, found = self.same(old)
        named = self.verso(self.folder())
        named.start("--import", os.path.join(old, "appendonly.aof"))
        self.assertEqual(sorted(everything(named)), sorted(found))

    def test_other_names_and_what_import_takes(self):
        names = ("--appenddirname", "parts", "--appendfilename", "log file.aof")
        redis = self.worked(SEED + 4, *names, rewrite=True)
        _, found = self.same(redis.directory, *names)
        parts = os.path.join(redis.directory, "parts")
        for path in (os.path.join(parts, "log file.aof.manifest"), parts, redis.directory):
            ours = self.verso(self.folder(), *names)
            ours.start("--import", path)
            self.assertEqual(sorted(everything(ours)), sorted(found))
            ours.kill()
        self.refused(self.folder(), "holds no files of Redis", "--import", self.folder())

    def test_functions_are_refused_in_every_form(self):
        redis = self.redis()
        with redis.client() as client:
            client.command("SET", "k", "v")
            client.command("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
            client.command("CONFIG", "SET", "appendonly", "no")
            kept = self.copy(redis.directory)
            client.command("SAVE")
            dumped = self.folder()
            shutil.copy(os.path.join(redis.directory, "dump.rdb"), dumped)
            client.command("CONFIG", "SET", "appendonly", "yes")
            resp.wait_until(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == "0" and
                            redis.info("persistence")["aof_rewrite_scheduled"] == "0", "the rewrite has ended")
        redis.kill()
        self.refused(kept, "unknown command 'FUNCTION'")
        os.remove(os.path.join(redis.directory, "dump.rdb"))
        self.refused(redis.directory, "base.rdb: it holds a library of functions, which this server does not have")
        self.refused(dumped, "dump.rdb: it holds a library of functions")
        # Beside a running data set the keys are wanted; the log says what is left out.
        server = self.verso(self.folder())
        server.start()
        shutil.copy(os.path.join(dumped, "dump.rdb"), server.directory + "/theirs.rdb")
        with server.client() as client:
            self.assertEqual(client.command("SNAPSHOT", "IMPORT", "theirs.rdb", "AS", "theirs"), 1)
        self.assertIn("held what is not kept: a library of functions", server.log())

    def test_cut_anywhere_it_is_what_redis_makes_of_it(self):
        redis = self.worked(SEED + 5, rewrite=True)
        chosen = random.Random(SEED)
        for _ in range(STATES):
            directory = self.copy(redis.directory)
            parts = os.path.join(directory, "appendonlydir")
            last = sorted(name for name in os.listdir(parts) if name.endswith(".incr.aof"))[-1]
            path = os.path.join(parts, last)
            size = os.path.getsize(path)
            cut = size - (chosen.randrange(1, 60) if chosen.random() < 0.3 else chosen.randrange(1, size))
            os.truncate(path, cut)
            try:
                self.same(directory)
            except AssertionError as error:
                error.args = (f"cut at {cut} of {size}: {error}",)
                raise

    def test_a_flipped_byte_is_refused_or_a_value(self):
        redis = self.worked(SEED + 6, rewrite=True)
        chosen = random.Random(SEED)
        parts = os.path.join(redis.directory, "appendonlydir")
        outcomes = {"refused": 0, "served": 0}
        for _ in range(3 * STATES):
            directory = self.copy(redis.directory)
            name = chosen.choice(os.listdir(parts))
            path = os.path.join(directory, "appendonlydir", name)
            with open(path, "r+b") as file:
                where = chosen.randrange(os.path.getsize(path))
                file.seek(where)
                byte = file.read(1)[0]
                file.seek(where)
                file.write(bytes([byte ^ 1 << chosen.randrange(8)]))
            ours = self.verso(directory)
            ours.start(wait=False)
            served = resp.wait_until(lambda: answers(ours) or ours.process.poll() is not None, f"an answer ({name} at {where})")
            if ours.process.poll() is None and served:
                outcomes["served"] += 1
                self.assertFalse(name.endswith(".base.rdb"), where)  # that has a checksum
                with ours.client() as client:
                    self.assertEqual(client.command("DEBUG", "AUDIT"), b"OK")
                ours.kill()
            else:
                outcomes["refused"] += 1
                self.assertEqual(ours.process.wait(), 1, (name, where))
                self.assertIn("Fatal error loading", ours.log())
        self.assertGreater(outcomes["refused"], 0)


def answers(server):
    try:
        with resp.Client(server.port) as client:
            return not isinstance(client.pipeline([("DBSIZE",)])[0], resp.Error)
    except OSError:
        return False


class Files(Case):
    """Files made by hand."""

    SETS = encoded(("SELECT", "0"), ("SET", "a", "1"), ("SET", "b", "2"))

    def parts(self, *files, manifest=None):
        directory = self.folder()
        parts = os.path.join(directory, "appendonlydir")
        os.mkdir(parts)
        lines = []
        for name, kind, data in files:
            number = name.split(".")[2]
            lines.append(f"file {name} seq {number} type {kind}\n")
            with open(os.path.join(parts, name), "wb") as file:
                file.write(data)
        with open(os.path.join(parts, "appendonly.aof.manifest"), "w") as file:
            file.write("".join(lines) if manifest is None else manifest)
        return directory

    def increments(self, *datas):
        return self.parts(*[(f"appendonly.aof.{number + 1}.incr.aof", "i", data) for number, data in enumerate(datas)])

    def single(self, data):
        directory = self.folder()
        with open(os.path.join(directory, "appendonly.aof"), "wb") as file:
            file.write(data)
        return directory

    def served(self, directory, *arguments):
        server = self.verso(directory, *arguments)
        server.start()
        return server.client(), server

    def test_what_had_expired_was_there_for_what_followed(self):
        past = int(time.time() * 1000) - 5000
        client, _ = self.served(self.increments(encoded(
            ("SELECT", "0"), ("SET", "kept", "5", "PXAT", str(past)), ("INCR", "kept"), ("PERSIST", "kept"),
            ("SET", "gone", "5", "PXAT", str(past)), ("INCR", "gone"),
            ("RPUSH", "list", "x"), ("PEXPIREAT", "list", str(past)), ("RPUSH", "list", "y"),
            ("XADD", "stream", "5-1", "f", "v"), ("XGROUP", "CREATE", "stream", "g", "0"), ("PEXPIREAT", "stream", str(past)),
            ("XCLAIM", "stream", "g", "c", "0", "5-1", "TIME", str(past), "RETRYCOUNT", "1", "FORCE", "JUSTID", "LASTID", "5-1"),
            ("DEL", "again"), ("SET", "again", "1", "PXAT", str(past)), ("DEL", "again"), ("INCR", "again"))))
        self.assertEqual(client.command("GET", "kept"), b"6")
        self.assertEqual(client.command("TTL", "kept"), -1)
        self.assertEqual(client.command("GET", "again"), b"1")
        self.assertEqual(client.command("EXISTS", "gone", "list", "stream"), 0)
        resp.wait_until(lambda: client.command("DBSIZE") == 2, "the expired ones are removed")

    def test_times_of_streams(self):
        now = int(time.time() * 1000)
        client, _ = self.served(self.increments(encoded(
            ("XADD", "s", "5-1", "f", "v"), ("XGROUP", "CREATE", "s", "g", "0"), ("XGROUP", "CREATECONSUMER", "s", "g", "idle"),
            ("XCLAIM", "s", "g", "c", "0", "5-1", "TIME", str(now - 7000), "RETRYCOUNT", "3", "FORCE", "JUSTID", "LASTID", "5-1"))))
        (_, who, idle, count), = client.command("XPENDING", "s", "g", "-", "+", 10)
        self.assertEqual((who, count), (b"c", 3))
        self.assertTrue(7000 <= idle < 60_000, idle)
        for row in client.command("XINFO", "CONSUMERS", "s", "g"):
            self.assertLess(dict(zip(row[::2], row[1::2]))[b"idle"], 60_000)

    def test_torn_ends(self):
        for tail in (b"*", b"*3", b"*3\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$5\r\n12", b"#TS:123", b"*1\r\n$1",
                     encoded(("MULTI",), ("SET", "c", "3")), encoded(("MULTI",), ("SET", "c", "3"), ("EXEC",))[:-3]):
            for make in (self.increments, self.single):
                client, server = self.served(make(self.SETS + tail))
                self.assertEqual(sorted(client.command("KEYS", "*")), [b"a", b"b"])
                self.assertRegex(server.log(), f"offset {len(self.SETS)}: .* the last {len(tail)} bytes are left out")
                server.kill()
        self.refused(self.increments(self.SETS + b"*3\r\n"), f"1.incr.aof, offset {len(self.SETS)}: .*aof-load-truncated is no", "--aof-load-truncated", "no")
        self.refused(self.increments(self.SETS + b"*3\r\n", self.SETS), f"1.incr.aof, offset {len(self.SETS)}: .*not the last one")
        self.refused(self.increments(self.SETS + encoded(("MULTI",)), self.SETS), "within a MULTI.*not the last one")

    def test_damage_is_refused_with_its_place(self):
        whole = self.SETS + encoded(("SET", "c", "33"), ("SELECT", "1"), ("RPUSH", "l", "x"))
        at = len(self.SETS)
        for data, why in ((whole.replace(b"$2\r\n33", b"$3\r\n33"), f"offset {at}: "),
                          (whole.replace(b"$2\r\n33", b"$1\r\n33"), f"offset {at}: "),
                          (whole.replace(b"$2\r\n33", b"$20000\r\n33"), f"offset {at}: .*damage, not a cut"),
                          (whole.replace(b"33\r\n", b"33\rX"), f"offset {at}: .*damaged"),
                          (whole[:at] + b"*0\r\n" + whole[at:], f"offset {at}: a command of nothing"),
                          (whole[:at] + b"+OK\r\n" + whole[at:], f"offset {at}: no command begins here"),
                          (whole + b"\0" * 100, f"offset {len(whole)}: no command begins here"),
                          (whole + encoded(("EVAL", "return 1", "0")), f"offset {len(whole)}: .*unknown command 'EVAL'"),
                          (whole + encoded(("FUNCTION", "LOAD", "x")), "unknown command 'FUNCTION'"),
                          (whole + encoded(("SET", "x")), "wrong number of arguments"),
                          (whole + encoded(("LPUSH", "l", "x"), ("INCR", "l")), "'INCR l': -WRONGTYPE"),
                          (whole + encoded(("SELECT", "16")), "only 16 databases"),
                          (whole + encoded(("EXPIRE", "l", "10")), "counts from now"),
                          (whole + encoded(("SET", "x", "1", "EX", "10")), "counts from now"),
                          (whole + encoded(("CONFIG", "SET", "maxmemory", "1")), "no command that changes data"),
                          (whole + encoded(("SHUTDOWN",)), "no command that changes data"),
                          (whole + encoded(("EXEC",)), "EXEC without MULTI"),
                          (whole + encoded(("MULTI",), ("MULTI",)), "MULTI inside MULTI")):
            with self.subTest(why):
                self.refused(self.increments(data), "1.incr.aof, " + why if why.startswith("offset") else why)

    def test_a_manifest_that_is_not_whole(self):
        file = ("appendonly.aof.1.incr.aof", "i", self.SETS)
        good = "file appendonly.aof.1.incr.aof seq 1 type i\n"
        for manifest, why in (("", "is empty"), ("# nothing\n", "names no files"), (good[:-1], "line 1: it is not whole"),
                              (good + good, "line 2: seq does not grow"), (good + "\n", "line 2: no pairs"),
                              (good.replace("type i", "type x"), "unknown type"), (good.replace("seq 1", "seq one"), "no number"),
                              (good.replace("file app", "file ../app"), "without a path"), (good.replace(" type i", ""), "unknown type"),
                              (good + "file appendonly.aof.2.incr.aof seq 2 type i\n", "2.incr.aof: No such file"),
                              ("file appendonly.aof.1.base.rdb seq 1 type b\n" + good, "base.rdb: No such file"),
                              ("file a seq 1 type b\nfile a seq 1 type b\n", "a second base")):
            with self.subTest(why):
                self.refused(self.parts(file, manifest=manifest), why)
        directory = self.parts(file)
        os.remove(os.path.join(directory, "appendonlydir", "appendonly.aof.manifest"))
        self.refused(directory, "is there, but no 'appendonly.aof.manifest'")
        # What is no longer part of it, and what later versions add.
        client, _ = self.served(self.parts(file, manifest="# made by hand\n" + good[:-1] + " startoffset 7\nfile old seq 9 type h\n"))
        self.assertEqual(client.command("DBSIZE"), 2)

    @resp.saves_beside_a_log
    def test_beside_a_dump(self):
        maker = self.verso(self.folder())
        maker.start()
        with maker.client() as client:
            client.command("SET", "dumped", "1")
            client.command("SNAPSHOT", "EXPORT", "main", "dump.rdb")
            resp.wait_until(lambda: maker.info("persistence")["export_in_progress"] == "0", "the export has ended")
        directory = self.increments(self.SETS)
        shutil.copy(os.path.join(maker.directory, "dump.rdb"), directory)
        self.refused(directory, "both .*manifest' and .*dump.rdb' are there")
        client, server = self.served(self.copy(directory), "--appendonly", "yes")
        self.assertEqual(sorted(client.command("KEYS", "*")), [b"a", b"b"])
        resp.wait_until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", "its first save has ended")
        client, _ = self.served(self.copy(directory), "--import", os.path.join(directory, "dump.rdb"))
        self.assertEqual(client.command("KEYS", "*"), [b"dumped"])
        # An empty file is no data set.
        directory = self.single(b"")
        shutil.copy(os.path.join(maker.directory, "dump.rdb"), directory)
        client, _ = self.served(directory)
        self.assertEqual(client.command("KEYS", "*"), [b"dumped"])

    def test_clients_hear_that_it_is_loading(self):
        data = b"".join(encoded(("RPUSH", f"list:{number}", *["v" * 20] * 50)) for number in range(8000))
        server = self.verso(self.increments(data * 4))
        server.start(wait=False)
        seen = set()

        def look():
            try:
                with resp.Client(server.port) as client:
                    seen.add(str(client.pipeline([("DBSIZE",)])[0]))
            except OSError:
                pass
            return "8000" in seen

        resp.wait_until(look, "it is served")
        self.assertEqual(seen - {"8000"}, {"LOADING Redis is loading the dataset in memory"})
        with server.client() as client:
            self.assertEqual(client.command("LLEN", "list:7"), 200)

    @resp.saves_beside_a_log
    def test_what_is_acknowledged_stays_from_the_first_write_on(self):
        data = b"".join(encoded(("SET", f"key:{number}", "v" * 1000)) for number in range(20_000))
        server = self.verso(self.increments(data), "--appendonly", "yes")
        server.start(wait=False)
        resp.wait_until(lambda: answers(server), "it is served")
        with server.client() as client:
            client.command("SET", "acknowledged", "1")
        server.kill()
        server.start()
        self.assertIn("manifest is not read: there is data already", server.log())
        with server.client() as client:
            self.assertEqual((client.command("DBSIZE"), client.command("GET", "acknowledged")), (20_001, b"1"))
        # Where that save fails, it is said.
        server = self.verso(self.increments(data * 3), "--appendonly", "yes")
        server.start(wait=False)
        resp.wait_until(lambda: "Background saving started" in server.log(), "the first save")
        with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children") as children:
            for child in children.read().split():
                os.kill(int(child), 9)
        if "Background saving terminated with success" not in server.log() and not answers(server):  # else it was faster
            self.assertEqual(server.wait_exit(), 1)
            self.assertRegex(server.log(), "Fatal error loading the DB: the first save: .*killed by signal 9")

    def test_an_end_in_the_middle_saves_nothing(self):
        data = b"".join(encoded(("RPUSH", f"list:{number}", *["v" * 20] * 50)) for number in range(8000))
        directory = self.increments(data * 4)
        for end in ("SIGTERM", "SHUTDOWN", "SAVE"):
            server = self.verso(directory, save="3600 1")
            server.start(wait=False)

            def loading():
                try:
                    with resp.Client(server.port) as client:
                        return "LOADING" in str(client.pipeline([("DBSIZE",)])[0])
                except OSError:
                    return False

            resp.wait_until(loading, "it is loading")
            if end == "SIGTERM":
                server.process.terminate()
            else:
                with server.client() as client:
                    client.send_raw(resp.encode(("SHUTDOWN", "SAVE") if end == "SAVE" else ("SHUTDOWN",)))
                    self.assertTrue(client.is_closed_by_server())
            self.assertEqual(server.wait_exit(), 0)
            self.assertNotIn("Saving the final snapshot", server.log())
        server = self.verso(directory, save="3600 1")
        server.start(wait=False)
        resp.wait_until(lambda: answers(server), "it is served")
        with server.client() as client:
            self.assertEqual((client.command("DBSIZE"), client.command("LLEN", "list:7999")), (8000, 200))

    def test_the_memory_limit_ends_it(self):
        data = b"".join(encoded(("SET", f"key:{number}", "v" * 1000)) for number in range(30_000))
        self.refused(self.increments(data), "does not fit into maxmemory", "--maxmemory", "10mb")


if __name__ == "__main__":
    unittest.main()
