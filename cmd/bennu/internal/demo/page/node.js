// Shows the node of the cluster that this page is connected to, and its state. It asks
// over the connection: behind a proxy another request may reach another node.

import { $, element } from "./dom.js";

const SHOWN = 3; // names of other nodes

export function node(socket) {
  const line = $("node");
  const show = (state) => {
    $("far").textContent = state.node;
    line.replaceChildren("node ", element("b", "", state.node), ...situation(state));
    line.dataset.trouble = state.conflict || !state.connected;
  };
  socket
    .channel("node:this")
    .on("changed", show)
    .on("state", ({ state, detail }) => {
      if (state === "joined") show(detail);
      line.classList.toggle("stale", state !== "joined");
    })
    .join();
}

function situation({ broker, connected, conflict, peers }) {
  if (!broker) return [", alone"];
  if (!connected) return [`, by itself: ${broker} is away`];
  if (conflict) return [", whose name another node has too"];
  if (peers.length === 0) return [`, waiting for others on ${broker}`];
  const names = peers.slice(0, SHOWN).flatMap((name, i) => [i ? ", " : "", element("b", "", name)]);
  const more = peers.length > SHOWN ? ` and ${peers.length - SHOWN} more` : "";
  return [" with ", ...names, `${more}, by ${broker}`];
}
