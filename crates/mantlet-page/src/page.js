// The page is whole without this. It adds: what changes by itself, buttons that copy, one question at a time.
"use strict";

(() => {
  const seconds = Number(document.currentScript.dataset.live || 0);

  const button = (text, press) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "plain";
    made.textContent = text;
    made.addEventListener("click", () => press(made));
    return made;
  };

  const addCopyButtons = (within) => {
    if (!navigator.clipboard) return;
    for (const pre of within.querySelectorAll("pre.copy")) {
      if (pre.parentElement.className === "copied") continue;
      const box = document.createElement("div");
      box.className = "copied";
      pre.replaceWith(box);
      const text = pre.dataset.text || pre.textContent;
      box.append(pre, button("Copy", async (made) => {
        await navigator.clipboard.writeText(text);
        made.textContent = "Copied";
        setTimeout(() => { made.textContent = "Copy"; }, 2000);
      }));
    }
  };
  addCopyButtons(document);

  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.("details.ask") || !event.target.open) return;
    for (const other of document.querySelectorAll("details.ask[open]")) {
      if (other !== event.target) other.open = false;
    }
  }, true);

  if (!seconds) return;

  let isPaused = false;
  const live = document.getElementById("live");
  live.querySelector("a").replaceWith(button("Pause", (made) => {
    isPaused = !isPaused;
    made.textContent = isPaused ? "Go on" : "Pause";
    made.setAttribute("aria-pressed", String(isPaused));
  }));

  // What a person reads with a cursor, or is about to do, is not taken from under their hands.
  const isBusy = (part) =>
    part.contains(document.activeElement)
    || part.querySelector("details.ask[open]")
    || (!getSelection().isCollapsed && part.contains(getSelection().anchorNode));

  const renew = (old, part) => {
    for (const open of old.querySelectorAll("details[open][id]")) {
      const same = part.querySelector(`details[id="${CSS.escape(open.id)}"]`);
      if (same) same.open = true;
    }
    addCopyButtons(part);
    if (old.innerHTML === part.innerHTML && old.className === part.className) return;
    const places = Array.from(old.querySelectorAll(".scroll"), (one) => one.scrollLeft);
    old.replaceWith(part);
    part.querySelectorAll(".scroll").forEach((one, at) => { one.scrollLeft = places[at] || 0; });
  };

  const partsOf = (view) => Array.from(view.querySelectorAll("[data-part][id]"), (part) => part.id).join(" ");

  // If other parts are there than before, such as a sentence in place of figures, nothing of before stays.
  const renewView = (next) => {
    const [old, view] = [document.getElementById("view"), next.getElementById("view")];
    const parts = partsOf(view);
    if (parts === "" || parts !== partsOf(old)) {
      const fresh = document.importNode(view, true);
      addCopyButtons(fresh);
      if (old.innerHTML !== fresh.innerHTML) old.replaceWith(fresh);
    }
    for (const part of next.querySelectorAll("[data-part][id]")) {
      const same = document.getElementById(part.id);
      // Why there is nothing is said also to a person who is about to act on what there was.
      const isNote = part.querySelector(":scope > .note") !== null;
      if (same && (isNote || !isBusy(same))) renew(same, document.importNode(part, true));
    }
  };

  let isOver = false;
  // Another program may get the port after this: it is asked nothing, and what it says is not shown.
  const end = () => {
    isOver = true;
    document.body.classList.add("stale");
    const app = document.getElementById("app");
    app.className = "pill unknown";
    app.textContent = "Not known whether the app responds";
    live.querySelector("button")?.remove();
    document.getElementById("when").textContent =
      `Not live: mantlet open does not answer any more. What stands here is of ${seenAt} UTC`;
  };

  let seenAt = live.dataset.at;
  const look = async () => {
    if (isPaused || document.hidden) return;
    let text = "";
    try {
      const response = await fetch(location.href, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(60_000) });
      if (!response.ok) throw new Error(String(response.status));
      text = await response.text();
    } catch {
      end();
      return;
    }
    const next = new DOMParser().parseFromString(text, "text/html");
    const nextLive = next.getElementById("live");
    if (!nextLive || nextLive.dataset.run !== live.dataset.run) {
      end();
      return;
    }
    seenAt = nextLive.dataset.at;
    renewView(next);
  };

  const again = () => setTimeout(async () => { await look(); if (!isOver) again(); }, seconds * 1000);
  again();
})();
