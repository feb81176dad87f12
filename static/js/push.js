// <push-button data-key data-subscribe-url data-test-url>: messages, asked for only after a tap.
//
// POST subscribe-url {subscription, platform} -> 2xx. POST test-url {} sends the test message to this device.
// <meta name=push content data-device data-subscribe-url> stands on every page of a person who is signed in: the server's key
// and what it knows of this sign-in's subscription: its mark, "gone" (the push service forgot it), "off" (not wanted), or "".
// Where the browser's own subscription differs, it is renewed and sent without a word.
import { bytes, postJson, setBusy, system } from "./app.js";

const known = document.querySelector("meta[name=push]");

class PushButton extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector("button");
    this.message = this.querySelector(".meldung");
    if (!("PushManager" in self) || !self.Notification || !navigator.serviceWorker) return this.refuse(this.dataset.unsupported);
    if (Notification.permission === "denied") return this.refuse(this.dataset.denied);
    this.button.addEventListener("click", () => this.run());
  }

  async run() {
    if (this.button.getAttribute("aria-busy")) return;
    setBusy(this.button, this.dataset.busy || this.button.textContent.trim());
    try {
      if ((await Notification.requestPermission()) !== "granted") return this.say(this.dataset.denied, true);
      await send(await subscribe(this.dataset.key), this.dataset);
      if (this.dataset.testUrl) await postJson(this.dataset.testUrl, {});
      this.say(this.dataset.done);
      this.dispatchEvent(new CustomEvent("push-on", { bubbles: true }));
    } catch {
      this.say(this.dataset.failed, true);
    } finally {
      setBusy(this.button, "");
    }
  }

  refuse(text) {
    this.button.disabled = true;
    this.say(text);
  }

  say(text, isFault = false) {
    this.message.textContent = text;
    this.message.hidden = false;
    this.message.classList.toggle("falsch", isFault);
  }
}

/** Subscribe, or replace a subscription that is dead or was made for another server key. */
async function subscribe(key) {
  const { pushManager } = await navigator.serviceWorker.ready;
  const applicationServerKey = bytes(key);
  const old = await pushManager.getSubscription();
  const isDead = known?.dataset.device === "gone" || !isSame(old?.options?.applicationServerKey, applicationServerKey);
  if (old && isDead) await old.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
}

async function send(subscription, { subscribeUrl }) {
  const answer = await postJson(subscribeUrl, { subscription: subscription.toJSON(), platform: platform() });
  if (!answer.ok) throw new Error("refused");
}

/** Subscriptions die without a word: compare at every page load, send again when the server knows another one or none. */
async function renew() {
  if (!known?.content || known.dataset.device === "off" || Notification.permission !== "granted") return;
  const subscription = await subscribe(known.content);
  if ((await mark(subscription.endpoint)) === known.dataset.device) return;
  await send(subscription, known.dataset);
  document.querySelector("[data-nachrichten-karte]")?.remove();
}

/** The short name of an address, as app/push/rules.py makes it. */
async function mark(endpoint) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint)));
  return [...digest.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function platform() {
  const installed = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
  return { os: system, installed, actions: self.Notification?.maxActions ?? 0, language: navigator.language };
}

function isSame(given, wanted) {
  if (!given) return true;
  const now = new Uint8Array(given);
  return now.length === wanted.length && now.every((byte, at) => byte === wanted[at]);
}

customElements.define("push-button", PushButton);
if ("PushManager" in self && navigator.serviceWorker) renew().catch(() => {});
