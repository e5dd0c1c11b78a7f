"""What the site says of the suite's metanets."""

import pytest
from conftest import ROOT

from benchmark.site.about import about
from metanets.table import METANETS


@pytest.mark.parametrize("name", [*METANETS, "statnn+canonical"])
def test_each_metanet_of_the_suite_says_what_it_is_and_where_its_code_is(name):
    found = about(name)
    assert found is not None
    assert found.what.endswith(".")
    assert all(found.reads)
    assert (ROOT / found.file).is_file()
    assert about("mine:Mine") is None
