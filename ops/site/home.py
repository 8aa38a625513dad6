"""The home page: where board, Airflow, API, live events and notebooks are, and what runs on which port; Chinese and English."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import Settings
from ops.airflow import write_secrets
from ops.parts import Part, parts
from ops.site.notebook_titles import notebook_title
from ops.site.templates import render

_ANY_HOST = {"0.0.0.0", "::", ""}


class Words(NamedTuple):
    """A text in Chinese and English."""

    zh: str
    en: str


class HomeCard(NamedTuple):
    """Something that runs or lies on the site. Without ``url`` it is not there yet; ``port`` is that of another part."""

    url: str | None
    port: int | None
    title: Words
    about: Words


PARTS = {
    "kafka": Words("事件日志", "event log"),
    "collector": Words("接收事件", "takes events"),
    "forwarder": Words("把已确认的事件送入日志", "brings acknowledged events into the log"),
    "flink": Words("实时特征，写入湖", "live features, appends to the lake"),
    "feature_writer": Words("把特征写入在线存储", "writes features to the online store"),
    "serving": Words("推荐接口", "recommendations"),
    "portal": Words("商家后台", "the merchant's portal"),
    "airflow-api": Words("调度：网页与接口", "scheduling: page and API"),
    "airflow-scheduler": Words("调度：启动任务", "scheduling: starts tasks"),
    "airflow-dags": Words("调度：读取 DAG", "scheduling: reads DAGs"),
    "airflow-triggerer": Words("调度：等待与告警", "scheduling: waits for tasks, and tells of missed deadlines"),
    "superset": Words("看板", "board"),
    "exporter": Words("供 Prometheus 读取的平台指标", "the platform's metrics, for Prometheus"),
    "site": Words("本页与静态页面", "this page and static pages"),
}


def write_home(settings: Settings, paths: Paths) -> Path:
    """Write the page, with links to what lies on the site now; called at the start and whenever a page is added."""
    write_secrets(paths)  # the parts' declarations read them
    page = paths.site / "index.html"
    rows = [_row(part, settings) for part in parts(settings, paths)]
    write_atomically(page, render("home.html", cards=_cards(settings, paths), rows=rows, var=paths.var))
    return page


def _cards(settings: Settings, paths: Paths) -> list[HomeCard]:
    live, schemas = settings.collector_port, settings.collector_port
    cards = [
        HomeCard(
            _url(settings, settings.portal_port, "/"),
            settings.portal_port,
            Words("商家后台", "Portal"),
            Words(
                "今日、流量、顾客、商品；jishi portal users add 添加成员",
                "a shop's numbers; jishi portal users add lets people in",
            ),
        ),
        HomeCard(
            _url(settings, settings.superset_port, "/superset/dashboard/jishi-today/"),
            settings.superset_port,
            Words("看板", "Board"),
            Words("订单、营业额、退款、漏斗", "orders, revenue, refunds, funnel"),
        ),
        HomeCard(
            _url(settings, settings.airflow_port, "/"),
            settings.airflow_port,
            Words("Airflow", "Airflow"),
            Words("每日任务与历史导入", "daily runs and histories"),
        ),
        HomeCard(
            _url(settings, settings.serving_port, "/docs"),
            settings.serving_port,
            Words("推荐接口", "Recommendation API"),
            Words("文档与试用", "documentation, with a form to try it"),
        ),
        HomeCard(
            _url(settings, settings.serving_port, "/storefront"),
            settings.serving_port,
            Words("试用店面", "Storefront"),
            Words(
                "点一点，看列表与理由的变化；由 JISHI_STOREFRONT_KEYS 开放",
                "click and see lists change; JISHI_STOREFRONT_KEYS opens it",
            ),
        ),
        HomeCard(
            _url(settings, live, "/v1/live"),
            live,
            Words("实时事件", "Live events"),
            Words("店铺最近 100 个事件与修改建议", "a shop's last 100 events, with fixes"),
        ),
        HomeCard(
            _url(settings, schemas, "/v1/schemas"),
            schemas,
            Words("事件格式", "Event schemas"),
            Words("每种事件的 JSON Schema", "JSON Schema of each event"),
        ),
        HomeCard(
            _url(settings, settings.flink_port, "/"),
            settings.flink_port,
            Words("Flink", "Flink"),
            Words("流作业", "the stream's job"),
        ),
    ]
    if (paths.site / "dictionary" / "index.html").exists():
        about = Words(
            "每个数据集、列与指标：含义、公式、来源、负责", "every mart, column and metric: meaning, formula, lineage, owner"
        )
        cards.append(HomeCard("/dictionary/", None, Words("数据字典", "Data dictionary"), about))
    if (paths.site / "dbt" / "index.html").exists():
        cards.append(
            HomeCard(
                "/dbt/",
                None,
                Words("dbt", "dbt"),
                Words("工程师用：模型、测试、血缘图", "for engineers: models, tests, graph"),
            )
        )
    cards.append(
        HomeCard(
            _url(settings, settings.jupyter_port, "/lab"),
            settings.jupyter_port,
            Words("Jupyter", "Jupyter"),
            Words("运行 jishi notebook 期间", "while jishi notebook runs"),
        )
    )
    pages = sorted((paths.site / "notebooks").rglob("*.html"))
    for page in pages:
        title = notebook_title(page.stem)
        of_shop = page.parent.name if page.parent != paths.site / "notebooks" else ""
        about = Words(f"已运行的笔记本 {of_shop}", f"an executed notebook {of_shop}")
        cards.append(HomeCard(f"/{page.relative_to(paths.site)}", None, Words(title.zh, title.en), about))
    if not pages:
        cards.append(
            HomeCard(
                None,
                None,
                Words("笔记本", "Notebooks"),
                Words(
                    "jishi notebook publish --shop 店铺 之后出现在这里", "appear here after jishi notebook publish --shop SHOP"
                ),
            )
        )
    return cards


def _row(part: Part, settings: Settings) -> tuple[str, str, Words]:
    port = settings.flink_port if part.name == "flink" else part.port
    return part.name, f"{settings.host}:{port}" if port else "–", PARTS.get(part.name, Words("", ""))


def _url(settings: Settings, port: int, path: str) -> str:
    host = "127.0.0.1" if settings.host in _ANY_HOST else settings.host
    return f"http://{host}:{port}{path}"
