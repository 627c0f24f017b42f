"""Answers six questions about a shop by six kinds of join: a Spark program that stands alone.

    spark-submit joins.py --data data/orders --output out

reads the tables of ``orders_data.py``; each step is one kind: ``broadcast``, ``sort_merge``,
``shuffled_hash``, ``outer``, ``semi`` (and anti) and ``range``. The first three are asked for by
a hint, so that each is there to see; ``--hints no`` leaves the choice to Spark, and with it to
``spark.sql.autoBroadcastJoinThreshold`` and its relatives. The answers are the same.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

TABLES = ("orders", "customers", "items", "products", "promotions")
RECENT = "2025-10-01 00:00:00"
BULK = 6


def main() -> None:
    """Read the arguments and answer each question as one named step."""
    parser = argparse.ArgumentParser(description="Answer questions by six kinds of join.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--hints", choices=("yes", "no"), default="yes")
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune joins").getOrCreate()
    table = {name: spark.read.parquet(f"{options.data}/{name}") for name in TABLES}

    def hinted(name: str, kind: str) -> DataFrame:
        return table[name].hint(kind) if options.hints == "yes" else table[name]

    answers = {
        "broadcast": margins(table["items"], hinted("products", "broadcast")),
        "sort_merge": months(table["items"], hinted("orders", "merge")),
        "shuffled_hash": segments(table["orders"], hinted("customers", "shuffle_hash")),
        "outer": matches(table["orders"], table["customers"]),
        "semi": recent(table["orders"], table["customers"], table["items"]),
        "range": promoted(table["orders"], table["promotions"]),
    }
    for name, answer in answers.items():
        spark.sparkContext.setJobDescription(name)
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def total(name: str) -> Column:
    """Return the sum of a column of whole numbers, under its own name."""
    return F.sum(name).alias(name)


def margins(items: DataFrame, products: DataFrame) -> DataFrame:
    """By category and brand: items sold, revenue and margin."""
    quantity = F.col("quantity")
    sold = items.join(products, items["product_id"] == products["id"])
    return sold.groupBy("category", "brand").agg(
        total("quantity"),
        F.sum(quantity * F.col("price_cents")).alias("cents"),
        F.sum(quantity * (F.col("price_cents") - F.col("cost_cents"))).alias("margin_cents"),
    )


def months(items: DataFrame, orders: DataFrame) -> DataFrame:
    """By month and state: orders, items and revenue."""
    sold = items.join(orders, items["order_id"] == orders["id"])
    first = F.col("line") == 0  # every order has a first item, and just one
    return sold.groupBy(F.month("placed").alias("month"), "state").agg(
        F.count(F.when(first, True)).alias("orders"),
        total("quantity"),
        F.sum(F.col("quantity") * F.col("price_cents")).alias("cents"),
    )


def segments(orders: DataFrame, customers: DataFrame) -> DataFrame:
    """By segment and country: orders, customers who ordered and what shipping cost."""
    known = orders.join(customers, orders["customer_id"] == customers["id"])
    return known.groupBy("segment", "country").agg(
        F.count("*").alias("orders"),
        F.countDistinct("customer_id").alias("customers"),
        total("shipping_cents"),
    )


def matches(orders: DataFrame, customers: DataFrame) -> DataFrame:
    """By country: what a full outer join finds on both sides, and on one alone."""
    sides = orders.join(customers, orders["customer_id"] == customers["id"], "full_outer")
    ordered, known = orders["id"].isNotNull(), customers["id"].isNotNull()
    return sides.groupBy(customers["country"].alias("country")).agg(
        F.count(F.when(ordered & known, True)).alias("orders"),
        F.count(F.when(ordered & ~known, True)).alias("orders_of_nobody"),
        F.count(F.when(~ordered & known, True)).alias("customers_without_order"),
        total("shipping_cents"),
    )


def recent(orders: DataFrame, customers: DataFrame, items: DataFrame) -> DataFrame:
    """By country: customers with a large order of late (semi), and those with none (anti)."""
    late = orders.where(F.col("placed") >= F.lit(RECENT).cast("timestamp_ntz"))
    large = items.where(F.col("quantity") >= BULK)
    buyers = late.join(large, late["id"] == large["order_id"], "left_semi")
    matching = customers["id"] == buyers["customer_id"]
    sides = [
        customers.join(buyers, matching, kind).select("country", F.lit(bought).alias("bought"))
        for kind, bought in (("left_semi", True), ("left_anti", False))
    ]
    both = sides[0].unionAll(sides[1])
    return both.groupBy("country", "bought").agg(F.count("*").alias("customers"))


def promoted(orders: DataFrame, promotions: DataFrame) -> DataFrame:
    """For every promotion: orders placed while it lasted, and what their shipping cost."""
    lasting = (orders["placed"] >= promotions["starts"]) & (orders["placed"] < promotions["ends"])
    during = orders.join(promotions, lasting)
    return during.groupBy(promotions["id"].alias("promotion_id"), "category", "percent").agg(
        F.count("*").alias("orders"), total("shipping_cents")
    )


if __name__ == "__main__":
    main()
