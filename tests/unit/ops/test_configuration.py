"""The declared parts and the supervisor's configuration that is made of them."""

from __future__ import annotations

import configparser
import shlex
import socket
from pathlib import Path

import pytest
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.options import expand

from jishi.paths import Paths
from jishi.settings import Settings
from ops import airflow
from ops.lifecycle import PlatformError, refuse_taken_ports
from ops.parts import Part, one_shots, parts
from ops.supervisor import SupervisorError, write_configuration


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(var=tmp_path / "var with space", envs=tmp_path / "envs")


def _configuration(settings: Settings, all_parts: list[Part]) -> configparser.RawConfigParser:
    file = write_configuration(Paths.of(settings), all_parts, {})
    assert file.stat().st_mode & 0o077 == 0, "it holds Airflow's keys"
    parser = configparser.RawConfigParser()
    parser.read(file)
    return parser


def test_every_part_is_one_program_with_its_log_and_mark(settings: Settings) -> None:
    paths = Paths.of(settings)
    airflow.write_secrets(paths)
    all_parts = parts(settings, paths)
    result = _configuration(settings, all_parts)
    assert {f"program:{part.name}" for part in all_parts} <= set(result.sections())
    for part in all_parts:
        program = result[f"program:{part.name}"]
        assert program["stdout_logfile"] == str(paths.log / f"{part.name}.log")
        assert program["killasgroup"] == program["autorestart"] == "true"
        assert f'JISHI_PLATFORM="{paths.var}"' in program["environment"]


def test_no_command_of_a_part_holds_a_secret(settings: Settings) -> None:
    hush = {
        "lake_catalog_uri": "postgresql://who:hush@db/lake",
        "postgres_url": "postgresql://who:hush@db/features",
        "lake_s3_secret_key": "hush",
        "storefront_keys": "hush",
    }
    chosen = settings.model_copy(update=hush)
    paths = Paths.of(chosen)
    airflow.write_secrets(paths)
    secrets = [(paths.airflow / name).read_text() for name in ("jwt_secret", "secret_key", "admin_password")]
    commands = [part.command for part in parts(chosen, paths)]
    commands += [command for shots in one_shots(paths).values() for _, command in shots]
    assert not [word for command in commands for word in command for secret in ("hush", *secrets) if secret in word]


def test_odd_characters_reach_the_part_as_they_are(settings: Settings) -> None:
    part = Part("odd", ["/bin/echo", "two words", "100%", "it's"], environment={"X": '50% "quoted" words', "Y": "it's, fine"})
    program = _configuration(settings, [part])["program:odd"]
    command, environment = (expand(program[key], {}, key) for key in ("command", "environment"))
    assert shlex.split(command) == part.command
    assert dict_of_key_value_pairs(environment).items() >= part.environment.items()


def test_what_the_supervisor_cannot_pass_on_is_refused(settings: Settings) -> None:
    with pytest.raises(SupervisorError, match="ODD"):
        _configuration(settings, [Part("odd", ["true"], environment={"ODD": "\"'"})])


def test_ports_are_named_by_their_settings_and_differ(settings: Settings) -> None:
    airflow.write_secrets(Paths.of(settings))
    ports = [each for part in parts(settings, Paths.of(settings)) for each in part.listens_on]
    assert all(setting.removeprefix("JISHI_").lower() in Settings.model_fields for _, setting in ports)
    assert (settings.portal_metrics_port, "JISHI_PORTAL_METRICS_PORT") in ports
    assert len({port for port, _ in ports}) == len(ports)


def test_a_taken_port_of_metrics_is_named_before_anything_starts(settings: Settings) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        part = Part("portal", ["true"], metrics_port=port, metrics_port_setting="JISHI_PORTAL_METRICS_PORT")
        with pytest.raises(PlatformError, match=rf"port {port} \(portal\) is held by pid \d+: .*JISHI_PORTAL_METRICS_PORT"):
            refuse_taken_ports([part], settings)


def test_a_taken_port_names_part_port_setting_and_holder(settings: Settings) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        part = Part("collector", ["true"], port=port, port_setting="JISHI_COLLECTOR_PORT")
        with pytest.raises(PlatformError, match=rf"port {port} \(collector\) is held by pid \d+: .*JISHI_COLLECTOR_PORT"):
            refuse_taken_ports([part], settings)


def test_airflows_secrets_are_made_once_and_private(settings: Settings) -> None:
    paths = Paths.of(settings)
    airflow.write_secrets(paths)
    first = airflow.airflow_environment(settings, paths)
    airflow.write_secrets(paths)
    assert airflow.airflow_environment(settings, paths) == first
    assert airflow.admin_password_file(paths).stat().st_mode & 0o077 == 0
    base = f"http://{settings.host}:{settings.airflow_port}"
    assert first["AIRFLOW__API__BASE_URL"] == base
    assert first["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].startswith(base)
    public = settings.model_copy(update={"airflow_public_url": "https://airflow.example.org/"})
    of_proxy = airflow.airflow_environment(public, paths)
    assert of_proxy["AIRFLOW__API__BASE_URL"] == "https://airflow.example.org", "links and the way to log in are for browsers"
    assert of_proxy["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].startswith(base)
