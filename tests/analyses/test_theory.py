"""The script that prints theory beside measurement: what it prints agrees."""

from benchmark.analyses import theory


def test_logits_stay_orders_are_found_again_and_chords_are_off_by_their_formula():
    kept = list(theory._kept_logits())
    assert len(kept) == 5  # no sizes in a perceptron without norms
    assert all(float(line.found) < float(line.theory.split()[1].rstrip(",")) for line in kept)
    assert all(line.found == line.theory for line in (theory._recovered(), *theory._midpoints(), theory._convexity()))


def test_dimensions_are_those_of_theory_and_slow_descent_conserves_more():
    assert all(line.found == line.theory for line in theory._dimensions())
    assert float(theory._drift().found) > 5


def test_the_script_prints_a_line_each(capsys, monkeypatch):
    monkeypatch.setattr(theory, "lines", lambda: iter([theory._convexity()]))
    theory.main()
    assert "1 - t^2" in capsys.readouterr().out


def test_the_published_teleport_changes_the_loss_and_the_papers_does_not():
    published, exact = theory._published_teleport().found.removesuffix(")").split("% (")
    assert abs(float(published)) >= 1
    assert float(exact) < 1e-12
