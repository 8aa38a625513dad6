"""The parts of the embedded platform, declared once: command, environment, port, health, address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops.airflow import airflow_environment, has_secrets

Stage = Literal["first", "after_kafka", "after_airflow", "after_superset"]


@dataclass(frozen=True)
class Part:
    """One supervised process.

    ``port`` is what it listens on and ``port_setting`` the setting to change when it is taken; ``metrics_port``, with a setting
    of its own, is where it answers scrapes alone. Its health is ``health_path``
    on that port, else the port itself, else its heartbeat of the same name. Airflow's server watches Airflow's other
    processes: ``watched_as`` is the part's name in what the server says. ``stage`` says what must be there before it starts.
    ``stop_whole_group``: whether the children get the signal to stop too, or are left to their parent.
    """

    name: str
    command: list[str]
    stage: Stage = "first"
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    port_setting: str = ""
    metrics_port: int | None = None
    metrics_port_setting: str = ""
    health_path: str | None = None
    page: str | None = None
    watched_as: str | None = None
    stop_wait_s: int = 20
    stop_whole_group: bool = True

    @property
    def listens_on(self) -> list[tuple[int, str]]:
        """Its ports, each with the setting that names it."""
        ports = ((self.port, self.port_setting), (self.metrics_port, self.metrics_port_setting))
        return [(port, setting) for port, setting in ports if port]


class UnknownPart(ValueError):
    """JISHI_PARTS names what is no part; the message lists those that are."""


def parts(settings: Settings, paths: Paths) -> list[Part]:
    """The parts that run on this machine, in the order in which people read them. Raises UnknownPart."""
    known = all_parts(settings, paths)
    chosen = _chosen(settings) or {part.name for part in known}
    if unknown := chosen - {part.name for part in known}:
        names = ", ".join(part.name for part in known)
        raise UnknownPart(f"JISHI_PARTS: there is no part {', '.join(sorted(unknown))}; there are {names}")
    return [part for part in known if part.name in chosen]


def is_chosen(settings: Settings, name: str) -> bool:
    """Whether JISHI_PARTS leaves a part to this machine."""
    return not (chosen := _chosen(settings)) or name in chosen


def _chosen(settings: Settings) -> set[str]:
    return {name.strip() for name in settings.parts.split(",") if name.strip()}


def all_parts(settings: Settings, paths: Paths) -> list[Part]:
    """Every part there is; those of Airflow have no environment to start with before ``write_secrets``."""

    def module(name: str, *arguments: str, group: str = "main") -> list[str]:
        return [str(paths.python(group)), "-m", name, *arguments]

    airflow = [str(paths.envs / "airflow" / "bin" / "airflow")]
    airflow_env = airflow_environment(settings, paths) if has_secrets(paths) else {}
    return [
        Part("kafka", module("ops.kafka"), port=settings.kafka_port, port_setting="JISHI_KAFKA_BOOTSTRAP"),
        Part(
            "collector",
            module("collector", "serve"),
            port=settings.collector_port,
            port_setting="JISHI_COLLECTOR_PORT",
            health_path="/healthz",
            page="/v1/events",
        ),
        Part("forwarder", module("collector", "forward"), stage="after_kafka"),
        Part(
            "flink",
            module("flink_jobs.realtime", group="flink"),
            stage="after_kafka",
            port_setting="JISHI_FLINK_PORT",
            stop_wait_s=30,
        ),
        Part(
            "feature_writer",
            module("feature_repo", "write"),
            stage="after_kafka",
            port=settings.feature_writer_port,
            port_setting="JISHI_FEATURE_WRITER_PORT",
            health_path="/healthz",
            page="/metrics",
        ),
        Part(
            "serving",
            module("serving"),
            port=settings.serving_port,
            port_setting="JISHI_SERVING_PORT",
            health_path="/healthz",
            page="/docs",
        ),
        Part(
            "portal",
            module("dashboard.portal", "serve"),
            port=settings.portal_port,
            port_setting="JISHI_PORTAL_PORT",
            metrics_port=settings.portal_metrics_port,
            metrics_port_setting="JISHI_PORTAL_METRICS_PORT",
            health_path="/healthz",
            page="/",
        ),
        Part(
            "airflow-api",
            [*airflow, "api-server"],
            stage="after_airflow",
            environment=airflow_env,
            port=settings.airflow_port,
            port_setting="JISHI_AIRFLOW_PORT",
            health_path="/execution/health",  # what tasks talk to: the server builds it when it is first asked, in seconds
            page="/",
        ),
        Part(
            "airflow-scheduler",
            [*airflow, "scheduler"],
            stage="after_airflow",
            environment=airflow_env,
            watched_as="scheduler",
            stop_whole_group=False,
        ),
        Part(
            "airflow-dags",
            [*airflow, "dag-processor"],
            stage="after_airflow",
            environment=airflow_env,
            watched_as="dag_processor",
        ),
        Part(
            "airflow-triggerer",
            [*airflow, "triggerer", "--skip-serve-logs"],
            stage="after_airflow",
            environment=airflow_env | {"PYTHONPATH": str(PROJECT_ROOT / "dags")},  # its triggers and callbacks lie there
            watched_as="triggerer",
        ),
        Part(
            "superset",
            module("dashboard", "serve", group="superset"),
            stage="after_superset",
            port=settings.superset_port,
            port_setting="JISHI_SUPERSET_PORT",
            health_path="/health",
            page="/superset/dashboard/jishi-today/",
        ),
        Part(
            "exporter",
            module("ops.monitoring.exporter"),
            port=settings.exporter_port,
            port_setting="JISHI_EXPORTER_PORT",
            page="/metrics",
        ),
        Part(
            "site",
            [
                *(str(paths.main_python()), "-m", "http.server", str(settings.docs_port)),
                *("--bind", settings.host, "--directory", str(paths.site)),
            ],
            port=settings.docs_port,
            port_setting="JISHI_DOCS_PORT",
            health_path="/",
            page="/",
        ),
    ]


def giving_way(command: list[str]) -> list[str]:
    """The command at a lower priority: it takes what others leave, so that what others wait for comes first."""
    return ["nice", "-n", "10", *command]


def one_shots(paths: Paths) -> dict[Stage, list[tuple[str, list[str]]]]:
    """What must run to its end before the parts of a stage start: ``(title, command)``."""
    main = str(paths.python("main"))
    # Nothing waits for the board, and Flink's start takes the longest: the board's set-up takes what the others leave.
    board = giving_way([str(paths.python("superset")), "-m", "dashboard", "setup"])
    return {
        "after_kafka": [
            ("topics", [main, "-m", "ops.kafka", "topics"]),
            ("the lake's tables", [main, "-m", "ops.lake_tables"]),
        ],
        "after_airflow": [("Airflow's database", [main, "-m", "ops.airflow_database"])],
        "after_superset": [("Superset's database and board", board)],
    }


def working_directory() -> str:
    """Where every part runs: the project's root, so that ``python -m part`` finds it in every environment."""
    return str(PROJECT_ROOT)
