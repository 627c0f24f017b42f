"""Finds every place that an application wrote to, from the plans and jobs in its event log.

What is found is a path or URI where the log has one, else words: ``table …`` or
``unknown path (…)``. A command that is not known to be harmless counts as a write, because a job
is executed again and again on the strength of this list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autotune.spark.lognumbers import identifier

Event = dict[str, Any]

MOST_WRITES = 1000
_MOST_CHARS = 4096  # of what a command is given: a path fits, and patterns stay fast
_MOST_DESCRIBED = 1 << 20
_MOST_NODES = 50_000
_MOST_COMMANDS = 64
_MOST_OPEN = 20_000
_MORE = "unknown path (and more places)"
_PLAN_HINT = re.compile(
    rb"Execute |AppendData|Overwrite|ReplaceData|WriteDelta|WriteToDataSource|TableAsSelect"
    rb"|DeleteFrom|Table|Partition|Namespace|WriteFiles"
)
_V2_WRITE = re.compile(
    r"^(AppendData|Overwrite|ReplaceData|WriteDelta|WriteToDataSourceV2|DeleteFromTable"
    r"|(Atomic)?(Create|Replace)Table|DropTable|TruncateTable|TruncatePartition|AlterTable"
    r"|RenameTable|RenamePartition|AddPartition|DropPartition|CreateNamespace|DropNamespace"
    r"|AlterNamespace|CreateIndex|DropIndex|RepairTable)"
)
_NOWHERE = re.compile(
    r"NoopWrite|noop-table|ConsoleWrite|MemoryWrite|MemoryStreamingWrite|ForeachBatch", re.ASCII
)
_HARMLESS = re.compile(
    r"^(Set|Reset|Show|Describe|List|Explain|StreamingExplain|Analyze|Refresh|Invalidate)\w*"
    r"|^(Cache|Uncache|Clear)\w*|^Add(File|Jar|Archive|Files|Jars|Archives)Command"
    r"|^(CreateViewCommand|CreateTempViewUsing|DropTempView\w*|CreateFunctionCommand"
    r"|DropFunctionCommand|CreateVariable\w*|DropVariable\w*|CollectMetrics\w*|MultiResult\w*"
    r"|ExecuteImmediate\w*|GetTable\w*|LoadedCommand)$"
)
_STATIC_PARTITION = r"(?:, \[[^\[\]=]+=[^\]]*\])?"
_PATH_ARGUMENT = re.compile(rf"^(?P<path>.+?){_STATIC_PARTITION}, (?:true|false), ")
_OPTION_PATH = re.compile(r"[\[(, ]path(?:=| -> )(?P<path>.+?)(?:\]|\), |, \w+(?:=| -> ))")
_STORAGE_PATH = re.compile(r"Storage\(Location: (?P<path>.+?)(?:, \w+: |, Storage Prop|\))")
_TABLE = re.compile(r"`[^`]+`(?:\.`[^`]+`){0,2}")
_V2_TABLE = re.compile(r"^\w+\([^)]*\), ([\w.]+)")
_JDBC_TABLE = re.compile(r"dbtable(?:=| -> )([^,\])]+)", re.IGNORECASE)
_SAVE_FRAME = re.compile(r"\.(saveAs\w+|save)\((\S+?):?(\d*)\)")
_SCOPE_NAME = re.compile(r'"name":"(\w+)"')
_SYSTEM_FRAME = re.compile(r"^(org\.apache\.spark|scala|java|jdk|py4j|sun)[./]")
_FILE_SINK = re.compile(r"^FileSink\[(.+)\]$", re.DOTALL)
_SAFE_SINK = re.compile(r"Foreach ?Batch|ConsoleTable|MemorySink|MemoryTable|NoopTable|noop")
_URL_SECRET = re.compile(
    r"//[^/@\s]*@|[;?&](user|password|pwd|token)\w*=[^;&,\])]*", re.IGNORECASE
)


@dataclass(slots=True)
class WriteFinder:
    """Collects writes from events; paths win over words that tell of the same command."""

    _found: dict[str, None] = field(default_factory=dict)
    _root_of: dict[int, int] = field(default_factory=dict)
    _claims: dict[int, dict[str, None]] = field(default_factory=dict)
    _with_path: set[int] = field(default_factory=set)

    @staticmethod
    def worth_reading(line: bytes) -> bool:
        """Whether a plan that was sent again may hold a write; saves parsing large plans."""
        return _PLAN_HINT.search(line) is not None

    def plan(self, event: Event) -> None:
        """Take the plan of a SQL execution: its start, or a later version of it."""
        execution = identifier(event["executionId"])
        root = event.get("rootExecutionId")
        if root is not None and len(self._root_of) < _MOST_OPEN:
            self._root_of[execution] = identifier(root)
        root = self._root_of.get(execution, execution)
        description = str(event.get("physicalPlanDescription", ""))[:_MOST_DESCRIBED]
        for write in plan_writes(event["sparkPlanInfo"], description):
            if len(self._claims) + len(self._with_path) >= _MOST_OPEN:
                self._add(write)
            elif is_path(write):
                self._with_path.add(root)
                self._add(write)
            else:
                claims = self._claims.setdefault(root, {})
                claims[write if len(claims) < _MOST_COMMANDS else _MORE] = None

    def sql_ended(self, execution: int) -> None:
        """Settle what a SQL execution wrote: words count only where no path was seen."""
        root = self._root_of.pop(execution, execution)
        if root == execution:
            claims = self._claims.pop(root, {})
            if root not in self._with_path:
                for claim in claims:
                    self._add(claim)
            self._with_path.discard(root)

    def job(self, event: Event) -> None:
        """Take the start of a job: writes of RDDs, whose paths the log does not have."""
        for stage in event.get("Stage Infos") or ():
            details = str(stage.get("Details", ""))[:_MOST_DESCRIBED]
            if "SparkHadoopWriter" in details or "SparkHadoopWriter" in stage["Stage Name"]:
                self._add(f"unknown path ({_save_site(event, details)})")

    def streaming(self, event: Event) -> None:
        """Take the progress of a streaming query: its sink, and that it keeps a checkpoint."""
        sink = str(event["progress"]["sink"]["description"])[:_MOST_CHARS]
        if files := _FILE_SINK.match(sink):
            self._add(files[1])
        elif not _SAFE_SINK.search(sink):
            self._add(f"unknown path (streaming sink {_plain(sink)})")
        if not re.search(r"ConsoleTable|MemorySink|MemoryTable", sink):
            self._add("unknown path (streaming checkpoint)")

    def unreadable(self) -> None:
        """Note that a plan was too large to be read: it may have written anywhere."""
        self._add("unknown path (a plan that is too large to read)")

    def writes(self, effective: Mapping[str, str]) -> tuple[str, ...]:
        """Return all places, tables resolved to folders where the warehouse is known."""
        for execution in list(self._claims):
            self._root_of.pop(execution, None)
            self.sql_ended(execution)
        return tuple(dict.fromkeys(_unified(_located(write, effective)) for write in self._found))

    def _add(self, write: str) -> None:
        if len(self._found) < MOST_WRITES:
            self._found[write] = None
        else:
            self._found[_MORE] = None


def is_path(write: str) -> bool:
    """Whether a write names a path or URI, rather than a table or something unknown."""
    return not write.startswith(("table ", "unknown path ("))


def plan_writes(plan: Event, description: str) -> Iterator[str]:
    """Yield what one plan (``sparkPlanInfo``, with the text beside it) writes to."""
    waiting, nodes, commands = [plan], 0, 0
    while waiting:
        node = waiting.pop()
        waiting.extend(node.get("children") or ())
        name, text = str(node["nodeName"])[:_MOST_CHARS], str(node.get("simpleString", ""))
        nodes += 1
        commands += name.startswith("Execute ") or _V2_WRITE.match(name) is not None
        if nodes > _MOST_NODES or commands > _MOST_COMMANDS:
            yield _MORE
            return
        if name.startswith("Execute "):
            command = name.removeprefix("Execute ").split(" ")[0]
            arguments = text.removeprefix("Execute ").removeprefix(command).strip()
            arguments = arguments or _described(command, description)
            if (write := _command_write(command, arguments[:_MOST_CHARS])) is not None:
                yield write
        elif _V2_WRITE.match(name) and not _NOWHERE.search(f"{name} {text[:_MOST_CHARS]}"):
            arguments = text.removeprefix(name).strip()
            arguments = arguments or _described(name, description)
            yield _v2_write(name, arguments[:_MOST_CHARS])


def _described(command: str, description: str) -> str:
    pattern = rf"{re.escape(command)}\s*\n(?:(?:Input|Output)[^\n]*\n)*Arguments: ([^\n]*)"
    if match := re.search(pattern, description):
        return match[1]
    match = re.search(rf"\+- {re.escape(command)} ([^\n]*)", description)
    return match[1] if match else ""


def _command_write(command: str, arguments: str) -> str | None:
    if command == "CreateViewCommand" and "PersistedView" in arguments:
        return _table(command, arguments)
    if _HARMLESS.match(command) or _NOWHERE.search(f"{command} {arguments}"):
        return None
    if command == "InsertIntoHadoopFsRelationCommand":
        match = _PATH_ARGUMENT.match(arguments)
        return match["path"] if match else _unknown(command, arguments)
    if command == "SaveIntoDataSourceCommand" or "Jdbc" in arguments:
        return _saved_into(command, arguments)
    if match := _STORAGE_PATH.search(arguments):
        return match["path"]
    return _table(command, arguments)


def _saved_into(command: str, arguments: str) -> str:
    if "jdbc" in arguments.lower():
        table = _JDBC_TABLE.search(arguments)
        return f"unknown path (JDBC table {table[1].strip() if table else '?'})"
    match = _OPTION_PATH.search(arguments)
    return match["path"] if match else _unknown(command, arguments)


def _table(command: str, arguments: str) -> str:
    match = _TABLE.search(arguments)
    if match is None:
        return _unknown(command, arguments)
    return "table " + match[0].replace("`", "").removeprefix("spark_catalog.")


def _v2_write(name: str, arguments: str) -> str:
    if match := _V2_TABLE.match(arguments):
        return f"table {match[1]}"
    return _unknown(name, arguments)


def _unknown(command: str, arguments: str) -> str:
    return f"unknown path ({_plain(f'{command} {arguments}'.strip())})"


def _plain(text: str) -> str:
    text = re.sub(r"\$\$Lambda\S*|@[0-9a-f]{4,}\b", "", _URL_SECRET.sub("", text))
    return " ".join(text.split())[:120]


def _save_site(event: Event, details: str) -> str:
    """Return ``saveAsTextFile at Job.scala:12``, as far as the stack tells."""
    frames = [frame[:500] for frame in details.split("\n")]
    saves = [match[1] for frame in frames if (match := _SAVE_FRAME.search(frame))]
    properties = event.get("Properties") or {}
    scope = _SCOPE_NAME.search(str(properties.get("spark.rdd.scope", ""))[:_MOST_CHARS])
    method = scope[1] if scope and scope[1].startswith("save") else (saves or ["save"])[-1]
    for frame in frames:
        place = re.search(r"\(([^()]+:\d+)\)$", frame)
        if place and not _SYSTEM_FRAME.match(frame):
            return f"{method} at {place[1]}"
    return method


def _located(write: str, effective: Mapping[str, str]) -> str:
    """Return the folder of a managed table, where the catalog is Spark's own in memory."""
    warehouse = effective.get("spark.sql.warehouse.dir")
    in_memory = effective.get("spark.sql.catalogImplementation", "in-memory") == "in-memory"
    name = write.removeprefix("table ").split(".") if write.startswith("table ") else []
    if not warehouse or not in_memory or not 1 <= len(name) <= 2:
        return write
    database, table = name if len(name) == 2 else ("default", name[0])
    folder = table if database == "default" else f"{database}.db/{table}"
    return f"{warehouse.rstrip('/')}/{folder}"


def _unified(write: str) -> str:
    """Return a local path without its scheme: ``file:/a`` and ``file:///a`` are ``/a``."""
    return re.sub(r"^file:(?://)?(?=/)", "", write)
