"""Build many shops in one Spark job so that a shop that fails is that shop's failure.

All shops are built together, which is what makes a job of many small shops cheap. If that fails, what it wrote is taken back
and each half is built by itself, down to the shop that fails.
"""

from __future__ import annotations

from collections.abc import Callable

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from jishi.shops import UnknownShop
from spark_jobs.audits import AuditFailed
from spark_jobs.publication import Publication

# What a shop's own rows can cause; anything else ends the job.
FAILURES = (AuditFailed, UnknownShop, PySparkException, Py4JJavaError)
# A worker that died had the only copy of an intermediate result, which concerns no shop: all is built again, so many times.
LOST, LOST_TRIES = "CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND", 2


def build_shops(
    publication: Publication,
    shops: list[str],
    build: Callable[[list[str]], None],
    report: Callable[[str], None],
    lost_tries: int = LOST_TRIES,
) -> dict[str, Exception]:
    """Call ``build`` with the shops, or with parts of them while it fails; returns the shops that failed, and why.

    ``build`` writes to the branches of ``publication``; of what a failed call wrote nothing stays there.
    Shops whose intermediate result was lost with a worker are built again, ``lost_tries`` times.
    """
    if not shops:
        return {}
    savepoint = publication.savepoint()
    try:
        build(shops)
    except FAILURES as error:
        publication.restore(savepoint)
        if lost_tries and LOST in str(error):
            report("a worker died with an intermediate result; building again")
            return build_shops(publication, shops, build, report, lost_tries - 1)
        if len(shops) == 1:
            report(f"shop {shops[0]} failed and keeps its old rows: {reason(error)}")
            return {shops[0]: error}
        middle = len(shops) // 2
        report(f"{len(shops)} shops failed together; looking for the one that does: {reason(error)}")
        return {
            shop: why
            for part in (shops[:middle], shops[middle:])
            for shop, why in build_shops(publication, part, build, report, lost_tries).items()
        }
    return {}


def reason(error: Exception) -> str:
    """A failure in one line; of a Java error the innermost message."""
    if isinstance(error, Py4JJavaError):
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        return str(cause.toString()).splitlines()[0]
    return str(error.args[0] if error.args else error).splitlines()[0]
