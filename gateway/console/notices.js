// Notices of new holds while nobody looks. They name agent, tool and risk, and never an argument.

import { plain } from "./text.js";

/** Tells of each new hold, if the user wants it and the page is in the background. */
export class Notices {
  #wanted = localStorage.getItem("notices") === "on";

  constructor(waiting) {
    waiting.addEventListener("opened", (event) => this.#tell(event.detail));
  }

  /** `on`, `off`, or `refused` by the browser. */
  get state() {
    if (!("Notification" in window) || Notification.permission === "denied") return "refused";
    return this.#wanted && Notification.permission === "granted" ? "on" : "off";
  }

  /** Asks the browser, or stops. */
  async turn(on) {
    if (on && "Notification" in window) on = (await Notification.requestPermission()) === "granted";
    this.#wanted = on;
    localStorage.setItem("notices", on ? "on" : "off");
    return this.state;
  }

  #tell(card) {
    if (this.state !== "on" || !document.hidden) return;
    const body = `${plain(card.agent)} wants ${plain(card.server)}.${plain(card.tool)}`;
    try {
      const notice = new Notification(`${card.risk}: a call waits`, { body, tag: card.id });
      notice.addEventListener("click", () => {
        focus();
        location.hash = `holds/${card.id}`;
        notice.close();
      });
    } catch {
      // Some phones let only service workers tell; the title and the icon do.
    }
  }
}
