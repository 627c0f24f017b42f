"""The workloads that go round and round: their answers against a plain recomputation."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from one_jvm import OneJvm
from workload_answers import ODD, contents, rows

pytestmark = pytest.mark.spark

DATA = {"visits": 4_000, "ratings": 6_000, "edges": 3_000}
PROGRAMS = {"features_ml": "visits", "als": "ratings", "graph": "edges"}
ONE = {"spark.sql.shuffle.partitions": "1", "spark.default.parallelism": "1"}
WORD = 2**64 - 1


@pytest.fixture(scope="module")
def data(one_jvm: OneJvm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return made(one_jvm, tmp_path_factory.mktemp("data"), seed=7)


@pytest.fixture(scope="module")
def answers(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Every program's answers with the usual configuration."""
    place = tmp_path_factory.mktemp("answers")
    for name in PROGRAMS:
        run(one_jvm, name, data, place / name)
    return place


def made(one_jvm: OneJvm, to: Path, seed: int) -> dict[str, Path]:
    return {
        name: one_jvm.make(name, to / name, rows=rows, seed=seed) for name, rows in DATA.items()
    }


def run(
    one_jvm: OneJvm,
    name: str,
    data: dict[str, Path],
    output: Path,
    *arguments: str,
    conf: dict[str, str] | None = None,
) -> None:
    source = data[PROGRAMS[name]]
    one_jvm.run(f"{name}.py", "--data", source, "--output", output, *arguments, conf=conf)


def hashed(*numbers: int) -> int:
    """Spark's xxhash64 of several longs: the hash of each is the seed of the next."""
    primes = (
        *(0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9),
        *(0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5),
    )

    def turned(value: int, bits: int) -> int:
        value &= WORD
        return (value << bits | value >> (64 - bits)) & WORD

    seed = 42
    for number in numbers:
        mixed = seed + primes[4] + 8 ^ turned(number * primes[1], 31) * primes[0] & WORD
        mixed = turned(mixed, 27) * primes[0] + primes[3] & WORD
        mixed = (mixed ^ mixed >> 33) * primes[1] & WORD
        mixed = (mixed ^ mixed >> 29) * primes[2] & WORD
        seed = mixed ^ mixed >> 32
    return seed if seed < 2**63 else seed - 2**64


def test_the_same_seed_makes_the_same_data_and_another_makes_other(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    same, other = (made(one_jvm, tmp_path / str(seed), seed=seed) for seed in (7, 8))
    for name, count in DATA.items():
        ours = parquet.read_table(data[name] / name)
        assert ours.num_rows == count
        assert len(list((data[name] / name).glob("part-*"))) == 2
        assert parquet.read_table(same[name] / name).equals(ours)
        assert not parquet.read_table(other[name] / name).equals(ours)


def test_the_data_has_the_shape_that_it_is_made_for(data: dict[str, Path]) -> None:
    visits = pd.read_parquet(data["visits"] / "visits")
    gaps = visits.isna().mean()
    assert 0.1 < gaps["age"] < 0.2
    assert 0.25 < gaps["basket_cents"] < 0.35
    assert 0.2 < visits["bought"].mean() < 0.35
    assert visits["country"].value_counts(normalize=True).iloc[0] > 0.25
    ratings = pd.read_parquet(data["ratings"] / "ratings")
    assert set(ratings["stars"]) <= {half / 2 for half in range(1, 11)}
    films = ratings["item"].value_counts()
    assert films.iloc[0] > 5 * films.mean()
    assert ratings.duplicated(["user", "item"]).any()
    edges = pd.read_parquet(data["edges"] / "edges")
    links = edges["dst"].value_counts()
    assert links.iloc[0] > 15 * links.mean()


def test_features_hold_what_the_visits_hold(data: dict[str, Path], answers: Path) -> None:
    visits = pd.read_parquet(data["visits"] / "visits")
    visits["words"] = visits["search"].fillna("nothing").str.split().str.len()
    found = {
        (row["country"], row["bought"]): row for row in rows(answers / "features_ml/features")
    }
    groups = dict(list(visits.groupby(["country", "bought"])))
    assert found.keys() == groups.keys()
    for key, group in groups.items():
        row = found[key]
        assert row["visits"] == len(group)
        assert row["words"] == group["words"].sum()
        for name in ("age", "pages", "seconds", "basket_cents"):
            assert row[f"{name}_gaps"] == group[name].isna().sum()
        # Every number, three categories and at least one column of a word; log1p(pages) > 0.
        assert row["filled_columns"] >= 8 * len(group)


def test_the_model_is_as_good_as_one_trained_plainly(data: dict[str, Path], answers: Path) -> None:
    visits = pd.read_parquet(data["visits"] / "visits")
    apart = visits["visit"].map(lambda visit: hashed(visit, 1) % 5 == 0)
    quality = {row["measure"]: row["value"] for row in rows(answers / "features_ml/quality")}
    assert quality["visits"] == apart.sum()
    assert quality["bought"] == visits.loc[apart, "bought"].sum()
    numbers = visits[["age", "pages", "seconds", "basket_cents"]].astype(float)
    numbers = numbers.assign(**{name: np.log1p(numbers[name]) for name in numbers.columns[1:]})
    numbers = numbers.fillna(numbers[~apart].mean())
    numbers = (numbers - numbers.mean()) / numbers.std()
    flags = pd.get_dummies(visits[["country", "device", "channel"]], dummy_na=True, dtype=float)
    counted = CountVectorizer().fit_transform(visits["search"].fillna("nothing"))
    words = pd.DataFrame(counted.toarray()).add_prefix("word ")
    columns = pd.concat([numbers, flags, words], axis=1)
    model = LogisticRegression(max_iter=1000).fit(columns[~apart], visits.loc[~apart, "bought"])
    chances = model.predict_proba(columns[apart])[:, 1]
    bought = visits.loc[apart, "bought"]
    assert quality["log_loss"] == pytest.approx(log_loss(bought, chances), abs=0.02)
    assert quality["area_under_curve"] == pytest.approx(roc_auc_score(bought, chances), abs=0.02)
    losses = {
        row["regularisation"]: row["log_loss"] for row in rows(answers / "features_ml/training")
    }
    assert losses[0.001] != losses[0.1]


def test_als_predicts_what_it_can_better_than_the_mean_of_a_film(
    data: dict[str, Path], answers: Path
) -> None:
    ratings = pd.read_parquet(data["ratings"] / "ratings").sort_values(["rated_at", "stars"])
    last = ratings.drop_duplicates(["user", "item"], keep="last").copy()
    last["apart"] = [
        hashed(*pair) % 5 == 0 for pair in zip(last["user"], last["item"], strict=True)
    ]
    found = {(row["stars"], row["kept_apart"]): row for row in rows(answers / "als/ratings")}
    groups = dict(list(last.groupby(["stars", "apart"])))
    assert found.keys() == groups.keys()
    for key, group in groups.items():
        assert found[key]["ratings"] == len(group)
        assert found[key]["users"] == group["user"].nunique()
        assert found[key]["items"] == group["item"].nunique()
    training, others = last[~last["apart"]], last[last["apart"]]
    sides = {row["side"]: row for row in rows(answers / "als/training")}
    for side in ("user", "item"):
        assert sides[side]["known"] == sides[side]["whole"] == training[side].nunique()
    known = others["user"].isin(training["user"]) & others["item"].isin(training["item"])
    means = training.groupby("item")["stars"].mean()
    missed = (others["stars"] - others["item"].map(means))[known]
    (quality,) = rows(answers / "als/quality")
    assert quality["ratings"] == known.sum()
    assert quality["error_of_means_tenths"] == round(10 * float((missed**2).mean()) ** 0.5)
    assert quality["well_predicted"] is True
    (recommended,) = rows(answers / "als/recommendations")
    assert recommended == {
        "users": training["user"].nunique(),
        "films": 5 * training["user"].nunique(),
    }


def links_of(data: dict[str, Path]) -> set[tuple[int, int]]:
    edges = pd.read_parquet(data["edges"] / "edges")
    return {(a, b) for a, b in zip(edges["src"], edges["dst"], strict=True) if a != b}


def test_page_ranks_are_exact(data: dict[str, Path], answers: Path) -> None:
    links = links_of(data)
    degrees = Counter(source for source, _ in links)
    ranks = {vertex: 10**9 for link in links for vertex in link}
    for _ in range(6):
        arrived: dict[int, int] = defaultdict(int)
        for source, target in links:
            arrived[target] += ranks[source] * 85 // (100 * degrees[source])
        ranks = {vertex: arrived[vertex] + 150_000_000 for vertex in ranks}
    found = rows(answers / "graph/page_rank")
    (total,) = (row for row in found if row["place"] == 0)
    assert total["vertex"] == len(ranks)
    assert total["rank"] == sum(hashed(*pair) for pair in ranks.items())
    best = sorted(ranks.items(), key=lambda pair: (-pair[1], pair[0]))[:1000]
    assert {(row["vertex"], row["rank"]) for row in found if row["place"]} == set(best)


def test_pieces_are_those_that_a_walk_finds(data: dict[str, Path], answers: Path) -> None:
    neighbours: dict[int, set[int]] = defaultdict(set)
    for a, b in links_of(data):
        neighbours[a].add(b)
        neighbours[b].add(a)
    pieces: list[set[int]] = []
    left = set(neighbours)
    while left:
        piece, border = set[int](), {min(left)}
        while border:
            piece |= border
            border = {b for a in border for b in neighbours[a]} - piece
        pieces.append(piece)
        left -= piece
    assert len(pieces) > 5
    counted = Counter(len(piece) for piece in pieces)
    names: dict[int, int] = defaultdict(int)
    for piece in pieces:
        names[len(piece)] += min(piece)
    assert {
        row["vertices"]: (row["pieces"], int(row["names"]))
        for row in rows(answers / "graph/pieces")
    } == {size: (count, names[size]) for size, count in counted.items()}


def test_answers_are_the_same_whatever_the_configuration(
    one_jvm: OneJvm, data: dict[str, Path], answers: Path, tmp_path: Path
) -> None:
    ways: list[tuple[str, tuple[str, ...], dict[str, str]]] = [
        ("features_ml", ("--parallelism", "3"), ODD),
        ("als", ("--blocks", "3", "--checkpoint-interval", "2"), ODD),
        ("als", ("--blocks", "1"), ONE),
        ("graph", ("--cut", "checkpoint", "--cut-every", "3"), ODD),
        ("graph", ("--cut", "persist", "--cut-every", "2"), ONE),
        ("graph", ("--cut", "none", "--cut-every", "4"), {}),
    ]
    for number, (name, arguments, conf) in enumerate(ways):
        output = tmp_path / str(number)
        run(one_jvm, name, data, output, *arguments, conf=conf)
        assert contents(output) == contents(answers / name), (name, arguments)
