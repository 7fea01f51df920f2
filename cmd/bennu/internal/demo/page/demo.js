// The page of "bennu demo": one connection, and a section for each kind of channel.

import { $, countdown } from "./dom.js";
import { fragile } from "./fragile.js";
import { Frames } from "./frames.js";
import { inventory } from "./inventory.js";
import { node } from "./node.js";
import { ping } from "./ping.js";
import { room } from "./room.js";
import { Socket } from "./socket.js";
import { Trace } from "./trace.js";

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket/websocket`;

const frames = new Frames($("frames"), $("river"));
// Each section is named like the first part of its topics.
const traces = new Map([...document.querySelectorAll("main > section")].map((section) => [section.id, new Trace(section)]));
const socket = new Socket(url, {
  onFrame: (direction, text) => {
    frames.add(direction, text);
    traces.get(JSON.parse(text)[2].split(":")[0])?.add(direction, text);
  },
  onState: showSocket,
});

let lost = false; // there was a connection, or none could be made
let stopCounting = () => {};

// While the connection is lost the text stays the same, and only the seconds beside it
// count down, so that a screen reader says the text once.
function showSocket(state, wait) {
  document.body.dataset.socket = state;
  lost = state === "waiting" || (lost && state === "connecting");
  const texts = { connecting: "connecting", open: `connected to ${location.host}`, closed: "closed by you" };
  const text = lost ? "connection lost, trying again" : texts[state];
  if ($("status").textContent !== text) $("status").textContent = text;
  stopCounting();
  $("seconds").textContent = "";
  if (state === "waiting" && wait >= 1000) stopCounting = countdown(wait, (left) => { $("seconds").textContent = `in ${left} s`; });
  $("link").textContent = state === "closed" ? "Open the connection" : "Close the connection";
}

$("link").addEventListener("click", () => {
  if (document.body.dataset.socket === "closed") socket.connect();
  else socket.close();
});

const drawer = document.querySelector(".drawer");
drawer.addEventListener("click", () => {
  const open = $("frames").classList.toggle("open");
  drawer.setAttribute("aria-expanded", String(open));
});

for (const section of [node, ping, room, inventory, fragile]) section(socket);
socket.connect();

// A page that the browser caches closes its connection, and opens a new one when it is
// shown again.
addEventListener("pagehide", () => socket.close());
addEventListener("pageshow", (shown) => {
  if (shown.persisted) socket.connect();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && document.body.dataset.socket === "waiting") socket.connect();
});
