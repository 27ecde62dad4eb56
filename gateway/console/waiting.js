// The holds that wait, as the gateway tells them: the same for every page.

const FORGET = 10 * 60_000;

/** Open holds, and those that ended while this page was open. Each change is a `change` event, each new hold an `opened`. */
export class Waiting extends EventTarget {
  #cards = new Map();
  #ended = new Map();
  known = false;

  /** Takes what the subscription says. */
  hear({ event, holds, hold }) {
    if (event === "open") this.#all(holds);
    else this.#one(hold);
    this.dispatchEvent(new Event("change"));
  }

  /** Those that wait for an answer, the nearest deadline first, and after them those that wait to be run. */
  open() {
    const answered = (card) => Number(card.state !== "pending");
    return [...this.#cards.values()].sort((a, b) => answered(a) - answered(b) || Date.parse(a.expires) - Date.parse(b.expires) || (a.id < b.id ? -1 : 1));
  }

  /** Those that ended not long ago, the latest first. */
  ended() {
    for (const [id, { at }] of this.#ended) if (Date.now() - at > FORGET) this.#ended.delete(id);
    return [...this.#ended.values()].sort((a, b) => b.at - a.at).map(({ card }) => card);
  }

  /** One by its id. */
  get(id) {
    return this.#cards.get(id) ?? this.#ended.get(id)?.card;
  }

  /** How many wait for an answer. */
  pending() {
    return this.open().filter((card) => card.state === "pending").length;
  }

  #all(holds) {
    const fresh = holds.filter((card) => !this.#cards.has(card.id));
    const there = new Set(holds.map((card) => card.id));
    for (const [id, card] of this.#cards) if (!there.has(id)) this.#end({ ...card, state: "ended" });
    this.#cards = new Map(holds.map((card) => [card.id, card]));
    if (this.known) this.#tell(fresh);
    this.known = true;
  }

  #one(card) {
    const isNew = !this.#cards.has(card.id);
    if (card.state === "pending" || card.state === "approved") this.#cards.set(card.id, card);
    else this.#end(card);
    if (isNew && card.state === "pending") this.#tell([card]);
  }

  #end(card) {
    this.#cards.delete(card.id);
    this.#ended.set(card.id, { card, at: Date.now() });
  }

  #tell(cards) {
    for (const card of cards) this.dispatchEvent(new CustomEvent("opened", { detail: card }));
  }
}
