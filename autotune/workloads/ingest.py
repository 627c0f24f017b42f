"""Reads and writes the same table in four formats: a Spark program that stands alone.

    spark-submit ingest.py --data data/ingest --output out --codec zstd --row-group-mb 128

reads ``DATA/csv``, ``json``, ``parquet`` and ``orc`` (see ``feed_data.py --for ingest``), each
with an explicit schema, and writes each in another format below ``OUTPUT/_written``: CSV becomes
Parquet, JSON becomes ORC; of Parquet the faults are handed on as CSV, of ORC as JSON. Then all of
it is read back; the answers are counts, exact sums and checksums of what was read and of what was
written. Stresses parsers, columnar readers and writers, codecs and splits; nothing is joined.
"""

from __future__ import annotations

import argparse

from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

SCHEMA = (
    "vehicle string, sequence bigint, measured_at timestamp_ntz, latitude double,"
    " longitude double, speed_kmh decimal(5,1), temperature_c double, odometer_m bigint,"
    " status string, message string"
)
COLUMNS = [part.split()[0] for part in SCHEMA.split(", ")]
# What one name means to each format; Spark's own columnar ones are called differently.
CODECS = {
    "none": {"parquet": "none", "orc": "none"},
    "snappy": {"parquet": "snappy", "orc": "snappy"},
    "lz4": {"parquet": "lz4_raw", "orc": "lz4"},
    "gzip": {"parquet": "gzip", "orc": "zlib"},
    "zstd": {"parquet": "zstd", "orc": "zstd"},
}
ROUTES = {"csv": "parquet", "json": "orc", "parquet": "csv", "orc": "json"}


def main() -> None:
    """Read the arguments; carry each format over into another one, then read everything back."""
    parser = argparse.ArgumentParser(description="Read and write CSV, JSON, Parquet and ORC.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--codec", choices=CODECS, default="snappy", help="of Parquet and ORC")
    parser.add_argument("--row-group-mb", type=int, default=128, help="of Parquet; ORC's stripes")
    parser.add_argument("--text-codec", choices=("none", "gzip"), default="none")
    options = parser.parse_args()
    if options.row_group_mb < 1:
        parser.error("--row-group-mb must be at least 1")
    spark = SparkSession.builder.appName("autotune ingest").getOrCreate()
    for source, target in ROUTES.items():
        spark.sparkContext.setJobDescription(f"{source} to {target}")
        table = read(spark, source, f"{options.data}/{source}")
        if target in ("csv", "json"):
            table = table.where("status = 'fault'")
        writer = as_asked(table, target, options).mode("overwrite")
        writer.save(f"{options.output}/_written/{target}")
    for kind in ROUTES:
        spark.sparkContext.setJobDescription(f"check {kind}")
        given = read(spark, kind, f"{options.data}/{kind}")
        written = read(spark, kind, f"{options.output}/_written/{kind}")
        answer = checked(given, "read").unionByName(checked(written, "written"))
        answer.write.mode("overwrite").parquet(f"{options.output}/{kind}")
    spark.stop()


def read(spark: SparkSession, kind: str, path: str) -> DataFrame:
    """Return a table in one of the formats; nothing is inferred, broken lines are an error."""
    reader = spark.read.format(kind).schema(SCHEMA)
    if kind in ("csv", "json"):
        reader = reader.option("mode", "FAILFAST")
    if kind == "csv":
        reader = reader.option("header", "true")
    return reader.load(path)


def as_asked(table: DataFrame, kind: str, options: argparse.Namespace) -> DataFrameWriter:
    """Return a writer of one of the formats with its codec and row-group size."""
    size = str(options.row_group_mb << 20)
    writer = table.write.format(kind)
    if kind == "parquet":
        writer = writer.option("parquet.block.size", size)
    if kind == "orc":
        writer = writer.option("orc.stripe.size", size)
    if kind == "csv":
        writer = writer.option("header", "true")
    codec = CODECS[options.codec].get(kind, options.text_codec)
    return writer.option("compression", codec)


def checked(table: DataFrame, side: str) -> DataFrame:
    """By status: rows, exact sums, and a checksum over every column of every row."""
    row = F.xxhash64(*COLUMNS).cast("decimal(38,0)")
    return (
        table.groupBy("status")
        .agg(
            F.count("*").alias("rows"),
            F.count("latitude").alias("placed"),
            F.sum("speed_kmh").alias("speed_kmh"),
            F.sum("odometer_m").alias("odometer_m"),
            F.min("measured_at").alias("first"),
            F.max("measured_at").alias("last"),
            F.sum(row).alias("checksum"),
        )
        .select(F.lit(side).alias("side"), "*")
    )


if __name__ == "__main__":
    main()
