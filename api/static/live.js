// Live updates: when the exchange says something of ours changed, fetch this page's list again and swap it in.
// Never takes the focus and never replaces a form in use; without this script the page has a Refresh link.
(() => {
  "use strict";
  const region = document.querySelector("[data-live]");
  const status = document.querySelector("[data-live-status]");
  if (!region || !status || !window.EventSource) return;

  const FIRST_WAIT = 1000, LONGEST_WAIT = 60000, GATHER = 400;
  let source = null, wait = FIRST_WAIT, timer = 0, retry = 0, quiet = 0, fetching = false, again = false, due = false;

  const say = (words) => { if (status.textContent !== words) status.textContent = words; };

  // In use: the focus is inside, something is opened, or a field was changed.
  const inUse = () =>
    region.contains(document.activeElement) ||
    region.querySelector("details[open] form, dialog[open]") !== null ||
    [...region.querySelectorAll("input:not([type=hidden]), textarea, select")].some((field) =>
      field.type === "radio" || field.type === "checkbox" ? field.checked !== field.defaultChecked
        : field.tagName === "SELECT" ? [...field.options].some((o) => o.selected !== o.defaultSelected)
          : field.value !== field.defaultValue);

  const opened = () => [...region.querySelectorAll("details[open][id]")].map((d) => d.id);

  function swap(html) {
    const keep = opened();
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    region.replaceChildren(fresh.content);
    keep.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    say(status.dataset.updated);
    clearTimeout(quiet);
    quiet = setTimeout(() => say(""), 8000);
  }

  async function refresh() {
    if (fetching) { again = true; return; }
    if (inUse()) {
      due = true;
      say(status.dataset.waiting);
      return;
    }
    fetching = true;
    due = again = false;
    try {
      const answer = await fetch(location.href, {
        headers: { "X-Fragment": "1" }, credentials: "same-origin", cache: "no-store", redirect: "manual",
      });
      if (answer.ok) {
        const html = await answer.text();
        if (inUse()) { due = true; say(status.dataset.waiting); } else swap(html);
      } else if (answer.type === "opaqueredirect" || answer.status === 401) {
        close();
        say(status.dataset.ended);
      }
    } catch {
      due = true;
      say(status.dataset.lost);
    } finally {
      fetching = false;
      if (again) soon();
    }
  }

  const soon = () => { clearTimeout(timer); timer = setTimeout(refresh, GATHER); };
  const close = () => { clearTimeout(retry); source?.close(); source = null; };

  function open() {
    close();
    source = new EventSource("/v1/events/stream");
    source.onopen = () => { if (wait > FIRST_WAIT) soon(); wait = FIRST_WAIT; };
    source.onerror = () => {
      close();
      say(status.dataset.lost);
      if (wait > FIRST_WAIT) soon();
      retry = setTimeout(open, wait + Math.random() * 500);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    };
    for (const name of ["referral", "overflow"]) source.addEventListener(name, soon);
  }

  region.addEventListener("focusout", () => { if (due) soon(); });
  // A page nobody looks at holds no connection: browsers allow only six to one host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else { open(); soon(); }
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) { open(); soon(); } });
  if (!document.hidden) open();
})();
