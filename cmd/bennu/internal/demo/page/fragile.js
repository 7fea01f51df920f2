// The section on fragile:*: channels that crash, and are joined again.

import { $, countdown, element } from "./dom.js";

const BIRDS = ["dawn", "noon", "dusk"];
const SVG = "http://www.w3.org/2000/svg";

export function fragile(socket) {
  for (const bird of BIRDS) nest(socket, bird);
}

function nest(socket, bird) {
  const card = element("article", `nest ${bird}`);
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 160 150");
  picture.setAttribute("aria-hidden", "true");
  const shape = (name, attributes) => {
    const e = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    picture.append(e);
    return e;
  };
  shape("circle", { class: "disc", cx: 84, cy: 62, r: 46 });
  shape("path", { class: "flame", d: "M80 122C62 112 66 94 76 86 76 96 82 94 81 76 96 84 102 100 96 110 94 118 88 122 80 122Z" });
  shape("use", { class: "figure", href: "#bird", x: 30, y: 14, width: 106, height: 110 });
  shape("path", { class: "stone", d: "M44 150 66 121H108L130 150Z" });
  shape("path", { class: "shadow", d: "M92 121H108L130 150H99Z" });
  const title = element("h3", "", `fragile:${bird}`);
  const number = element("b", "beats", "0");
  const told = element("p", "told");
  told.setAttribute("role", "status");
  const crash = element("button", "danger", "Crash");
  crash.type = "button";
  crash.setAttribute("aria-label", `Crash fragile:${bird}`);
  card.append(picture, title, number, told, crash);
  $("nests").append(card);

  let lives = 0;
  let stopCounting = () => {};
  const channel = socket
    .channel(`fragile:${bird}`)
    .on("state", ({ state, detail, wait }) => {
      card.dataset.channel = state;
      crash.disabled = state !== "joined";
      stopCounting();
      if (state === "joined") {
        lives++;
        number.textContent = "0";
        told.textContent = lives === 1 ? "first life" : `life ${lives}`;
      } else if (state === "errored") {
        told.textContent = String(detail);
        if (wait) stopCounting = countdown(wait, (left) => { told.textContent = `${detail}, back in ${left} s`; });
      }
    })
    .on("beat", ({ n }) => {
      number.textContent = n;
    });
  crash.addEventListener("click", () => {
    channel.push("crash").catch(() => {}); // the channel crashes, so no reply comes
  });
  channel.join();
}
