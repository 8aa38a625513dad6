"""Online Retail's shape, imported and built like any shop, equals the pandas computation to the penny."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from bench.retail import comparison, different, published_figures
from bench.retail_oracle import Figures, figures_of, read_shop
from jishi.lake.reading import open_version
from tests.integration.shops.conftest import RETAIL, ShopPlatform
from tests.integration.shops.retail_excerpt import LINES, retail_lines

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def marts(platform: ShopPlatform) -> Figures:
    return published_figures(open_version(platform.settings), RETAIL)


@pytest.fixture(scope="module")
def oracle() -> Figures:
    lines = retail_lines()
    assert len(lines) == LINES
    return figures_of(read_shop(lines))


def test_marts_equal_pandas_to_the_penny(marts: Figures, oracle: Figures) -> None:
    assert different(marts, oracle) == {}
    measures = Counter(measure for measure, _ in oracle)
    assert measures["gmv"] == 4
    assert {"refunds", "customers", "repeat customers", "spend", "scores", "segment", "week cohorts"} <= measures.keys()
    assert measures["segment size"] >= 8
    assert measures["month cohorts"] == 10


def test_a_penny_more_and_a_lost_customer_are_shown(marts: Figures, oracle: Figures) -> None:
    changed = oracle | {("gmv", "2011-03"): int(str(oracle["gmv", "2011-03"])) + 1}
    del changed["spend", next(key for measure, key in oracle if measure == "spend")]
    assert Counter(measure for measure, _ in different(marts, changed)) == {"gmv": 1, "spend": 1}
    printed = io.StringIO()
    Console(file=printed, width=120).print(comparison(marts, changed))
    [row] = [line for line in printed.getvalue().splitlines() if "gmv" in line and "2011-03" in line and "net" not in line]
    assert " -1 " in row


def test_a_file_with_other_numbers_differs(marts: Figures) -> None:
    lines = retail_lines()
    lines.loc[lines["InvoiceNo"].str.startswith("C"), "Quantity"] = -1
    measures = {measure for measure, _ in different(marts, figures_of(read_shop(lines)))}
    assert {"refunds", "net_gmv", "spend"} <= measures
    assert "gmv" not in measures
