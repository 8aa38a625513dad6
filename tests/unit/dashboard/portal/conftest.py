"""Twin shops behind one portal, made once a module."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dashboard.portal.twins import TwinShops


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory, semantic_manifest: dict[str, Any]) -> TwinShops:
    return TwinShops(tmp_path_factory.mktemp("twins"), semantic_manifest)
