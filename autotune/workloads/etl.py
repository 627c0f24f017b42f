"""Turns a dirty feed of text into a clean, partitioned table: a Spark program that stands alone.

    spark-submit etl.py --data data/etl --output out

reads ``DATA/raw`` (see ``feed_data.py --for etl``): many small files of lines. ``land`` parses
every line, says what is wrong with it and writes all of them as Parquet; ``deduplicate`` keeps of
every report the line received last, in narrow types; ``compact`` writes that once more, one file
for each day and cell of a geographic grid, sorted. Three small tables check it: lines by what is
wrong with them, reports by day and by cell. Stresses the opening of many files, text functions, a
wide shuffle with a sort in each group, and partitioned writes.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

FIELDS = (
    *("vehicle", "sequence", "moment", "latitude", "longitude", "speed", "temperature"),
    *("status", "received"),
)
STATES = ("driving", "idle", "parked", "fault", "service")
GRID = 4  # cells to a degree
EPOCH = "timestamp_ntz'1970-01-01 00:00:00' + make_dt_interval(0, 0, 0, {})"


def main() -> None:
    """Read the arguments; land, de-duplicate, compact and check the feed."""
    parser = argparse.ArgumentParser(description="Clean, de-duplicate and partition a raw feed.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune etl").getOrCreate()

    def stored(table: DataFrame, name: str, *partitions: str) -> DataFrame:
        """Write a table as one named step, and return it as it was written."""
        spark.sparkContext.setJobDescription(name.strip("_"))
        path = f"{options.output}/{name}"
        table.write.mode("overwrite").partitionBy(*partitions).parquet(path)
        return spark.read.schema(table.schema).parquet(path)

    landed = stored(parsed(spark.read.text(f"{options.data}/raw")), "_land")
    clean = stored(narrowed(latest(landed.where("fault IS NULL"))), "_deduplicate", "day")
    # One task, hence one file, for each folder.
    parted = clean.repartition("day", "cell")
    ordered = parted.sortWithinPartitions("day", "cell", "vehicle", "sequence")
    product = stored(ordered, "compact", "day", "cell")
    stored(landed.groupBy("fault").agg(F.count("*").alias("lines")), "rejected")
    stored(summed(product, "day"), "by_day")
    stored(summed(product, "cell"), "by_cell")
    spark.stop()


def parsed(lines: DataFrame) -> DataFrame:
    """Add the fields of every line, typed as far as they can be, and what is wrong with it."""
    parts = F.split(F.col("value"), ";")
    texts = lines.select(
        "value",
        F.size(parts).alias("parts"),
        *[F.trim(F.get(parts, F.lit(place))).alias(name) for place, name in enumerate(FIELDS)],
    )
    typed = texts.select(
        "value",
        "parts",
        F.expr("try_cast(substring(vehicle, 3) AS int)").alias("vehicle"),
        F.expr("try_cast(sequence AS bigint)").alias("sequence"),
        moment().alias("moment"),
        *[number(name).alias(name) for name in ("latitude", "longitude", "speed", "temperature")],
        F.lower("status").alias("status"),
        F.expr("try_cast(received AS bigint)").alias("received"),
    )
    return typed.withColumn("fault", fault()).drop("parts")


def number(name: str) -> Column:
    """Return the number that a text holds, with a decimal point or comma; else nothing."""
    return F.expr(f"try_cast(translate({name}, ',', '.') AS double)")


def moment() -> Column:
    """Return the moment of a line: seconds since 1970, or a date and time with T and Z or not."""
    seconds = F.expr(EPOCH.format("try_cast(moment AS bigint)"))
    plain = F.expr("try_cast(rtrim('Z', translate(moment, 'T', ' ')) AS timestamp_ntz)")
    return F.when(F.col("moment").rlike("^[0-9]{9,11}$"), seconds).otherwise(plain)


def fault() -> Column:
    """Return the first reason to reject a line; nothing if there is none."""
    latitude, longitude = F.col("latitude"), F.col("longitude")
    return (
        F.when(F.col("parts") != len(FIELDS), "torn")
        .when(F.col("vehicle").isNull() | F.col("sequence").isNull(), "no key")
        .when(F.col("moment").isNull(), "no moment")
        .when(latitude.isNull() | longitude.isNull(), "no place")
        .when((F.abs(latitude) > 90) | (F.abs(longitude) > 180), "off the map")
    )


def latest(landed: DataFrame) -> DataFrame:
    """Keep of every report the line that was received last; of equals the first by its text."""
    lines = Window.partitionBy("vehicle", "sequence").orderBy(F.desc("received"), "value")
    ranked = landed.withColumn("place", F.row_number().over(lines))
    return ranked.where("place = 1").drop("place", "value")


def narrowed(reports: DataFrame) -> DataFrame:
    """Return day, cell and the fields as whole numbers in the smallest type that holds them."""

    def whole(column: str, factor: int, kind: str) -> Column:
        return F.rint(F.col(column) * factor).cast(kind).alias(column)

    north, east = (F.floor(F.col(name) * GRID) for name in ("latitude", "longitude"))
    status = F.array_position(F.array(*map(F.lit, STATES)), F.col("status"))
    return reports.select(
        "vehicle",
        "sequence",
        "moment",
        whole("latitude", 1_000_000, "int"),
        whole("longitude", 1_000_000, "int"),
        whole("speed", 10, "smallint"),
        whole("temperature", 10, "smallint"),
        status.cast("tinyint").alias("status"),
        F.to_date("moment").alias("day"),
        F.concat_ws("_", north, east).alias("cell"),
    )


def summed(product: DataFrame, key: str) -> DataFrame:
    """By *key*: reports, vehicles, exact sums, and a checksum over all rows."""
    row = F.xxhash64(*sorted(product.columns)).cast("decimal(38,0)")
    return product.groupBy(key).agg(
        F.count("*").alias("reports"),
        F.countDistinct("vehicle").alias("vehicles"),
        F.sum("speed").alias("speed"),
        F.sum("temperature").alias("temperature"),
        F.sum(row).alias("checksum"),
    )


if __name__ == "__main__":
    main()
