"""The demo's shops: registered, with keys that go to the demo's own clients only, and owners who are invited to the portal."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

from jishi.files import write_atomically, write_json
from jishi.paths import Paths
from jishi.settings import OWN_FILE, PROJECT_ROOT
from jishi.shops import Right, Shop, Shops
from ops.demo.options import JOURNEY, SIMULATED, DemoFailed
from ops.demo.processes import part

# First users of each simulated shop; the storefront shows those who have bought.
SHOPPERS = tuple(f"u{number:05d}" for number in range(20))


@dataclass(frozen=True)
class Keys:
    """Plain keys of one shop."""

    write: str
    read: str
    track: str


def register(paths: Paths, shop_ids: tuple[str, ...]) -> dict[str, Keys]:
    """Register the shops and issue keys where the clients have none yet. Returns the keys by shop."""
    shops = Shops.load(paths.shops_file)
    known: dict[str, dict[str, str]] = {}
    if paths.client_keys_file.exists():
        known = json.loads(paths.client_keys_file.read_text(encoding="utf-8"))
    simulated = {shop.shop_id: shop for shop in SIMULATED}
    rights: tuple[Right, ...] = ("write", "read", "track")
    for shop_id in shop_ids:
        if shop_id == JOURNEY:
            shops.add(Shop(shop_id=JOURNEY, name="Complete Journey (2017)", time_zone="UTC", currency="USD"))
        else:
            shop = simulated[shop_id]
            shops.add(Shop(shop_id=shop_id, name=shop.name, time_zone=shop.time_zone, currency=shop.currency))
        held = known.setdefault(shop_id, {})
        for right in rights:
            if right not in held or shops.shop_of_key(held[right], right) is None:
                held[right] = shops.issue_key(shop_id, right)
    shops.save(paths.shops_file)
    write_json(paths.client_keys_file, known)
    os.chmod(paths.client_keys_file, 0o600)
    return {shop_id: Keys(**known[shop_id]) for shop_id in shop_ids}


def open_storefronts(paths: Paths, keys: dict[str, Keys]) -> None:
    """Note in the platform's own settings, which every process reads now and after ``jishi down`` and ``up``, that the shops'
    storefronts are open, with simulated shoppers whom a visitor may be.
    """
    settings = {
        "JISHI_STOREFRONT_KEYS": ",".join(each.track for each in keys.values()),
        "JISHI_STOREFRONT_SHOPPERS": ",".join(SHOPPERS),
    }
    lines = ["# Set by the demo; JISHI_ variables and .env come first.", *(f"{key}={text}" for key, text in settings.items())]
    write_atomically(paths.var / OWN_FILE, "\n".join(lines) + "\n")


def invitation(paths: Paths, shop_id: str) -> str:
    """A one-time link by which an owner of the shop enters the portal. Raises DemoFailed."""
    command = part(paths, "dashboard.portal", "users", "add", f"owner.{shop_id}", "--shop", shop_id)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    if done.returncode != 0:
        raise DemoFailed(f"nobody could be invited to the portal of {shop_id}: {done.stderr.strip()}")
    return done.stdout.strip()
