"""Makes features of visits and trains a model of who buys: a Spark program that stands alone.

    spark-submit features_ml.py --data data/visits --output out --parallelism 2

reads ``DATA/visits`` (see ``visits_data.py``), fills the gaps of numbers, turns categories and
words into columns, scales them, and finds the regularisation of a logistic regression by
three-fold cross-validation; the best model is then judged on visits kept apart. It stresses what
training does: one scan that becomes a cached table, then hundreds of short jobs over it, each a
sum over all rows; ``--parallelism`` models are trained at a time, at most the two of a fold.
Needs numpy, as pyspark.ml does.

One Parquet folder a step: what the features hold (exact counts), the loss of each candidate,
and the quality of the best. Which rows are held out hangs on a hash of the visit, never on the
partitions. Training adds up floating point numbers in whatever order they come, so losses are
rounded to four digits, which are many fewer than are the same in any order.
"""

from __future__ import annotations

import argparse
from typing import Any

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import BinaryClassificationEvaluator, MulticlassClassificationEvaluator
from pyspark.ml.feature import (
    HashingTF,
    Imputer,
    OneHotEncoder,
    StandardScaler,
    StringIndexer,
    Tokenizer,
    VectorAssembler,
)
from pyspark.ml.functions import vector_to_array
from pyspark.ml.tuning import CrossValidator, CrossValidatorModel, ParamGridBuilder
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

NUMBERS = ("age", "pages", "seconds", "basket_cents")
CATEGORIES = ("country", "device", "channel")
WORD_COLUMNS = 128
FOLDS = 3
REGULARISATION = [0.001, 0.1]
ITERATIONS = 8
LABEL = "bought"


def main() -> None:
    """Read the arguments; make the features, train and judge, each as one named step."""
    parser = argparse.ArgumentParser(description="Train a model of who buys.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--parallelism", type=int, default=1, help="models trained at a time")
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune features-ml").getOrCreate()

    def step(name: str) -> str:
        spark.sparkContext.setJobDescription(name)
        return f"{options.output}/{name}"

    visits = cleaned(spark.read.parquet(f"{options.data}/visits"))
    place = step("features")
    featured = features(visits.where(~held_out())).transform(visits)
    # Training reads it some hundred times; persist() keeps what fits in memory, the rest on disk.
    featured = featured.drop("search", "together", "frequencies").persist()
    contents(featured).write.mode("overwrite").parquet(place)
    place = step("training")
    training = featured.where(~held_out()).select("features", LABEL, "fold")
    found = cross_validated(training, options.parallelism)
    losses = list(zip(REGULARISATION, map(rounded, found.avgMetrics), strict=True))
    table = spark.createDataFrame(losses, "regularisation double, log_loss double")
    table.coalesce(1).write.mode("overwrite").parquet(place)
    place = step("quality")
    judged = found.bestModel.transform(featured.where(held_out()))
    spark.createDataFrame(qualities(judged), "measure string, value double").coalesce(
        1
    ).write.mode("overwrite").parquet(place)
    spark.stop()


def rounded(value: float) -> float:
    """Keep four digits after the point."""
    return round(float(value), 4)


def dice(sides: int, throw: int) -> Column:
    """Return a whole number from 0 on that depends on the visit and the throw alone."""
    return F.pmod(F.xxhash64("visit", F.lit(throw).cast("long")), F.lit(sides)).cast("int")


def held_out() -> Column:
    """Tell whether a visit, one in five, is kept apart from training."""
    return dice(5, 1) == 0


def cleaned(visits: DataFrame) -> DataFrame:
    """Return the visits as the features' estimators want them, each in its fold."""
    numbers = {name: F.log1p(name) if name != "age" else F.col(name) for name in NUMBERS}
    return visits.select(
        "visit",
        *[number.cast("double").alias(name) for name, number in numbers.items()],
        *[F.coalesce(name, F.lit("unknown")).alias(name) for name in CATEGORIES],
        F.coalesce("search", F.lit("nothing")).alias("search"),
        F.col(LABEL).cast("double").alias(LABEL),
        dice(FOLDS, 2).alias("fold"),
    )


def features(visits: DataFrame) -> PipelineModel:
    """Fit everything that is done to the columns before training."""
    full = [f"{name}_full" for name in NUMBERS]
    places = [f"{name}_place" for name in CATEGORIES]
    flags = [f"{name}_flags" for name in CATEGORIES]
    stages: list[Any] = [
        Imputer(inputCols=list(NUMBERS), outputCols=full, strategy="mean"),
        # Names that are equally frequent come in the order of the alphabet.
        StringIndexer(inputCols=list(CATEGORIES), outputCols=places, handleInvalid="keep"),
        OneHotEncoder(inputCols=places, outputCols=flags),
        Tokenizer(inputCol="search", outputCol="words"),
        HashingTF(inputCol="words", outputCol="frequencies", numFeatures=WORD_COLUMNS),
        VectorAssembler(inputCols=[*full, *flags, "frequencies"], outputCol="together"),
        StandardScaler(inputCol="together", outputCol="features"),
    ]
    return Pipeline(stages=stages).fit(visits)


def contents(featured: DataFrame) -> DataFrame:
    """By country and label: rows, gaps, words, and the columns that are not zero."""
    gaps = [F.sum(F.col(name).isNull().cast("long")).alias(f"{name}_gaps") for name in NUMBERS]
    filled = F.size(F.filter(vector_to_array(F.col("features")), lambda value: value != 0))
    return featured.groupBy("country", LABEL).agg(
        F.count("*").alias("visits"),
        *gaps,
        F.sum(F.size("words")).alias("words"),
        F.sum(filled).alias("filled_columns"),
    )


def cross_validated(training: DataFrame, parallelism: int) -> CrossValidatorModel:
    """Train on every fold with every regularisation, and the best of them on all."""
    # A tolerance of 0 ends after the same number of iterations always. With the square of the
    # weights alone (no elastic net) the loss is smooth, so small differences stay small.
    model = LogisticRegression(labelCol=LABEL, maxIter=ITERATIONS, tol=0.0, standardization=False)
    grid = ParamGridBuilder().addGrid(model.regParam, REGULARISATION).build()
    search = CrossValidator(
        estimator=model,
        estimatorParamMaps=grid,
        evaluator=log_loss(),
        foldCol="fold",
        numFolds=FOLDS,
        parallelism=parallelism,
    )
    return search.fit(training)


def log_loss() -> MulticlassClassificationEvaluator:
    """Return what measures the loss; pyspark's types don't know this name of a metric."""
    name: Any = "logLoss"
    return MulticlassClassificationEvaluator(labelCol=LABEL, metricName=name)


def qualities(judged: DataFrame) -> list[tuple[str, float]]:
    """Return the loss, the area under the curve and the mean chance, on rows never trained on."""
    # With bins, the area would depend on where the partitions end.
    area = BinaryClassificationEvaluator(labelCol=LABEL, numBins=0)
    chance = F.element_at(vector_to_array(F.col("probability")), 2)
    sums = judged.agg(F.count("*"), F.sum(LABEL), F.avg(chance)).first()
    assert sums is not None
    return [
        ("visits", float(sums[0])),
        ("bought", float(sums[1])),
        ("mean_chance", rounded(sums[2])),
        ("log_loss", rounded(log_loss().evaluate(judged))),
        ("area_under_curve", rounded(area.evaluate(judged))),
    ]


if __name__ == "__main__":
    main()
