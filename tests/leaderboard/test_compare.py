import dataclasses
import json
import sys

import pytest
from conftest import small
from made_records import BASELINE

import zoo
from benchmark.cli import main
from benchmark.cli.watch import is_over, line, watch
from benchmark.leaderboard.compare import Comparison, compare
from benchmark.leaderboard.leaderboard import from_paths
from benchmark.records import records
from benchmark.scoring.score import score
from benchmark.statistics.intervals import difference
from benchmark.statistics.metrics import METRICS
from metanets import Training

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-3, 1e-2))


@pytest.fixture(scope="module")
def results(standard, asymmetric, tmp_path_factory):
    """Records of two baselines on both zoos, of a metanet on one and of another baseline on the other."""
    out = tmp_path_factory.mktemp("results")
    score([standard, asymmetric], ["mean", BASELINE], "test_accuracy", out=out, seeds=2)
    score([standard], ["statnn"], "test_accuracy", out=out, seeds=1, training=QUICK)
    score([asymmetric], ["ridge"], "test_accuracy", out=out, seeds=1)
    return out


@pytest.fixture
def metazoo(monkeypatch, capsys):
    """Runs a command line in this process: (exit code, output, errors)."""

    def run(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["metazoo", *map(str, arguments)])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        try:
            main.main()
            code: object = 0
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capsys.readouterr()

    return run


def test_names_of_others_cannot_steer_the_terminal(results, metazoo, tmp_path):
    for number, path in enumerate(path for path in records.paths(results) if path.parent.name in ("mean", BASELINE)):
        record = records.read(path)
        method = dataclasses.replace(record.metanet, name=f"\x1b]0;{record.metanet.name}\x07")
        to = tmp_path / f"seed-{number}.json"
        reference, data = records.predictions_file(to, records.read_predictions(path, record))
        records.write(to, dataclasses.replace(record, metanet=method, predictions=reference), data)
    code, out, err = metazoo("compare", f"\x1b]0;{BASELINE}\x07", "\x1b]0;mean\x07", "--results", tmp_path)
    assert (code, "\\x1b]0;mean" in out, "\x1b" in out) == (0, True, False)
    code, out, err = metazoo("compare", "mean", BASELINE, "--results", tmp_path)
    assert (code, "\\x1b]0;mean" in err, "\x1b" in err) == (1, True, False)


@pytest.mark.parametrize("metric", METRICS)
def test_the_comparison_on_each_zoo_is_the_paired_difference(results, metric):
    found = compare(BASELINE, "mean", results, metric=metric)
    at = {result.key[1:]: result for result in from_paths(records.paths(results)).results}
    assert [one.zoo for one in found] == sorted({zoo for zoo, _ in at})
    for one in found:
        target = at[one.zoo, BASELINE].target
        expected = difference(target, at[one.zoo, BASELINE].predicted, at[one.zoo, "mean"].predicted, METRICS[metric])
        assert (one.value, one.low, one.high, one.p) == (expected.value, expected.low, expected.high, expected.p)
        assert (one.nets, one.seeds, one.blind) == (len(target), (2, 2), False)


@pytest.mark.parametrize(
    ("metric", "value", "p", "said"),
    [
        (
            "r2",
            0.0231,
            0.2,
            "a is above b by 0.023 in R² (95% interval of the difference -0.077 to +0.123, p = 0.200): "
            "no significant difference",
        ),
        ("r2", 0.5, 0.01, "a is significantly better"),
        ("tau", -0.5, 0.01, "b is significantly better"),
        ("mae", 0.5, 0.01, "a is above b by 0.500 in mean absolute error"),
        ("mae", 0.5, 0.01, "b is significantly better"),
        ("worst_decile", -0.5, 0.05, "a is significantly better"),
        ("spearman", 0.0, 1.0, "a is level with b in Spearman's rho"),
    ],
)
def test_the_sentence_says_which_is_better_and_whether_that_can_be_told(metric, value, p, said):
    found = Comparison("zoo", "a", "b", metric, value, value - 0.1, value + 0.1, p, nets=60, seeds=(5, 5), blind=False)
    assert said in found.sentence()
    assert found.sentence().startswith("On zoo, a is ")
    assert ("no significant difference" in found.sentence()) == (p > 0.05)


def test_only_zoos_that_both_were_scored_on_count_and_one_seed_is_said(results):
    (found,) = compare("statnn", "mean", results)
    assert "standard" in found.zoo
    assert found.sentence().endswith("; with one seed, blind to how much training differs.")


def test_the_command_prints_sentences_or_json(metazoo, results):
    code, out, _ = metazoo("compare", BASELINE, "mean", "--results", results, "--metric", "tau")
    assert (code, len(out.splitlines())) == (0, 2)
    assert out.splitlines() == [found.sentence() for found in compare(BASELINE, "mean", results, metric="tau")]
    code, out, _ = metazoo("compare", BASELINE, "mean", "--results", results, "--json")
    assert [row["one"] for row in json.loads(out)] == [BASELINE, BASELINE]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["statn", "mean"], "did you mean statnn"),
        (["mean", "nothing"], "unknown metanet on test_accuracy 'nothing'"),
        (["mean", "statnn", "--task", "test_acuracy"], "did you mean test_accuracy"),
        (["mean", "statnn", "--metric", "r3"], "did you mean r2"),
        (["mean", "mean"], "give two metanets"),
        (["statnn", "ridge"], "no zoo has records of both"),
    ],
)
def test_what_cannot_be_compared_is_an_error_that_says_why(metazoo, results, arguments, found):
    code, _, err = metazoo("compare", *arguments, "--results", results)
    assert code == 1
    assert found in err


def test_watching_follows_a_build_to_its_end(tmp_path):
    folder = zoo.build(small(nets=128), tmp_path / "zoo", workers=0)
    seen = []
    for found in watch(folder, every=0.01):
        seen.append(found)
        if found.done < found.units:
            zoo.work(folder)
        elif found.units:
            zoo.build(small(nets=128), folder, workers=1)
    assert [(found.done, found.units) for found in seen] == [(0, 2), (2, 2), (0, 0)]
    assert [is_over(found) for found in seen] == [False, False, True]
    assert [line(found).split(",")[0] for found in seen[:2]] == ["0 of 2 units", "2 of 2 units"]
    assert line(seen[1]).endswith("100%, shards not yet written")
    assert line(seen[2]).startswith("finished")


def test_watching_a_finished_zoo_ends_at_once(metazoo, standard):
    code, out, _ = metazoo("watch", standard, "--every", "60")
    assert code == 0
    assert out.strip().endswith("64 nets in shards")


def test_watching_on_a_terminal_draws_the_status(metazoo, standard, monkeypatch):
    monkeypatch.setattr(main.console, "_force_terminal", True)
    code, out, _ = metazoo("watch", standard)
    assert (code, "64 nets in shards" in out) == (0, True)


def test_watching_ends_where_only_failed_units_are_left(metazoo, tmp_path):
    wild = small("w_asymmetric", nets=4, dtype="float16", net__kappa=1e6)
    with pytest.raises(RuntimeError, match="failed 3 times"):
        zoo.build(wild, tmp_path / "zoo")
    code, out, _ = metazoo("watch", tmp_path / "zoo", "--every", "60")
    assert (code, "1 failed" in out) == (1, True)


def test_ctrl_c_ends_the_watching_only(metazoo, tmp_path, monkeypatch):
    folder = zoo.build(small(), tmp_path / "zoo", workers=0)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    code, out, _ = metazoo("watch", folder)
    assert (code, "0 of 1 units" in out) == (130, True)


def test_watching_where_no_build_was_begun_is_an_error(metazoo, tmp_path):
    code, _, err = metazoo("watch", tmp_path)
    assert code == 1
    assert "metazoo build" in err
