// The section on room:courtyard: a chat room across tabs.

import { Absence } from "./absence.js";
import { $, element, keep, reasonOf } from "./dom.js";
import { Here } from "./here.js";

const NAMES = ["Ibis", "Egret", "Hoopoe", "Plover", "Crane", "Swallow", "Lapwing", "Bittern", "Kingfisher", "Wagtail"];

const TOPIC = "room:courtyard";
const KEEP = 100; // lines, as many as the server keeps

// speak says something in a room.
const speak = (room, body) => room.push("shout", { body });

export function room(socket) {
  const section = $("room");
  const list = $("talk");
  const absence = new Absence(socket, TOPIC, speak);
  let channel;
  let since = null; // the position of the last message that came
  let fresh = []; // rows that have come since the last join

  // Session storage belongs to one tab, so each tab has another name.
  let name = sessionStorage.getItem("name") ?? NAMES[Math.floor(Math.random() * NAMES.length)];
  $("name").value = name;

  function note(text) {
    $("room-note").textContent = text;
  }

  function enter() {
    sessionStorage.setItem("name", name);
    const here = new Here((people) => showPeople(people, name));
    const params = { name, since };
    channel = socket.channel(TOPIC, params);
    channel.onMessage = (event, payload, ref) => {
      if (/:/.test(ref)) since = params.since = ref;
      return payload;
    };
    channel
      .on("state", ({ state, detail }) => {
        section.dataset.channel = state;
        $("body").disabled = state !== "joined";
        if (state === "errored") absence.began();
        if (state !== "joined") here.clear();
        note(state === "errored" ? String(detail) : "");
      })
      .on("bennu:resume", resumed)
      .on("presence_state", (state) => {
        absence.over(); // it comes after each join
        here.state(state);
      })
      .on("presence_diff", (diff) => here.diff(diff))
      .on("arrived", (who) => notice(`${who.name} came in`))
      .on("left", (who) => notice(`${who.name} went out`))
      .on("shout", (said) => {
        const row = element("li", said.name === name ? "own" : "");
        const at = element("time", "", new Date(said.at).toTimeString().slice(0, 5));
        at.dateTime = said.at;
        row.append(element("b", "", said.name), element("span", "", said.body));
        if (said.node) row.append(element("small", "", `from ${said.node}`));
        row.append(at);
        show(row);
      })
      .join();
  }

  // resumed is told after each join how it goes on, and again when the messages have come that were sent
  // before.
  function resumed({ status, reason, count }) {
    if (status === "live") {
      if (absence.live(count)) for (const row of fresh) row.classList.add("back");
      fresh = [];
      return;
    }
    fresh = [];
    if (status === "lost") keep(list, element("li", "missing", "something is missing here"), KEEP);
    absence.resumed(status, reason);
  }

  function show(row) {
    if (fresh.length < KEEP) fresh.push(row);
    keep(list, row, KEEP);
    absence.came();
  }

  const notice = (text) => show(element("li", "notice", text));

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

  $("cut").addEventListener("click", () => absence.cut());

  $("rename").addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    name = $("name").value;
    enter(); // leaves the channel of the old name first
  });

  $("say").addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const body = $("body").value;
    try {
      const { status, response } = await speak(channel, body);
      if (status === "ok") $("body").value = "";
      note(status === "ok" ? "" : reasonOf(response));
    } catch (lost) {
      note(`not sent: ${lost.message}`);
    }
  });

  enter();
}
