"""Computes one thing in seven ways that Spark calls Python: a program that stands alone.

    spark-submit udf.py --data data/records --output out

reads ``DATA/records`` (see ``records_data.py``) and gives every record a score, from two numbers
and two texts, by: Spark's own expressions (``expressions``, no Python at all), a Python UDF with
pickled rows (``pickled``) and with Arrow batches (``arrow_batched``), a pandas UDF, an Arrow UDF
(Spark 4.1 and later), ``mapInPandas`` and ``mapInArrow``. The answers are the same; how rows
reach the Python workers, and how many at a time, is what differs. Needs pandas and pyarrow.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

INPUTS = ("amount_cents", "quantity", "note", "payload")
SCORED = "category string, score long"
WORD_POINTS = 7
MOST_REBATED = 6


def main() -> None:
    """Read the arguments and score the records in each way, as one named step each."""
    parser = argparse.ArgumentParser(description="One calculation by seven kinds of function.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune udf").getOrCreate()
    records = complete(spark.read.parquet(f"{options.data}/records"))
    inputs = [F.col(name) for name in INPUTS]
    ways = {
        "expressions": by_column(records, expression(*inputs)),
        "pickled": by_column(records, F.udf(python_score, "long", useArrow=False)(*inputs)),
        "arrow_batched": by_column(records, F.udf(python_score, "long", useArrow=True)(*inputs)),
        "pandas": by_column(records, unhinted("pandas_udf", pandas_score)(*inputs)),
        "map_in_pandas": records.mapInPandas(score_frames, SCORED),
        "map_in_arrow": records.mapInArrow(score_batches, SCORED),
    }
    if hasattr(F, "arrow_udf"):  # since Spark 4.1
        ways["arrow"] = by_column(records, unhinted("arrow_udf", arrow_score)(*inputs))
    for name, scored in ways.items():
        spark.sparkContext.setJobDescription(name)
        summary(scored).write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def complete(records: DataFrame) -> DataFrame:
    """Keep what the score is made of, without nulls: pandas would turn numbers into floats."""
    numbers, texts = INPUTS[:2], INPUTS[2:]
    return records.select(
        "category",
        *[F.coalesce(F.col(name).cast("long"), F.lit(0)).alias(name) for name in numbers],
        *[F.coalesce(name, F.lit("")).alias(name) for name in texts],
    )


def unhinted(kind: str, function: Any) -> Any:
    """Make a scalar UDF of a function; type hints would need pandas to be imported here."""
    return getattr(F, kind)(lambda *columns: function(*columns), "long")


def by_column(records: DataFrame, score: Column) -> DataFrame:
    """Add the score as a column."""
    return records.select("category", score.alias("score"))


def expression(amount: Column, quantity: Column, note: Column, payload: Column) -> Column:
    """Return the score as Spark computes it: no function of ours, no Python."""
    rebate = 5 * F.least(quantity, F.lit(MOST_REBATED))
    words = F.length(note) - F.length(F.replace(note, F.lit(" "), F.lit("")))
    digits = F.length(payload) - F.length(F.replace(payload, F.lit("7"), F.lit("")))
    return amount * quantity * (100 - rebate) + WORD_POINTS * words + digits


def python_score(amount: int, quantity: int, note: str, payload: str) -> int:
    """Return the score of one record: its price with a rebate, and points for its texts."""
    rebate = 5 * min(quantity, MOST_REBATED)
    price = amount * quantity * (100 - rebate)
    return price + WORD_POINTS * note.count(" ") + payload.count("7")


def pandas_score(amount: Any, quantity: Any, note: Any, payload: Any) -> Any:
    """Return the scores of a batch of records, which are pandas series."""
    price = amount * quantity * (100 - 5 * quantity.clip(upper=MOST_REBATED))
    return price + WORD_POINTS * note.str.count(" ") + payload.str.count("7")


def arrow_score(amount: Any, quantity: Any, note: Any, payload: Any) -> Any:
    """Return the scores of a batch of records, which are Arrow arrays."""
    import pyarrow
    import pyarrow.compute as compute

    rebate = compute.multiply(compute.min_element_wise(quantity, MOST_REBATED), 5)
    price = compute.multiply(
        compute.multiply(amount, quantity), compute.subtract(pyarrow.scalar(100), rebate)
    )
    words = compute.multiply(
        compute.cast(compute.count_substring(note, " "), "int64"), WORD_POINTS
    )
    return compute.add(compute.add(price, words), compute.count_substring(payload, "7"))


def score_frames(frames: Iterator[Any]) -> Iterator[Any]:
    """Score pandas frames one after the other."""
    for frame in frames:
        frame["score"] = pandas_score(*[frame[name] for name in INPUTS])
        yield frame[["category", "score"]]


def score_batches(batches: Iterator[Any]) -> Iterator[Any]:
    """Score Arrow record batches one after the other."""
    import pyarrow

    for batch in batches:
        score = arrow_score(*[batch.column(name) for name in INPUTS])
        columns = [batch.column("category"), score]
        yield pyarrow.RecordBatch.from_arrays(columns, names=["category", "score"])


def summary(scored: DataFrame) -> DataFrame:
    """By category: records, their scores' sum and extremes."""
    return scored.groupBy("category").agg(
        F.count("*").alias("records"),
        F.sum("score").alias("score"),
        F.min("score").alias("lowest"),
        F.max("score").alias("highest"),
    )


if __name__ == "__main__":
    main()
