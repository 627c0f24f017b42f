"""Makes a bank's positions, prices, factors, rates and limits: a Spark program that stands alone.

    spark-submit positions_data.py --rows 1000000 --seed 7 --to data/positions

writes a folder a table under ``TO``: ``--rows`` positions (decimal(18,4)) of two trading days in
portfolios of some 5,000 each, prices (decimal(18,6)) of every instrument and day, of which a few
are missing, exposures of instruments to factors, rates of exchange, and limits of portfolios.
Every value is a hash of the row's number, the seed and the column, so the same rows come out on
any number of cores.
"""

from __future__ import annotations

import argparse
import math

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 250_000
DAYS = ("2025-06-30", "2025-07-01")
CURRENCIES = ("EUR", "USD", "GBP", "JPY", "CHF", "SEK")
MILLIONTHS_OF_EURO = (1_000_000, 854_213, 1_167_402, 5_931, 1_069_330, 89_557)
FACTORS = ("market", "rates", "credit", "energy", "size", "value", "growth", "carry")
DESKS = ("equities", "bonds", "credit", "commodities", "macro")


def main() -> None:
    """Read the arguments and write the tables."""
    parser = argparse.ArgumentParser(description="Make positions, prices, factors and limits.")
    parser.add_argument("--to", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--instruments", type=int, default=5_000)
    options = parser.parse_args()
    if options.rows < 1 or options.instruments < 1:
        parser.error("--rows and --instruments must be at least 1")
    spark = SparkSession.builder.appName("autotune positions data").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    seed, instruments = options.seed, options.instruments
    portfolios = max(5, options.rows // 5_000)
    counts = {
        "positions": options.rows,
        "prices": instruments * len(DAYS),
        "exposures": instruments * len(FACTORS),
        "rates": len(CURRENCIES) * len(DAYS),
        "portfolios": portfolios,
        "limits": portfolios * len(FACTORS),
    }
    made = {
        "positions": positions(seed, portfolios, instruments),
        "prices": prices(seed),
        "exposures": exposures(seed),
        "rates": rates(seed),
        "portfolios": described_portfolios(seed),
        "limits": limits(seed),
    }
    for name, columns in made.items():
        table = numbered(spark, counts[name]).select(*columns)
        if name == "exposures":  # an instrument doesn't depend on every factor
            table = table.where("exposure <> 0")
        spark.sparkContext.setJobDescription(f"make {name}")
        table.write.parquet(f"{options.to}/{name}")
    spark.stop()


def numbered(spark: SparkSession, rows: int) -> DataFrame:
    """Return the numbers from 0 in partitions that depend on their count alone."""
    return spark.range(0, rows, 1, max(2, math.ceil(rows / ROWS_PER_FILE)))


def drawn(seed: int, name: str, below: int) -> Column:
    """Return a whole number in [0, below) that depends on id, name and seed alone."""
    return F.pmod(F.xxhash64(F.col("id"), F.lit(seed), F.lit(name)), F.lit(below))


def one_of(values: tuple[str | int, ...], index: Column) -> Column:
    """Return the value at an index that counts from zero."""
    return F.element_at(F.array(*map(F.lit, values)), index.cast("int") + 1)


def decimal(units: Column, scale: int, precision: int = 18) -> Column:
    """Return a whole number of units in the last place as an exact decimal."""
    parts = F.lit(f"1e-{scale}").cast(f"decimal({scale + 1},{scale})")
    return (units.cast("decimal(18,0)") * parts).cast(f"decimal({precision},{scale})")


def skewed(seed: int, name: str, below: int) -> Column:
    """Return a whole number in [0, below), small ones more often."""
    even = drawn(seed, name, 1_000_003) / 1_000_003  # its square is what is skewed
    return F.floor(even * even * below)


def day(index: Column) -> Column:
    """Return the trading day of an index."""
    return one_of(DAYS, index).cast("date").alias("day")


def positions(seed: int, portfolios: int, instruments: int) -> list[Column]:
    """Return the columns of positions; a third are short, large portfolios have many."""
    units = F.floor(F.exp(drawn(seed, "size", 1_000_003) / 1_000_003 * 14 + 6)).cast("long")
    sign = F.when(drawn(seed, "short", 3) == 0, -1).otherwise(1)
    return [
        F.col("id").alias("position_id"),
        skewed(seed, "portfolio", portfolios).alias("portfolio_id"),
        skewed(seed, "instrument", instruments).alias("instrument_id"),
        day(drawn(seed, "day", len(DAYS))),
        decimal(units * sign + drawn(seed, "fraction", 100), 4).alias("quantity"),
        drawn(seed, "trader", 400).cast("int").alias("trader"),
    ]


def prices(seed: int) -> list[Column]:
    """Return the columns of prices: one row an instrument and day, one in a hundred missing."""
    units = 1_000 + F.floor(F.exp(drawn(seed, "price", 1_000_003) / 1_000_003 * 6 + 14))
    known = drawn(seed, "known", 100) > 0
    instrument = F.floor(F.col("id") / len(DAYS))
    return [
        instrument.alias("instrument_id"),
        day(F.col("id") % len(DAYS)),
        one_of(CURRENCIES, instrument % len(CURRENCIES)).alias("currency"),
        F.when(known, decimal(units, 6)).alias("price"),
    ]


def exposures(seed: int) -> list[Column]:
    """Return the columns of exposures, -2 to 2 with six digits; half of them are zero."""
    units = drawn(seed, "exposure", 4_000_001) - 2_000_000
    return [
        F.floor(F.col("id") / len(FACTORS)).alias("instrument_id"),
        one_of(FACTORS, F.col("id") % len(FACTORS)).alias("factor"),
        decimal(F.when(drawn(seed, "depends", 2) == 0, units).otherwise(0), 6, 9).alias(
            "exposure"
        ),
    ]


def rates(seed: int) -> list[Column]:
    """Return the columns of rates: euros for one unit, a little different each day."""
    currency = F.floor(F.col("id") / len(DAYS))
    moved = F.when(currency > 0, drawn(seed, "moved", 401) - 200).otherwise(0)
    return [
        one_of(CURRENCIES, currency).alias("currency"),
        day(F.col("id") % len(DAYS)),
        decimal(one_of(MILLIONTHS_OF_EURO, currency) + moved, 6, 12).alias("rate"),
    ]


def described_portfolios(seed: int) -> list[Column]:
    """Return the columns of portfolios."""
    return [
        F.col("id").alias("portfolio_id"),
        one_of(DESKS, drawn(seed, "desk", len(DESKS))).alias("desk"),
        F.concat(F.lit("portfolio "), F.col("id").cast("string")).alias("name"),
    ]


def limits(seed: int) -> list[Column]:
    """Return the columns of limits: one row a portfolio and factor; a tenth has no limit."""
    units = F.floor(F.exp(drawn(seed, "limit", 1_000_003) / 1_000_003 * 6 + 14)) * 100
    return [
        F.floor(F.col("id") / len(FACTORS)).alias("portfolio_id"),
        one_of(FACTORS, F.col("id") % len(FACTORS)).alias("factor"),
        F.when(drawn(seed, "limited", 10) > 0, decimal(units, 2)).alias("limit"),
    ]


if __name__ == "__main__":
    main()
