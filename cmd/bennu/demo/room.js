// The section on room:courtyard: a chat room across tabs.

import { $, element, keep, reasonOf } from "./dom.js";

const NAMES = ["Ibis", "Egret", "Hoopoe", "Plover", "Crane", "Swallow", "Lapwing", "Bittern", "Kingfisher", "Wagtail"];

export function room(socket) {
  const section = $("room");
  const list = $("talk");
  let channel;

  // Session storage belongs to one tab, so each tab is somebody else.
  let name = sessionStorage.getItem("name") ?? NAMES[Math.floor(Math.random() * NAMES.length)];
  $("name").value = name;

  function note(text) {
    $("room-note").textContent = text;
  }

  function enter() {
    sessionStorage.setItem("name", name);
    channel = socket
      .channel("room:courtyard", { name })
      .on("state", ({ state, detail }) => {
        section.dataset.channel = state;
        $("body").disabled = state !== "joined";
        note(state === "errored" ? String(detail) : "");
      })
      .on("arrived", (who) => keep(list, element("li", "notice", `${who.name} came in`), 100))
      .on("left", (who) => keep(list, element("li", "notice", `${who.name} went out`), 100))
      .on("shout", (said) => {
        const row = element("li", said.name === name ? "own" : "");
        const at = element("time", "", new Date(said.at).toTimeString().slice(0, 5));
        at.dateTime = said.at;
        row.append(element("b", "", said.name), element("span", "", said.body));
        if (said.node) row.append(element("small", "", `from ${said.node}`));
        row.append(at);
        keep(list, row, 100);
      })
      .join();
  }

  $("rename").addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    name = $("name").value;
    enter(); // leaves the channel of the old name first
  });

  $("say").addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const body = $("body").value;
    try {
      const { status, response } = await channel.push("shout", { body });
      if (status === "ok") $("body").value = "";
      note(status === "ok" ? "" : reasonOf(response));
    } catch (lost) {
      note(`not sent: ${lost.message}`);
    }
  });

  enter();
}
