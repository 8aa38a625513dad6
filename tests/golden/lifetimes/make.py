"""Writes customers of the models' own process, with CDNOW's published parameters, and what PyPI's lifetimes makes of them.

    python -m venv V && V/bin/pip install lifetimes==0.11.3 && V/bin/python tests/golden/lifetimes/make.py

Run once with numpy 2.4.6, scipy 1.17.1 and pandas 3.1.1; lifetimes is no longer developed and no dependency of the project.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter

FOLDER = Path(__file__).parent
R, ALPHA, A, B = 0.243, 4.414, 0.793, 2.426  # Fader, Hardie and Lee 2005, in weeks
P, Q, V = 6.25, 3.74, 15.44  # Fader and Hardie 2013, in dollars
HORIZON = 39.0


def customers(count: int = 1500, seed: int = 3) -> pd.DataFrame:
    luck = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        age = luck.uniform(27, 39)
        rate, leave = luck.gamma(R, 1 / ALPHA), luck.beta(A, B)
        times, now = [], 0.0
        while True:
            now += luck.exponential(1 / rate)
            if now > age:
                break
            times.append(now)
            if luck.random() < leave:
                break
        amounts = luck.gamma(P, 1 / luck.gamma(Q, 1 / V), len(times))
        rows.append((len(times), times[-1] if times else 0.0, age, amounts.mean() if times else 0.0))
    return pd.DataFrame(rows, columns=["frequency", "recency", "age", "mean_amount"]).round(3)


def main() -> None:
    data = customers()
    data.to_csv(FOLDER / "customers.csv", index=False)
    of_times = BetaGeoFitter(penalizer_coef=0.0).fit(data["frequency"], data["recency"], data["age"])
    again = data[data["frequency"] > 0]
    of_amounts = GammaGammaFitter(penalizer_coef=0.0).fit(again["frequency"], again["mean_amount"])
    times = (data["frequency"], data["recency"], data["age"])
    answers = {
        "bg_nbd": of_times.params_.to_dict(),
        "gamma_gamma": of_amounts.params_.to_dict(),
        "horizon": HORIZON,
        "probability_alive": list(of_times.conditional_probability_alive(*times))[:200],
        "expected_purchases": list(of_times.conditional_expected_number_of_purchases_up_to_time(HORIZON, *times))[:200],
        "expected_amount": list(of_amounts.conditional_expected_average_profit(data["frequency"], data["mean_amount"]))[:200],
    }
    (FOLDER / "lifetimes.json").write_text(json.dumps(answers, default=float, indent=0) + "\n")


if __name__ == "__main__":
    main()
