import numpy as np
import pytest

from homeostat.core.ranges import FEWEST_WINDOWS, badness, range_of, readable, scale_of


@pytest.mark.parametrize("many", [FEWEST_WINDOWS, 8, 30])
def test_a_further_good_window_is_inside_as_often_as_promised(many: int) -> None:
    """Of normal windows 95 % lie inside: the range holds the windows themselves too, so somewhat more."""
    draw = np.random.default_rng(1)
    samples = draw.normal(0.3, 0.05, (2000, many + 1))
    ranges = [range_of(row[:-1].tolist(), 0.95) for row in samples]
    inside = np.mean([r is not None and r.low <= x <= r.high for r, x in zip(ranges, samples[:, -1], strict=True)])
    assert 0.94 <= inside <= 0.985


def test_few_windows_have_no_range_and_many_metrics_a_wider_one() -> None:
    values = [0.3, 0.32, 0.28, 0.31, 0.3]
    assert range_of(values[: FEWEST_WINDOWS - 1], 0.95) is None
    one, five = range_of(values, 0.95), range_of(values, 0.95, among=5)
    assert one is not None and five is not None
    assert five.low < one.low < one.centre < one.high < five.high


def test_a_range_never_leaves_out_a_good_window() -> None:
    found = range_of([1.0] * 30 + [9.0], 0.5)
    assert found is not None and found.high == 9.0


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [
        ("log_loss", (0.30, 0.40), (0.35, 0.40)),
        ("rmse", (3.0, 4.0), (3.5, 4.0)),
        ("auc", (0.857, 0.7), (0.714, 0.7)),
        ("r2", (0.9, 0.1), (-0.5, 0.1)),
        ("average_precision", (0.5, 0.2), (0.3, 0.2)),
        ("cost", (80, 100), (110, 100)),
    ],
)
def test_higher_is_worse_and_can_be_read_back(
    metric: str, better: tuple[float, float], worse: tuple[float, float]
) -> None:
    low, high = badness(metric, *better), badness(metric, *worse)
    assert low is not None and high is not None and low < high
    read = {"": better[0], "of the baseline's": better[0] / better[1]}
    odds = (better[0] / (1 - better[0])) / (better[1] / (1 - better[1])) if metric == "average_precision" else 0.0
    assert readable(metric, low) == pytest.approx(read.get(scale_of(metric), odds))


@pytest.mark.parametrize("level", [0.05, 0.2, 0.5])
def test_a_level_that_moves_both_moves_nothing(level: float) -> None:
    assert badness("log_loss", 0.8 * level, level) == pytest.approx(np.log(0.8))


@pytest.mark.parametrize(("metric", "value"), [("auc", 1.0), ("log_loss", 0.0), ("average_precision", 0.0)])
def test_the_ends_of_a_scale_are_finite(metric: str, value: float) -> None:
    found = badness(metric, value, 0.5)
    assert found is not None and np.isfinite(found)


def test_what_is_undefined_or_level_itself_has_no_scale() -> None:
    assert badness("auc", float("nan"), 0.5) is None
    assert badness("calibration", 1.2, 1.0) is None
