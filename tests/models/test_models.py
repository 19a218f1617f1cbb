"""One battery of checks over every kind of model and task, then what is particular to each."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from homeostat import models
from homeostat.core.errors import DataError, ScopeError
from homeostat.core.metrics import METRICS, value
from homeostat.project.objective_scope import Objective
from homeostat.project.training_scope import Baseline, LightGBM, Training

KINDS = ("heuristic", "linear", "online", "lightgbm")
FEATURES = ("size", "age", "warm", "shape", "blank", "same", "nothing")
BY = Baseline(by=("shape", "grade"))


@dataclass(frozen=True)
class Case:
    """One kind of model on one task."""

    kind: str
    task: str
    baseline: Baseline = BY

    def __str__(self) -> str:
        how = "" if self.kind != "heuristic" else "-" + next(n for n, v in self.baseline.model_dump().items() if v)
        return f"{self.kind}-{self.task}{how}"


CASES = [
    *(Case(kind, task) for kind in KINDS for task in ("binary", "regression", "ranking")),
    Case("heuristic", "binary", Baseline(column="legacy")),
    Case("heuristic", "regression", Baseline(sql="legacy / 2")),
]
every = pytest.mark.parametrize("case", CASES, ids=str)
learned = pytest.mark.parametrize("case", [c for c in CASES if c.kind != "heuristic"], ids=str)


def objective(task: str, features: tuple[str, ...] = FEATURES) -> Objective:
    group = "g" if task == "ranking" else None
    return Objective(task=task, label="y", known="k", weight=1, features=features, group=group)  # type: ignore[arg-type]


def training(baseline: Baseline = BY, **more: Any) -> Training:
    trees = LightGBM(**({"trees": 15, "leaves": 7, "learning_rate": 0.2, "min_leaf": 5} | more))
    return Training(model="lightgbm", refit=True, lightgbm=trees, baseline=baseline)


def events(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """Features with everything odd in them: missing, infinite, constant, wholly empty."""
    rng = np.random.default_rng(seed)
    shape = [["round", "square", 'flat, with "marks": é', None][i] for i in rng.choice(4, rows, p=[0.5, 0.3, 0.1, 0.1])]
    size = rng.normal(100, 20, rows)
    size[::17], size[::29] = np.nan, np.inf
    return pl.DataFrame(
        {
            "size": size, "age": pl.Series(rng.integers(0, 90, rows)), "warm": rng.random(rows) < 0.5,
            "shape": pl.Series(shape, dtype=pl.String), "blank": pl.Series([None] * rows, dtype=pl.Float64),
            "same": np.full(rows, 3.5), "nothing": pl.Series([None] * rows),
            "given__shape": pl.Series(shape, dtype=pl.String), "given__grade": rng.integers(0, 3, rows),
            "given__legacy": np.where(np.arange(rows) % 11, rng.random(rows), np.nan),
            "given__sql": pl.Series(rng.random(rows)),
            "event_time": pl.Series([datetime(2024, 1, 1) + timedelta(minutes=n) for n in range(rows)]),
        }
    ).with_columns(pl.when(pl.col("age") > 5).then(pl.col("age")).alias("age"))  # fmt: skip


def labels(task: str, table: pl.DataFrame, seed: int = 1) -> tuple[np.ndarray, np.ndarray | None]:
    rng = np.random.default_rng(seed)
    drive = table["age"].fill_null(0).to_numpy() / 45 - 1 + 1.5 * (table["shape"].fill_null("") == "round").to_numpy()
    noisy = drive + rng.normal(0, 0.5, len(table))
    if task == "binary":
        return (noisy > 0.8).astype(float), None
    if task == "regression":
        return 50 + 10 * noisy, None
    return np.clip(np.round(noisy + 1), 0, 4), rng.integers(0, len(table) // 12 + 1, len(table)).astype(str)


def fitted(case: Case, threads: int = 1, seed: int = 4, table: pl.DataFrame | None = None) -> models.Model:
    table = events() if table is None else table
    y, group = labels(case.task, table)
    return models.fit(case.kind, objective(case.task), training(case.baseline), table, y, seed, threads, group)


def saved(model: models.Model, folder: Path) -> dict[str, bytes]:
    model.save(folder)
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


# ---- the battery


@every
def test_what_is_loaded_predicts_to_the_bit_what_was_saved(case: Case, tmp_path: Path) -> None:
    model = fitted(case)
    files = saved(model, tmp_path / "a")
    back = models.load(tmp_path / "a")
    fresh = events(300, seed=9)
    assert np.array_equal(model.predict(fresh), back.predict(fresh))
    assert (back.kind, back.features) == (model.kind, model.features)
    assert saved(back, tmp_path / "b") == files


@every
def test_a_refit_and_another_number_of_threads_give_the_same_bytes(case: Case, tmp_path: Path) -> None:
    one = saved(fitted(case), tmp_path / "1")
    assert saved(fitted(case), tmp_path / "again") == one
    assert saved(fitted(case, threads=2), tmp_path / "2") == one


@every
def test_files_are_text_without_a_machine_in_them(case: Case, tmp_path: Path) -> None:
    files = saved(fitted(case), tmp_path)
    assert set(files) <= {"model.json", "trees.txt"}
    assert all(content.decode() for content in files.values())
    assert json.loads(files["model.json"])["kind"] == case.kind


@every
def test_rows_are_scored_alone_as_in_a_batch_and_in_any_order(case: Case) -> None:
    model, fresh = fitted(case), events(64, seed=3)
    whole = model.predict(fresh)
    assert whole.dtype == np.float64
    assert whole.shape == (64,)
    assert np.array_equal(np.concatenate([model.predict(fresh[i]) for i in range(64)]), whole)
    assert np.array_equal(model.predict(fresh.reverse()), whole[::-1])


@every
def test_scores_are_finite_and_chances_lie_between_0_and_1(case: Case) -> None:
    scores = fitted(case).predict(events(500, seed=5))
    assert np.isfinite(scores).all()
    if case.task == "binary":
        assert ((scores >= 0) & (scores <= 1)).all()


@every
def test_what_it_rests_on_most_is_of_its_features(case: Case) -> None:
    model = fitted(case)
    assert set(model.strongest(2)) <= set(model.features) and len(model.strongest(2)) == min(2, len(model.features))


@every
def test_no_rows_score_to_no_scores(case: Case) -> None:
    assert fitted(case).predict(events(5).clear()).shape == (0,)


@every
def test_values_never_seen_are_scored(case: Case) -> None:
    new = pl.lit("never seen", dtype=pl.String)
    fresh = events(20).with_columns(new.alias("shape"), new.alias("given__shape"), pl.lit(1e9).alias("size"))
    assert np.isfinite(fitted(case).predict(fresh)).all()


@every
def test_a_column_wholly_empty_now_is_scored(case: Case) -> None:
    empty = [pl.lit(None).alias(c) for c in (*FEATURES, "given__shape", "given__grade", "given__legacy", "given__sql")]
    assert np.isfinite(fitted(case).predict(events(20).with_columns(empty))).all()


@every
def test_one_row_is_enough_to_fit(case: Case) -> None:
    assert np.isfinite(fitted(case, table=events(1)).predict(events(30))).all()


@every
def test_a_column_that_is_gone_is_named(case: Case) -> None:
    model = fitted(case)
    with pytest.raises(DataError, match=model.features[0]):
        model.predict(events(5).drop(model.features[0]))


@every
def test_no_rows_to_fit(case: Case) -> None:
    nothing = np.empty(0)
    with pytest.raises(DataError, match="no rows to fit"):
        models.fit(case.kind, objective(case.task), training(), events().clear(), nothing, 1, 1, nothing.astype(str))


@every
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_labels_that_are_no_numbers(case: Case, odd: float) -> None:
    y, group = labels(case.task, events())
    y[3] = odd
    with pytest.raises(DataError, match="1 of 600 values are no finite number"):
        models.fit(case.kind, objective(case.task), training(), events(), y, 1, 1, group)


@learned
def test_what_is_learned_beats_the_baseline(case: Case) -> None:
    fresh = events(2000, seed=21)
    y, group = labels(case.task, fresh, seed=22)
    loss = next(iter(METRICS[case.task]))
    ours, theirs = (fitted(c).predict(fresh) for c in (case, Case("heuristic", case.task)))
    assert value(case.task, loss, y, ours, group) < value(case.task, loss, y, theirs, group)


@learned
def test_features_have_to_be_named(case: Case) -> None:
    y, group = labels(case.task, events())
    with pytest.raises(ScopeError, match="has no features"):
        models.fit(case.kind, objective(case.task, ()), training(), events(), y, 1, 1, group)


@learned
@pytest.mark.parametrize("only", ["blank", "same", "nothing"])
def test_a_feature_that_says_nothing_leaves_the_mean(case: Case, only: str) -> None:
    table = events()
    y, group = labels(case.task, table)
    model = models.fit(case.kind, objective(case.task, (only,)), training(), table, y, 1, 1, group)
    scores = model.predict(table)
    assert np.ptp(scores) == 0
    if case.task != "ranking":
        assert scores[0] == pytest.approx(y.mean(), rel=1e-3)


@learned
def test_a_number_where_strings_were_learned_is_refused(case: Case) -> None:
    with pytest.raises(DataError, match="feature shape: Int32 where the model learned strings"):
        fitted(case).predict(events(5).with_columns(pl.lit(1).alias("shape")))
    with pytest.raises(DataError, match="feature size: String where a number"):
        fitted(case).predict(events(5).with_columns(pl.lit("1").alias("size")))


@learned
def test_a_time_is_no_feature(case: Case) -> None:
    table = events().with_columns(pl.datetime(2024, 1, 1).alias("size"))
    with pytest.raises(DataError, match="feature size: Datetime"):
        fitted(case, table=table)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_leaves_its_rate(kind: str, label: float, tmp_path: Path) -> None:
    model = models.fit(kind, objective("binary"), training(), events(), np.full(600, label), 1, 1)
    scores = model.predict(events(50, seed=2))
    assert model.kind == "heuristic"
    assert np.abs(scores - label).max() < 0.01
    assert ((scores > 0) & (scores < 1)).all()
    model.save(tmp_path)
    assert np.array_equal(models.load(tmp_path).predict(events(50, seed=2)), scores)


@pytest.mark.parametrize(
    ("task", "y", "said"),
    [
        ("binary", [0, 1, 2], "values other than 0 and 1"),
        ("binary", [0, 0.5, 1], "values other than 0 and 1"),
        ("ranking", [0, 1, 31], "whole grade from 0 to 30"),
        ("ranking", [0, 1, 0.5], "whole grade"),
        ("ranking", [-1, 1, 0], "whole grade"),
    ],
)
def test_labels_of_another_task(task: str, y: list[float], said: str) -> None:
    with pytest.raises(DataError, match=said):
        models.fit("linear", objective(task), training(), events(3), np.array(y, float), 1, 1, np.array(["a"] * 3))


def test_ranking_without_groups() -> None:
    with pytest.raises(DataError, match="needs the group of each row"):
        models.fit("lightgbm", objective("ranking"), training(), events(3), np.ones(3), 1, 1)


# ---- what is refused at load


@every
@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text[: len(text) // 2], "damaged, not JSON"),
        (lambda text: "[1]", "not a model of format 1"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "not a model of format 1"),
        (lambda text: json.dumps(json.loads(text) | {"kind": "oracle"}), "unknown kind 'oracle'"),
        (lambda text: json.dumps({"format": 1, "kind": json.loads(text)["kind"]}), "not a whole model"),
        (lambda text: json.dumps({"format": 1}), "not a whole model"),
    ],
    ids=["cut", "list", "format", "kind", "parts", "nothing"],
)
def test_a_model_that_is_not_understood(case: Case, edit: Any, said: str, tmp_path: Path) -> None:
    fitted(case).save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(edit(path.read_text()))
    with pytest.raises(DataError, match=said) as refused:
        models.load(tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such model"):
        models.load(tmp_path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-50]), "not the trees that model.json was saved with"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not text"),
    ],
    ids=["gone", "cut", "binary"],
)
def test_damaged_trees(damage: Any, said: str, tmp_path: Path) -> None:
    fitted(Case("lightgbm", "binary")).save(tmp_path)
    damage(tmp_path / "trees.txt")
    with pytest.raises(DataError, match=said):
        models.load(tmp_path)


def test_trees_of_another_model(tmp_path: Path) -> None:
    fitted(Case("lightgbm", "binary")).save(tmp_path)
    path = tmp_path / "model.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps(body | {"features": body["features"][:2]}))
    with pytest.raises(DataError, match="7 features where model.json names 2"):
        models.load(tmp_path)


# ---- each kind's own


def test_rates_are_drawn_to_the_overall_one_and_back_off_to_it() -> None:
    table = pl.DataFrame({"given__shape": ["a"] * 980 + ["b"] * 20, "given__grade": [1] * 1000})
    y = np.array([0.0] * 980 + [1.0] * 20)
    model = models.fit("heuristic", objective("binary"), training(), table, y, 1, 1)
    known = pl.DataFrame({"given__shape": ["a", "b", "c", None, "a"], "given__grade": [1, 1, 1, 1, None]})
    a, b, *rest = model.predict(known).tolist()
    assert a < 0.001
    assert b == pytest.approx(0.5, abs=0.02)  # twenty rows of its own beside twenty of the prior
    assert rest == [pytest.approx(20.5 / 1001)] * 3


def test_a_missing_value_is_a_group_of_its_own() -> None:
    table = pl.DataFrame({"given__shape": ["a", None] * 200, "given__grade": [1] * 400})
    model = models.fit("heuristic", objective("binary"), training(), table, np.array([0.0, 1.0] * 200), 1, 1)
    a, missing = model.predict(table.head(2))
    assert missing > 0.9 > 0.1 > a


def test_without_columns_the_baseline_is_the_overall_rate() -> None:
    y, _ = labels("binary", events())
    model = models.fit("heuristic", objective("binary"), training(Baseline()), events(), y, 1, 1)
    assert model.features == ()
    assert np.unique(model.predict(events())).tolist() == [pytest.approx(y.mean(), abs=0.001)]


def test_a_given_score_is_passed_on_and_its_gaps_are_filled() -> None:
    table = events()
    y, _ = labels("binary", table)
    scores = models.fit("heuristic", objective("binary"), training(Baseline(column="legacy")), table, y, 1, 1).predict(
        table
    )
    given = table["given__legacy"].to_numpy()
    said = np.isfinite(given)
    assert np.array_equal(scores[said], given[said])
    assert np.unique(scores[~said]).tolist() == [pytest.approx(y.mean(), abs=0.001)]


@pytest.mark.parametrize(
    ("values", "said"),
    [([1.0, 70.0], "goes from 1 to 70, no probability"), (["x", "y"], "legacy is String, no score")],
)
def test_a_given_score_that_is_none(values: list[Any], said: str) -> None:
    table = pl.DataFrame({"given__legacy": values})
    with pytest.raises(DataError, match=said):
        models.fit(
            "heuristic", objective("binary"), training(Baseline(column="legacy")), table, np.array([0.0, 1]), 1, 1
        )


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="scikit-learn is loaded first here")
def test_lightgbm_needs_no_sklearn_which_can_be_imported_afterwards() -> None:
    code = (
        "import sys; from homeostat.models.lightgbm import library\n"
        "assert library().Booster and 'sklearn' not in sys.modules\n"
        "import sklearn.linear_model; assert library().Booster"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_linear_scores_need_no_sklearn(tmp_path: Path) -> None:
    fitted(Case("linear", "binary")).save(tmp_path)
    events(5).write_parquet(tmp_path / "rows.parquet")
    code = (
        "import sys, polars as pl\nfrom pathlib import Path\nfrom homeostat import models\n"
        f"here = Path({str(tmp_path)!r})\n"
        "models.load(here).predict(pl.read_parquet(here / 'rows.parquet'))\n"
        "assert not {'sklearn', 'scipy', 'lightgbm'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_linear_agrees_with_the_library_that_fitted_it() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    table = pl.DataFrame({"a": rng.normal(5, 3, 800), "b": rng.normal(0, 1, 800)})
    y = (rng.random(800) < 1 / (1 + np.exp(-(table["a"].to_numpy() - 5)))).astype(float)
    ours = models.fit("linear", objective("binary", ("a", "b")), training(), table, y, 1, 1).predict(table)
    x = table.to_numpy()
    theirs = LogisticRegression().fit((x - x.mean(0)) / x.std(0), y).predict_proba((x - x.mean(0)) / x.std(0))[:, 1]
    assert np.abs(ours - theirs).max() < 1e-3


def test_one_faulty_value_does_not_decide_alone() -> None:
    """Ten standard deviations are as far as a number counts, in training as in service."""
    table = events().with_columns(pl.when(pl.int_range(pl.len()) == 7).then(1e300).otherwise("size").alias("size"))
    model = fitted(Case("linear", "regression"), table=table)
    far, farther = (model.predict(events(20).with_columns(pl.lit(v).alias("size"))) for v in (1e301, 1e305))
    assert np.array_equal(far, farther)
    assert np.ptp(far) < 200


@pytest.mark.parametrize("more", [{"row_share": 0.6}, {"feature_share": 0.5}, {"row_share": 0.5, "feature_share": 0.5}])
def test_random_trees_follow_from_the_seed(more: dict[str, float], tmp_path: Path) -> None:
    def bytes_of(seed: int, threads: int, name: str) -> bytes:
        y, _ = labels("binary", events())
        model = models.fit("lightgbm", objective("binary"), training(**more), events(), y, seed, threads)
        return saved(model, tmp_path / name)["trees.txt"]

    assert bytes_of(1, 1, "a") == bytes_of(1, 2, "b")
    trees = [bytes_of(seed, 1, f"s{seed}").split(b"end of trees")[0] for seed in (1, 2)]
    assert trees[0] != trees[1]


def test_ranking_orders_within_groups_that_do_not_lie_together() -> None:
    table = events(3000)
    y, group = labels("ranking", table)
    assert group is not None
    order = np.argsort(group, kind="stable")
    straight, shuffled = (
        models.fit("lightgbm", objective("ranking"), training(), t, labels_, 1, 1, g).predict(table)
        for t, labels_, g in ((table, y, group), (table[order], y[order], group[order]))
    )
    assert np.allclose(straight, shuffled)
