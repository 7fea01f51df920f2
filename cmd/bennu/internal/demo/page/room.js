// The section on room:courtyard: a chat room across tabs.

import { $, element, keep, reasonOf } from "./dom.js";
import { Here } from "./here.js";

const NAMES = ["Ibis", "Egret", "Hoopoe", "Plover", "Crane", "Swallow", "Lapwing", "Bittern", "Kingfisher", "Wagtail"];

export function room(socket) {
  const section = $("room");
  const list = $("talk");
  let channel;

  // Session storage belongs to one tab, so each tab has another name.
  let name = sessionStorage.getItem("name") ?? NAMES[Math.floor(Math.random() * NAMES.length)];
  $("name").value = name;

  function note(text) {
    $("room-note").textContent = text;
  }

  function enter() {
    sessionStorage.setItem("name", name);
    const here = new Here((people) => showPeople(people, name));
    channel = socket
      .channel("room:courtyard", { name })
      .on("state", ({ state, detail }) => {
        section.dataset.channel = state;
        $("body").disabled = state !== "joined";
        if (state !== "joined") here.clear();
        note(state === "errored" ? String(detail) : "");
      })
      .on("presence_state", (state) => here.state(state))
      .on("presence_diff", (diff) => here.diff(diff))
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

  function showPeople(people, own) {
    const rows = people.map(({ name: who, metas }) => {
      const row = element("li", who === own ? "own" : "", who);
      const nodes = [...new Set(metas.map(({ node }) => node).filter(Boolean))];
      const places = [metas.length > 1 ? `${metas.length} times` : "", nodes.length ? `on ${nodes.join(" and ")}` : ""];
      const place = places.filter(Boolean).join(", ");
      if (place) row.append(" ", element("small", "", place));
      return row;
    });
    $("people").replaceChildren(...rows);
    $("people-count").textContent = people.length === 1 ? "One is here" : people.length ? `${people.length} are here` : "";
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
