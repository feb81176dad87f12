// <passkey-button data-mode="register|signin|approve" data-options-url data-finish-url>: the phone's own lock instead of a password.
//
// POST options-url with the fields of the form around the button -> WebAuthn options as JSON.
// The phone asks its owner. POST finish-url with {...fields, credential} -> {"next": "/…"}; refusals carry {"error": "sentence"}.
import { bytes, forgetPerson, postJson, setBusy } from "./app.js";

class PasskeyButton extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector("button");
    this.message = this.querySelector(".meldung");
    if (!self.PublicKeyCredential) {
      this.button.disabled = true;
      this.say(this.dataset.unsupported, true);
      return;
    }
    this.button.addEventListener("click", () => this.run());
  }

  async run() {
    if (this.running) return;
    const form = this.closest("form");
    if (form && !form.reportValidity()) return;
    if (!navigator.onLine) return this.say(this.dataset.offline, true);
    this.running = true;
    this.say("");
    setBusy(this.button, this.dataset.busy);
    try {
      await this.ask(form ? Object.fromEntries(textFields(form)) : {});
    } catch (fault) {
      this.end(this.sentence(fault));
    }
  }

  async ask(fields) {
    const options = await postJson(this.dataset.optionsUrl, fields);
    if (!options.ok) return this.end(options.body.error || this.dataset.failed);
    const credential = await (this.dataset.mode === "register" ? create(options.body) : get(options.body));
    const answer = await postJson(this.dataset.finishUrl, { ...fields, credential: plain(credential) });
    if (!answer.ok) return this.end(answer.body.error || this.dataset.failed);
    if (this.dataset.mode !== "approve") forgetPerson();
    location.assign(answer.body.next || location.href);
  }

  end(text) {
    this.running = false;
    setBusy(this.button, "");
    this.say(text, true);
  }

  say(text, isFault = false) {
    this.message.textContent = text;
    this.message.hidden = !text;
    this.message.classList.toggle("falsch", isFault);
  }

  sentence(fault) {
    if (fault.name === "NotAllowedError" || fault.name === "AbortError") return this.dataset.cancelled;
    if (fault.name === "InvalidStateError") return this.dataset.exists;
    if (fault.name === "NotSupportedError") return this.dataset.unsupported;
    return navigator.onLine ? this.dataset.failed : this.dataset.offline;
  }
}

function textFields(form) {
  return [...new FormData(form)].filter(([name, value]) => typeof value === "string" && name !== "csrf");
}

function create(options) {
  const json = options.publicKey ?? options;
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON?.(json) ?? {
    ...json,
    challenge: bytes(json.challenge),
    user: { ...json.user, id: bytes(json.user.id) },
    excludeCredentials: json.excludeCredentials?.map(withBytes),
  };
  return navigator.credentials.create({ publicKey });
}

function get(options) {
  const json = options.publicKey ?? options;
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON?.(json) ?? {
    ...json,
    challenge: bytes(json.challenge),
    allowCredentials: json.allowCredentials?.map(withBytes),
  };
  return navigator.credentials.get({ publicKey });
}

/** The credential as JSON, without extension results: those could carry a secret that must stay on the phone. */
function plain(credential) {
  const json = credential.toJSON ? credential.toJSON() : byHand(credential);
  return { ...json, clientExtensionResults: {} };
}

function byHand({ id, rawId, type, response, authenticatorAttachment }) {
  const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const parts = names.filter((name) => response[name]).map((name) => [name, text(response[name])]);
  const transports = response.getTransports?.();
  return { id, rawId: text(rawId), type, authenticatorAttachment, response: { ...Object.fromEntries(parts), ...(transports && { transports }) } };
}

function withBytes(descriptor) {
  return { ...descriptor, id: bytes(descriptor.id) };
}

function text(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

customElements.define("passkey-button", PasskeyButton);
