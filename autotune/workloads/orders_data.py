"""Makes a shop's orders, customers, items, products and promotions: it stands alone.

    spark-submit orders_data.py --rows 1000000 --seed 7 --to data/orders

writes a folder a table under ``TO``: ``--rows`` orders, one customer to ten orders, one to three
items an order, products and promotions. Some orders are a guest's, some name a customer who is
no longer there, and a fifth of the customers never ordered, so that outer, semi and anti joins
differ. Every value is a hash of the row's number, the seed and the column, so the same rows come
out on any number of cores.
"""

from __future__ import annotations

import argparse
import math

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 250_000
DAYS = 365
START = "2025-01-01 00:00:00"
ITEMS = 3
CATEGORIES = ("books", "toys", "food", "garden", "music", "sport", "shoes", "tools")
COUNTRIES = ("DE", "FR", "IT", "ES", "PL", "NL", "SE", "AT", "PT", "GR")
SEGMENTS = ("private", "business", "school", "public")
STATES = ("delivered", "delivered", "delivered", "delivered", "returned", "open", "cancelled")


def main() -> None:
    """Read the arguments and write the tables."""
    parser = argparse.ArgumentParser(description="Make orders, customers, items and so on.")
    parser.add_argument("--to", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--promotions", type=int, default=150)
    options = parser.parse_args()
    if options.rows < 1 or options.promotions < 1:
        parser.error("--rows and --promotions must be at least 1")
    spark = SparkSession.builder.appName("autotune orders data").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    rows, seed = options.rows, options.seed
    many, few = max(1, rows // 10), max(10, rows // 50)
    tables = {
        "orders": orders(numbered(spark, rows), seed, many),
        "customers": customers(numbered(spark, many), seed),
        "items": items(numbered(spark, rows * ITEMS), seed, few),
        "products": products(numbered(spark, few), seed),
        "promotions": promotions(numbered(spark, options.promotions), seed),
    }
    for name, table in tables.items():
        spark.sparkContext.setJobDescription(f"make {name}")
        table.write.parquet(f"{options.to}/{name}")
    spark.stop()


def numbered(spark: SparkSession, rows: int) -> DataFrame:
    """Return the numbers from 0 in partitions that depend on their count alone."""
    return spark.range(0, rows, 1, max(2, math.ceil(rows / ROWS_PER_FILE)))


def drawn(seed: int, name: str, below: int) -> Column:
    """Return a whole number in [0, below) that depends on id, name and seed alone."""
    return F.pmod(F.xxhash64(F.col("id"), F.lit(seed), F.lit(name)), F.lit(below))


def one_of(values: tuple[str, ...], index: Column) -> Column:
    """Return the value at an index that counts from zero."""
    return F.element_at(F.array(*map(F.lit, values)), index.cast("int") + 1)


def skewed(seed: int, name: str, below: int) -> Column:
    """Return a whole number in [0, below), small ones more often."""
    even = drawn(seed, name, 1_000_003) / 1_000_003  # its square is what is skewed
    return F.floor(even * even * below)


def at(second: Column) -> Column:
    """Return the moment so many seconds after the start."""
    moment = F.timestamp_seconds(F.unix_timestamp(F.lit(START)) + second)
    return moment.cast("timestamp_ntz")


def orders(ids: DataFrame, seed: int, customers: int) -> DataFrame:
    """Return the orders: three in a hundred by guests, some of customers who are gone."""
    # Every fifth customer never orders; numbers from `customers` on are gone.
    number = skewed(seed, "customer", customers + max(1, customers // 50))
    active = F.when(number % 5 == 4, number - 1).otherwise(number)
    return ids.select(
        "id",
        F.when(drawn(seed, "guest", 100) >= 3, active).alias("customer_id"),
        at(drawn(seed, "placed", DAYS * 86_400)).alias("placed"),
        one_of(STATES, drawn(seed, "state", len(STATES))).alias("state"),
        (drawn(seed, "store", 200)).cast("int").alias("store"),
        (100 * drawn(seed, "shipping", 12)).alias("shipping_cents"),
    )


def customers(ids: DataFrame, seed: int) -> DataFrame:
    """Return the customers; one in thirty has no known country."""
    country = one_of(COUNTRIES, skewed(seed, "country", len(COUNTRIES)))
    return ids.select(
        "id",
        F.concat(F.lit("customer "), F.md5(F.col("id").cast("string"))).alias("name"),
        F.when(drawn(seed, "unknown", 30) > 0, country).alias("country"),
        one_of(SEGMENTS, skewed(seed, "segment", len(SEGMENTS))).alias("segment"),
        F.date_add(F.lit("2015-01-01"), drawn(seed, "since", 3650).cast("int")).alias("since"),
    )


def items(ids: DataFrame, seed: int, products: int) -> DataFrame:
    """Return the items: the first of every order, and about half of the other two."""
    line = F.col("id") % ITEMS
    kept = ids.where((line == 0) | (drawn(seed, "kept", 100) < 55))
    return kept.select(
        F.floor(F.col("id") / ITEMS).alias("order_id"),
        line.cast("int").alias("line"),
        skewed(seed, "product", products).alias("product_id"),
        (1 + skewed(seed, "quantity", 6)).cast("int").alias("quantity"),
        (99 + skewed(seed, "price", 20_000)).alias("price_cents"),
    )


def products(ids: DataFrame, seed: int) -> DataFrame:
    """Return the products."""
    return ids.select(
        "id",
        F.concat(F.lit("product "), F.col("id").cast("string")).alias("name"),
        one_of(CATEGORIES, drawn(seed, "category", len(CATEGORIES))).alias("category"),
        drawn(seed, "brand", 300).cast("int").alias("brand"),
        (50 + skewed(seed, "cost", 8_000)).alias("cost_cents"),
    )


def promotions(ids: DataFrame, seed: int) -> DataFrame:
    """Return the promotions, from a day to six weeks long; they overlap."""
    starts = drawn(seed, "starts", DAYS) * 86_400
    lasts = (1 + skewed(seed, "lasts", 42)) * 86_400
    return ids.select(
        "id",
        one_of(CATEGORIES, drawn(seed, "category", len(CATEGORIES))).alias("category"),
        at(starts).alias("starts"),
        at(starts + lasts).alias("ends"),
        (5 * (1 + drawn(seed, "percent", 8))).cast("int").alias("percent"),
    )


if __name__ == "__main__":
    main()
