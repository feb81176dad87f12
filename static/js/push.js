// <push-button data-key data-subscribe-url data-test-url>: messages, asked for only after a tap.
//
// POST subscribe-url {subscription, platform} -> 2xx. POST test-url {} sends the test message to this device.
// On every later page the browser's subscription is compared with what the server got last, and renewed without a word.
import { postJson, setBusy } from "./app.js";

const root = document.documentElement.dataset.root || "/";
const MEMORY = `push:${root}`;
const RESEND_AFTER_MS = 12 * 3600 * 1000;

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

/** Subscribe, or replace a subscription that was made for another server key. */
async function subscribe(key) {
  const { pushManager } = await navigator.serviceWorker.ready;
  const applicationServerKey = bytes(key);
  const old = await pushManager.getSubscription();
  if (old && !isSame(old.options?.applicationServerKey, applicationServerKey)) await old.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
}

async function send(subscription, { key, subscribeUrl }) {
  const json = subscription.toJSON();
  const answer = await postJson(subscribeUrl, { subscription: json, platform: platform() });
  if (!answer.ok) throw new Error("refused");
  localStorage.setItem(MEMORY, JSON.stringify({ key, subscribeUrl, endpoint: json.endpoint, sentAt: Date.now() }));
}

/** Subscriptions die without a word: compare at every page load, send again when something differs or after half a day. */
async function renew() {
  const memory = JSON.parse(localStorage.getItem(MEMORY) || "null");
  if (!memory || Notification.permission !== "granted") return;
  const subscription = await subscribe(memory.key);
  if (subscription.endpoint !== memory.endpoint || Date.now() - memory.sentAt > RESEND_AFTER_MS) await send(subscription, memory);
}

function platform() {
  const installed = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
  return { os: system(), installed, actions: self.Notification?.maxActions ?? 0, language: navigator.language };
}

function system() {
  if (/iPhone|iPad|iPod/.test(navigator.userAgent)) return "ios";
  if (/Android/.test(navigator.userAgent)) return "android";
  return "desktop";
}

function isSame(given, wanted) {
  if (!given) return true;
  const now = new Uint8Array(given);
  return now.length === wanted.length && now.every((byte, at) => byte === wanted[at]);
}

function bytes(base64url) {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
}

customElements.define("push-button", PushButton);
if ("PushManager" in self && navigator.serviceWorker) renew().catch(() => {});
