"""Adds up a bank's exposures, exact to the last digit: a Spark program that stands alone.

    spark-submit risk.py --data data/positions --output out

reads the tables of ``positions_data.py``. ``values`` prices the positions in euros,
``exposures`` multiplies them with the factors of their instruments (broadcast) and adds them up
by portfolio and factor, ``breaches`` compares the sums with the limits, ``concentration`` finds
the largest holdings of every portfolio. All arithmetic is in decimals: products are rounded half
up to four digits at two named places, so that they stay within 38 digits and every sum is exact.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

TABLES = ("positions", "prices", "exposures", "rates", "portfolios", "limits")
MONEY = "decimal(24,4)"
EXPOSURE = "decimal(36,10)"
LARGEST = 3


def main() -> None:
    """Read the arguments and answer each question as one named step."""
    parser = argparse.ArgumentParser(description="Exposures and limits of portfolios.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune risk").getOrCreate()
    table = {name: spark.read.parquet(f"{options.data}/{name}") for name in TABLES}
    priced = valued(table["positions"], table["prices"], table["rates"])
    exposed = by_factor(priced, table["exposures"])
    answers = {
        "values": values(priced, table["portfolios"]),
        "exposures": exposed,
        "breaches": breaches(exposed, table["limits"]),
        "concentration": concentration(priced),
    }
    for name, answer in answers.items():
        spark.sparkContext.setJobDescription(name)
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def valued(positions: DataFrame, prices: DataFrame, rates: DataFrame) -> DataFrame:
    """Add every position's value in its currency and in euros; none without a price."""
    # decimal(18,4) · decimal(18,6) and decimal(24,4) · decimal(12,6) have 37 digits: both exact.
    foreign = (F.col("quantity") * F.col("price")).cast(MONEY)
    return (
        positions.join(prices, ["instrument_id", "day"])
        .join(F.broadcast(rates), ["currency", "day"])
        .withColumn("foreign", foreign)
        .withColumn("value", (F.col("foreign") * F.col("rate")).cast(MONEY))
    )


def values(priced: DataFrame, portfolios: DataFrame) -> DataFrame:
    """By desk, day and currency: positions, those without a price, long and short value."""
    value = F.col("value")
    return (
        priced.join(portfolios, "portfolio_id")
        .groupBy("desk", "day", "currency")
        .agg(
            F.count("*").alias("positions"),
            F.count(F.when(value.isNull(), True)).alias("without_price"),
            F.sum(F.when(value > 0, value)).alias("long"),
            F.sum(F.when(value < 0, value)).alias("short"),
        )
    )


def by_factor(priced: DataFrame, exposures: DataFrame) -> DataFrame:
    """By day, portfolio and factor: the exposure in euros."""
    # decimal(24,4) · decimal(9,6) has 34 digits, and Spark gives its sum 38. With two fewer, a
    # difference of two sums still fits 38 digits; otherwise Spark would round off its last one.
    product: Column = F.col("value") * F.col("exposure")
    return (
        priced.join(F.broadcast(exposures), "instrument_id")
        .groupBy("day", "portfolio_id", "factor")
        .agg(F.sum(product).cast(EXPOSURE).alias("exposure"), F.count("value").alias("positions"))
    )


def breaches(exposed: DataFrame, limits: DataFrame) -> DataFrame:
    """Return the exposures beyond their limits: by how much, and what part of it is used."""
    size = F.abs("exposure")
    # Dividing numbers of 18 and 15 digits gives 36: nothing is cut off before it is rounded.
    used = size.cast("decimal(18,2)") / F.col("limit").cast("decimal(15,2)")
    return (
        exposed.join(limits, ["portfolio_id", "factor"])
        .where(size > F.col("limit"))
        .select(
            *("day", "portfolio_id", "factor", "exposure", "limit"),
            (size - F.col("limit")).cast(EXPOSURE).alias("beyond"),
            used.cast("decimal(18,4)").alias("used"),
        )
    )


def concentration(priced: DataFrame) -> DataFrame:
    """For every portfolio and day: its largest holdings by value, long or short."""
    held = priced.groupBy("day", "portfolio_id", "instrument_id").agg(
        F.sum("value").alias("value")
    )
    largest = Window.partitionBy("day", "portfolio_id").orderBy(
        F.desc(F.abs("value")), "instrument_id"
    )
    ranked = held.where("value IS NOT NULL").withColumn("place", F.row_number().over(largest))
    return ranked.where(F.col("place") <= LARGEST)


if __name__ == "__main__":
    main()
