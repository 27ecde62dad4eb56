// How somebody shows that a decision is theirs: a passkey signs it, or they type their PIN.

import { button, h, replace } from "./dom.js";
import { pinField, proved } from "./parts.js";
import { sign } from "./webauthn.js";

/** What a dialog shows of it, and `shown`: the parameters of a method, with the proof. */
export function proof(session, attributes = {}) {
  const keyed = session.passkeys.length > 0;
  const place = h("div", { class: "proof-by" });
  const byPin = () => {
    replace(place, pinField(attributes));
    place.querySelector("input").focus();
  };
  if (keyed) {
    replace(place, h("p", { class: "small" }, "Your passkey signs this answer, and the signature is kept with it. ",
      button("Use the PIN instead", byPin, { class: "link" })));
  } else {
    replace(place, pinField(attributes));
  }
  const shown = async (api, method, params, data) => {
    if (!keyed || data.get("pin")) return proved(params, data);
    return { ...params, assertion: await sign(await api.call("passkeys_challenge", { method, params })) };
  };
  return { element: place, shown };
}
