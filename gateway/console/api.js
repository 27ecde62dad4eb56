// The operators' API: JSON-RPC over one WebSocket that comes back by itself, and the requests of signing in.

import { parse } from "./json.js";

/** The same request with the operator's PIN may succeed. */
export const NEEDS_PIN = 1402;

/** The same request with a signature of the operator's passkey over it may succeed. */
export const NEEDS_PASSKEY = 1413;

/** What the gateway refused, with what to do about it. */
export class Refused extends Error {
  constructor({ message, code, data }) {
    super(message);
    this.code = code;
    this.next = data?.next;
    this.data = data;
  }
}

const PATIENCE = 30_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/** The connection. `state` is `connecting`, `live`, `away` or `out`, and each change is an event. */
export class Api extends EventTarget {
  state = "connecting";
  #socket = null;
  #next = 1;
  #waiting = new Map();
  #subscriptions = new Map();
  #wait = FIRST_WAIT;
  #timer = 0;
  #closed = false;
  #token;

  /** `token` is the page's own: a WebSocket's handshake takes no header of ours, so it stands in the address. */
  constructor(token) {
    super();
    this.#token = token;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  /** Connects, and again whenever the connection is lost. */
  open() {
    this.#closed = false;
    if (this.#socket) return;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api?csrf=${encodeURIComponent(this.#token)}`);
    this.#socket = socket;
    socket.addEventListener("open", () => this.#opened());
    socket.addEventListener("message", (event) => this.#heard(parse(event.data)));
    socket.addEventListener("close", () => this.#lost());
  }

  /** Ends the connection for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  /** Tries now instead of later. */
  hurry() {
    if (this.state !== "away" || this.#socket || this.#closed) return;
    clearTimeout(this.#timer);
    this.#again();
  }

  /** Calls a method. */
  call(method, params = {}) {
    if (this.state !== "live") return Promise.reject(new Refused(AWAY));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, { error: SLOW }), PATIENCE);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /** Hears of every open hold and of each change, also after the connection was lost and came back. */
  async follow(hear) {
    const id = await this.call("holds_subscribe");
    this.#subscriptions.set(id, hear);
  }

  #opened() {
    this.#wait = FIRST_WAIT;
    this.#become("live");
  }

  #heard(message) {
    if (message.method === "holds_event") {
      const { subscription, result, error } = message.params;
      // It ended, as the session has: the socket closes, and the page asks who is signed in.
      if (error) this.#subscriptions.delete(subscription);
      else this.#subscriptions.get(subscription)?.(result);
    } else {
      this.#settle(message.id, message);
    }
  }

  #settle(id, { result, error }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (error) waiting.reject(new Refused(error));
    else waiting.resolve(result);
  }

  #lost() {
    this.#socket = null;
    this.#subscriptions.clear();
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { error: CUT });
    if (this.#closed) return;
    this.#become("away");
    // Not all browsers at once when a gateway comes back.
    this.#timer = setTimeout(() => this.#again(), this.#wait * (0.5 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }

  // A WebSocket does not say why it was refused: a request does.
  async #again() {
    const signedIn = await session().catch(() => undefined);
    if (this.#closed) return;
    if (signedIn === undefined) this.#lost();
    else if (signedIn === null) this.#become("out");
    else {
      this.#token = signedIn.csrf;
      this.open();
    }
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

const AWAY = { message: "the gateway cannot be reached", code: 0, data: { next: "the page tries again by itself" } };
const SLOW = { message: "the gateway did not answer in time", code: 0, data: { next: "look whether it was done before you try again" } };
const CUT = { message: "the connection was lost before the answer", code: 0, data: { next: "look whether it was done before you try again" } };

/** Who is signed in; `null` for nobody. Throws where the gateway cannot be reached. */
export async function session() {
  const response = await fetch("/session", { cache: "no-store" });
  if (response.ok) return response.json();
  if (response.status === 401 || response.status === 403) return null;
  throw new Error(`the gateway answered ${response.status}`);
}

/** Sends a form of signing in or out. */
export async function post(path, body, csrf) {
  const headers = { "content-type": "application/json" };
  if (csrf) headers["x-csrf-token"] = csrf;
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
  const text = await response.text();
  const answer = text.startsWith("{") ? JSON.parse(text) : {};
  if (response.ok) return answer;
  const refused = answer.error ?? answer;
  const message = typeof refused === "string" ? refused : refused.message ?? (text.trim() || `the gateway answered ${response.status}`);
  throw new Refused({ message, code: response.status, data: refused.data ?? refused });
}
