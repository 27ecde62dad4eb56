// How somebody shows that a decision is theirs: a passkey signs it, or they type their PIN.

import { NEEDS_PASSKEY } from "./api.js";
import { button, h, replace } from "./dom.js";
import { pinField, proved } from "./parts.js";
import { sign } from "./webauthn.js";

/** What a dialog shows of it, and `shown`: the parameters of a method, with the proof. `instead`: whether the PIN is as good. */
export function proof(session, attributes = {}, { what = "this answer", instead = true } = {}) {
  const signs = session.passkeys.length > 0;
  const place = h("div", { class: "proof-by" });
  const byPin = () => {
    replace(place, pinField(attributes), signs ? button("Use the passkey instead", byPasskey, { class: "link" }) : null);
    place.querySelector("input").focus();
  };
  const byPasskey = () => replace(place, h("p", { class: "small" }, `Your passkey signs ${what}, and the signature is kept with it. `,
    instead ? button("Use the PIN instead", byPin, { class: "link" }) : null));
  if (signs) byPasskey();
  else replace(place, pinField(attributes));
  const shown = async (api, method, params, data) => {
    if (!signs || data.get("pin")) return proved(params, data);
    return signed(api, method, params);
  };
  return { element: place, shown };
}

/** Calls a method for which the PIN is not enough of somebody who has a passkey: then that signs. */
export async function keyed(api, method, params, data) {
  try {
    return await api.call(method, proved(params, data));
  } catch (error) {
    if (error.code !== NEEDS_PASSKEY) throw error;
    return api.call(method, await signed(api, method, params));
  }
}

async function signed(api, method, params) {
  return { ...params, assertion: await sign(await api.call("passkeys_challenge", { method, params })) };
}
