// The list of raw frames, and the river in the header on which they float by.

import { element, soon } from "./dom.js";

const KEEP = 120; // rows on the page, and as many beats
const SHOW = 400; // characters of one frame
const AFLOAT = 24; // boats on the river
const PARTS = ["join_ref", "ref", "topic", "event", "payload"];

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Frames {
  #list;
  #counts;
  #last;
  #river;
  #waiting = []; // to be drawn, and held back while the list is paused
  #described = null;
  #rows = { beats: [], others: [] };
  #paused = false;
  #total = { out: 0, in: 0 };

  constructor(root, river) {
    this.#list = root.querySelector("ol");
    this.#counts = root.querySelector(".counts");
    this.#last = root.querySelector(".last");
    this.#river = river;
    this.root = root;
    const pause = root.querySelector("[data-do=pause]");
    pause.addEventListener("click", () => {
      this.#paused = !this.#paused;
      pause.textContent = this.#paused ? "Resume" : "Pause";
      this.#draw();
    });
    root.querySelector("[data-do=clear]").addEventListener("click", () => {
      this.#list.replaceChildren();
      this.#rows = { beats: [], others: [] };
      this.#waiting = [];
      this.#total = { out: 0, in: 0 };
      this.#count();
    });
    const beats = root.querySelector("[name=beats]");
    const showBeats = () => this.#list.classList.toggle("no-beats", !beats.checked);
    beats.addEventListener("change", showBeats);
    showBeats();
    this.#count();
  }

  // add stores the frame. It is drawn before the next paint, so that drawing does not
  // delay the frames that follow, whose round trips are measured.
  add(direction, text) {
    this.#total[direction]++;
    this.#waiting.push({ direction, text, at: new Date(), kind: kindOf(text) });
    if (this.#waiting.length > KEEP) this.#waiting.shift();
    soon(this.#draw);
  }

  #draw = () => {
    const last = this.#waiting.findLast((frame) => frame.kind !== "beat");
    if (last && last !== this.#described) {
      this.#described = last;
      this.#last.replaceChildren(...describe(last));
    }
    for (const frame of this.#waiting) this.#float(frame);
    if (!this.#paused) {
      for (const frame of this.#waiting) this.#show(frame);
      this.#waiting = [];
    }
    this.#count();
  };

  #show(frame) {
    const row = element("li", `frame ${frame.direction} ${frame.kind}`);
    const time = element("time", "", frame.at.toTimeString().slice(0, 8));
    time.dateTime = frame.at.toISOString();
    row.append(time, ...describe(frame));
    this.#list.prepend(row);
    // Beats are hidden by default, so they must not push other frames out of the list.
    const rows = this.#rows[frame.kind === "beat" ? "beats" : "others"];
    rows.push(row);
    if (rows.length > KEEP) rows.shift().remove();
  }

  #count() {
    const { out, in: into } = this.#total;
    const held = this.#paused ? ` · ${this.#waiting.length} held back` : "";
    this.#counts.textContent = `${out} sent · ${into} received${held}`;
  }

  #float(frame) {
    if (frame.afloat) return;
    frame.afloat = true;
    const { direction, kind } = frame;
    if (calm.matches || document.hidden || this.#river.childElementCount >= AFLOAT) return;
    const boat = element("i", `boat ${direction} ${kind}`);
    boat.addEventListener("animationend", () => boat.remove());
    this.#river.append(boat);
  }
}

export function describe({ direction, text }) {
  const arrow = element("span", "arrow", direction === "out" ? "→" : "←");
  arrow.title = direction === "out" ? "sent" : "received";
  const code = element("code");
  code.append("[");
  split(text).forEach((part, i) => {
    if (i > 0) code.append(",", element("wbr")); // a line breaks here, and not within a word
    code.append(element("span", PARTS[i] ?? "payload", shorten(part)));
  });
  code.append("]");
  return [arrow, code];
}

function shorten(part) {
  return part.length > SHOW ? `${part.slice(0, SHOW)}… ${part.length} characters` : part;
}

// split cuts the text of a JSON array into the texts of its elements, so that the
// page shows the frame as it was on the wire.
function split(text) {
  const parts = [];
  let depth = 0;
  let from = 1;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === "\\") i++;
    } else if (c === "[" || c === "{") {
      depth++;
    } else if (c === "]" || c === "}") {
      depth--;
      if (depth === 0) parts.push(text.slice(from, i));
    } else if (c === "," && depth === 1) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  return parts;
}

// kindOf colours a row. The event is the fourth part of every frame.
function kindOf(text) {
  const [, , topic, event, payload] = JSON.parse(text);
  if (event === "phx_error" || (event === "phx_reply" && payload.status === "error")) return "error";
  if (event === "beat") return "beat";
  if (topic === "phoenix") return "quiet";
  return "plain";
}
