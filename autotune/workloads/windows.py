"""Looks at each purchase among its neighbours: a Spark program that stands alone.

    spark-submit windows.py --data data/records --output out

reads the table of ``records_data.py``. The steps: ``ranks`` (the three dearest purchases of every
user), ``running_sums`` (what each key had earned after each purchase), ``gaps`` (how long a user
stayed away) and ``moving_week`` (the best seven days of each country, whose largest has a fifth of
the rows in one window). Ties are broken by ``id``. Every step is one shuffle and at least one
sort; ``ranks``, with two orders, needs two.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

START = "2024-01-01"
DAY_S = 86_400
AWAY_DAYS = 30


def main() -> None:
    """Read the arguments and answer each question as one named step."""
    parser = argparse.ArgumentParser(description="Look at purchases among their neighbours.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune windows").getOrCreate()
    records = spark.read.parquet(f"{options.data}/records").withColumn("second", second("moment"))
    answers = {
        "ranks": ranks(records),
        "running_sums": running_sums(records),
        "gaps": gaps(records),
        "moving_week": moving_week(records),
    }
    for name, answer in answers.items():
        spark.sparkContext.setJobDescription(name)
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def second(moment: str) -> Column:
    """Return the seconds since the start of the year, whatever the session's time zone is."""
    of_day = F.hour(moment) * 3600 + F.minute(moment) * 60 + F.second(moment)
    return F.datediff(moment, F.lit(START)).cast("long") * DAY_S + of_day


def ranks(records: DataFrame) -> DataFrame:
    """By place and category: what is among the three dearest purchases of a user."""
    of_user = Window.partitionBy("user")
    placed = records.withColumns(
        {
            "place": F.row_number().over(of_user.orderBy(F.desc("amount_cents"), "id")),
            "level": F.dense_rank().over(of_user.orderBy(F.desc("quantity"))),
            "of": F.count("*").over(of_user),
        }
    )
    return (
        placed.where("place <= 3")
        .groupBy("place", "category")
        .agg(
            F.count("*").alias("purchases"),
            F.sum("amount_cents").alias("cents"),
            F.sum("level").alias("levels"),
            F.sum("of").alias("of"),
            F.sum(F.length("note")).alias("letters"),
        )
    )


def running_sums(records: DataFrame) -> DataFrame:
    """By key: the highest and the lowest of its running sum, and when it was half earned."""
    of_key = Window.partitionBy("key")
    so_far = of_key.orderBy("moment", "id").rowsBetween(Window.unboundedPreceding, 0)
    summed = records.withColumns(
        {"sum": F.sum("amount_cents").over(so_far), "all": F.sum("amount_cents").over(of_key)}
    )
    return summed.groupBy("key").agg(
        F.max("sum").alias("highest"),
        F.min("sum").alias("lowest"),
        F.sum(F.col("sum").cast("decimal(38,0)")).alias("area"),
        F.min(F.when(F.col("sum") * 2 >= F.col("all"), F.col("moment"))).alias("half"),
    )


def gaps(records: DataFrame) -> DataFrame:
    """By days between two purchases of a user: how often, and how often the category stayed."""
    in_time = Window.partitionBy("user").orderBy("moment", "id")
    away_s = F.col("second") - F.lag("second").over(in_time)
    before = records.withColumns(
        {
            "days": F.floor(away_s / DAY_S),
            "stayed": (F.col("category") == F.lag("category").over(in_time)).cast("int"),
        }
    )
    again = F.when(F.col("days") >= AWAY_DAYS, 1).otherwise(0)
    visits = before.withColumn("visit", F.sum(again).over(in_time))
    return visits.groupBy("days").agg(
        F.count("*").alias("purchases"),
        F.sum("stayed").alias("stayed"),
        F.sum("visit").alias("visits"),
        F.sum("amount_cents").alias("cents"),
    )


def moving_week(records: DataFrame) -> DataFrame:
    """By country: the most that was earned, and bought, in the seven days before a purchase."""
    week = Window.partitionBy("country").orderBy("second").rangeBetween(-7 * DAY_S + 1, 0)
    moving = records.withColumns(
        {"cents": F.sum("amount_cents").over(week), "purchases": F.count("*").over(week)}
    )
    return moving.groupBy("country").agg(
        F.max("cents").alias("most_cents"),
        F.max("purchases").alias("most_purchases"),
        F.sum(F.col("cents").cast("decimal(38,0)")).alias("area"),
    )


if __name__ == "__main__":
    main()
