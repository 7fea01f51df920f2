// Shows the Go function that the last message of a section called, beside the frames that
// it sent.

import { duration, element, keep, soon } from "./dom.js";
import { describe } from "./frames.js";

const KEEP = 24; // frames
const TOGETHER_MS = 1000; // messages with the same event belong together
const GO = /(\/\/[^\n]*)|("(?:[^"\\\n]|\\.)*"|`[^`]*`)|\b(case|const|default|defer|else|for|func|go|if|nil|panic|range|return|select|struct|switch|type|var)\b/g;

const handlers = fetch("handlers.json").then((answer) => answer.json());

export class Trace {
  #section;
  #code = element("div", "code");
  #list = element("ol");
  #event = ""; // of the message that began it
  #at = 0; // when the last message was sent
  #last = ""; // event of the last frame
  #asked = new Map(); // ref -> when
  #rows = []; // to be drawn
  #fresh = false; // the rows before are of another message

  constructor(section) {
    this.#section = section;
    const wire = element("div", "wire");
    this.#list.tabIndex = this.#code.tabIndex = 0;
    this.#list.setAttribute("aria-label", "Frames of the last message");
    this.#code.setAttribute("role", "region");
    this.#code.setAttribute("aria-label", "Its handler in Go");
    wire.append(this.#list);
    const trace = element("div", "trace");
    trace.append(this.#code, wire);
    section.append(trace);
  }

  // add takes each frame of the section's topics.
  add(direction, text) {
    const [, ref, , event] = JSON.parse(text);
    if (event === "beat") return; // one each second, for each bird
    const now = performance.now();
    let ms;
    if (direction === "out") {
      const back = event === "phx_join" && this.#last === "phx_error"; // the end of a crash
      if (!back && (event !== this.#event || now - this.#at > TOGETHER_MS)) this.#begin(event);
      this.#at = now;
      this.#asked.set(ref, now);
    } else if (event === "phx_reply") {
      ms = now - this.#asked.get(ref);
      this.#asked.delete(ref);
    }
    this.#last = event;
    this.#rows.push({ direction, text, ms });
    soon(this.#draw);
  }

  #begin(event) {
    this.#event = event;
    this.#asked.clear();
    this.#rows = [];
    this.#fresh = true;
    handlers.then((all) => {
      const functions = all[`${this.#section.id} ${event}`];
      if (event === this.#event && functions) this.#show(functions);
    });
  }

  #show(functions) {
    this.#code.replaceChildren(
      ...functions.flatMap(({ file, line, code }) => {
        const pre = element("pre");
        pre.append(...highlight(code));
        return [element("p", "", `examples/hello/${file}:${line}`), pre];
      }),
    );
    this.#code.scrollTop = 0;
  }

  #draw = () => {
    if (this.#fresh) this.#list.replaceChildren();
    this.#fresh = false;
    for (const frame of this.#rows) {
      const row = element("li", frame.direction);
      const [arrow, code] = describe(frame);
      if (frame.ms >= 0) code.append(" ", element("small", "", duration(frame.ms)));
      row.append(arrow, code);
      keep(this.#list, row, KEEP);
    }
    this.#rows = [];
  };
}

// highlight cuts Go code into comments, strings, keywords, and the rest.
function highlight(code) {
  const parts = [];
  let from = 0;
  for (const found of code.matchAll(GO)) {
    parts.push(code.slice(from, found.index));
    parts.push(element("span", found[1] ? "comment" : found[2] ? "string" : "keyword", found[0]));
    from = found.index + found[0].length;
  }
  parts.push(code.slice(from));
  return parts;
}
