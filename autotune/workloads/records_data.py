"""Makes a wide table of purchases for several workloads: a Spark program that stands alone.

    spark-submit records_data.py --rows 1000000 --seed 7 --to data/records

writes ``TO/records``. Every value is a hash of the row's number, the seed and the column, so the
same rows come out on any number of cores. Columns: ``id``; ``key`` (a thousand groups, the largest
some 3 %) and ``user`` (a tenth as many as rows); ``moment`` within a year, in no order;
``amount_cents`` (a few are refunds) and ``quantity``; ``category`` and ``country``, both skewed;
``note`` (a few words, often none); ``payload``, some 200 characters of JSON, which make it wide.
"""

from __future__ import annotations

import argparse
import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, product

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 250_000
START_S = 1_704_067_200  # 2024-01-01 00:00:00
DAYS = 366
NOTED, REFUNDED = 0.85, 0.02

CATEGORIES = (
    "books music films games toys garden kitchen furniture tools lighting"
    " clothes shoes jewellery cosmetics groceries drinks pets sports travel stationery"
)
COUNTRIES = (
    "US DE GB FR JP IN BR CA IT ES NL AU PL SE MX KR CH BE AT TR NO DK FI PT IE CZ GR RO HU ZA"
    " AR CL CO PE IL SG MY TH VN PH ID NZ UA SK BG HR SI LT LV EE"
)
WORDS = (
    "urgent gift wrapped fragile repeat returned late early large small heavy blue green red"
    " customer called again please leave at door neighbour signed invoice missing paid twice"
    " partial exchange voucher loyal new address changed weekend only bulk sample damaged refund"
)
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Version/17.5 Safari",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile",
    "Shop/3.2 (Android 13; tablet)",
)


def main() -> None:
    """Read the arguments and write the table."""
    parser = argparse.ArgumentParser(description="Make one wide table of purchases.")
    parser.add_argument("--to", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keys", type=int, default=1000, help="groups of the column key")
    options = parser.parse_args()
    if options.rows < 1 or options.keys < 1:
        parser.error("--rows and --keys must be at least 1")
    spark = SparkSession.builder.appName("autotune records data").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    spark.sparkContext.setJobDescription("make records")
    table = records(spark, options.rows, options.seed, options.keys)
    table.write.mode("overwrite").parquet(f"{options.to}/records")
    spark.stop()


def uniform(seed: int, name: str) -> Column:
    """Return a number in [0, 1) that depends on the row, the name and the seed alone."""
    bits = F.xxhash64(F.col("id"), F.lit(name), F.lit(seed))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)


def below(limit: int, share: Column) -> Column:
    """Return the whole number from 0 up to the limit that a number in [0, 1) falls on."""
    return F.floor(share * limit)


def one_of(values: Sequence[str], share: Column) -> Column:
    """Return the value that a number in [0, 1) falls on, all being equally likely."""
    constant = F.array(*[F.lit(value) for value in values])
    return F.element_at(constant, below(len(values), share).cast("int") + 1)


def skewed(values: Sequence[str], share: Column) -> Column:
    """Return the value that a number in [0, 1) falls on, the n-th being 1/n as likely."""
    sums = list(accumulate(1 / (place + 1) for place in range(len(values))))
    size = 512
    drawn = [bisect_left(sums, (i + 0.5) / size * sums[-1]) for i in range(size)]
    return one_of([values[place] for place in drawn], share)


def records(spark: SparkSession, rows: int, seed: int, keys: int) -> DataFrame:
    """Return the table, in a number of partitions that depends on the rows alone."""
    ids = spark.range(0, rows, 1, max(2, math.ceil(rows / ROWS_PER_FILE)))
    key, user, amount, pieces = (uniform(seed, n) for n in ("key", "user", "amount", "pieces"))
    cents = 99 + below(400_000, amount * amount * amount * amount)
    return ids.select(
        "id",
        below(keys, key * key).alias("key"),  # the n-th is as likely as 1 / sqrt(n)
        below(max(1, rows // 10), (user + user * user) / 2).alias("user"),
        moment(seed).alias("moment"),
        F.when(uniform(seed, "refund") < REFUNDED, -cents).otherwise(cents).alias("amount_cents"),
        (1 + below(12, pieces * pieces * pieces)).cast("int").alias("quantity"),
        skewed(CATEGORIES.split(), uniform(seed, "category")).alias("category"),
        skewed(COUNTRIES.split(), uniform(seed, "country")).alias("country"),
        F.when(uniform(seed, "noted") < NOTED, note(seed)).alias("note"),
        payload(seed).alias("payload"),
    )


def moment(seed: int) -> Column:
    """Return a second of the year, more often around noon than at night."""
    day = below(DAYS, uniform(seed, "day"))
    second = below(86_400, (uniform(seed, "morning") + uniform(seed, "evening")) / 2)
    return F.timestamp_seconds(START_S + day * 86_400 + second).cast("timestamp_ntz")


def note(seed: int) -> Column:
    """Return two or four words."""
    pairs = [f"{first} {second}" for first, second in product(WORDS.split(), repeat=2)]
    more = F.when(uniform(seed, "longer") < 0.4, one_of(pairs, uniform(seed, "more")))
    return F.concat_ws(" ", one_of(pairs, uniform(seed, "first")), more)


def payload(seed: int) -> Column:
    """Return what a web shop would log of the purchase, as JSON."""
    session, cart, coupon = (
        F.hex(F.xxhash64("id", F.lit(name), F.lit(seed))) for name in ("session", "cart", "coupon")
    )
    page, shown = below(5_000, uniform(seed, "page")), below(100_000, uniform(seed, "shown"))
    return F.concat(
        *(F.lit('{"session": "'), session, cart),
        *(F.lit('", "agent": "'), one_of(AGENTS, uniform(seed, "agent"))),
        *(F.lit('", "path": "/shop/products/'), page.cast("string")),
        *(F.lit('", "shown_ms": '), shown.cast("string")),
        *(F.lit(', "coupon": "'), coupon, F.lit('"}')),
    )


if __name__ == "__main__":
    main()
