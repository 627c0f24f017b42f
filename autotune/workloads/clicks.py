"""Counts clicks in windows of time as a stream: a Spark program that stands alone.

    spark-submit clicks.py --data data/clicks --output out --mode backlog --files-per-trigger 8
    spark-submit clicks.py --data data/clicks --output out --mode paced --pace "2 seconds"

reads the files in ``DATA/clicks`` (see ``clicks_data.py``) as a stream, N files a micro-batch, and
counts for every user the clicks of each window of ten minutes. ``backlog`` works through what is
there as fast as it can (``availableNow``); ``paced`` begins a micro-batch every so often until all
is read. Windows are written when the watermark has passed them; a last batch step sums them up.

The answers don't depend on where the micro-batches were cut: clicks are at most 20 minutes late
and the watermark waits for 30, so none is ever dropped, and after the last click one more
micro-batch closes all windows that end before it, less the delay. That holds if files are read in
the order of their contents, which is what their times of modification say. Stresses the fixed cost
of a micro-batch, the state store (one task for each shuffle partition), and small writes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

SCHEMA = (
    "clicked_at timestamp, user bigint, page string, session string, stay_ms bigint, origin string"
)
WINDOW, DELAY = "10 minutes", "30 minutes"
BUSIEST = 100


def main() -> None:
    """Read the arguments, run the stream to its end and sum up what it wrote."""
    parser = argparse.ArgumentParser(description="Count clicks in windows, as a stream.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--mode", choices=("backlog", "paced"), default="backlog")
    parser.add_argument("--files-per-trigger", type=int, default=8)
    parser.add_argument("--pace", default="2 seconds", help="between micro-batches, if paced")
    parser.add_argument("--format", choices=("json", "parquet"), default="json")
    options = parser.parse_args()
    if options.files_per_trigger < 1:
        parser.error("--files-per-trigger must be at least 1")
    check_order(f"{options.data}/clicks")
    clear(options.output)
    spark = SparkSession.builder.appName("autotune clicks").getOrCreate()
    spark.sparkContext.setJobDescription("stream")
    run(counted(clicks(spark, options)), options)
    windows = spark.read.parquet(f"{options.output}/_windows")
    for name, answer in (("by_window", by_window(windows)), ("by_user", by_user(windows))):
        spark.sparkContext.setJobDescription(name)
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def check_order(folder: str) -> None:
    """End the program if the files are not as old as their names say: clicks would be dropped."""
    if os.path.isdir(folder):  # noqa: PTH112 - it may be a URI, which no path holds
        parts = [entry for entry in os.scandir(folder) if entry.name.startswith("part-")]
        by_age = sorted(parts, key=lambda entry: (entry.stat().st_mtime_ns, entry.name))
        if [entry.name for entry in by_age] != sorted(entry.name for entry in parts):
            sys.exit(f"{folder}: its files were not written in order; copy them with cp -p")


def clear(output: str) -> None:
    """Forget an earlier run: a checkpoint would make the stream go on where that one ended."""
    for name in ("_windows", "_checkpoint"):
        shutil.rmtree(f"{output}/{name}", ignore_errors=True)


def clicks(spark: SparkSession, options: argparse.Namespace) -> DataFrame:
    """Return the stream of clicks, oldest file first."""
    reader = spark.readStream.format(options.format).schema(SCHEMA)
    reader = reader.option("maxFilesPerTrigger", options.files_per_trigger)
    return reader.load(f"{options.data}/clicks")


def counted(stream: DataFrame) -> DataFrame:
    """For every window and user: clicks, those of them that a search led to, and the stay."""
    late = stream.withWatermark("clicked_at", DELAY)
    return (
        late.groupBy(F.window("clicked_at", WINDOW), "user")
        .agg(
            F.count("*").alias("clicks"),
            F.count(F.when(F.col("origin") == "search", 1)).alias("searched"),
            F.sum("stay_ms").alias("stay_ms"),
            F.max("clicked_at").alias("last"),
        )
        .select(
            F.col("window.start").alias("start"), "user", "clicks", "searched", "stay_ms", "last"
        )
    )


def run(windows: DataFrame, options: argparse.Namespace) -> None:
    """Run the stream until there is nothing left to read and nothing to close."""
    writer = windows.writeStream.format("parquet").outputMode("append").queryName("clicks")
    writer = writer.option("checkpointLocation", f"{options.output}/_checkpoint")
    path = f"{options.output}/_windows"
    if options.mode == "backlog":
        writer.trigger(availableNow=True).start(path).awaitTermination()
    else:
        query = writer.trigger(processingTime=options.pace).start(path)
        query.processAllAvailable()
        query.stop()


def by_window(windows: DataFrame) -> DataFrame:
    """For every window: users, clicks, searches and stay."""
    return windows.groupBy("start").agg(
        F.count("*").alias("users"),
        F.sum("clicks").alias("clicks"),
        F.sum("searched").alias("searched"),
        F.sum("stay_ms").alias("stay_ms"),
        F.max("last").alias("last"),
    )


def by_user(windows: DataFrame) -> DataFrame:
    """For the users with most clicks: their clicks and their busiest window."""
    users = windows.groupBy("user").agg(
        F.sum("clicks").alias("clicks"),
        F.count("*").alias("windows"),
        # Of equal windows the first: the negated start is the tie-breaker.
        F.max_by("start", F.struct("clicks", -F.unix_micros("start"))).alias("busiest"),
    )
    most = Window.orderBy(F.desc("clicks"), "user")
    return users.withColumn("place", F.row_number().over(most)).where(F.col("place") <= BUSIEST)


if __name__ == "__main__":
    main()
