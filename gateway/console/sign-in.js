// Signing in by the one-time link of `portcullis console`, by name and PIN, or by a passkey; and out.

import { post, session } from "./api.js";
import { button, h, replace } from "./dom.js";
import { trouble } from "./parts.js";
import { hindered, sign } from "./webauthn.js";

/** Shows the form, and ends when somebody is signed in or it is worth another try. */
export async function signIn(main, away) {
  document.body.classList.remove("in");
  if (location.pathname === "/sign-in" && location.hash.length > 1) return byLink(main);
  if (away) return wait(main);
  return byPin(main);
}

/** A code works once: it is taken out of the address before it is sent. */
async function byLink(main) {
  const code = location.hash.slice(1);
  history.replaceState(null, "", "/");
  try {
    await post("/sign-in", { code });
  } catch (error) {
    await byPin(main, error);
  }
}

function byPin(main, before) {
  return new Promise((done) => {
    const problem = h("div", {}, before ? trouble(before) : null);
    const name = h("input", { name: "name", autocomplete: "username", required: true, autofocus: true, spellcheck: "false", autocapitalize: "none" });
    const pin = h("input", { name: "pin", type: "password", autocomplete: "current-password", required: true });
    const why = hindered();
    const byPasskey = async () => {
      if (!name.reportValidity()) return;
      try {
        const assertion = await sign(await post("/sign-in/passkey", { name: name.value }));
        await post("/sign-in", { name: name.value, assertion });
        done();
      } catch (error) {
        replace(problem, trouble(error));
      }
    };
    const form = h("form", { class: "sign-in" },
      h("img", { src: "/icon.svg", alt: "", width: 44, height: 44 }), h("h1", {}, "Portcullis"),
      h("p", { class: "faint" }, "On the gateway's machine, ", h("code", {}, "portcullis console"), " prints a link that signs you in."),
      h("label", {}, "Name", name), h("label", {}, "PIN", pin), problem,
      h("button", { type: "submit", class: "primary" }, "Sign in"),
      why ? h("p", { class: "small faint" }, why) : button("Use a passkey", byPasskey, { class: "quiet" }));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await post("/sign-in", { name: name.value, pin: pin.value });
        done();
      } catch (error) {
        pin.value = "";
        replace(problem, trouble(error));
      }
    });
    replace(main, form);
    name.focus();
  });
}

async function wait(main) {
  replace(main, h("div", { class: "sign-in", role: "status" }, h("h1", {}, "Portcullis"), h("p", {}, "The gateway cannot be reached. Trying again …")));
  await new Promise((done) => setTimeout(done, 2_000));
}

/** Ends the session here and at the gateway. */
export async function signOut({ api, session: { csrf } }) {
  const fresh = await session().catch(() => null);
  api.close();
  await post("/sign-out", {}, fresh?.csrf ?? csrf).catch(() => undefined);
  location.assign("/");
}
