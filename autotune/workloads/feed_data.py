"""Makes what vehicles report, clean or dirty: a Spark program that stands alone.

    spark-submit feed_data.py --for ingest --rows 300000 --seed 7 --to data/ingest

writes for ``ingest`` the same rows four times, ``TO/csv``, ``TO/json``, ``TO/parquet`` and
``TO/orc``; for ``etl`` ``TO/raw``, many small files of text as devices send it: a part of the
reports comes twice, moments have three forms, and there are spaces, decimal commas, gaps, words
where numbers belong and places off the map. Every value is a hash of the row's number, the seed
and the column, so the same rows come out on any number of cores.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 250_000
LINES_PER_FILE = 2_500
MOST_FILES = 2_000
START = "2026-03-02 00:00:00"  # a Monday
START_S = 1_772_409_600  # the same since 1970
DAYS = 7
ROWS_PER_VEHICLE = 400
ORIGINALS = 0.94  # the rest of the raw lines repeats them
STATES = (("driving", 0.62), ("idle", 0.2), ("parked", 0.1), ("fault", 0.05), ("service", 0.03))
FAULTS = ("battery voltage low", "tyre pressure", "coolant temperature", "door open", "no signal")
NOTHING = ("", "NA", "-", "null")
COLUMNS = (
    *("vehicle", "sequence", "measured_at", "latitude", "longitude", "speed_kmh"),
    *("temperature_c", "odometer_m", "status", "message"),
)


def main() -> None:
    """Read the arguments and write the tables of one workload."""
    parser = argparse.ArgumentParser(description="Make reports of vehicles, clean or dirty.")
    parser.add_argument("--to", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--for", choices=("ingest", "etl"), default="ingest", dest="reader")
    options = parser.parse_args()
    if options.rows < 1:
        parser.error("--rows must be at least 1")
    spark = SparkSession.builder.appName("autotune feed data").getOrCreate()
    # All columns in one method would be too long for the JVM to compile.
    spark.conf.set("spark.sql.codegen.wholeStage", "false")
    if options.reader == "ingest":
        files = max(2, options.rows // ROWS_PER_FILE)
        rows = spark.range(0, options.rows, 1, files)
        table = reports(rows, options.rows, options.seed).select(*COLUMNS).persist()
        for kind in ("csv", "json", "parquet", "orc"):
            spark.sparkContext.setJobDescription(f"make {kind}")
            writer = table.write.mode("overwrite").format(kind)
            if kind == "csv":
                writer = writer.option("header", "true")
            writer.save(f"{options.to}/{kind}")
    else:
        spark.sparkContext.setJobDescription("make raw")
        lines = raw(spark, options.rows, options.seed)
        lines.write.mode("overwrite").text(f"{options.to}/raw")
    spark.stop()


def uniform(seed: int, name: str, *keys: Column) -> Column:
    """Return a number in [0, 1) that depends on the keys (the row), name and seed alone."""
    bits = F.xxhash64(*(keys or (F.col("id"),)), F.lit(name), F.lit(seed))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)


def spread(seed: int, name: str) -> Column:
    """Return a bell-shaped number around 0, between -1 and 1."""
    terms = [uniform(seed, f"{name}{part}") for part in range(3)]
    return (sum(terms[1:], terms[0]) - 1.5) / 1.5


def one_of(words: tuple[str, ...], share: Column) -> Column:
    """Return the word that a number in [0, 1) falls on."""
    place = F.floor(share * len(words)).cast("int") + 1
    return F.element_at(F.array(*map(F.lit, words)), place)


def reports(rows: DataFrame, count: int, seed: int) -> DataFrame:
    """Return a report for every ``id`` below *count*, in the order of time."""
    vehicles = max(2, count // ROWS_PER_VEHICLE)
    # Squared: a few vehicles report much more often than most.
    vehicle = F.floor(F.pow(uniform(seed, "vehicle"), 2) * vehicles)
    second = F.floor((F.col("id") + uniform(seed, "second")) * (DAYS * 86_400 / count))
    moment = F.expr(f"timestamp_ntz'{START}' + make_dt_interval(0, 0, 0, seconds)")
    found = uniform(seed, "found") >= 0.02
    share, state = uniform(seed, "status"), F.lit(STATES[-1][0])
    reached = 1.0
    for name, part in reversed(STATES):
        reached -= part
        state = F.when(share < reached + part, name).otherwise(state)
    speed = F.floor((40 + 60 * spread(seed, "speed")) * 10).cast("int")
    moving = F.when(F.col("status") == "driving", F.greatest(speed, F.lit(0))).otherwise(0)
    warmth = F.round(12 + 18 * spread(seed, "temperature"), 1)
    return (
        rows.withColumns({"number": vehicle, "seconds": second, "status": state})
        .withColumns(
            {
                "vehicle": F.format_string("V-%06d", F.col("number")),
                "sequence": F.col("id"),
                "measured_at": moment,
                # Around a city; each vehicle has its own part of it.
                "latitude": F.when(found, degrees(52.52, 0.25, seed, "latitude")),
                "longitude": F.when(found, degrees(13.40, 0.45, seed, "longitude")),
                "speed_kmh": (moving / F.lit(10)).cast("decimal(5,1)"),
                "temperature_c": F.when(uniform(seed, "warm") >= 0.05, warmth),
                "odometer_m": F.col("number") * 1_000 + F.col("seconds") * 7,
                "message": F.when(
                    F.col("status") == "fault",
                    F.concat_ws(
                        " ", one_of(FAULTS, uniform(seed, "fault")), F.col("sequence") % 997
                    ),
                ),
            }
        )
        .drop("number")
    )


def degrees(middle: float, width: float, seed: int, name: str) -> Column:
    """Return a coordinate, to a millionth of a degree, near the vehicle's own place."""
    home = uniform(seed, f"home {name}", F.col("number")) - 0.5
    return F.round(middle + width * (home + 0.4 * spread(seed, name)), 6)


def raw(spark: SparkSession, count: int, seed: int) -> DataFrame:
    """Return *count* lines ``vehicle;sequence;moment;lat;lon;speed;temperature;status;received``.

    A line that repeats a report was received later, and its speed may have been corrected.
    """
    originals = max(1, int(count * ORIGINALS))
    files = min(MOST_FILES, max(2, count // LINES_PER_FILE))
    line = F.col("line")
    again = F.floor(uniform(seed, "again", line) * originals)
    lines = spark.range(0, count, 1, files).withColumnRenamed("id", "line")
    rows = lines.withColumn("id", F.when(line < originals, line).otherwise(again))
    table = reports(rows, originals, seed)
    corrected = (line >= originals) & (uniform(seed, "corrected", line) < 0.3)
    speed = F.when(corrected, F.col("speed_kmh") + 1).otherwise(F.col("speed_kmh"))
    fields = [
        padded(F.col("vehicle"), seed, "vehicle"),
        F.col("sequence").cast("string"),
        moment(seed),
        place("latitude", seed),
        place("longitude", seed),
        dirty(speed.cast("string"), seed, "speed"),
        dirty(F.col("temperature_c").cast("string"), seed, "temperature"),
        padded(F.upper("status"), seed, "status"),
        (START_S + F.col("seconds") + F.when(line < originals, 5).otherwise(3_600)).cast("string"),
    ]
    whole = F.concat_ws(";", *fields)
    torn = uniform(seed, "torn", line) < 0.003
    return table.select(F.when(torn, F.substring(whole, 1, 25)).otherwise(whole).alias("value"))


def moment(seed: int) -> Column:
    """Return the moment of a line in one of three forms, or nothing that is one."""
    share, text = uniform(seed, "form", F.col("line")), F.col("measured_at").cast("string")
    return (
        F.when(share < 0.5, F.concat(F.translate(text, " ", "T"), F.lit("Z")))
        .when(share < 0.75, text)
        .when(share < 0.99, (START_S + F.col("seconds")).cast("string"))
        .when(share < 0.995, F.lit("0000-00-00 00:00:00"))
        .otherwise(F.lit(""))
    )


def place(name: str, seed: int) -> Column:
    """Return a coordinate as text; now and then none, or one that is off the map."""
    lost = uniform(seed, f"lost {name}", F.col("line")) < 0.01
    return F.when(lost, F.lit("999.0")).otherwise(dirty(F.col(name).cast("string"), seed, name))


def padded(text: Column, seed: int, name: str) -> Column:
    """Return a text with blanks around it now and then."""
    loose = uniform(seed, f"loose {name}", F.col("line")) < 0.1
    return F.when(loose, F.concat(F.lit("  "), text, F.lit(" "))).otherwise(text)


def dirty(number: Column, seed: int, name: str) -> Column:
    """Return a number as text: padded, with a decimal comma, as a word, or missing."""
    share = uniform(seed, f"dirt {name}", F.col("line"))
    missing = one_of(NOTHING, uniform(seed, f"missing {name}", F.col("line")))
    written = (
        F.when(share < 0.03, F.translate(number, ".", ","))
        .when(share < 0.035, F.lit("error 17"))
        .when(share < 0.05, missing)
        .otherwise(padded(number, seed, name))
    )
    return F.coalesce(written, missing)


if __name__ == "__main__":
    main()
