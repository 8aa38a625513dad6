"""Two thousand made-up lines in the shape of UCI Online Retail: guests, cancellations of every kind, write-offs, odd prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

Line = tuple[str, str, int, datetime, float, int | None]
COLUMNS = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
CUSTOMERS, DAYS, LINES = 140, 150, 2000
START = datetime(2011, 2, 1)  # noqa: DTZ001 (the file's times have no zone; the clocks of London go forward in these months)


def retail_lines(seed: int = 3) -> pd.DataFrame:
    """The rows in the order of time, with the columns and types of the real file."""
    luck = np.random.default_rng(seed)
    invoices = sorted((at, number) for number, at in enumerate(_times(luck)))
    rows: list[Line] = []
    bought: list[Line] = []
    for position, (at, _) in enumerate(invoices):
        if len(rows) >= LINES:
            break
        document = str(536_365 + position)
        if position % 9 == 8 and bought:
            rows += _cancelled(luck, f"C{document}", at, bought)
        elif position % 40 == 11:
            rows.append((document, "DAMAGED", -int(luck.integers(1, 90)), at, 0.0, None))
        elif position % 90 == 30:
            rows.append((f"A{document}", "B", 1, at, -1106.26, None))
        else:
            lines = list(_sold(luck, document, at))
            rows += lines
            bought += lines
    frame = pd.DataFrame(rows[:LINES], columns=COLUMNS)
    return frame.astype({"CustomerID": "Int64", "InvoiceDate": "datetime64[us]"})


def _times(luck: np.random.Generator) -> Iterator[datetime]:
    """Shops are open from seven to twenty; the minutes are whole, and two invoices may share one."""
    for _ in range(900):
        yield START + timedelta(days=int(luck.integers(DAYS)), hours=int(luck.integers(7, 20)), minutes=int(luck.integers(60)))


def _sold(luck: np.random.Generator, document: str, at: datetime) -> Iterator[Line]:
    """One invoice. A few customers buy most, a fifth are guests; a line may stand there twice, and cost nothing or a mil."""
    customer = None if luck.random() < 0.2 else 12_346 + int(CUSTOMERS * luck.random() ** 3)
    for number in range(int(luck.integers(1, 6))):
        price = float(luck.choice([0.0, 0.001, 0.29, 0.85, 1.25, 2.1, 4.95, 12.75, 165.0]))
        line = document, f"{20_000 + int(luck.integers(40))}A", int(luck.integers(1, 25)), at, price, customer
        yield line
        if number == 0 and luck.random() < 0.1:
            yield line


def _cancelled(luck: np.random.Generator, document: str, at: datetime, bought: list[Line]) -> Iterator[Line]:
    """One cancellation: of a line in part or in whole, of a whole order, at another price, by a guest, or of nothing."""
    order_id = bought[int(luck.integers(len(bought)))][0]
    whole = [line for line in bought if line[0] == order_id]
    _, code, quantity, _, price, customer = whole[0]
    match int(luck.integers(6)):
        case 0:
            yield document, code, -max(1, quantity // 2), at, price, customer
        case 1:
            yield document, code, -quantity, at, price, customer
        case 2:
            for line in whole:
                yield document, line[1], -line[2], at, line[4], line[5]
        case 3:
            yield document, code, -quantity, at, price + 400, customer
        case 4:
            yield document, code, -1, at, max(price, 0.01), None
        case _:
            yield document, "M", -1, at, 9.99, customer
