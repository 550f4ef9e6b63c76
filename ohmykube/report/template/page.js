"use strict";
(() => {
  const all = (selector) => document.querySelectorAll(selector);
  const one = (selector) => document.querySelector(selector);
  const gantt = one(".gantt"), details = one("#details"), facts = details.querySelector("dl");
  all(".tools").forEach((tools) => { tools.hidden = false; });

  // A bar's details: everything it knows stands in its data.
  const close = () => {
    details.hidden = true;
    all(".bar[aria-current]").forEach((bar) => bar.removeAttribute("aria-current"));
  };
  const open = (bar) => {
    close();
    bar.setAttribute("aria-current", "true");
    const { name, node, phase, status, start, end, seconds } = bar.dataset;
    details.querySelector("h3").textContent = name;
    const within = phase === name ? "" : phase;
    const rows = { Node: node, Phase: within, Took: seconds, From: start, To: end, Result: status };
    if (bar.classList.contains("critical")) rows.Critical = "the run waited for it";
    facts.replaceChildren(...Object.entries(rows).filter(([, value]) => value).map(([title, value]) => {
      const row = document.createElement("div");
      for (const [tag, text] of [["dt", title], ["dd", value]]) {
        row.appendChild(document.createElement(tag)).textContent = text;
      }
      return row;
    }));
    details.hidden = false;
  };
  const bars = [...all(".gantt .bar")];
  gantt.addEventListener("click", (event) => {
    const bar = event.target.closest(".bar");
    if (bar) open(bar);
  });
  details.querySelector(".close").addEventListener("click", close);

  // Keys: one stop for Tab, arrows from bar to bar.
  bars.forEach((bar, index) => { bar.tabIndex = index ? -1 : 0; });
  const go = (from, to) => {
    if (!to) return;
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
    if (!details.hidden) open(to);
  };
  const shown = (lane) => lane.offsetParent !== null && lane.querySelector(".bar");
  const lanes = [...all(".gantt .lane")];
  gantt.addEventListener("keydown", (event) => {
    const bar = event.target.closest(".bar");
    if (!bar) return;
    const lane = bar.closest(".lane"), at = Number(bar.dataset.at);
    const near = (found) => found && [...found.querySelectorAll(".bar")].reduce((best, each) =>
      Math.abs(each.dataset.at - at) < Math.abs(best.dataset.at - at) ? each : best);
    const to = {
      ArrowLeft: () => bar.previousElementSibling,
      ArrowRight: () => bar.nextElementSibling,
      ArrowUp: () => near(lanes.slice(0, lanes.indexOf(lane)).filter(shown).pop()),
      ArrowDown: () => near(lanes.slice(lanes.indexOf(lane) + 1).find(shown)),
    }[event.key];
    if (!to) return;
    event.preventDefault();
    go(bar, to());
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });

  // Zoom keeps what is in the middle there.
  let zoom = 1;
  const axis = one(".axis .track"), whole = Number(axis.dataset.whole), first = Number(axis.dataset.step);
  const ticks = () => {
    // 1, 2 or 5 of a power of ten; as many on the screen as at first
    const least = first / zoom, power = 10 ** Math.floor(Math.log10(least) + 1e-9);
    const step = power * [1, 2, 5, 10].find((base) => base * power >= least * (1 - 1e-9));
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    axis.replaceChildren(...Array.from({ length: Math.ceil(whole / step) }, (_, number) => {
      const tick = document.createElement("span");
      tick.style.left = `${100 * number * step / whole}%`;
      tick.textContent = `${(number * step).toFixed(digits)} s`;
      return tick;
    }));
  };
  const scale = (factor) => {
    const middle = (gantt.scrollLeft + gantt.clientWidth / 2) / gantt.scrollWidth;
    zoom = Math.min(64, Math.max(1, zoom * factor));
    gantt.style.setProperty("--zoom", zoom);
    one("#zoom").textContent = `${zoom}×`;
    ticks();
    gantt.scrollLeft = middle * gantt.scrollWidth - gantt.clientWidth / 2;
  };
  all("[data-zoom]").forEach((button) => button.addEventListener("click", () => scale(Number(button.dataset.zoom))));

  const toggle = (button) => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    return on;
  };
  one("#only-critical").addEventListener("click", (event) => {
    gantt.classList.toggle("quiet", toggle(event.currentTarget));
  });
  // Nodes that are pressed are shown alone; with none pressed, all are.
  all("[data-filter]").forEach((button) => button.addEventListener("click", () => {
    toggle(button);
    const alone = [...all("[data-filter][aria-pressed=true]")].map((pressed) => pressed.dataset.filter);
    all("[data-node]:not(.bar)").forEach((each) => {
      each.hidden = alone.length > 0 && !alone.includes(each.dataset.node);
    });
  }));
})();
