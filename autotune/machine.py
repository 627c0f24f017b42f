"""Facts about the machine or cluster that a Spark master stands for."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from autotune.domain import Machine
from autotune.errors import EnvironmentFault, InputError
from autotune.spark.headroom import cgroup_folders, read_text, usable_memory_bytes
from autotune.spark.installation import Installation

_LOCAL = re.compile(r"local(?:\[\s*([0-9]{1,9}|\*)\s*(?:,\s*[0-9]{1,9}\s*)?\])?")
_LOCAL_CLUSTER = re.compile(
    r"local-cluster\[\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*\]"
)
_SUPPORTED = "use local[N], local[*], local-cluster[N,cores,MiB] or spark://host:port"
_ASK_TIMEOUT_S = 5
_MOST_ANSWER_BYTES = 16 << 20
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
OVERRIDES = ("slots", "executors", "memory", "master_page")


def detect_machine(
    master: str,
    installation: Installation | None,
    overrides: Mapping[str, str] | None = None,
) -> Machine:
    """Return what *master* offers.

    Args:
        master: a Spark master URL.
        installation: the Spark that will be used, for its versions.
        overrides: what the person knows better: ``slots``, ``executors``, ``memory`` (of one
            machine, ``64g``), ``master_page`` (address of a standalone master's page, where it
            is not ``http://host:8080``).

    Raises:
        InputError: the master is malformed or of a kind that is not supported, or an override is.
        EnvironmentFault: a standalone master does not answer or has no workers.
    """
    given = _checked(overrides or {})
    slots, executors, memory_bytes = _shape(master, given)
    executors = given.get("executors", executors)
    slots = given.get("slots", slots)
    if slots < executors:
        message = f"master {master}: {slots} slots can't feed {executors} executors; name more"
        raise InputError(message)
    return Machine(
        master=master,
        slots=slots,
        executors=executors,
        cores_per_executor=max(1, slots // executors),
        memory_bytes=given.get("memory", memory_bytes),
        spark_version=installation.spark_version if installation else None,
        java_version=installation.java_version if installation else None,
        python_version=installation.python_version if installation else None,
        platform=platform_text(),
    )


def usable_cpus(cgroup_root: Path = Path("/sys/fs/cgroup")) -> int:
    """Return what Java would call ``availableProcessors``: affinity and container quota count."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = psutil.cpu_count() or 1
    quotas = []
    for folder in cgroup_folders(cgroup_root):
        words = (read_text(folder / "cpu.max") or "").split()
        if len(words) == 2 and words[0] != "max":
            quotas.append(int(words[0]) / int(words[1]))
        quota, period = (
            read_text(folder / "cpu.cfs_quota_us"),
            read_text(folder / "cpu.cfs_period_us"),
        )
        if quota and period and int(quota) > 0:
            quotas.append(int(quota) / int(period))
    return max(1, min([count, *(math.ceil(quota) for quota in quotas)]))


def platform_text() -> str:
    """Return operating system, architecture and processor model; never a host name."""
    return f"{platform.system()} {platform.release()} {platform.machine()}, {_cpu_model()}"


def _shape(master: str, given: Mapping[str, int]) -> tuple[int, int, int]:
    """Return slots, executors, and the bytes of one machine."""
    local = _LOCAL.fullmatch(master)
    if local:
        slots = usable_cpus() if local[1] == "*" else int(local[1] or 1)
        return _positive(slots, master), 1, usable_memory_bytes()
    cluster = _LOCAL_CLUSTER.fullmatch(master)
    if cluster:
        executors, cores, memory_mib = (
            _positive(int(number), master) for number in cluster.groups()
        )
        return executors * cores, executors, min(memory_mib << 20, usable_memory_bytes())
    if master.startswith("spark://"):
        if given.keys() >= {"slots", "executors", "memory"}:
            return given["slots"], given["executors"], given["memory"]
        return _ask_master(master, given)
    fault = "malformed" if master.startswith("local") else "not supported yet"
    message = f"master '{master}': {fault}; {_SUPPORTED}"
    raise InputError(message)


def _positive(number: int, master: str) -> int:
    if number < 1:
        message = f"master {master}: its numbers start at 1; {_SUPPORTED}"
        raise InputError(message)
    return number


def _checked(overrides: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, text in overrides.items():
        if name not in OVERRIDES:
            message = f"machine: {name}: no such key; known are {', '.join(OVERRIDES)}"
            raise InputError(message)
        if name == "master_page":
            given[name] = text
            continue
        match = re.fullmatch(r"([0-9]{1,15})\s*([bkmgt]?)(?:i?b)?", str(text).strip().lower())
        number = int(match[1]) * (_UNITS[match[2]] if name == "memory" else 1) if match else 0
        if match is None or number < 1 or (match[2] and name != "memory"):
            wanted = "a size such as 64g" if name == "memory" else "a whole number from 1"
            message = f"machine: {name}: '{text}' is not {wanted}"
            raise InputError(message)
        given[name] = number
    return given


def _ask_master(master: str, given: Mapping[str, Any]) -> tuple[int, int, int]:
    hosts = [part for part in master.removeprefix("spark://").split(",") if part]
    if not hosts:
        message = f"master {master}: names no host; write it as spark://host:port"
        raise InputError(message)
    pages = (
        [given["master_page"]] if "master_page" in given else [_page_of(host) for host in hosts]
    )
    faults = []
    for page in pages:
        try:
            workers = _alive_workers(page)
        except (OSError, ValueError, KeyError, TypeError) as error:
            faults.append(f"{page} ({error})")
            continue
        if workers:
            cores = [worker["cores"] for worker in workers]
            # A configuration must fit everywhere, so the smallest worker counts.
            memory_mib = min(worker["memory"] for worker in workers)
            count = len(workers)
            slots = min(cores) * count
            return slots, count, min(memory_mib << 20, usable_memory_bytes())
        faults.append(f"{page} (no worker is alive)")
    message = (
        f"master {master}: {'; '.join(faults)}; start it and its workers, or state machine:"
        " slots, executors and memory (or master_page)"
    ).replace("\n", " ")
    raise EnvironmentFault(message)


def _page_of(host: str) -> str:
    return f"http://{host.rpartition(':')[0] or host}:8080"


def _alive_workers(page: str) -> list[dict[str, int]]:
    if urllib.parse.urlsplit(page).scheme not in {"http", "https"}:
        message = "not an http address"
        raise ValueError(message)
    with urllib.request.urlopen(page.rstrip("/") + "/json/", timeout=_ASK_TIMEOUT_S) as answer:
        state = json.loads(answer.read(_MOST_ANSWER_BYTES))
    return [
        {"cores": int(worker["cores"]), "memory": int(worker["memory"])}
        for worker in state["workers"]
        if worker["state"] == "ALIVE" and int(worker["cores"]) > 0
    ]


def _cpu_model() -> str:
    for line in (read_text(Path("/proc/cpuinfo")) or "").splitlines():
        name, _, model = line.partition(":")
        if name.strip() == "model name":
            return model.strip()
    return platform.processor() or "unknown processor"
