// The page of "bennu demo": one connection, and a section for each kind of channel.

import { $ } from "./dom.js";
import { fragile } from "./fragile.js";
import { Frames } from "./frames.js";
import { inventory } from "./inventory.js";
import { node } from "./node.js";
import { ping } from "./ping.js";
import { room } from "./room.js";
import { Socket } from "./socket.js";

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket/websocket`;

const frames = new Frames($("frames"), $("river"));
const socket = new Socket(url, {
  onFrame: (direction, text) => frames.add(direction, text),
  onState: showSocket,
});

function showSocket(state, tries) {
  document.body.dataset.socket = state;
  const texts = {
    connecting: "connecting",
    open: `connected to ${location.host}`,
    waiting: `connection lost, trying again (${tries})`,
    closed: "closed by you",
  };
  $("status").textContent = texts[state];
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

// A page that is put away says goodbye, and comes back with a new connection.
addEventListener("pagehide", () => socket.close());
addEventListener("pageshow", (shown) => {
  if (shown.persisted) socket.connect();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && document.body.dataset.socket === "waiting") socket.connect();
});
