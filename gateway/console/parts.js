// Small parts that several pages are made of.

import { NEEDS_PIN } from "./api.js";
import { button, h, replace } from "./dom.js";
import { shown } from "./text.js";

/** A risk, in its colour and in words. */
export function risk(name) {
  return h("span", { class: `risk ${String(name).toLowerCase()}` }, name);
}

/** A verdict, in its colour and in words. */
export function verdict(name) {
  const words = { allow: "allowed", hold: "held", deny: "denied" };
  return h("span", { class: `verdict ${name}` }, words[name] ?? name);
}

/** Policies that only watch and would have decided otherwise. */
export function watched(observed) {
  const one = ({ policy, would }) => h("li", {}, h("code", {}, shown(policy)), ` only watches, and would ${would} it`);
  return observed?.length ? h("ul", { class: "plain watched" }, observed.map(one)) : null;
}

/** A tool by its full name. */
export function tool(server, name) {
  return h("span", { class: "tool" }, h("span", { class: "server" }, shown(`${server}.`)), shown(name ?? ""));
}

/** A name and what it stands for, in rows; rows without a value are left out. */
export function facts(rows) {
  const there = rows.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return h("dl", { class: "facts" }, there.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A part of a page with its heading. */
export function section(title, ...children) {
  return h("section", {}, h("h2", {}, title), children);
}

/** What is shown where there is nothing. */
export function empty(title, text) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text));
}

/** What went wrong, and what to do next. */
export function trouble(error) {
  return h("div", { class: "trouble", role: "alert" },
    h("p", {}, shown(error.message)), error.next ? h("p", { class: "faint" }, shown(error.next)) : null);
}

/** Says something in a corner for a while. */
export function toast(text, kind = "") {
  const place = document.getElementById("toasts");
  const note = h("p", { class: `toast ${kind}` }, shown(text));
  place.append(note);
  setTimeout(() => note.remove(), 6_000);
}

/** Where a PIN is typed. */
export function pinField(attributes = {}) {
  return h("label", {}, "Your PIN", h("input", { name: "pin", type: "password", autocomplete: "current-password", required: true, ...attributes }));
}

/** What is asked of the gateway, with the PIN if one was typed. */
export function proved(params, data) {
  return data.get("pin") ? { ...params, pin: data.get("pin") } : params;
}

/** A dialog with a form. `submit` is given the form's data; what it throws is shown, and the dialog stays. Where the gateway
 * wants a proof of who asks, the form gains a field for the PIN. */
export function ask({ title, body, act, kind = "primary", submit, wide = false }) {
  const problem = h("div", {});
  const pin = h("div", {});
  const sure = h("button", { type: "submit", class: kind }, act);
  const close = button("Cancel", () => dialog.close(), { class: "quiet" });
  const form = h("form", { method: "dialog" }, h("h2", { id: "ask-title" }, title), body, pin, problem,
    h("div", { class: "actions" }, sure, close));
  const dialog = h("dialog", { class: wide ? "wide" : null, "aria-labelledby": "ask-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sure.disabled) return;
    sure.disabled = true;
    try {
      await submit(new FormData(form), dialog);
      dialog.close();
    } catch (error) {
      replace(problem, trouble(error));
      wrong(error);
    } finally {
      sure.disabled = false;
    }
  });
  const wrong = ({ code }) => {
    if (code === NEEDS_PIN && !form.elements.pin) {
      replace(pin, pinField());
      replace(problem);
    }
    if (form.elements.pin) form.elements.pin.value = "";
    form.elements.pin?.focus();
  };
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  (dialog.querySelector("[autofocus]") ?? sure).focus();
  return dialog;
}

/** Says something that is to be read before anything else. */
export function tell({ title, body, wide = false }) {
  const close = button("Close", () => dialog.close(), { class: "primary" });
  const dialog = h("dialog", { class: wide ? "wide" : null, "aria-labelledby": "tell-title" },
    h("h2", { id: "tell-title" }, title), body, h("div", { class: "actions" }, close));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
  return dialog;
}

/** Choices of which one is on. */
export function tabs(label, names, chosen, choose) {
  return h("div", { class: "tabs", role: "group", "aria-label": label }, names.map(([id, text]) =>
    button(text, () => choose(id), { "aria-pressed": id === chosen ? "true" : "false" })));
}
