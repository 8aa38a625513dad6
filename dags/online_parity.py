"""
### online_parity

Compares a sample of the feature values that serving used on one UTC date with what the log of that date says, and fails when
too many values of a feature were wrong.

It follows `daily`: when bronze has all of a day, it is that day's turn. For another day trigger it with `date`; a day may be
compared again at any time and replaces its rows in the lake table `features/online_parity`.
"""

from __future__ import annotations

from airflow.sdk import DAG, PartitionedAssetTimetable
from callbacks import done_within
from steps import BRONZE, DATE, DAY, OWNER, compare_online

with DAG(
    dag_id="online_parity",
    schedule=PartitionedAssetTimetable(assets=BRONZE),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=done_within(2),
    tags=["jishi", "quality"],
    doc_md=__doc__,
    params={"date": DATE},
    default_args={"owner": OWNER},
) as dag:
    compare_online(DAY)
