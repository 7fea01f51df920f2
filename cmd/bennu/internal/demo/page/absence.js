// What happens to the messages of the room while this page is away: a button that cuts the connection, a
// picture, and a sentence.

import { $, element } from "./dom.js";
import { Socket } from "./socket.js";

const AWAY_MS = 5000;
const LINES = ["Is anybody here?", "The river is high today.", "I saw a heron at the gate.", "It did not see me.", "I will come again."];
const STRETCHES = 3; // of the picture
const DOTS = { here: 7, away: 14 }; // of one stretch
const LOST = {
  epoch: "The server has begun a new history, so it cannot know what this page has missed.",
  expired: "More was said than the server keeps. The newest messages follow.",
};

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Absence {
  #socket;
  #topic;
  #speak;
  #button = $("cut");
  #note = $("cut-note");
  #picture = $("cut-picture");
  #stretch; // the last part of the picture
  #here = false; // the page is in the room
  #since = 0; // when it went away
  #told = false; // the server has said how the page goes on
  #back = false; // messages come that were missed

  // speak(channel, body) is how the visitor says something.
  constructor(socket, topic, speak) {
    this.#socket = socket;
    this.#topic = topic;
    this.#speak = speak;
    this.#extend("here");
  }

  // cut cuts the connection. Meanwhile a visitor speaks, who is another connection.
  async cut() {
    if (!this.#socket.open) return;
    this.#button.disabled = true;
    const visitor = new Socket(this.#socket.url);
    const room = visitor.channel(this.#topic, { name: "A visitor" });
    const joined = new Promise((done) => room.on("state", ({ state }) => state === "joined" && done()));
    room.join(); // waits for the connection
    visitor.connect();
    await Promise.race([joined, pause(AWAY_MS)]);
    this.#socket.cut(AWAY_MS);
    this.#say("The connection is cut for some seconds, and a visitor speaks.");
    for (const body of LINES) {
      await pause(AWAY_MS / (LINES.length + 2));
      const said = await this.#speak(room, body).catch(() => ({}));
      if (said.status === "ok" && this.#stretch.className === "away") this.#dot("said");
      this.#describe();
    }
    await pause(AWAY_MS / 2);
    visitor.close();
    this.#button.disabled = false;
  }

  // began is called when the page is not in the room any more.
  began() {
    if (!this.#here) return;
    this.#here = false;
    this.#told = false;
    this.#since = performance.now();
    this.#extend("away");
  }

  // resumed is called when the server has said how the page goes on. It is "new", or all that it has
  // missed is "recovered" and follows, or something is "lost".
  resumed(status, reason) {
    this.#told = true;
    this.#back = status === "recovered" && this.#stretch.className === "away";
    if (status === "lost") this.#lose(LOST[reason] ?? `The server says ${reason}.`);
    else if (!this.#back) this.#extend("here");
    this.#here = true;
  }

  // live is called when count messages have come that were sent before the join. It reports whether they
  // were sent while the page was away. There is always one: that the page went out.
  live(count) {
    if (!this.#back) return false;
    this.#back = false;
    const came = count === 1 ? "One message has come" : `${count} messages have come`;
    this.#say(`Away for ${Math.round((performance.now() - this.#since) / 1000)} s. ${came} back, in order and each once: nothing is lost.`);
    this.#extend("here");
    return true;
  }

  // over is called when the page is in the room again. A server that has not said how it goes on keeps no
  // history.
  over() {
    if (!this.#told) {
      $("cut-about").textContent = "The nodes of this demo share no store, so nothing of this room is kept. What is said while the page is away is lost.";
      if (this.#stretch.className === "away") this.#lose("This demo keeps no history of the room.");
    }
    this.#here = true;
  }

  // came is called for each message of the room.
  came() {
    const ring = this.#back && this.#stretch.querySelector(".said");
    if (ring) ring.className = "back";
    else this.#dot(this.#back ? "back" : "came");
    this.#describe();
  }

  #lose(why) {
    for (const ring of this.#stretch.querySelectorAll(".said")) ring.className = "lost";
    this.#say(`Something is lost. ${why}`);
    this.#extend("here");
  }

  #say(text) {
    this.#note.textContent = text;
  }

  // extend begins a stretch of the picture: the page is "here", or "away".
  #extend(kind) {
    if (this.#stretch?.className === kind) return;
    this.#stretch = element("span", kind);
    this.#picture.append(this.#stretch);
    while (this.#picture.childElementCount > STRETCHES) this.#picture.firstElementChild.remove();
    this.#describe();
  }

  #dot(kind) {
    this.#stretch.append(element("i", kind));
    if (this.#stretch.childElementCount > DOTS[this.#stretch.className]) this.#stretch.firstElementChild.remove();
  }

  // describe says what the picture shows.
  #describe() {
    const stretches = [...this.#picture.children].map((stretch) => {
      const count = (kind) => stretch.querySelectorAll(`.${kind}`).length;
      const away = [[count("back"), "that came back"], [count("said"), "not here yet"], [count("lost"), "lost"]];
      if (stretch.className === "here") return `here: ${count("came")} messages`;
      return ["away:", away.filter(([n]) => n > 0).map(([n, what]) => `${n} messages ${what}`).join(", ") || "no messages"].join(" ");
    });
    this.#picture.setAttribute("aria-label", stretches.join("; "));
  }
}
