"""Let Spark itself read values of its properties; print what it refuses, as JSON.

Usage: read_properties.py FILE, a JSON object of property name to list of values.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession


def entries(jvm: Any) -> Any:
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    holder = jvm.java.lang.Class.forName(
        "org.apache.spark.internal.config.ConfigEntry$", True, loader
    )
    module = holder.getField("MODULE$").get(None)
    field = next(f for f in holder.getDeclaredFields() if f.getName() == "knownConfigs")
    field.setAccessible(True)
    return field.get(module)


def main() -> None:
    wanted = json.loads(Path(sys.argv[1]).read_text())
    spark = SparkSession.builder.getOrCreate()
    known = entries(spark._jvm)
    refused = {}
    for name, values in wanted.items():
        for value in values:
            try:
                if spark.conf.isModifiable(name):
                    spark.conf.set(name, value)
                elif (entry := known.get(name)) is not None:
                    spark._jvm.org.apache.spark.SparkConf(False).set(name, value).get(entry)
            except Exception as error:
                refused[f"{name}={value}"] = str(error)[:300]
    spark.stop()
    sys.stdout.write("REFUSED " + json.dumps(refused) + "\n")


if __name__ == "__main__":
    main()
