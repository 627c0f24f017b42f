"""Malformed documents: shipped ones taken apart, put together wrongly, and damaged byte by byte.

Everything is drawn from one ``random.Random``, so that a seed names a document.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from recorded_logs import recorded

ROOT = Path(__file__).parents[1]

HOSTILE: tuple[Any, ...] = (
    None, True, False, "", " ", 0, -1, 1, 7, -(2**63), 2**63, 10**400, 0.5, -0.0, 1e308,
    float("nan"), float("inf"), float("-inf"), "NaN", "1e999", "9" * 5000, "-5", "abc", "1g",
    "99999999999g", "10%", "1e400%", "512m", "0x10", "190:20:30", "2026-13-45", "2026-01-02",
    "../../x", "../" * 60 + "etc/passwd", "/etc/passwd", "~root", "x" * 300, "x" * 70_000,
    "a\x00b", "a\nb", "\r\n", "\x1b[31mred", "\u202eevil", "\ufeff", "\ud800", "数据 'x' \"y\"",
    "{braces}", "{", "}", "%s%n", "$(id)", "`id`", "[", "]]", "*", "&", "<<", "!!python/name:os",
    ">=3.5,<5", ">=" + "9" * 5000, "spark.sql.shuffle.partitions", "spark.driver.memory", "taxi",
    "default", "memory", "cores", "local[2]", "local[0]", "local[" + "9" * 5000 + "]",
    "local-cluster[2,1,1024]", [], {}, [[]], [{}], {"a": 1}, ["a", "a"], {"": ""}, [None],
    [float("nan")], {"spark.x": {"spark.y": ["z"]}},
)  # fmt: skip

RAW = (
    "!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!!binary 'AAA'",
    "!!binary '*'", "!!timestamp 2026-01-01", "2026-01-01", "2026-01-01T00:00:00Z", "!!set {a, b}",
    "!!omap [a: 1]", "!!pairs [a: 1]", "!!int x", "!!float x", "!!bool x", "!!null x", "!own x",
    "&a [*a]", "*nowhere", "{<<: {a: 1}}", "&a {<<: *a}", ".nan", ".inf", "-.inf", "0o777",
    "0x", "1_000", "1:30", "190:20:30", "99999999999999:59", "? ? a", "- - -", "[,]", "{,}",
    "|\n  x", ">-\n  x", "'", '"', '"\\x', '"\\ud800"', '"\\U0010ffff"', "@", "`", "%TAG", "---",
    "...", "\t", "#", "=", "[" * 50, "{a: " * 50, "!" * 50, "&x " * 3, "9" * 5000, "1e999999",
)  # fmt: skip

Damage = Callable[[random.Random, bytes], bytes]


def laughs(levels: int, width: int = 9) -> str:
    """A text of aliases that stands for ``width ** levels`` values."""
    lines = [f"a0: &a0 [{', '.join(['lol'] * width)}]"]
    for level in range(1, levels):
        one = f"*a{level - 1}"
        lines.append(f"a{level}: &a{level} [{', '.join([one] * width)}]")
    return "\n".join(lines)


def spaces(seed: int, count: int) -> Iterator[bytes]:
    """Yield malformed space files, the known tricks first."""
    yield from special_yaml()[:count]
    draw = random.Random(seed)
    for _ in range(len(special_yaml()), count):
        yield space(draw)


def experiments(seed: int, count: int) -> Iterator[bytes]:
    """Yield malformed experiment files, the known tricks first."""
    yield from special_yaml()[:count]
    draw = random.Random(seed)
    for _ in range(len(special_yaml()), count):
        yield experiment(draw)


def event_logs(seed: int, count: int) -> Iterator[bytes]:
    """Yield malformed event logs, plain ones, the known tricks first."""
    yield from special_logs()[:count]
    draw = random.Random(seed)
    for _ in range(len(special_logs()), count):
        yield event_log(draw)


def space(draw: random.Random) -> bytes:
    """Return one malformed space file."""
    return _document(draw, _space_pieces())


def experiment(draw: random.Random) -> bytes:
    """Return one malformed experiment file."""
    return _document(draw, _experiment_pieces())


def event_log(draw: random.Random) -> bytes:
    """Return one malformed event log."""
    lines = [_event_line(draw) for _ in range(draw.randint(1, 12))]
    data = draw.choice((b"\n", b"\n", b"\r\n")).join(lines) + b"\n"
    return _damaged(draw, data) if draw.random() < 0.4 else data


def _document(draw: random.Random, pieces: list[dict[str, Any]]) -> bytes:
    document = copy.deepcopy(draw.choice(pieces))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
        _mutate(draw, document)
    data = _written(draw, document)
    if draw.random() < 0.3:
        data = _with_raw(draw, data)
    return _damaged(draw, data) if draw.random() < 0.3 else data


@cache
def _space_pieces() -> list[dict[str, Any]]:
    """Spaces of one to three shipped parameters: small, so that many can be read."""
    pieces = []
    draw = random.Random(0)
    for path in sorted((ROOT / "search_spaces").glob("*.yaml")):
        whole = yaml.safe_load(path.read_text(encoding="utf-8"))
        parameters = list((whole.get("parameters") or {}).items())
        for start in range(0, len(parameters), 2):
            piece = {**whole, "parameters": dict(parameters[start : start + 3])}
            piece.pop("include", None)
            rules = whole.get("rules") or []
            piece["rules"] = draw.sample(rules, min(1, len(rules)))
            pieces.append(piece)
    included = {"name": "small", "include": {"small.yaml": "all"}, "parameters": {}}
    return [*pieces, included]


@cache
def _experiment_pieces() -> list[dict[str, Any]]:
    """Experiments, shipped and others, each with most of the keys."""
    shipped = [
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "experiments").glob("*.yaml"))
    ]
    full = {
        "name": "full", "description": "d",
        "workload": {
            "application": "job.py", "arguments": ["--date", "{data}"], "conf": {"spark.a": "1"},
            "submit_options": ["--jars", "a.jar"], "class": "a.B",
        },
        "data": {"path": "table.csv", "rows": 5, "scale": 0.1, "seed": 7},
        "master": "local[2]", "space": "small.yaml", "objective": "duration_s", "sampler": "tpe",
        "seed": 0, "rerunnable": False,
        "budget": {
            "trials": 3, "timeout": "15m", "baseline_repeats": 2, "confirm_blocks": 2,
            "execution_ratio": 2.0, "execution_limit": "1h",
        },
        "machine": {"slots": 2, "executors": 1, "memory": "4g"},
        "conf": {"enforced": {"spark.b": "2"}, "preserve": ["spark.c"], "exclude": ["spark.d"]},
    }  # fmt: skip
    command = {**full, "workload": {"command": "spark-submit --conf spark.a=1 job.py x"}}
    sql = {**full, "workload": {"sql": "queries"}}
    return [*({**one, "space": "small.yaml"} for one in shipped), full, full, command, sql]


@cache
def special_yaml() -> list[bytes]:
    """Return the known tricks of YAML, and files that are no YAML at all."""
    texts = [
        "", " ", "\n", "---", "null", "a", "- a", "[]", "{}", "\ufeffname: x",
        laughs(12), laughs(4),
        "parameters: &p [*p]", "&a {name: *a}", "[" * 10_000, "[" * 10_000 + "]" * 10_000,
        "{a: " * 10_000, "- " * 10_000 + "a", "? " * 10_000, "!!str " * 10_000,
        "'" + "x" * 999_000,
        "x" * 999_000, "x" * 999_000 + ": 1", "a: " + "9" * 900_000, "- a\n" * 240_000,
        "[" + "a," * 490_000 + "]", "".join(f"k{i}: 1\n" for i in range(90_000)),
        "name: x\nname: y", "a: !!python/object/apply:os.system ['true']", "%YAML 9.9\n---\na",
        "a: &x " + "[" * 30 + "]" * 30, "# " + "x" * 998_000, "\t\t\ta: b", "a: 'b\nc: d",
        "parameters: {" + "x" * 5000 + ": {}}", "include: {" + "../" * 300 + "x.yaml: all}",
        "include: {/dev/zero: all}", "include: {space.yaml: all}", "include: {'a\0b.yaml': all}",
        "include: {" + "y" * 400 + ": all}", "x" * 1_000_001, "&a0 " * 5000,
    ]  # fmt: skip
    return [text.encode() for text in texts] + [bytes(range(256)), b"\xff\xfea\x00", b"\x00" * 99]


def _mutate(draw: random.Random, document: dict[str, Any]) -> None:
    """Change one place of a tree: another value, another key, one more level, one less."""
    holder, key = draw.choice(list(_places(document)))
    kind = draw.randrange(8)
    value = holder[key]
    if kind <= 3:
        holder[key] = copy.deepcopy(draw.choice(HOSTILE))
    elif kind == 4:
        del holder[key]
    elif kind == 5:
        holder[key] = [value] if draw.random() < 0.5 else {"name": value}
    elif kind == 6 and isinstance(holder, dict):
        hostile = draw.choice([text for text in HOSTILE if isinstance(text, str)])
        holder[hostile] = holder.pop(key)
    elif isinstance(holder, dict):
        other, there = draw.choice(list(_places(document)))
        holder[key] = copy.deepcopy(other[there])


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        items = list(node.items())
    elif isinstance(node, list):
        items = list(enumerate(node))
    for key, value in items:
        yield node, key
        yield from _places(value)


def _written(draw: random.Random, document: Any) -> bytes:
    if draw.random() < 0.5:
        return json.dumps(document, indent=draw.choice((None, 1))).encode()
    return yaml.dump(document, allow_unicode=draw.random() < 0.5).encode(errors="surrogatepass")


def _with_raw(draw: random.Random, data: bytes) -> bytes:
    """Put a piece of YAML's darker corners in the place of a value."""
    lines = data.decode(errors="replace").splitlines()
    if not lines:
        return data
    at = draw.randrange(len(lines))
    head, colon, _ = lines[at].partition(":")
    raw = draw.choice(RAW)
    lines[at] = f"{head}{colon or '-'} {raw}" if draw.random() < 0.7 else f"{raw}: {lines[at]}"
    if draw.random() < 0.2:
        lines.insert(at, lines[at])
    return "\n".join(lines).encode(errors="replace")


def _damaged(draw: random.Random, data: bytes) -> bytes:
    return draw.choice(DAMAGES)(draw, data)


def _cut(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _put(*pieces: bytes) -> Damage:
    def put(draw: random.Random, data: bytes) -> bytes:
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(data) + 1)
            data = data[:at] + draw.choice(pieces) + data[at + draw.randint(0, 3) :]
        return data

    return put


def _junk(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    size = draw.choice((1, 10, 300))
    return data[:at] + draw.randbytes(size) + data[at + draw.randint(0, size) :]


def _doubled(draw: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    return b"\n".join([*lines[: at + 1], *lines[draw.randrange(at + 1) :]])


DAMAGES: tuple[Damage, ...] = (
    _cut,
    _junk,
    _doubled,
    _put(b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x1b[2J", b"\x85", b"\xe2\x80\xa8", b"\r"),
    _put(b"\n", b":", b" ", b"- ", b"{", b"}", b"[", b"]", b'"', b"'", b",",
         b"&a ", b"*a", b"!", b"\\"),
    lambda draw, data: b"\xef\xbb\xbf" + data,
    lambda draw, data: data.replace(b"\n", b"\r\n"),
    lambda draw, data: data.decode(errors="replace").encode(draw.choice(("utf-16", "utf-32"))),
    lambda draw, data: data[::-1],
)  # fmt: skip


@cache
def _events() -> dict[str, list[dict[str, Any]]]:
    """Recorded events by kind, the smallest few of each."""
    found: dict[str, list[bytes]] = {}
    for name in ("sql-4.3", "rdd-4.3", "fail-3.5"):
        for line in recorded(name).splitlines():
            kind = json.loads(line)["Event"].rpartition(".")[2]
            found.setdefault(kind, []).append(line)
    return {
        kind: [json.loads(line) for line in sorted(lines, key=len)[:6]]
        for kind, lines in sorted(found.items())
    }


def _event_line(draw: random.Random) -> bytes:
    chance = draw.random()
    if chance < 0.06:
        return draw.randbytes(draw.choice((1, 40, 4000)))
    if chance < 0.09:
        return draw.choice((b"", b"17", b"null", b"[]", b"{}", b'"x"', b'{"Event":null}', b"nope"))
    event = copy.deepcopy(draw.choice(draw.choice(list(_events().values()))))
    for _ in range(draw.choice((0, 1, 1, 2))):
        _mutate(draw, event)
    if draw.random() < 0.1:
        event = dict(reversed(event.items()))
    line = json.dumps(event).encode()
    if draw.random() < 0.15:
        line = _digits_replaced(draw, line)
    return line[: draw.randrange(len(line))] if draw.random() < 0.05 else line


def _digits_replaced(draw: random.Random, line: bytes) -> bytes:
    """Put another number in the place of one, as JSON writers of other languages may."""
    places = [at for at in range(len(line)) if line[at : at + 1].isdigit()]
    if not places:
        return line
    at = draw.choice(places)
    number = draw.choice(
        (b"1e999", b"-1e999", b"NaN", b"Infinity", b"-1", b"1.5", b'"7"', b"9" * 400, b"9" * 5000)
    )
    return line[:at] + number + line[at + 1 :]


@cache
def special_logs() -> list[bytes]:
    """Return the known tricks of JSON lines."""
    start = b'{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart",'
    plan = b'"nodeName":"Execute X","simpleString":"Execute X"'
    return [
        b"", b"\n" * 5000, b"\x00" * 5000, b"[" * 100_000, b'{"a":' * 50_000, b"{" * 100_000,
        start + b'"executionId":1,"time":1,"sparkPlanInfo":'
        + (b'{"children":[') * 3000 + b"]}" * 3000 + b"}",
        start + b'"executionId":1,"time":1,"sparkPlanInfo":{"children":['
        + b",".join([b"{" + plan + b"}"] * 5000) + b"]}}",
        start + b'"description":"' + b"x at " * 100_000 + b'","executionId":1,"time":1}',
        b'{"Event":"SparkListenerJobStart","Job ID":' + b"9" * 100_000 + b"}",
        b"x" * 2_000_000, b'{"Event":"SparkListenerTaskEnd","x":"' + b"y" * 2_000_000 + b'"}',
        b'{"Event":"SparkListenerTaskEnd","x":[' + b"[]," * 400_000 + b"[]]}",
        json.dumps({"Event": "SparkListenerTaskEnd", "x": "\U0001f600" * 200_000},
                   ensure_ascii=False).encode(),
    ]  # fmt: skip
