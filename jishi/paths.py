"""Where everything lies below ``var/`` and ``.envs/``. No other module joins these names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jishi.settings import PROJECT_ROOT, Settings


@dataclass(frozen=True)
class Paths:
    """Folders and files of one platform; ``var`` is the only folder that a running platform writes to."""

    var: Path
    envs: Path

    @classmethod
    def of(cls, settings: Settings) -> Paths:
        """The layout below the settings' folders."""
        return cls(var=settings.var, envs=settings.envs)

    # --- environments and fetched jars (kept between runs) ---
    @property
    def jars(self) -> Path:
        """Jars fetched by Ivy, a folder for each use (``ops.jars``)."""
        return self.envs / "jars"

    @property
    def spark_class_archive(self) -> Path:
        """Classes of Spark's JVM, parsed and verified at set-up (``ops.class_archive``); absent where Java has no archive."""
        return self.envs / "class-archives" / "spark.jsa"

    @property
    def read_project(self) -> Path:
        """What dbt read of its project, a folder for each kind of database (``ops.dbt``)."""
        return self.envs / "dbt"

    @staticmethod
    def main_python() -> Path:
        """Interpreter of the main environment."""
        return PROJECT_ROOT / ".venv" / "bin" / "python"

    def python(self, group: str) -> Path:
        """Interpreter of one environment: ``main``, ``flink``, ``airflow``, ``superset`` or ``jupyter``."""
        return self.main_python() if group == "main" else self.envs / group / "bin" / "python"

    # --- state ---
    @property
    def run(self) -> Path:
        """Sockets, pid files and generated configuration of the supervisor."""
        return self.var / "run"

    @property
    def beats(self) -> Path:
        """Life signs of parts (``jishi.heartbeat``)."""
        return self.var / "beats"

    @property
    def log(self) -> Path:
        """Log files, one a part."""
        return self.var / "log"

    @property
    def formats(self) -> Path:
        """Numbers of the forms in which the state lies here (``ops.formats``)."""
        return self.var / "formats.json"

    @property
    def upgrades(self) -> Path:
        """What the newest upgrade has put aside before it began."""
        return self.var / "upgrade"

    @property
    def shops_file(self) -> Path:
        """Registry of shops with hashed keys (``jishi.shops``)."""
        return self.var / "shops.json"

    @property
    def rules(self) -> Path:
        """Rules of recommendations, ``<shop_id>/<version>.json`` (``jishi.rules.versions``)."""
        return self.var / "rules"

    @property
    def preview_secret(self) -> Path:
        """What passes to preview rules are signed with (``jishi.rules.preview_passes``, mode 0600)."""
        return self.var / "serving" / "preview_secret"

    @property
    def fx_rates(self) -> Path:
        """The newest exchange rates of each shop, a file a shop (``jishi.fx_rates``)."""
        return self.var / "fx_rates"

    @property
    def client_keys_file(self) -> Path:
        """Plain keys of the shops that ``jishi`` itself created, for its own clients (mode 0600); a real shop keeps its own."""
        return self.var / "demo" / "keys.json"

    @property
    def wal(self) -> Path:
        """The collector's write-ahead segments and the forwarder's position."""
        return self.var / "wal"

    @property
    def kafka(self) -> Path:
        """Data of the embedded broker."""
        return self.var / "kafka"

    @property
    def flink(self) -> Path:
        """Checkpoints and configuration of the Flink job."""
        return self.var / "flink"

    @property
    def lake(self) -> Path:
        """Root of the lake's published tables (``jishi.lake``)."""
        return self.var / "lake"

    @property
    def lake_catalog(self) -> Path:
        """The lake's catalog where it is the embedded one (``jishi.lake.catalog``)."""
        return self.lake / "catalog.db"

    @property
    def history(self) -> Path:
        """Event files brought from elsewhere: ``<shop_id>/events-*.jsonl`` and ``manifest.json``."""
        return self.var / "landing" / "history"

    @property
    def unlinks(self) -> Path:
        """What was taken back of the links between devices and users (``jishi.unlinks``)."""
        return self.var / "identity" / "unlinks.jsonl"

    @property
    def pseudonym_secret(self) -> Path:
        """What pseudonyms of persons are made with (``jishi.pseudonyms``, mode 0600)."""
        return self.var / "identity" / "pseudonym_secret"

    @property
    def unreadable(self) -> Path:
        """Values of the event log that are no records, with their position, as the Flink job found them."""
        return self.var / "landing" / "unreadable"

    @property
    def warehouse(self) -> Path:
        """Working DuckDB file of dbt."""
        return self.var / "warehouse"

    @property
    def marts_files(self) -> Path:
        """The marts of each build, ``<version>-<checksum>.duckdb``; the lake's versions name theirs."""
        return self.warehouse / "marts"

    @property
    def marts(self) -> Path:
        """Link to the newest marts for those who want one path, as Superset does."""
        return self.warehouse / "marts.duckdb"

    @property
    def features(self) -> Path:
        """Feast registry and embedded online store."""
        return self.var / "features"

    @property
    def served_values(self) -> Path:
        """Feature values that serving used, ``<UTC date>/<process>.jsonl`` (``jishi.features.served``)."""
        return self.var / "serving" / "served_values"

    @property
    def served_decisions(self) -> Path:
        """The decision log of serving, ``<UTC date>/<process>.jsonl`` and ``….sample.jsonl`` (``serving.decisions``)."""
        return self.var / "serving" / "decisions"

    @property
    def served_catalogues(self) -> Path:
        """The catalogues that logged answers were made from, ``<shop_id>/`` (``serving.kept_catalogues``)."""
        return self.var / "serving" / "catalogues"

    @property
    def models(self) -> Path:
        """Model artefacts and releases, ``<shop_id>/``."""
        return self.var / "models"

    @property
    def operator_alerts(self) -> Path:
        """What operators were told, a problem a line (``dashboard.operators``)."""
        return self.log / "operators.jsonl"

    @property
    def runs(self) -> Path:
        """Ledgers of runs over shops, ``<run id>/<job>.jsonl`` (``jishi.shop_runs``)."""
        return self.var / "runs"

    @property
    def gates(self) -> Path:
        """Shops whose tables a gate refused, and what people have accepted (``jishi.held_back``)."""
        return self.var / "gates"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.var / "airflow"

    @property
    def superset(self) -> Path:
        """SUPERSET_HOME."""
        return self.var / "superset"

    @property
    def portal_database(self) -> Path:
        """The portal's people, sessions and audit log (SQLite)."""
        return self.var / "portal" / "portal.db"

    @property
    def digests(self) -> Path:
        """Weekly digests, ``<shop_id>/<Monday>-<language>.html``."""
        return self.var / "digests"

    @property
    def alerts(self) -> Path:
        """Alerts, ``<shop_id>/<day>-<rule>-<language>.txt``."""
        return self.var / "alerts"

    @property
    def demo(self) -> Path:
        """What ``jishi demo`` leaves for people: summary and reports."""
        return self.var / "demo"

    @property
    def jupyter(self) -> Path:
        """Token, kernel and settings of ``jishi notebook``."""
        return self.var / "jupyter"

    @property
    def site(self) -> Path:
        """Static pages served on ``docs_port``: ``dictionary/``, ``dbt/``, ``notebooks/``."""
        return self.var / "site"
