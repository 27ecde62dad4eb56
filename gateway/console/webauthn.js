// Passkeys as browsers have them: one is made, or signs what the gateway asks. Texts of bytes are base64url.

import { Refused } from "./api.js";

/** Why there can be no passkeys on this page, or nothing. Browsers keep them for names alone, never for addresses. */
export function hindered() {
  if (/^[\d.]+$|^\[/.test(location.hostname)) return `Passkeys need a name: open the console as ${location.protocol}//localhost:${location.port}, or by its host's name.`;
  return window.PublicKeyCredential ? null : "This browser has no passkeys here.";
}

/** Makes a passkey by what `passkeys_begin` answers. */
export async function make(options) {
  const made = await asked(() => navigator.credentials.create({ publicKey: {
    ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map((known) => ({ ...known, id: bytes(known.id) })),
  } }));
  const { attestationObject, clientDataJSON } = made.response;
  return { id: made.id, rawId: text(made.rawId), type: made.type,
    response: { attestationObject: text(attestationObject), clientDataJSON: text(clientDataJSON) } };
}

/** Has a passkey sign what `passkeys_challenge`, or the sign-in, asks. The sign-in names none: the browser offers those that it knows. */
export async function sign({ nonce, challenge, site, credentials }) {
  const signed = await asked(() => navigator.credentials.get({ publicKey: {
    challenge: bytes(challenge), rpId: site, userVerification: "required", timeout: 60_000,
    allowCredentials: credentials.map((id) => ({ type: "public-key", id: bytes(id) })),
  } }));
  const { authenticatorData, clientDataJSON, signature } = signed.response;
  return { nonce, credential: text(signed.rawId), authenticator_data: text(authenticatorData), client_data: text(clientDataJSON), signature: text(signature) };
}

const TROUBLES = {
  NotAllowedError: ["the passkey was not used: it was cancelled, nobody answered in time, or it is not on this device", "try again, or use your PIN"],
  InvalidStateError: ["this authenticator has a passkey of yours already", "use that one, or another authenticator"],
  NotSupportedError: ["this authenticator makes no passkey of a kind that is taken", "try another one"],
  ConstraintError: ["this authenticator cannot keep a passkey, or cannot verify who is at it", "set a PIN or a fingerprint on it, make room on it, or try another one"],
  SecurityError: ["the browser has no passkeys for this address", "open the console by its name"],
};

async function asked(browser) {
  const why = hindered();
  if (why) throw new Refused({ message: why, code: 0 });
  try {
    return await browser();
  } catch (error) {
    const [message, next] = TROUBLES[error.name] ?? [`the browser could not use a passkey: ${error.message}`, "try again, or use your PIN"];
    throw new Refused({ message, code: 0, data: { next } });
  }
}

function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
}

function text(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
