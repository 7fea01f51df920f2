// Functions that all sections of the page use. Text from the server is shown with
// textContent, and never parsed as HTML.

export const $ = (id) => document.getElementById(id);

export function element(name, className = "", text = "") {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text) e.textContent = text;
  return e;
}

// keep adds a row to a list that holds at most limit, and shows it.
export function keep(list, row, limit) {
  list.append(row);
  while (list.childElementCount > limit) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
}

// soon calls draw once, before the page is next painted.
const due = new Set();
export function soon(draw) {
  if (due.has(draw)) return;
  due.add(draw);
  requestAnimationFrame(() => {
    due.delete(draw);
    draw();
  });
}

// countdown calls show with the whole seconds that are left of ms, until 0. It returns a
// function that stops it.
export function countdown(ms, show) {
  const end = performance.now() + ms;
  const tick = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    if (left < 1) clearInterval(timer);
    else show(left);
  };
  const timer = setInterval(tick, 200);
  tick();
  return () => clearInterval(timer);
}

export const duration = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);

// reasonOf returns the text to show for a reply with status "error".
export const reasonOf = (response) => response?.reason ?? "refused";
