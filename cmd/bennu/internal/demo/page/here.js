// The list of who is here, from presence_state and presence_diff. Each name has a meta
// for every tab.

export class Here {
  #people = new Map();
  #synced = false; // diffs mean nothing before the first state
  #show;

  // show is called with [{name, metas}] after each change.
  constructor(show) {
    this.#show = show;
  }

  state(state) {
    this.#people = new Map(Object.entries(state).map(([name, { metas }]) => [name, metas]));
    this.#synced = true;
    this.#changed();
  }

  // diff applies joins first: an update is a join and a leave, and must not remove the
  // name for a moment.
  diff({ joins, leaves }) {
    if (!this.#synced) return;
    for (const [name, { metas }] of Object.entries(joins)) {
      const known = this.#people.get(name) ?? [];
      const kept = known.filter((old) => !metas.some((meta) => meta.phx_ref === old.phx_ref));
      this.#people.set(name, [...kept, ...metas]);
    }
    for (const [name, { metas }] of Object.entries(leaves)) {
      const left = (this.#people.get(name) ?? []).filter((meta) => !metas.some((gone) => gone.phx_ref === meta.phx_ref));
      if (left.length) this.#people.set(name, left);
      else this.#people.delete(name);
    }
    this.#changed();
  }

  clear() {
    this.#people.clear();
    this.#synced = false;
    this.#changed();
  }

  #changed() {
    const people = [...this.#people].map(([name, metas]) => ({ name, metas }));
    this.#show(people.sort((a, b) => a.name.localeCompare(b.name)));
  }
}
