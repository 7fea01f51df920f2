// The section on inventory:<sku>: a topic for each item, joined and left one by one.

import { $, element, reasonOf } from "./dom.js";
import { Socket } from "./socket.js";

const SKUS = ["papyrus", "lapis", "honey", "incense"];

export function inventory(socket) {
  SKUS.forEach((sku, i) => shelf(socket, sku, i < 2));
  $("customer").addEventListener("click", () => customer(socket.url));
}

function shelf(socket, sku, joinNow) {
  const card = element("article", "shelf");
  const title = element("h3", "", sku);
  const toggle = element("button", "switch");
  toggle.type = "button";
  toggle.setAttribute("role", "switch");
  toggle.setAttribute("aria-label", `join inventory:${sku}`);
  const stock = element("p", "stock");
  const number = element("b");
  stock.append(number, element("span", "", "in stock"));
  const pips = element("div", "pips");
  const take = element("button", "", "Take");
  const restock = element("button", "ghost", "Add");
  take.type = restock.type = "button";
  take.setAttribute("aria-label", `Take one ${sku}`);
  restock.setAttribute("aria-label", `Add one ${sku}`);
  const acts = element("div", "pair");
  acts.append(take, restock);
  const heard = element("p", "heard");
  heard.setAttribute("role", "status");
  const top = element("div", "top");
  top.append(title, toggle);
  card.append(top, stock, pips, acts, heard);
  $("shelves").append(card);

  let channel = null;
  let count = 0;
  let size = 0;

  function show(state) {
    card.dataset.channel = state;
    toggle.setAttribute("aria-checked", String(channel !== null));
    take.disabled = restock.disabled = state !== "joined";
    if (state === "joined") return;
    number.textContent = "?";
    pips.replaceChildren();
    heard.textContent = channel ? "waiting for the server" : "not joined, hears nothing";
  }

  function level({ stock: left }) {
    number.textContent = left;
    pips.replaceChildren(...Array.from({ length: size }, (_, i) => element("i", i < left ? "full" : "")));
    card.classList.toggle("empty", left === 0);
    count++;
    heard.textContent = count === 1 ? "1 push heard" : `${count} pushes heard`;
    card.classList.remove("changed");
    void card.offsetWidth; // restarts the animation
    card.classList.add("changed");
  }

  function enter() {
    channel = socket
      .channel(`inventory:${sku}`)
      .on("state", ({ state, detail }) => {
        if (state === "joined") size = detail.shelf;
        show(state);
      })
      .on("stock", level);
    channel.join();
  }

  async function ask(event) {
    try {
      const { status, response } = await channel.push(event);
      if (status !== "ok") heard.textContent = reasonOf(response);
    } catch (lost) {
      heard.textContent = lost.message;
    }
  }

  toggle.addEventListener("click", () => {
    if (channel) {
      const left = channel;
      channel = null;
      left.leave();
    } else {
      enter();
    }
  });
  take.addEventListener("click", () => ask("take"));
  restock.addEventListener("click", () => ask("restock"));
  show("closed");
  if (joinNow) enter();
}

// customer is a second connection, as from another page: its own frames are not on the
// list, only the broadcasts that it causes.
function customer(url) {
  const note = $("customer-note");
  const button = $("customer");
  button.disabled = true;
  note.textContent = "on the way";
  let open = SKUS.length;
  const bought = [];
  const visit = new Socket(url, {
    onState: (state) => {
      if (state === "open") return;
      if (state === "waiting") finish("could not reach the server");
    },
  });
  function finish(text) {
    clearTimeout(patience);
    visit.close();
    button.disabled = false;
    note.textContent = text;
  }
  const patience = setTimeout(() => finish("gave up waiting"), 5000);
  for (const sku of SKUS) {
    const channel = visit.channel(`inventory:${sku}`).on("state", async ({ state }) => {
      if (state !== "joined") return;
      try {
        const { status } = await channel.push("take");
        if (status === "ok") bought.push(sku);
      } catch {
        return; // the timeout below ends the visit
      }
      if (--open === 0) finish(bought.length ? `took ${bought.join(", ")}` : "found everything sold out");
    });
    channel.join(); // waits for the connection
  }
  visit.connect();
}
