"""Answers four questions about yellow-cab trips: a Spark program that stands alone.

    spark-submit taxi.py --data data/taxi --output out

reads ``DATA/trips`` and ``DATA/weather`` (see ``taxi_data.py``) and writes one Parquet folder a
question. Sums are kept in whole cents and hundredths of miles, so that the answers don't depend
on the order in which rows are added up. Nothing is cached and no property is set: how it runs is
left to whoever submits it.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

TRIPS = (
    "tpep_pickup_datetime timestamp_ntz, tpep_dropoff_datetime timestamp_ntz,"
    " trip_distance double, pickup_longitude double, pickup_latitude double, payment_type int,"
    " tip_amount double, total_amount double"
)
WEATHER = (
    "observed_at timestamp_ntz, temperature_f double, rain_in double, snow_in double,"
    " wind_mph double, sky string"
)
SOUTH, NORTH, WEST, EAST = 40.4, 41.1, -74.4, -73.5


def main() -> None:
    """Read the arguments and answer each question as one named step."""
    parser = argparse.ArgumentParser(description="Answer four questions about taxi trips.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune taxi").getOrCreate()
    trips = spark.read.schema(TRIPS).parquet(f"{options.data}/trips")
    weather = spark.read.schema(WEATHER).parquet(f"{options.data}/weather")
    answers = {
        "peak_hours": peak_hours(trips),
        "revenue_by_grid": revenue_by_grid(trips),
        "weather": weather_against_trips(trips, weather),
        "distance_and_tip": distance_and_tip(trips),
    }
    for name, answer in answers.items():
        spark.sparkContext.setJobDescription(name)
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def hundredths(column: str) -> Column:
    """Return dollars as cents, miles as hundredths: whole numbers, whose sums are exact."""
    return F.rint(F.col(column) * 100).cast("long")


def hour_of(column: str) -> Column:
    """Return the hour that a moment lies in."""
    return F.date_trunc("hour", F.col(column)).cast("timestamp_ntz")


def cell(trips: DataFrame) -> DataFrame:
    """Keep the trips with a known pick-up and add its cell: a hundredth of a degree each way."""
    latitude, longitude = F.col("pickup_latitude"), F.col("pickup_longitude")
    known = trips.where(latitude.between(SOUTH, NORTH) & longitude.between(WEST, EAST))
    return known.withColumns({"lat": whole(latitude), "lon": whole(longitude)})


def whole(degrees: Column) -> Column:
    """Return hundredths of a degree, rounded, as a whole number."""
    return F.rint(degrees * 100).cast("int")


def peak_hours(trips: DataFrame) -> DataFrame:
    """For every cell: its three busiest hours ever, against what it has on a usual hour."""
    of_cell = Window.partitionBy("lat", "lon")
    hours = cell(trips).groupBy("lat", "lon", hour_of("tpep_pickup_datetime").alias("hour"))
    counted = hours.agg(F.count("*").alias("trips"))
    ranked = counted.withColumns(
        {
            "place": F.row_number().over(of_cell.orderBy(F.desc("trips"), "hour")),
            "usual": F.avg("trips").over(of_cell),
        }
    )
    return ranked.where("place <= 3").select(
        (F.col("lat") / 100).alias("lat"),
        (F.col("lon") / 100).alias("lon"),
        "place",
        "hour",
        F.dayofweek("hour").alias("day_of_week"),
        "trips",
        "usual",
    )


def revenue_by_grid(trips: DataFrame) -> DataFrame:
    """For every cell: trips, days with a trip, revenue and the revenue of one minute's driving."""
    start, end = F.col("tpep_pickup_datetime"), F.col("tpep_dropoff_datetime")
    timed = cell(trips).withColumns(
        {
            "cents": hundredths("total_amount"),
            "seconds": F.unix_timestamp(end) - F.unix_timestamp(start),
            "day": F.to_date(start),
        }
    )
    return (
        timed.groupBy("lat", "lon")
        .agg(
            F.count("*").alias("trips"),
            F.countDistinct("day").alias("days"),
            F.sum("cents").alias("cents"),
            F.sum("seconds").alias("seconds"),
            F.max("cents").alias("dearest"),
        )
        .select(
            (F.col("lat") / 100).alias("lat"),
            (F.col("lon") / 100).alias("lon"),
            "trips",
            "days",
            (F.col("cents") / 100).alias("revenue"),
            (F.col("cents") * 60 / F.col("seconds") / 100).alias("revenue_per_minute"),
            (F.col("dearest") / 100).alias("dearest_trip"),
        )
    )


def weather_against_trips(trips: DataFrame, weather: DataFrame) -> DataFrame:
    """By sky and temperature: trips an hour, their length, speed and price."""
    timed = trips.select(
        hour_of("tpep_pickup_datetime").alias("observed_at"),
        hundredths("trip_distance").alias("miles"),
        hundredths("total_amount").alias("cents"),
        (
            F.unix_timestamp("tpep_dropoff_datetime") - F.unix_timestamp("tpep_pickup_datetime")
        ).alias("seconds"),
    )
    band = (F.floor(F.col("temperature_f") / 10) * 10).alias("from_temperature_f")
    sums = (
        timed.join(weather, "observed_at")
        .groupBy("sky", band)
        .agg(
            F.count("*").alias("trips"),
            F.countDistinct("observed_at").alias("hours"),
            F.sum("miles").alias("miles"),
            F.sum("cents").alias("cents"),
            F.sum("seconds").alias("seconds"),
        )
    )
    return sums.select(
        "sky",
        "from_temperature_f",
        "hours",
        (F.col("trips") / F.col("hours")).alias("trips_per_hour"),
        (F.col("miles") / F.col("trips") / 100).alias("miles_per_trip"),
        (F.col("miles") * 36 / F.col("seconds")).alias("miles_per_hour"),
        (F.col("cents") / F.col("trips") / 100).alias("dollars_per_trip"),
    )


def distance_and_tip(trips: DataFrame) -> DataFrame:
    """By payment type: Pearson's correlation of distance and tip, from exact sums."""
    x, y = hundredths("trip_distance"), hundredths("tip_amount")
    sums = trips.groupBy("payment_type").agg(
        F.count("*").alias("n"),
        *[
            F.sum(term).cast("decimal(38,0)").alias(name)
            for name, term in {"x": x, "y": y, "xx": x * x, "yy": y * y, "xy": x * y}.items()
        ],
    )
    shared = F.expr("n * xy - x * y").cast("double")
    spread = F.sqrt(F.expr("n * xx - x * x").cast("double")) * F.sqrt(
        F.expr("n * yy - y * y").cast("double")
    )
    return sums.select(
        "payment_type",
        F.col("n").alias("trips"),
        (F.col("x") / F.col("n") / 100).cast("double").alias("miles_per_trip"),
        (F.col("y") / F.col("n") / 100).cast("double").alias("dollars_per_tip"),
        F.when(spread > 0, shared / spread).alias("correlation"),
    )


if __name__ == "__main__":
    main()
