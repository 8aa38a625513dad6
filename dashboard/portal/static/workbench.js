"use strict";
// Embeds a board of Superset's, in the layout that fits the window, and brings it a new guest token before the last runs out.

document.addEventListener("DOMContentLoaded", async () => {
  const place = document.getElementById("workbench");
  const failed = document.getElementById("workbench-error");
  const phone = window.matchMedia("(max-width: 700px)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  async function guestToken() {
    const body = new URLSearchParams({ form_token: place.dataset.formToken });
    const answer = await fetch(place.dataset.token, { method: "POST", body, redirect: "manual" });
    if (answer.type === "opaqueredirect") { location.reload(); throw new Error("logged out"); }
    if (!answer.ok) throw new Error(`no token: ${answer.status}`);
    failed.hidden = true;
    return (await answer.json()).token;
  }
  const fetchGuestToken = () => guestToken().catch((error) => { failed.hidden = false; throw error; });

  let board;
  async function embed() {
    board?.unmount();
    board = await supersetEmbeddedSdk.embedDashboard({
      id: phone.matches ? place.dataset.phoneBoard : place.dataset.board,
      supersetDomain: place.dataset.superset, mountPoint: place, fetchGuestToken, iframeTitle: place.dataset.title,
      dashboardUiConfig: { hideTitle: true, filters: { visible: true, expanded: false }, urlParams: { _l_: place.dataset.language } },
      referrerPolicy: "strict-origin",
    });
    board.setThemeMode(dark.matches ? "dark" : "default");
  }
  phone.addEventListener("change", embed);
  dark.addEventListener("change", () => board?.setThemeMode(dark.matches ? "dark" : "default"));
  document.body.addEventListener("htmx:beforeSwap", () => board?.unmount());
  await embed();
});
