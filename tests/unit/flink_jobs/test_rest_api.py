"""A Flink that hangs is told from one that is gone."""

from __future__ import annotations

import socket

import pytest

from flink_jobs.rest_api import RestApi, is_timeout


def test_a_server_that_does_not_answer_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # listens and never accepts
        with pytest.raises(OSError) as caught:  # noqa: PT011 what kind of OSError it is, is the question
            RestApi(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.1).facts("job")
        assert is_timeout(caught.value)


def test_a_port_without_a_server_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError) as caught:  # noqa: PT011
        RestApi(f"http://127.0.0.1:{port}", timeout_s=0.1).facts("job")
    assert not is_timeout(caught.value)
