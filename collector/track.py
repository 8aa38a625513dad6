"""What a page in a browser may do: send some types of events from another site, and fetch the tracker.

The key stands in the page, so whoever reads the page can send events with it. It therefore opens this address only, for what a
shopper may say; what the shop alone knows (the catalogue, refunds) is
quarantined, and orders are claims (jishi.contract.sender). The key travels in the address, because
``sendBeacon``, which alone survives the end of a page, cannot set headers; the body is text/plain for the same reason, which
also spares the browser a preflight request.
"""

from __future__ import annotations

from pathlib import Path

TRACKER = Path(__file__).parent / "tracker" / "jishi.js"

# Any site may try: the key says which ones may. No cookie is read or set, so there is nothing to allow credentials for.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type, Content-Encoding",
    "Access-Control-Expose-Headers": "Retry-After",
    "Access-Control-Max-Age": "86400",
}
