"""Redis itself as a server of the tests, and values of every type to give to either."""

import random
import shutil
import subprocess

import resp

REDIS = shutil.which("redis-server")


class Redis(resp.Server):
    """Redis itself, in place of our own server."""

    def _spawn(self, more):
        command = [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory, "--save", ""]
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen([*command, *self.arguments, *more], stdout=log,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def fill(client):
    """Values of every type, small and large, of integers, texts, bytes; answers their names."""
    chosen = random.Random(7)
    texts = ["", "0", "-1", "127", "128", "-129", "32768", "-8388609", "2147483648", "-9223372036854775808",
             "1.5", "01", "word", "x" * 63, "y" * 64, "z" * 300, "long " * 900, b"\x00\xff\r\n", b"\xfe" * 5000]
    many = [chosen.randbytes(chosen.randrange(1, 40)).hex() for _ in range(1500)]
    commands = [("SET", f"string:{number}", text) for number, text in enumerate(texts)]
    for name, elements in (("small", texts), ("integers", range(-200, 200)), ("many", many), ("one", ["element"])):
        elements = list(elements)
        commands += [("RPUSH", f"list:{name}", *elements),
                     ("SADD", f"set:{name}", *elements),
                     ("HSET", f"hash:{name}", *[part for pair in zip(elements, reversed(elements)) for part in pair])]
        scores = ["0", "1.5", "-inf", "+inf", "3", "-250", "1e100", "0.1"]
        commands.append(("ZADD", f"zset:{name}", *[part for number, element in enumerate(elements)
                                                   for part in (scores[number % len(scores)], element)]))
    commands.append(("PFADD", "hyperloglog", *many))
    for number in range(350):
        fields = ["field", number, "text", texts[number % len(texts)]]
        if number % 40 == 3:
            fields += ["another", "field"]
        commands.append(("XADD", "stream:many", f"{1000 + number // 3}-{number % 3 + 1}", *fields))
    commands += [("XDEL", "stream:many", "1004-1", "1005-2", "1116-2"),
                 ("XGROUP", "CREATE", "stream:many", "group", "0"),
                 ("XGROUP", "CREATE", "stream:many", "idle", "$"),
                 ("XREADGROUP", "GROUP", "group", "one", "COUNT", 30, "STREAMS", "stream:many", ">"),
                 ("XREADGROUP", "GROUP", "group", "two", "COUNT", 30, "STREAMS", "stream:many", ">"),
                 ("XREADGROUP", "GROUP", "group", "one", "COUNT", 5, "STREAMS", "stream:many", "0"),
                 ("XACK", "stream:many", "group", "1000-2", "1001-1"),
                 ("XGROUP", "CREATECONSUMER", "stream:many", "group", "none"),
                 ("XGROUP", "CREATE", "stream:empty", "group", "$", "MKSTREAM"),
                 ("XADD", "stream:one", "5-5", "field", "value")]
    for command, reply in zip(commands, client.pipeline(commands)):
        if isinstance(reply, resp.Error):
            raise AssertionError(f"{command[:3]}: {reply}")
    return sorted(client.command("KEYS", "*"))


def content(client, key):
    """All that a key holds, in a form that two servers agree on. The client speaks RESP3."""
    kind = client.command("TYPE", key)
    if kind == b"string":
        return client.command("GET", key)
    if kind == b"list":
        return client.command("LRANGE", key, 0, -1)
    if kind == b"set":
        return set(client.command("SMEMBERS", key))
    if kind == b"hash":
        return client.command("HGETALL", key)
    if kind == b"zset":
        return client.command("ZRANGE", key, 0, -1, "WITHSCORES")
    return stream_content(client.command("XINFO", "STREAM", key, "FULL", "COUNT", 0))


def stream_content(info):
    """What every version of Redis tells of a stream."""
    groups = []
    for group in info[b"groups"]:
        consumers = sorted((consumer[b"name"], consumer[b"seen-time"], tuple(map(tuple, consumer[b"pending"])))
                           for consumer in group[b"consumers"])
        groups.append((group[b"name"], group[b"last-delivered-id"], group[b"pel-count"],
                       tuple(map(tuple, group[b"pending"])), consumers))
    return info[b"length"], info[b"last-generated-id"], info[b"entries"], sorted(groups)


def stream_numbers(info):
    """What version 9 does not tell."""
    return (info[b"max-deleted-entry-id"], info[b"entries-added"], info[b"recorded-first-entry-id"],
            sorted((group[b"name"], group[b"entries-read"]) for group in info[b"groups"]))

