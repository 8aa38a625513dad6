"""``deploy/`` is read by the tools that would run it, and names the parts, settings and ports that there are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import kubernetes_validate
import pytest
import yaml

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.settings_sources import PROFILES, is_secret
from ops import airflow
from ops.health import hosts_of_parts
from ops.kafka import wait_for_port
from ops.monitoring.files import PORTS
from ops.parts import all_parts
from ops.ports import free_ports

DEPLOY = PROJECT_ROOT / "deploy"
CHART = DEPLOY / "helm" / "jishi"
VALUES = ["--values", str(DEPLOY / "helm" / "example-values.yaml")]
KUBERNETES = "1.34"
FOR_BROWSERS = ("portal_url", "superset_url", "collector_url", "airflow_public_url")
IMAGES = {"main", "flink", "airflow", "superset"}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int | None]:
    """The port of each part of the cluster profile's settings, None for a part without."""
    settings = Settings(var=tmp_path_factory.mktemp("var"), profile="cluster", _env_file=None)  # type: ignore[call-arg]
    airflow.write_secrets(Paths.of(settings))
    return {part.name: part.port for part in all_parts(settings, Paths.of(settings)) if part.name != "kafka"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def helm() -> str:
    command = shutil.which("helm") or shutil.which(str(PROJECT_ROOT / ".envs" / "go" / "bin" / "helm"))
    if command is None:
        pytest.skip("helm is not installed; scripts/test builds it where Go is")
    return command


@pytest.fixture(scope="module")
def rendered(helm: str) -> list[dict[str, Any]]:
    """Every manifest of the chart with the values of the example."""
    done = subprocess.run([helm, "template", "jishi", str(CHART), *VALUES], capture_output=True, text=True, check=True)
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def hosts(value: object) -> set[str]:
    """Servers that a setting's value names."""
    return set(re.findall(r"(?:^|,|//|@)([a-z][a-z0-9-]*):\d", str(value)))


def test_compose_keeps_its_schema(compose: dict[str, Any]) -> None:
    carrier = find_spec("check_jsonschema")
    assert carrier is not None
    assert carrier.origin is not None
    schema = json.loads((Path(carrier.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(compose)] == []


def test_compose_has_the_servers_and_parts_of_the_profile(compose: dict[str, Any], ports: dict[str, int | None]) -> None:
    services = compose["services"]
    named = {host for value in PROFILES["cluster"].values() for host in hosts(value)}
    assert {"kafka-1", "kafka-2", "kafka-3", "redis", "postgres", "object-store", "spark-master"} < named <= services.keys()
    running = [part for each in services.values() if (part := each.get("environment", {}).get("JISHI_PART"))]
    assert set(running) == ports.keys()
    assert running.count("collector") == running.count("forwarder") == running.count("serving") == 2
    ours = [each["environment"] for each in services.values() if "JISHI_PART" in each.get("environment", {})]
    assert {each["JISHI_PROFILE"] for each in ours} == {"cluster"}
    volumes = {volume.split(":")[0] for each in services.values() for volume in each.get("volumes", [])}
    assert {volume for volume in volumes if not volume.startswith(".")} == compose["volumes"].keys()
    assert all((DEPLOY / volume).exists() for volume in volumes if volume.startswith("."))
    logs = [next(v for v in each["volumes"] if "/wal" in v) for name, each in services.items() if "collector-" in name]
    assert len(set(logs)) == 2, "collectors must not share a write-ahead log"


def test_compose_keeps_what_its_servers_write(compose: dict[str, Any]) -> None:
    """A volume counts only where the server is told to write there: what a server takes by itself may be /tmp."""
    [ours] = re.findall(r"JISHI_VAR=(\S+)", (DEPLOY / "Dockerfile").read_text())
    for name, each in compose["services"].items():
        words = [*map(str, each.get("environment", {}).values()), *each.get("command", []), ours]
        for volume, place in (mount.split(":")[:2] for mount in each.get("volumes", [])):
            if not volume.startswith("."):
                assert any(f"{word}/".startswith(f"{place}/") or place.startswith(f"{word}/") for word in words if word), (
                    f"{name} is told nowhere to write to {place}"
                )


def test_compose_bounds_every_log(compose: dict[str, Any]) -> None:
    unbounded = [
        name
        for name, each in compose["services"].items()
        if not {"max-size", "max-file"} <= each.get("logging", {}).get("options", {}).keys()
    ]
    assert unbounded == []


def test_the_proxy_writes_no_person_down(tmp_path: Path) -> None:
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx)")
    text, (listens, *away) = (DEPLOY / "nginx.conf").read_text(), free_ports(6)
    closed = iter(away)
    text = re.sub(r"server [a-z0-9-]+:1808[01]", lambda _: f"server 127.0.0.1:{next(closed, away[0])}", text)
    text = text.replace("listen 18081", f"listen 127.0.0.1:{listens}").replace("listen 18080", f"listen 127.0.0.1:{away[4]}")
    for stream in ("stdout", "stderr"):
        text = text.replace(f"/dev/{stream}", str(tmp_path / stream))
    places = [f"{each}_temp_path {tmp_path / each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    (tmp_path / "nginx.conf").write_text(text.replace("http {", "\n".join(["http {", *places]), 1))
    more = " ".join(["daemon off;", f"pid {tmp_path / 'pid'};", *(["user root;"] if os.geteuid() == 0 else [])])
    command = [binary, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path), "-e", str(tmp_path / "start"), "-g", more]
    (tmp_path / "logs").mkdir()
    with subprocess.Popen(command) as server:
        try:
            assert wait_for_port("127.0.0.1", listens, 10)
            address = f"http://127.0.0.1:{listens}/v1/shops/s/recommendations?user_id=anna-1974"
            assert httpx.get(address, headers={"Referer": address, "User-Agent": "anna-1974"}).status_code == 502
        finally:
            server.terminate()
    written = {file.name: file.read_text() for file in tmp_path.rglob("*") if file.is_file() and file.name != "nginx.conf"}
    assert "GET /v1/shops/s/recommendations 502" in written["stdout"]
    assert [name for name, lines in written.items() if "anna" in lines or "client: " in lines] == []


def test_parts_are_asked_where_they_are(
    compose: dict[str, Any], rendered: list[dict[str, Any]], ports: dict[str, int | None]
) -> None:
    serving = {name for name, port in ports.items() if port is not None}
    running: dict[str, set[str]] = {}
    for name, each in compose["services"].items():
        if part := each.get("environment", {}).get("JISHI_PART"):
            running.setdefault(part, set()).add(name)
    known = hosts_of_parts(Settings(profile="cluster", _env_file=None))  # type: ignore[call-arg]
    assert {part: set(hosts) for part, hosts in known.items()} == {part: running[part] for part in serving}
    [chart] = [each["data"] for each in rendered if each["kind"] == "ConfigMap"]
    services = {each["metadata"]["name"]: each["spec"]["ports"][0]["port"] for each in rendered if each["kind"] == "Service"}
    known = hosts_of_parts(Settings(part_hosts=chart["JISHI_PART_HOSTS"], _env_file=None))  # type: ignore[call-arg]
    assert {part: [services[host] for host in hosts] for part, hosts in known.items()} == {
        part: [ports[part]] for part in serving
    }
    assert set(chart["JISHI_PARTS"].split(",")) == ports.keys()


def test_life_signs_are_seen_by_all_and_what_runs_by_one_alone(compose: dict[str, Any], rendered: list[dict[str, Any]]) -> None:
    for each in compose["services"].values():
        if "JISHI_PROFILE" in each.get("environment", {}):
            assert each["tmpfs"][0].startswith("/jishi/var/run:")
            places = {volume.split(":")[1] for volume in each["volumes"]}
            assert "/jishi/var" in places <= {"/jishi/var", "/jishi/var/wal"}
    pods = [each["spec"]["template"]["spec"] for each in rendered if "template" in each.get("spec", {})]
    for pod in pods:
        assert {"name": "run", "emptyDir": {}} in pod["volumes"]
        for container in pod["containers"]:
            assert not {mount["mountPath"] for mount in container["volumeMounts"]} & {"/jishi/var/beats"}


def test_every_secret_of_compose_can_be_ones_own(compose: dict[str, Any]) -> None:
    """Variables count before files: a secret that stood here as it is could not be changed by either."""
    chosen = {"POSTGRES_PASSWORD": "hush1", "S3_ACCESS_KEY": "hush2", "S3_SECRET_KEY": "hush3"}
    values: dict[str, set[str]] = {}
    for variables in (each.get("environment", {}) for each in compose["services"].values()):
        for name, value in variables.items():
            setting = name.removeprefix("JISHI_").lower()
            if is_secret(setting) and setting != "redis_url":
                text = re.sub(r"\$\{(\w+):-[^}]*\}", lambda match: chosen[match[1]], str(value))
                values.setdefault(setting, set()).add(text)
    assert values["root_access_key"] == values["lake_s3_access_key"] == {"hush2"}
    assert values["root_secret_key"] == values["lake_s3_secret_key"] == {"hush3"}
    assert values["postgres_password"] == {"hush1"}
    for name in ("lake_catalog_uri", "postgres_url", "airflow_database_url"):
        default = PROFILES["cluster"][name]
        assert values[name] == {default.replace(":jishi@", ":hush1@")} != {default}
    for file, pattern in ((".dockerignore", "**/.env"), (".gitignore", ".env")):
        assert pattern in (PROJECT_ROOT / file).read_text().splitlines(), "what is in deploy/.env would be handed on"


def test_images_are_plain_names(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE) + [each["image"] for each in compose["services"].values()]
    assert [image for image in bases if "." in image.split("/")[0].split(":")[0]] == []


def test_dockerfile_passes_its_linter() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("hadolint")), str(DEPLOY / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_each_image_runs_without_root_and_says_how_it_is() -> None:
    stages = re.split(r"^FROM ", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    final = {stage.split()[2]: stage for stage in stages if stage.split()[2] in IMAGES}
    assert final.keys() == IMAGES
    for name, stage in final.items():
        assert stage.startswith("base AS"), f"{name} keeps what it was built with"
        assert "\nUSER 10001\n" in stage
        assert re.search(r'^HEALTHCHECK .*"ops\.part", "--check"\]$', stage, re.MULTILINE)
        environment = ".venv" if name == "main" else f".envs/{name}"
        assert f'CMD ["/jishi/{environment}/bin/python", "-m", "ops.part"]' in stage


def test_chart_passes_its_linter(helm: str) -> None:
    done = subprocess.run([helm, "lint", "--strict", str(CHART), *VALUES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_manifests_are_what_kubernetes_takes(rendered: list[dict[str, Any]]) -> None:
    assert len(rendered) > 20
    for manifest in rendered:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_chart_runs_every_part_on_its_port(rendered: list[dict[str, Any]], ports: dict[str, int | None]) -> None:
    pods = [each["spec"]["template"]["spec"] for each in rendered if each["kind"] in ("Deployment", "StatefulSet")]
    running = {}
    for pod in pods:
        # Kubernetes would set JISHI_SERVING_PORT=tcp://… for the Service jishi-serving.
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["resources"]["limits"]
            environment = {each["name"]: each["value"] for each in container["env"]}
            if "flink_jobs.session_cluster" in container.get("args", ()):
                continue  # a server, not a part
            running[environment["JISHI_PART"]] = next((p["containerPort"] for p in container.get("ports", [])), None)
            assert container["livenessProbe"]
    assert running == ports
    before = [each for each in rendered if each["kind"] == "Job"]
    arguments = [job["spec"]["template"]["spec"]["containers"][0]["args"] for job in before]
    assert {each[-1] for each in arguments} == {"forwarder", "airflow-api", "superset"}


@pytest.fixture(scope="module")
def metrics_ports() -> dict[str, int]:
    """The port of each part's page of metrics."""
    return {part: Settings.model_fields[port].default for part, port in PORTS.items()}


def test_compose_asks_every_part_that_has_metrics(
    compose: dict[str, Any], metrics_ports: dict[str, int], tmp_path: Path
) -> None:
    services = compose["services"]
    mounted = [volume.split(":") for volume in services["prometheus"]["volumes"] if volume.startswith(".")]
    inside = {Path(place).name: (DEPLOY / file).resolve() for file, place, _ in mounted}
    config = yaml.safe_load(inside["prometheus.yaml"].read_text())
    [job] = config["scrape_configs"]
    assert job["job_name"] == "jishi", "rules ask for up of this job"
    expected = [
        f"{name}:{metrics_ports[part]}"
        for name, each in services.items()
        if (part := each.get("environment", {}).get("JISHI_PART")) in metrics_ports
    ]
    assert sorted(job["static_configs"][0]["targets"]) == sorted(expected)
    assert len(expected) == len(metrics_ports) + 2, "two collectors, two processes of serving"
    assert {Path(place).parent for _, place, _ in mounted} == {Path("/etc/prometheus")}
    assert all(port.startswith("127.0.0.1:") for port in services["prometheus"]["ports"]), "Prometheus has no login"
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    for name, file in inside.items():
        shutil.copyfile(file, tmp_path / name)
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(config['rule_files'])} rule files found" in done.stdout


def metrics_of(pods: list[dict[str, Any]]) -> dict[str, int]:
    """The port that each part's pod is annotated with, which one of its containers opens."""
    annotated = {}
    for pod in pods:
        annotations = pod["metadata"].get("annotations", {})
        if annotations.get("prometheus.io/scrape") == "true":
            port = int(annotations["prometheus.io/port"])
            assert annotations["prometheus.io/path"] == "/metrics"
            containers = pod["spec"]["containers"]
            assert port in {each["containerPort"] for container in containers for each in container.get("ports", [])}
            annotated[containers[0]["env"][0]["value"]] = port
    return annotated


def test_pods_with_metrics_say_so(rendered: list[dict[str, Any]], metrics_ports: dict[str, int]) -> None:
    pods = [each["spec"]["template"] for each in rendered if each["kind"] in ("Deployment", "StatefulSet")]
    assert metrics_of(pods) == metrics_ports
    assert [each for each in rendered if each["kind"] == "PodMonitor"] == [], "a cluster may not know the kind"
    open_to_all = [port for each in rendered if each["kind"] == "Service" for port in each["spec"]["ports"]]
    assert metrics_ports["portal"] not in {port["port"] for port in open_to_all}


def test_monitors_choose_the_pods_with_metrics_and_name_the_job(
    helm: str, rendered: list[dict[str, Any]], metrics_ports: dict[str, int]
) -> None:
    asked = ["--set", "podMonitors.enabled=true", "--set", "podMonitors.labels.release=prometheus"]
    command = [helm, "template", "jishi", str(CHART), *VALUES, *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    monitors = [each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "PodMonitor"]
    pods = [each["spec"]["template"] for each in rendered if each["kind"] in ("Deployment", "StatefulSet")]
    chosen = []
    for monitor in monitors:
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        assert monitor["spec"]["jobLabel"] == "app.kubernetes.io/name"
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        [pod] = [pod for pod in pods if wanted <= pod["metadata"]["labels"].items()]
        assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "jishi"
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        opened = {port["name"]: port["containerPort"] for each in pod["spec"]["containers"] for port in each.get("ports", [])}
        chosen.append(opened[endpoint["port"]])
    assert sorted(chosen) == sorted(metrics_ports.values())


def test_chart_sets_settings_that_there_are_and_leads_to_its_own_services(rendered: list[dict[str, Any]]) -> None:
    [settings] = [each["data"] for each in rendered if each["kind"] == "ConfigMap"]
    assert {name.removeprefix("JISHI_").lower() for name in settings} <= Settings.model_fields.keys()
    services = {each["metadata"]["name"]: each["spec"]["ports"][0]["port"] for each in rendered if each["kind"] == "Service"}
    for name in ("JISHI_FLINK_URL", "JISHI_SERVING_URL", "JISHI_AIRFLOW_URL", "JISHI_SUPERSET_INTERNAL_URL"):
        host, port = settings[name].removeprefix("http://").split(":")
        assert services[host] == int(port)


def test_chart_refuses_what_is_no_setting(helm: str) -> None:
    command = [helm, "template", "jishi", str(CHART), *VALUES, "--set", "settings.kafka_bootstrap=k:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "kafka_bootstrap" in done.stderr


def test_chart_asks_how_browsers_reach_it(helm: str) -> None:
    done = subprocess.run([helm, "template", "jishi", str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert all(f"JISHI_{name.upper()}" in done.stderr for name in FOR_BROWSERS)


def test_no_link_leads_to_the_address_that_servers_listen_on(compose: dict[str, Any], rendered: list[dict[str, Any]]) -> None:
    [chart] = [each["data"] for each in rendered if each["kind"] == "ConfigMap"]
    published = {port.rsplit(":", 1)[0] for each in compose["services"].values() for port in each.get("ports", [])}
    for variables in (compose["x-jishi"]["environment"], chart):
        values = {
            name.removeprefix("JISHI_").lower(): re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(v)) for name, v in variables.items()
        }
        settings = Settings(_env_file=None, **values)  # type: ignore[call-arg,arg-type]
        links = {name: getattr(settings, name.replace("_url", "_address")) for name in FOR_BROWSERS}
        links["operators"] = settings.operators_address
        assert [link for link in links.values() if settings.host in link] == []
        local = {link.rpartition(":")[2] for link in links.values() if "//localhost:" in link}
        assert local <= published, "compose publishes no such port"
        assert settings.superset_internal_address.startswith(("http://superset:", "http://jishi-superset:"))


@pytest.mark.parametrize("group", sorted(IMAGES))
def test_every_environment_can_become_a_part(group: str, tmp_path: Path) -> None:
    """The image of an environment has no other one's packages."""
    python = Paths.of(Settings(_env_file=None)).python(group)  # type: ignore[call-arg]
    command = [str(PROJECT_ROOT / python), "-m", "ops.part"]
    environment = {"JISHI_VAR": str(tmp_path), "JISHI_PART": "forwarder", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False, env=environment, cwd=PROJECT_ROOT)
    assert (done.returncode, done.stdout) == (1, "no life sign yet\n"), done.stderr
    done = subprocess.run([*command, "nobody"], capture_output=True, text=True, check=False, env=environment, cwd=PROJECT_ROOT)
    assert "there is no part 'nobody'; there are kafka, collector, forwarder" in done.stderr
