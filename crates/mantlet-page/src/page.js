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

  const look = async () => {
    if (isPaused || document.hidden) return;
    const when = document.getElementById("when");
    try {
      const response = await fetch(location.href, { cache: "no-store", redirect: "error" });
      if (!response.ok) throw new Error(String(response.status));
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const part of next.querySelectorAll("[data-part][id]")) {
        const old = document.getElementById(part.id);
        if (old && !isBusy(old)) renew(old, document.importNode(part, true));
      }
    } catch {
      when.textContent = "Not live: `mantlet open` does not answer";
    }
  };

  const again = () => setTimeout(async () => { await look(); again(); }, seconds * 1000);
  again();
})();
