// The section on ping:lobby: replies and how long they take, and a push.

import { $, element, keep, soon } from "./dom.js";

export function ping(socket) {
  const section = $("ping");
  const channel = socket
    .channel("ping:lobby")
    .on("state", ({ state }) => follow(section, state))
    .on("ding", (payload) => answer("pushed", "ding", payload));

  let rows = [];
  let answered = 0;
  let trips = []; // the latest ones, in ms

  function answer(kind, event, payload, ms) {
    const row = element("li", kind);
    row.append(element("code", "event", event), element("code", "", JSON.stringify(payload)));
    row.append(element("span", "ms", ms === undefined ? "by itself" : duration(ms)));
    rows.push(row);
    soon(draw);
  }

  function draw() {
    for (const row of rows) keep($("answers"), row, 30);
    rows = [];
    $("trip-count").textContent = answered;
    if (answered === 0) return;
    const top = Math.max(...trips);
    $("bars").replaceChildren(
      ...trips.map((ms) => {
        const bar = element("i");
        bar.style.height = `${Math.max(6, (100 * ms) / top)}%`;
        return bar;
      }),
    );
    const last = duration(trips.at(-1));
    const median = duration([...trips].sort((a, b) => a - b)[trips.length >> 1]);
    $("trip-last").textContent = last;
    $("trip-median").textContent = median;
    $("bars").setAttribute("aria-label", `Round trips: last ${last}, median ${median}`);
  }

  async function ask(event, payload) {
    try {
      const { status, response, ms } = await channel.push(event, payload);
      answered++;
      trips = [...trips, ms].slice(-48);
      answer(status, event, response, ms);
    } catch (lost) {
      answer("error", event, lost.message);
    }
  }

  const on = (name, type, act) => section.querySelector(`[data-do=${name}]`).addEventListener(type, act);
  on("ping", "click", () => ask("ping", {}));
  on("burst", "click", () => {
    for (let i = 0; i < 20; i++) ask("ping", {});
  });
  on("ding", "click", () => ask("ding_me", { after_ms: 1000 }));
  on("hello", "submit", (submitted) => {
    submitted.preventDefault();
    ask("hello", { name: $("greet").value });
  });
  channel.join();
}

const duration = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);

// A section is dim, and its controls are off, while its channel is not joined.
function follow(section, state) {
  section.dataset.channel = state;
  for (const control of section.querySelectorAll(".acts button, .acts input")) {
    control.disabled = state !== "joined";
  }
}
