"""Makes New York yellow-cab-like trips and hourly weather: a Spark program that stands alone.

    spark-submit taxi_data.py --rows 2000000 --seed 7 --to data/taxi

writes ``TO/trips`` and ``TO/weather``. Every value is a hash of the row's number, the seed and the
column, so the same rows come out on any number of cores. The shape follows the yellow-cab records
of the first half of 2016, the last ones with coordinates: hours of the week, a few crowded places
and two airports, metered and flat fares, tips by card.
"""

from __future__ import annotations

import argparse
import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 500_000
WEEKS = 26
START = "2016-01-04 00:00:00"  # a Monday
WET_SHARE = 0.12

# Trips in each hour of the day, as shares of the busiest: Monday to Thursday, then each other day.
HOURS_OF_DAY = (
    "18 10 6 4 5 9 25 48 62 61 57 59 63 62 65 63 56 66 85 92 87 82 74 50",
    "32 19 11 8 8 10 23 45 59 58 55 58 62 62 64 62 56 66 86 99 92 88 91 84",
    "78 66 55 42 26 11 14 22 36 48 58 66 70 70 69 69 65 71 85 94 84 80 90 92",
    "86 76 66 53 34 13 12 18 30 44 57 64 69 69 67 65 60 58 60 58 52 46 40 29",
)
HOUR_OF_WEEK = [int(x) for day in (0, 0, 0, 0, 1, 2, 3) for x in HOURS_OF_DAY[day].split()]
MILES_PER_HOUR = (17, 18, 19, 20, 21, 20, 16, 12, *[9] * 10, 10, 11, 12, 13, 14, 15)

# Place: latitude, longitude, spread in degrees, weight by day, weight by night, median miles.
PLACES = (
    (40.7560, -73.9860, 0.0045, 17, 15, 1.5),  # Times Square and around
    (40.7527, -73.9772, 0.0040, 15, 9, 1.5),  # Grand Central
    (40.7506, -73.9935, 0.0030, 11, 9, 1.7),  # Penn Station
    (40.7640, -73.9730, 0.0060, 11, 6, 1.5),  # Central Park South
    (40.7750, -73.9590, 0.0080, 13, 6, 1.4),  # Upper East Side
    (40.7850, -73.9770, 0.0080, 7, 5, 1.7),  # Upper West Side
    (40.7340, -74.0020, 0.0060, 7, 14, 1.9),  # Greenwich Village
    (40.7250, -73.9860, 0.0060, 4, 15, 2.2),  # East Village and Lower East Side
    (40.7080, -74.0090, 0.0050, 5, 3, 2.8),  # Financial District
    (40.7170, -73.9570, 0.0080, 1, 5, 2.8),  # Williamsburg
    (40.7740, -73.8730, 0.0035, 4, 3, 9.3),  # LaGuardia
    (40.6450, -73.7850, 0.0050, 3, 3, 16.5),  # JFK
    (40.7200, -73.9400, 0.0600, 2, 7, 3.2),  # everywhere else
)
LAGUARDIA, JFK = 10, 11


def main() -> None:
    """Read the arguments and write both tables into a folder that is there."""
    parser = argparse.ArgumentParser(description="Make yellow-cab-like trips and weather.")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune taxi data").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    # All columns in one method would be too long for the JVM to compile: three times slower.
    spark.conf.set("spark.sql.codegen.wholeStage", "false")
    tables = {
        "trips": trips(spark, options.rows, options.seed),
        "weather": weather(spark, options.seed),
    }
    for name, table in tables.items():
        spark.sparkContext.setJobDescription(f"make {name}")
        table.write.parquet((options.to.absolute() / name).as_uri())
    spark.stop()


def uniform(seed: int, name: str, *keys: Column) -> Column:
    """Return a number in [0, 1) that depends on the keys, the name and the seed alone."""
    bits = F.xxhash64(*keys, F.lit(name), F.lit(seed))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)


def normal(seed: int, name: str, *keys: Column) -> Column:
    """Return a standard normal number (Box-Muller) of the same dependence as :func:`uniform`."""
    radius = F.sqrt(-2.0 * F.log(1.0 - uniform(seed, name + " radius", *keys)))
    return radius * F.cos(2.0 * math.pi * uniform(seed, name + " angle", *keys))


def rounded(value: Column, digits: int) -> Column:
    """Round to decimal digits; many times quicker than Spark's own, which goes by BigDecimal."""
    return F.rint(value * 10.0**digits) / 10.0**digits


def table_of(values: Sequence[float]) -> Column:
    """Return the values as one constant array."""
    return F.array(*[F.lit(value) for value in values])


def pick(weights: Sequence[float], share: Column) -> Column:
    """Return the index that a number in [0, 1) falls on when it is drawn by weight."""
    sums = list(accumulate(weights))
    size = 2048
    drawn = [bisect_left(sums, (i + 0.5) / size * sums[-1]) for i in range(size)]
    return F.element_at(table_of(drawn), F.floor(share * size).cast("int") + 1)


def wet(seed: int, hour: Column) -> Column:
    """Tell whether it rains or snows in an hour since the start; it does so six hours long."""
    return uniform(seed, "wet", F.floor(hour / 6)) < WET_SHARE


def weather(spark: SparkSession, seed: int) -> DataFrame:
    """Return one row an hour: temperature (°F), rain and snow (inches), wind (mph), sky."""
    hours = spark.range(0, WEEKS * 168, 1, 1).withColumn("hour", F.col("id").cast("int"))
    hour = F.col("hour")
    season = 28 + 48 * hour / (WEEKS * 168) + 7 * F.sin((hour % 24 - 9) * math.pi / 12)
    front = 6 * normal(seed, "front", F.floor(hour / 36)) + normal(seed, "temperature", hour)
    fall = -0.08 * F.log(1.0 - uniform(seed, "fall", hour))
    cold = hours.withColumn("temperature_f", rounded(season + front, 1)).withColumn(
        "fall", F.when(wet(seed, hour), rounded(fall + 0.01, 2)).otherwise(0.0)
    )
    freezing = F.col("temperature_f") < 32.5
    raining, snowing = (F.col("fall") > 0) & ~freezing, (F.col("fall") > 0) & freezing
    sky = F.when(uniform(seed, "sky", F.floor(hour / 4)) < 0.45, "clear").otherwise("cloudy")
    return cold.select(
        at(hour * 3600).alias("observed_at"),
        "temperature_f",
        F.when(raining, F.col("fall")).otherwise(0.0).alias("rain_in"),
        F.when(snowing, rounded(F.col("fall") * 8, 1)).otherwise(0.0).alias("snow_in"),
        rounded(4 + 9 * uniform(seed, "wind", F.floor(hour / 3)), 1).alias("wind_mph"),
        F.when(raining, "rain").when(snowing, "snow").otherwise(sky).alias("sky"),
    )


def at(second: Column) -> Column:
    """Return the wall clock that many seconds after the start: no time zone, as published."""
    moment = F.timestamp_seconds(F.unix_timestamp(F.lit(START)) + second.cast("long"))
    return moment.cast("timestamp_ntz")


def trips(spark: SparkSession, rows: int, seed: int) -> DataFrame:
    """Return the trips, in a number of partitions that depends on the rows alone."""
    ids = spark.range(0, rows, 1, max(1, math.ceil(rows / ROWS_PER_FILE)))
    return fares(journeys(ids, seed), seed)


def journeys(ids: DataFrame, seed: int) -> DataFrame:
    """Add when, where, how far and how long."""
    row = F.col("id")
    of_week = pick(HOUR_OF_WEEK, uniform(seed, "hour", row))
    weeks = [F.floor(uniform(seed, f"week {i}", row) * WEEKS).cast("int") for i in (1, 2)]
    # A second draw that is taken only where it rains makes a wet hour about a fifth busier.
    keen = wet(seed, weeks[1] * 168 + F.col("of_week")) & (uniform(seed, "keen", row) < 0.25)
    night = (F.col("of_week") % 24 >= 21) | (F.col("of_week") % 24 < 5)
    places = [pick([p[column] for p in PLACES], uniform(seed, "place", row)) for column in (3, 4)]
    frame = ids.withColumn("of_week", of_week)
    frame = frame.withColumn(
        "hour", F.when(keen, weeks[1]).otherwise(weeks[0]) * 168 + F.col("of_week")
    ).withColumn("place", F.when(night, places[1]).otherwise(places[0]))
    latitude, longitude, spread, median = (
        F.element_at(table_of([float(p[column]) for p in PLACES]), F.col("place") + 1)
        for column in (0, 1, 2, 5)
    )
    miles = median * F.exp(0.62 * normal(seed, "miles", row))
    speed = F.element_at(table_of([float(mph) for mph in MILES_PER_HOUR]), F.col("hour") % 24 + 1)
    slower = F.when(wet(seed, F.col("hour")), 0.88).otherwise(1.0)
    frame = frame.withColumns(
        {
            "trip_distance": rounded(F.least(miles, F.lit(60.0)) + 0.05, 2),
            "speed": speed * slower * F.exp(0.25 * normal(seed, "speed", row)),
            "second": F.floor(uniform(seed, "second", row) * 3600),
            "latitude": latitude + spread * normal(seed, "latitude", row),
            "longitude": longitude + spread * normal(seed, "longitude", row),
            "heading": uniform(seed, "heading", row) * 2 * math.pi,
            # Some meters have no fix: both ends are recorded as zero, as in the real records.
            "lost": uniform(seed, "lost", row) < 0.015,
        }
    )
    pace = F.least(F.col("speed") + F.col("trip_distance") / 2, F.lit(45.0))
    return frame.withColumn("seconds", F.floor(90 + 3600 * (F.col("trip_distance") / pace)))


def fares(journeys: DataFrame, seed: int) -> DataFrame:
    """Turn journeys into rows of the published record: 19 columns, money in dollars."""
    row, miles = F.col("id"), F.col("trip_distance")
    u = uniform(seed, "rate", row)
    flat = (F.col("place") == JFK) & (miles > 11)
    rate = F.when(flat, 2).when(u < 0.002, 3).when(u < 0.005, 5).otherwise(1)
    slow_minutes = F.col("seconds") / 60 * 0.3
    metered = F.rint((2.5 + 2.5 * miles + 0.5 * slow_minutes) * 2) / 2
    fare = F.when(flat, 52.0).otherwise(F.greatest(metered, F.lit(3.0)))
    hour = F.col("of_week") % 24
    rush = (hour >= 16) & (hour < 20) & (F.col("of_week") < 120)
    dark = (hour >= 20) | (hour < 6)
    toll = F.when(flat, 0.35).when(F.col("place") == LAGUARDIA, 0.4).otherwise(0.01)
    paid = journeys.withColumns(
        {
            "RatecodeID": rate,
            "fare_amount": fare,
            "extra": F.when(rush, 1.0).when(dark, 0.5).otherwise(0.0),
            "tolls_amount": F.when(uniform(seed, "tolls", row) < toll, 5.54).otherwise(0.0),
            "payment_type": pick((665, 325, 6, 4), uniform(seed, "payment", row)) + 1,
            "passenger_count": pick((71, 14, 4, 2, 5.5, 3.5), uniform(seed, "people", row)) + 1,
        }
    )
    return published(paid.withColumn("tip_amount", tip(seed)), seed)


def tip(seed: int) -> Column:
    """Return the tip: by card mostly one of the shares that the screen offers; none in cash."""
    row = F.col("id")
    shares = table_of([0.0, 0.1, 0.2, 0.25, 0.3])
    share = F.element_at(shares, pick((6, 14, 55, 17, 8), uniform(seed, "tip", row)) + 1)
    base = F.col("fare_amount") + F.col("extra") + F.col("tolls_amount")
    haggled = 0.9 + 0.2 * uniform(seed, "haggle", row)
    return F.when(F.col("payment_type") == 1, rounded(base * share * haggled, 2)).otherwise(0.0)


def published(paid: DataFrame, seed: int) -> DataFrame:
    """Select the columns under their published names."""
    row = F.col("id")
    start = F.col("hour") * 3600 + F.col("second")
    miles = F.col("trip_distance") * 0.75  # as the crow flies
    found, stored = ~F.col("lost"), uniform(seed, "stored", row) < 0.005

    def where(degrees: Column) -> Column:
        return F.when(found, rounded(degrees, 6)).otherwise(0.0)

    parts = [F.col(name) for name in ("fare_amount", "extra", "tolls_amount", "tip_amount")]
    return paid.select(
        F.when(uniform(seed, "vendor", row) < 0.47, 1).otherwise(2).alias("VendorID"),
        at(start).alias("tpep_pickup_datetime"),
        at(start + F.col("seconds")).alias("tpep_dropoff_datetime"),
        *("passenger_count", "trip_distance"),
        where(F.col("longitude")).alias("pickup_longitude"),
        where(F.col("latitude")).alias("pickup_latitude"),
        "RatecodeID",
        F.when(stored, "Y").otherwise("N").alias("store_and_fwd_flag"),
        where(F.col("longitude") + miles * F.sin("heading") / 52.4).alias("dropoff_longitude"),
        where(F.col("latitude") + miles * F.cos("heading") / 69.0).alias("dropoff_latitude"),
        *("payment_type", "fare_amount", "extra"),
        F.lit(0.5).alias("mta_tax"),
        *("tip_amount", "tolls_amount"),
        F.lit(0.3).alias("improvement_surcharge"),
        rounded(sum(parts[1:], parts[0]) + 0.5 + 0.3, 2).alias("total_amount"),
    )


if __name__ == "__main__":
    main()
