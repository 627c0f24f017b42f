"""Ranks the pages of a graph and finds its pieces: a Spark program that stands alone.

    spark-submit graph.py --data data/edges --output out --cut local-checkpoint --cut-every 2

reads ``DATA/edges`` (see ``edges_data.py``). Both questions are answered by iteration: each round
joins the values of the vertices with the links and adds up, or takes the smallest of, what
arrives. It stresses what rounds cost: a shuffle or two each, and a plan that grows by a join and
an aggregation a round until it is *cut*, every so many rounds:

- ``checkpoint`` writes the values to reliable storage and reads them from there,
- ``local-checkpoint`` keeps them in the executors and forgets where they came from,
- ``persist`` keeps them as well, but the plan still holds every round so far,
- ``none`` keeps nothing: what is asked for next begins at the links again.

One Parquet folder a question. Ranks are whole numbers, billionths of a page's share, and every
division is rounded down, so they are the same in any order of addition. Pieces are named by the
smallest vertex in them, whenever the search is found to be at its end.
"""

from __future__ import annotations

import argparse
from decimal import Decimal
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

WAYS = ("checkpoint", "local-checkpoint", "persist", "none")
RANK_ROUNDS = 6
SHARE = 1_000_000_000  # of every page at the beginning
BEST = 1000
MOST_ROUNDS = 200


def main() -> None:
    """Read the arguments and answer each question as one named step."""
    parser = argparse.ArgumentParser(description="Rank the pages of a graph, find its pieces.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--cut", choices=WAYS, default="local-checkpoint", help="how")
    parser.add_argument("--cut-every", type=int, default=1, help="rounds from cut to cut")
    options = parser.parse_args()
    if options.cut_every < 1:
        parser.error("--cut-every must be at least 1")
    spark = SparkSession.builder.appName("autotune graph").getOrCreate()
    checkpoints = f"{options.output}/_checkpoints"
    if options.cut == "checkpoint":
        spark.sparkContext.setCheckpointDir(checkpoints)
    cut = Cutter(options.cut, options.cut_every)
    links = spark.read.parquet(f"{options.data}/edges").where("src <> dst").distinct()
    spark.sparkContext.setJobDescription("links")
    links = cut.keep(links)
    spark.sparkContext.setJobDescription("page_rank")
    best(page_ranks(links, cut)).write.mode("overwrite").parquet(f"{options.output}/page_rank")
    spark.sparkContext.setJobDescription("pieces")
    by_size(pieces(links, cut)).write.mode("overwrite").parquet(f"{options.output}/pieces")
    remove(spark, checkpoints)
    spark.stop()


class Cutter:
    """Cuts plans: of tables that every round reads, and of the table that rounds make."""

    def __init__(self, way: str, every: int) -> None:
        """Take one of the ways and a number of rounds."""
        self.way, self.every = way, every
        self.last: DataFrame | None = None

    def keep(self, table: DataFrame) -> DataFrame:
        """Return the table as it is kept; computed by now, unless nothing is."""
        if self.way == "checkpoint":
            return table.checkpoint()
        if self.way == "local-checkpoint":
            return table.localCheckpoint()
        if self.way == "persist":
            table.persist(StorageLevel.MEMORY_AND_DISK).count()
        return table

    def after(self, rounds: int, table: DataFrame) -> DataFrame:
        """Return the table to go on with after that many rounds."""
        if rounds % self.every:
            return table
        kept = self.keep(table)
        if self.way == "persist":
            if self.last is not None:
                self.last.unpersist()  # the one that this was made of
            self.last = kept
        return kept


def page_ranks(links: DataFrame, cut: Cutter) -> DataFrame:
    """Return vertex and rank: 15 % of a share for each page, and 85 % by way of links.

    What a page without links has is passed on to nobody, as in GraphX.
    """
    degrees = links.groupBy("src").agg(F.count("*").alias("degree"))
    # A page sends nothing to itself, but by this row it stays in the table.
    itself = vertices(links).select(F.col("vertex").alias("src"), F.col("vertex").alias("dst"))
    ways = links.withColumn("weight", F.lit(85)).union(itself.withColumn("weight", F.lit(0)))
    roads = cut.keep(ways.join(degrees, "src", "left"))
    ranks = vertices(links).withColumn("rank", F.lit(SHARE).cast("long"))
    sent = F.expr("coalesce(rank * weight div (100 * degree), 0)")
    for done in range(1, RANK_ROUNDS + 1):
        arrived = roads.join(ranks.withColumnRenamed("vertex", "src"), "src")
        summed = arrived.groupBy(F.col("dst").alias("vertex")).agg(F.sum(sent).alias("rank"))
        ranks = cut.after(done, summed.withColumn("rank", F.col("rank") + 15 * SHARE // 100))
    return ranks


def vertices(links: DataFrame) -> DataFrame:
    """Return every vertex once."""
    ends = links.select(F.col("src").alias("vertex")).union(links.select("dst"))
    return ends.distinct()


def best(ranks: DataFrame) -> DataFrame:
    """Return the pages of the highest ranks, and in the place 0 a checksum of all."""
    total = ranks.agg(
        F.lit(0).alias("place"),
        F.count("*").alias("vertex"),
        F.sum(F.xxhash64("vertex", "rank").cast("decimal(38,0)")).alias("rank"),
    )
    first = ranks.orderBy(F.desc("rank"), "vertex").limit(BEST)
    placed = first.select(F.lit(1).alias("place"), "vertex", F.col("rank").cast("decimal(38,0)"))
    return placed.union(total)


def pieces(links: DataFrame, cut: Cutter) -> DataFrame:
    """Return vertex and piece: the smallest vertex that can be reached, links taken both ways."""
    ways = links.select("src", "dst").union(links.select("dst", "src"))
    every = vertices(links)
    roads = cut.keep(ways.union(every.select("vertex", "vertex")).toDF("src", "dst"))
    labels = every.withColumn("piece", F.col("vertex"))
    before: Decimal | None = None
    for done in range(1, MOST_ROUNDS + 1):
        arrived = roads.join(labels.withColumnRenamed("vertex", "src"), "src")
        smallest = arrived.groupBy(F.col("dst").alias("vertex")).agg(F.min("piece").alias("piece"))
        labels = cut.after(done, smallest)
        if done % cut.every:
            continue
        # Labels only ever fall, so an equal sum says that none has changed.
        found = labels.agg(F.sum(F.col("piece").cast("decimal(38,0)"))).first()
        assert found is not None
        if found[0] == before:
            return labels
        before = found[0]
    message = f"no end after {MOST_ROUNDS} rounds"
    raise RuntimeError(message)


def by_size(pieces: DataFrame) -> DataFrame:
    """By number of vertices in a piece: how many such pieces, and a checksum of their names."""
    sizes = pieces.groupBy("piece").agg(F.count("*").alias("vertices"))
    return sizes.groupBy("vertices").agg(
        F.count("*").alias("pieces"),
        F.sum(F.col("piece").cast("decimal(38,0)")).alias("names"),
    )


def remove(spark: SparkSession, folder: str) -> None:
    """Remove a folder, wherever it is, if it is there."""
    jvm: Any = spark.sparkContext._jvm
    path = jvm.org.apache.hadoop.fs.Path(folder)
    path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(path, True)


if __name__ == "__main__":
    main()
