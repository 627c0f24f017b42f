"""Recommends films by alternating least squares: a Spark program that stands alone.

    spark-submit als.py --data data/ratings --output out --blocks 4 --checkpoint-interval 5

reads ``DATA/ratings`` (see ``ratings_data.py``), keeps everybody's last word on each film, learns
from most of them and is judged on the rest. It stresses iteration over RDDs: each half of a step
sends the factors of one side to the ratings of the other in a shuffle of objects. ``--blocks``
is the number of parts that people and films are each divided into: more make more and smaller
tasks, and copy each factor more often. A checkpoint every so many steps cuts the lineage. Needs
numpy, as pyspark.ml does.

One Parquet folder a step. With one number of blocks the factors are the same, up to the rounding
of sums, however the table is partitioned; with another they begin elsewhere and end elsewhere,
about as good. So the answers are exact counts, and whether the error is less than nine tenths of
that of guessing the mean of each film. From 6,000 ratings on it is some eight tenths or less.
"""

from __future__ import annotations

import argparse
from typing import Any

from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

RANK = 8
STEPS = 8
REGULARISATION = 0.05
SEED = 5
RECOMMENDED = 5
WELL_ENOUGH = 0.9


def main() -> None:
    """Read the arguments; prepare, train and judge, each as one named step."""
    parser = argparse.ArgumentParser(description="Recommend films by what people rated.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--blocks", type=int, default=10, help="parts of people, and of films")
    parser.add_argument(
        "--checkpoint-interval", type=int, default=0, help="steps to a checkpoint; 0: none"
    )
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune als").getOrCreate()
    checkpoints = f"{options.output}/_checkpoints"
    if options.checkpoint_interval > 0:
        spark.sparkContext.setCheckpointDir(checkpoints)

    def step(name: str) -> str:
        spark.sparkContext.setJobDescription(name)
        return f"{options.output}/{name}"

    place = step("ratings")
    # Computed once, and in as few partitions as adaptive execution merges its shuffle into.
    last = last_words(spark.read.parquet(f"{options.data}/ratings")).localCheckpoint()
    by_stars(last).write.mode("overwrite").parquet(place)
    training, others = last.where("NOT kept_apart"), last.where("kept_apart")
    place = step("training")
    model = trained(training, options.blocks, options.checkpoint_interval)
    sizes(model).write.mode("overwrite").parquet(place)
    place = step("quality")
    quality(model, training, others).write.mode("overwrite").parquet(place)
    place = step("recommendations")
    recommendations(model).write.mode("overwrite").parquet(place)
    remove(spark, checkpoints)
    spark.stop()


def last_words(ratings: DataFrame) -> DataFrame:
    """Keep the last stars of each pair of user and item; one pair in five is kept apart."""
    last = F.max(F.struct("rated_at", "stars")).alias("last")
    pairs = ratings.groupBy("user", "item").agg(last)
    keys = [F.col(name).cast("long") for name in ("user", "item")]
    apart = F.pmod(F.xxhash64(*keys), F.lit(5)) == 0
    return pairs.select(
        "user", "item", F.col("last.stars").alias("stars"), apart.alias("kept_apart")
    )


def by_stars(last: DataFrame) -> DataFrame:
    """By stars: ratings, people and films."""
    return last.groupBy("stars", "kept_apart").agg(
        F.count("*").alias("ratings"),
        F.countDistinct("user").alias("users"),
        F.countDistinct("item").alias("items"),
    )


def trained(training: DataFrame, blocks: int, checkpoint_interval: int) -> ALSModel:
    """Factorise the ratings."""
    return ALS(
        rank=RANK,
        maxIter=STEPS,
        regParam=REGULARISATION,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        checkpointInterval=checkpoint_interval if checkpoint_interval > 0 else -1,
        userCol="user",
        itemCol="item",
        ratingCol="stars",
        seed=SEED,
        coldStartStrategy="drop",
    ).fit(training)


def sizes(model: ALSModel) -> DataFrame:
    """Count the people and films that have factors, all of them finite."""

    def counted(side: str, factors: DataFrame) -> DataFrame:
        finite = F.forall("features", lambda value: F.abs(value) < float("inf"))
        whole = (F.size("features") == RANK) & finite
        return factors.agg(
            F.lit(side).alias("side"),
            F.count("*").alias("known"),
            F.sum(whole.cast("long")).alias("whole"),
        )

    return counted("user", model.userFactors).union(counted("item", model.itemFactors))


def quality(model: ALSModel, training: DataFrame, others: DataFrame) -> DataFrame:
    """Count the ratings kept apart that can be predicted; tell whether they are, well enough."""
    means = training.groupBy("item").agg(F.avg("stars").alias("mean"))
    judged = model.transform(others).join(means, "item")
    return judged.agg(
        F.count("*").alias("ratings"),
        F.rint(10 * error("mean")).cast("int").alias("error_of_means_tenths"),
        (error("prediction") < WELL_ENOUGH * error("mean")).alias("well_predicted"),
    )


def error(guess: str) -> Column:
    """Return the root of the mean squared error of a guess, in stars."""
    return F.sqrt(F.avg(F.pow(F.col(guess) - F.col("stars"), F.lit(2.0))))


def recommendations(model: ALSModel) -> DataFrame:
    """Count the recommended films; which ones they are hangs on where training began."""
    each = model.recommendForAllUsers(RECOMMENDED)
    return each.agg(
        F.count("*").alias("users"),
        F.sum(F.size("recommendations")).cast("long").alias("films"),
    )


def remove(spark: SparkSession, folder: str) -> None:
    """Remove a folder, wherever it is, if it is there."""
    jvm: Any = spark.sparkContext._jvm
    path = jvm.org.apache.hadoop.fs.Path(folder)
    path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(path, True)


if __name__ == "__main__":
    main()
