// The page's language, and "Try it": sends what the form says to this server and shows the answer.
"use strict";
const root = document.documentElement;
const choose = (language) => { root.lang = language; };
choose((new URLSearchParams(location.search).get("lang") || navigator.language).startsWith("zh") ? "zh-CN" : "en");
document.getElementById("language").addEventListener("click", () => choose(root.lang === "en" ? "zh-CN" : "en"));
for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const headers = {}, query = new URLSearchParams(), result = form.nextElementSibling;
    let path = form.dataset.path;
    for (const input of form.querySelectorAll("input")) {
      const value = input.value.trim();
      if (!value) continue;
      if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(value));
      else if (input.dataset.in === "header") headers[input.name] = value;
      else for (const part of value.split(",")) query.append(input.name, part.trim());
    }
    const body = form.querySelector("textarea")?.value;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const url = path + (query.size ? `?${query}` : "");
    result.hidden = false;
    try {
      const answer = await fetch(url, { method: form.dataset.method, headers, body });
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it came */ }
      result.textContent = `${form.dataset.method} ${url}\n${answer.status}\n\n${shown}`;
    } catch (error) {
      result.textContent = String(error);
    }
  });
}
