// The section on ping:lobby: replies and how long they take, and a push.

import { $, duration, element, reasonOf, soon } from "./dom.js";

export function ping(socket) {
  const section = $("ping");
  const channel = socket
    .channel("ping:lobby")
    .on("state", ({ state }) => {
      follow(section, state);
      if (state === "joined" && answered === 0) ask("ping", {}); // something to look at
    });

  let answered = 0;
  let trips = []; // the latest ones, in ms

  function draw() {
    $("trip-count").textContent = answered;
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
      $("ping-note").textContent = status === "ok" ? "" : reasonOf(response);
      soon(draw);
    } catch (lost) {
      $("ping-note").textContent = `${event} was not answered: ${lost.message}`;
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

// A section is dim, and its controls are off, while its channel is not joined.
function follow(section, state) {
  section.dataset.channel = state;
  for (const control of section.querySelectorAll(".acts button, .acts input")) {
    control.disabled = state !== "joined";
  }
}
