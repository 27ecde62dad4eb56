// One's own passkeys: made, listed, removed.

import { session } from "./api.js";
import { button, h, replace } from "./dom.js";
import { ask, tell, toast, trouble } from "./parts.js";
import { keyed } from "./proof.js";
import { ago, shown } from "./text.js";
import { hindered, make } from "./webauthn.js";

/** The dialog of them. */
export function passkeys(around) {
  const place = h("div", { class: "passkeys" });
  const why = hindered();
  const read = async () => {
    try {
      const [known, who] = await Promise.all([around.api.call("passkeys_list"), session()]);
      if (who) around.session.passkeys = who.passkeys;
      replace(place, known.length === 0 ? h("p", { class: "faint" }, "You have none yet.")
        : h("ul", { class: "rows" }, known.map((one) => row(one, around, read))));
    } catch (error) {
      replace(place, trouble(error));
    }
  };
  tell({ title: "Your passkeys", body: [
    h("p", {}, "A passkey signs you in, and signs each approval of yours: whoever reads the log can check that it was you. Your PIN stays good where no policy asks for a passkey. Once you have one, it takes one of yours to add another or to remove one; an admin takes away what was lost."),
    place, why ? h("p", { class: "warning" }, why) : button("Add a passkey", () => add(around, read), { class: "quiet" })] });
  read();
}

function row({ id, label, site, added, used }, around, read) {
  return h("li", { class: "row" },
    h("span", { class: "row-main" }, h("b", {}, shown(label)),
      h("span", { class: "small faint" }, "for ", shown(site), ", added ", ago(added), used ? [", used ", ago(used)] : ", not used yet")),
    h("code", { class: "faint small", title: id }, id.slice(0, 8)),
    button("Remove", () => remove({ id, label }, around, read), { class: "quiet danger-text", "aria-label": `Remove the passkey ${label}` }));
}

function add(around, read) {
  const label = h("input", { name: "label", required: true, maxlength: 64, autofocus: true, autocomplete: "off", placeholder: "laptop, blue key …" });
  ask({ title: "Add a passkey", act: "Make it", body: [h("label", {}, "What you call it", label),
    h("p", { class: "small faint" }, "Your browser asks for a fingerprint, a face or the PIN of a key.")],
  submit: async (data) => {
    const options = await keyed(around.api, "passkeys_begin", {}, data);
    const response = await make(options);
    const made = await around.api.call("passkeys_add", { label: data.get("label"), response });
    toast(`The passkey ${made.label} is yours.`);
    await read();
  } });
}

function remove({ id, label }, around, read) {
  ask({ title: ["Remove the passkey ", shown(label), "?"], kind: "danger", act: "Remove",
    body: h("p", {}, "It signs for you no more. What it signed stays in the trail, and can still be checked."), submit: async (data) => {
      await keyed(around.api, "passkeys_remove", { id }, data);
      toast(`The passkey ${label} is removed.`);
      await read();
    } });
}
