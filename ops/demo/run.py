"""The demo's steps in their order; each is timed, and a failure names its step and the log to read."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console
from rich.status import Status

from jishi.command_line import KEY_VARIABLE
from jishi.lake.live import LiveTail
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.rules.preview_client import PreviewClient
from jishi.settings import PROJECT_ROOT, Settings
from ops.demo import loop, showcase, summary
from ops.demo.airflow_api import FINISHED, AirflowApi, TaskState
from ops.demo.drain import wait_until_archived
from ops.demo.options import JOURNEY, STEPS, DemoFailed, DemoOptions, DemoShop
from ops.demo.processes import DemoJob, beside, part, run, run_together
from ops.demo.tenants import SHOPPERS, Keys, invitation, open_storefronts, register
from ops.parts import giving_way
from ops.state import NotOurState, claim, empty


class Stop(Exception):
    """The step that ``--stop-after`` names is done."""


@dataclass
class Demo:
    """One run of the demo."""

    options: DemoOptions
    settings: Settings
    console: Console
    steps_s: dict[str, float] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Derive the places."""
        self.paths = Paths.of(self.settings)
        self.keys: dict[str, Keys] = {}
        self.held: list[str] = []

    def run(self) -> None:
        """All steps. Raises DemoFailed at the first that fails."""
        bodies: dict[str, Callable[[], None]] = {
            "environments": self._environments,
            "platform": self._platform_and_history,
            "pipeline": self._pipeline,
            "live": self._live,
            "loop": self._loop,
            "daily": self._daily,
            "summary": self._summary,
        }
        assert set(bodies) | {"history"} == set(STEPS)
        try:
            for name, body in bodies.items():
                with self._step(name):
                    body()
            self._finish()
        except Stop:
            self.console.print(f"stopped after {self.options.stop_after}, as asked; the platform runs, make down stops it")
        finally:  # a demo that failed leaves no schedule off, either
            self._release()

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.console.rule(f"[bold]{name}", align="left")
        began = time.monotonic()
        yield
        self.steps_s[name] = round(time.monotonic() - began, 1)
        self.console.print(f"[green]✓ {name}[/] {self.steps_s[name]:.1f} s")
        done = {"platform": "history"}.get(name, name)  # platform and history run side by side
        if self.options.stop_after in (name, done):
            raise Stop

    def _log(self, name: str) -> Any:
        return self.paths.log / f"demo-{name}.log"

    def _environments(self) -> None:
        try:
            claim(self.paths.var)
        except NotOurState as error:
            raise DemoFailed(str(error)) from None
        log = self._log("setup")
        run("locked environments and jars in sync", ["bash", str(PROJECT_ROOT / "scripts" / "setup")], log, self.console)
        jishi = [sys.executable, "-m", "ops.cli"]
        run("no platform of an earlier run left", [*jishi, "down"], log, self.console)
        if not self.options.keep:
            empty(self.paths.var)
        self.keys = register(self.paths, self.options.shops)
        open_storefronts(self.paths, self.keys)

    def _platform_and_history(self) -> None:
        jobs = [DemoJob("platform up", [sys.executable, "-m", "ops.cli", "up"], self._log("up"))]
        if not (self.options.keep and self.paths.history.exists()):
            jobs += self._history_jobs()
        run_together(jobs, self.console)

    def _history_jobs(self) -> list[DemoJob]:
        jobs = []
        if JOURNEY in self.options.shops:
            limit = self.options.journey_households
            arguments = ["journey", "--shop", JOURNEY, *(["--limit-households", str(limit)] if limit else [])]
            command = part(self.paths, "imports", *arguments)
            jobs.append(DemoJob("real history: Complete Journey", giving_way(command), self._log("journey")))
        for shop in self.options.simulated:
            command = part(self.paths, "simulator", *self._shop_arguments(shop), "--out", str(self.paths.history))
            jobs.append(DemoJob(f"simulated history: {shop.name}", giving_way(command), self._log(f"simulate-{shop.shop_id}")))
        return jobs

    def _spend_jobs(self) -> list[DemoJob]:
        """What the simulated shops spent on channels, before the marts are built that show what it returned."""
        jobs = []
        for shop in self.options.simulated:
            file = self.paths.history / "spend" / f"{shop.shop_id}.csv"
            command = part(self.paths, "imports", "spend", str(file), "--shop", shop.shop_id)
            jobs.append(DemoJob(f"spend on channels: {shop.name}", command, self._log(f"spend-{shop.shop_id}")))
        return jobs

    def _shop_arguments(self, shop: DemoShop) -> list[str]:
        """What makes a simulated shop the same one each time it is simulated: for its history and for its live traffic."""
        options = self.options
        return [
            *("--shop", shop.shop_id, "--users", str(options.users)),
            *("--days", str(options.days), "--seed", str(options.seed), "--until", options.until.isoformat()),
        ]

    def _airflow(self) -> AirflowApi:
        password = (self.paths.airflow / "admin_password").read_text(encoding="utf-8").strip()
        return AirflowApi(f"http://{self.settings.host}:{self.settings.airflow_port}", "admin", password)

    def _run_dag(self, dag_id: str, conf: dict[str, Any]) -> None:
        airflow = self._airflow()
        airflow.wait_for_dag(dag_id, timeout_s=90)
        with self.console.status("") as status:
            airflow.run(dag_id, conf, timeout_s=1200, watch=_Progress(dag_id, self.console, status))

    def _pipeline(self) -> None:
        from quality.reconcile import tables_checksum

        run_together(self._spend_jobs(), self.console)
        self.held = self._airflow().hold()  # what a schedule began would take the demo's processors
        self._run_dag("history", {"shops": list(self.options.shops)})
        self.result["tables_checksum"] = tables_checksum(self.settings)
        checksum, until = self.result["tables_checksum"], self.options.until.isoformat()
        self.console.print(f"  tables_checksum {checksum} (of --until {until})", highlight=False)

    def _release(self) -> None:
        """Give the DAGs back to their schedules."""
        held, self.held = self.held, []
        if held:
            self._airflow().release(held)

    def _live(self) -> None:
        jobs = []
        for shop in self.options.simulated:
            arguments = [*self._shop_arguments(shop), "--to", self._url("collector")]
            arguments += ["--rate", str(self.options.live_rate), "--seconds", str(self.options.live_seconds)]
            command = part(self.paths, "simulator", *arguments)
            key = {KEY_VARIABLE: self.keys[shop.shop_id].write}
            jobs.append(DemoJob(f"live traffic: {shop.name}", command, self._log(f"live-{shop.shop_id}"), key))
        run_together(jobs, self.console)

    def _loop(self) -> None:
        if not self.options.simulated:
            self.console.print("  no simulated shop asked for: nobody to click")
            return
        shop_id = self.options.simulated[0].shop_id
        keys = self.keys[shop_id]
        endpoints = loop.Endpoints(shop_id, self._url("collector"), self._url("serving"), keys.write, keys.read)
        delays = loop.prove(endpoints, open_version(self.settings), self.console)
        self.result |= {"loop_delay_s": round(delays.clicks_s, 3), "sold_out_delay_s": round(delays.sold_out_s, 3)}

    def _daily(self) -> None:
        # The docs say what the tables are, which no day changes; they are made while bronze's next files are waited for.
        with beside(DemoJob("dbt docs", part(self.paths, "ops.marts", "docs"), self._log("dbt-docs")), self.console):
            count = wait_until_archived(self.settings, self.console)
        self.console.print(f"  all {count:,} acknowledged live events are in bronze")
        for date in self._live_dates():
            self._run_dag("daily", {"date": date, "shops": [shop.shop_id for shop in self.options.simulated]})

    def _live_dates(self) -> list[str]:
        """UTC dates on which live events became known: two when the demo runs over midnight."""
        return [day.isoformat() for day in LiveTail(self.settings).dates()]

    def _summary(self) -> None:
        from quality.reconcile import reconcile

        command = part(self.paths, "ops.cli", "notebook", "publish", "shop_overview", "--shop", self._about)
        run("executed notebook", command, self._log("notebook"), self.console)
        with httpx.Client(base_url=self._url("serving"), timeout=10) as client:
            self.result["showcase"] = showcase.gather(
                client, PreviewClient(self.settings), self._about, self.keys[self._about].read, SHOPPERS
            )
        self.result["shops"] = {row.shop_id: asdict(row) | {"difference": row.difference} for row in reconcile(self.settings)}

    def _finish(self) -> None:
        """Switch schedules on, write and show the summary. Raises DemoFailed when a shop's events do not add up."""
        self._release()
        self.result |= {
            "models": summary.model_metrics(self.paths, self.options.shops),
            "steps_s": self.steps_s,
            "urls": self._urls(),
            "versions": summary.versions(self.paths),
            "options": asdict(self.options) | {"until": self.options.until.isoformat()},
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        summary.write(self.paths.demo / "summary.json", self.result)
        summary.show(self.console, self.result)
        for shop_id in self.options.shops[:2]:
            link = invitation(self.paths, shop_id)
            self.console.print(f"portal, as owner of {shop_id} (choose a password): {link}", highlight=False, soft_wrap=True)
        unequal = {shop_id: row["difference"] for shop_id, row in self.result["shops"].items() if row["difference"]}
        if unequal:
            raise DemoFailed(f"reconciliation: accepted − (silver + duplicates + quarantined) is not 0: {unequal}")

    @property
    def _about(self) -> str:
        """The shop that pages are about."""
        return self.options.simulated[0].shop_id if self.options.simulated else self.options.shops[0]

    def _url(self, name: str) -> str:
        ports = {"collector": self.settings.collector_port, "serving": self.settings.serving_port}
        return f"http://{self.settings.host}:{ports[name]}"

    def _urls(self) -> dict[str, str]:
        base, docs = f"http://{self.settings.host}", self.settings.docs_port
        return {
            "home": f"{base}:{docs}/",
            "portal": f"{base}:{self.settings.portal_port}/",
            "dashboard": f"{base}:{self.settings.superset_port}/superset/dashboard/jishi-today/",
            "recommendation_api": f"{base}:{self.settings.serving_port}/docs",
            "storefront": f"{base}:{self.settings.serving_port}/storefront/{self._about}",
            "airflow": f"{base}:{self.settings.airflow_port}/",
            "flink": f"{base}:{self.settings.flink_port}/",
            "dictionary": f"{base}:{docs}/dictionary/",
            "dbt_docs": f"{base}:{docs}/dbt/",
            "notebook": f"{base}:{docs}/notebooks/{self._about}/shop_overview.html",
        }


@dataclass
class _Progress:
    """Prints each task of a run when it ends, and shows below what is running."""

    dag_id: str
    console: Console
    status: Status
    printed: set[tuple[str, int]] = field(default_factory=set)

    def __call__(self, tasks: list[TaskState]) -> None:
        """Take the newest states."""
        for task in tasks:
            key = (task.task_id, task.map_index)
            if task.state not in FINISHED or key in self.printed:
                continue
            self.printed.add(key)
            mark = "[green]✓[/]" if task.state == "success" else f"[red]{task.state}[/]"
            self.console.print(f"  {mark} {self.dag_id}: {task.task_id} [dim]{task.seconds or 0:.0f} s[/]", highlight=False)
        running = ", ".join(task.task_id for task in tasks if task.state == "running")
        self.status.update(f"{self.dag_id}: {running or 'waiting for the scheduler'}")


def run_demo(options: DemoOptions, settings: Settings, console: Console) -> int:
    """Run the demo; the exit code: 0, or 1 after a sentence that says what failed."""
    try:
        Demo(options, settings, console).run()
    except DemoFailed as error:
        console.print(f"[bold red]demo failed:[/] {error}", highlight=False)
        return 1
    return 0
