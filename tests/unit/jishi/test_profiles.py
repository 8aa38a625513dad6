"""A profile is a set of defaults: single settings win, and no code asks which one is on."""

from __future__ import annotations

from pathlib import Path

import pytest

from jishi.settings import PROJECT_ROOT, Settings, get_settings
from jishi.settings_origins import effective, shown
from jishi.settings_sources import PROFILES, is_secret


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    monkeypatch.setattr("jishi.settings.ENV_FILE", tmp_path / ".env")


def test_a_profile_names_settings_and_a_single_setting_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert PROFILES["cluster"].keys() < Settings.model_fields.keys()
    plain = get_settings.__wrapped__()
    monkeypatch.setenv("JISHI_PROFILE", "cluster")
    cluster = get_settings.__wrapped__()
    differing = {name for name, value in cluster.model_dump().items() if value != getattr(plain, name)}
    assert differing == {"profile", *PROFILES["cluster"]}
    assert (cluster.kafka_replication, cluster.kafka_min_isr) == (3, 2)
    (tmp_path / "settings.env").write_text("JISHI_KAFKA_MIN_ISR=1\nJISHI_KAFKA_REPLICATION=2\n")
    monkeypatch.setenv("JISHI_KAFKA_REPLICATION", "5")
    single = get_settings.__wrapped__()
    assert (single.kafka_replication, single.kafka_min_isr, single.online_store) == (5, 1, "redis")


def test_the_profile_may_stand_in_a_platforms_own_settings(tmp_path: Path) -> None:
    (tmp_path / "settings.env").write_text("JISHI_PROFILE=cluster\n")
    assert get_settings.__wrapped__().online_store == "redis"


def test_secrets_come_from_files_and_a_missing_folder_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "jishi_kafka_password").write_text("hush\n")
    monkeypatch.setenv("JISHI_SECRETS", str(tmp_path / "held"))
    assert get_settings.__wrapped__().kafka_password == "hush"
    monkeypatch.setenv("JISHI_KAFKA_PASSWORD", "louder")
    assert get_settings.__wrapped__().kafka_password == "louder"
    monkeypatch.setenv("JISHI_SECRETS", str(tmp_path / "elsewhere"))
    with pytest.raises(ValueError, match=r"JISHI_SECRETS: .*elsewhere is no folder"):
        get_settings.__wrapped__()


def test_settings_in_force_say_what_set_them_and_hide_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "jishi_lake_s3_secret_key").write_text("hush")
    (tmp_path / "settings.env").write_text(
        "JISHI_PROFILE=cluster\nJISHI_REDIS_PASSWORD=hush\nJISHI_REDIS_URL=r:1,password=hush\n"
    )
    monkeypatch.setenv("JISHI_SECRETS", str(tmp_path / "held"))
    monkeypatch.setenv("JISHI_POSTGRES_URL", "postgresql://me:hush@db:5432/x")
    listed = {each.variable: (each.value, each.origin) for each in effective(get_settings.__wrapped__())}
    assert len(listed) == len(Settings.model_fields)
    beside_state, file = str(tmp_path / "settings.env"), str(tmp_path / "held" / "jishi_lake_s3_secret_key")
    assert listed["JISHI_LAKE_S3_SECRET_KEY"] == ("…", file)
    assert listed["JISHI_REDIS_PASSWORD"] == ("…", beside_state)
    assert listed["JISHI_REDIS_URL"] == ("r:1,password=…", beside_state)
    assert listed["JISHI_POSTGRES_URL"] == ("postgresql://me:…@db:5432/x", "environment")
    assert listed["JISHI_KAFKA_REPLICATION"] == ("3", "profile cluster")
    assert listed["JISHI_KAFKA_PASSWORD"] == ("", "default")
    assert "hush" not in str(listed)


def test_a_password_file_is_no_secret_and_a_password_is() -> None:
    assert [is_secret(name) for name in ("smtp_password_file", "kafka_password", "redis_url")] == [False, True, True]
    assert shown("redis_url", "redis:6379") == "redis:6379"


def test_no_code_asks_for_the_profile() -> None:
    """What differs between a laptop and a cluster is a setting of its own, or the other half would go untested."""
    allowed = {PROJECT_ROOT / "jishi" / name for name in ("settings_origins.py",)}
    folders = ("jishi", "collector", "imports", "flink_jobs", "spark_jobs", "decision_log", "models", "feature_repo")
    folders += ("serving", "dashboard", "quality", "ops", "dags")
    asking = [
        file
        for folder in folders
        for file in (PROJECT_ROOT / folder).rglob("*.py")
        if file not in allowed and any(word in file.read_text() for word in ("settings.profile", "JISHI_PROFILE"))
    ]
    assert asking == []
