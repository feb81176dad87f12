// What every page needs: waiting sign, second tap ignored, errors first, offline band, steppers, the service worker.
const BUSY_AFTER_MS = 400;
const GIVE_UP_MS = 20000;
const root = document.documentElement.dataset.root || "/";
const waiting = new WeakSet();
let leftAt = 0;
/** Which of three ways this phone goes. */
export const system = /iPhone|iPad|iPod/.test(navigator.userAgent) ? "ios" : /Android/.test(navigator.userAgent) ? "android" : "desktop";

document.addEventListener("submit", onSubmit, true); // before htmx sees it
document.addEventListener("click", onStep);
document.addEventListener("htmx:finally:request", (event) => release(formOf(event.target)));
document.addEventListener("htmx:response:error", (event) => event.detail.ctx.response.status === 422 || showFault(true));
document.addEventListener("htmx:error", (event) => formOf(event.target) && showFault(true)); // what asks by itself asks again
document.addEventListener("htmx:before:request", () => showFault(false));
document.addEventListener("htmx:before:response", keepLeaving);
document.addEventListener("htmx:after:swap", onSwap);
document.addEventListener("change", keepChoice);
addEventListener("beforeunload", () => { leftAt = Date.now(); });
addEventListener("online", showNet);
addEventListener("offline", showNet);
addEventListener("beforeinstallprompt", keepInstallOffer);
addEventListener("pageshow", (event) => event.persisted && document.querySelectorAll("form").forEach(release));

showNet();
showCopyTime();
focusErrors();
greetReceipt();
startWorker();
loadElements();
prepareButtons();

/** The first submit goes through and shows its wait after 0.4 s; every further one is dropped. */
function onSubmit(event) {
  const form = event.target;
  if (form.method !== "post") return;
  if (waiting.has(form)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  waiting.add(form);
  if ("abmelden" in form.dataset) forgetPerson();
  const button = event.submitter;
  setTimeout(() => waiting.has(form) && button && setBusy(button, document.documentElement.dataset.warten), BUSY_AFTER_MS);
  setTimeout(() => release(form), GIVE_UP_MS); // a second send is safe: the form carries a one-time key
}

function release(form) {
  if (!form) return;
  waiting.delete(form);
  form.querySelectorAll("[aria-busy=true]").forEach((button) => { setBusy(button, ""); });
}

/** Whoever has tapped a link goes there, also when a page that asks by itself hears just then that it should draw itself anew. */
function keepLeaving(event) {
  if (Date.now() - leftAt < GIVE_UP_MS && !formOf(event.target)) event.preventDefault();
}

/** What is chosen in a part stays chosen, although that part was about to be drawn anew for what was chosen before it. */
function keepChoice({ target }) {
  target.closest("#bis")?.previousElementSibling.dispatchEvent(new Event("htmx:abort"));
}

function formOf(element) {
  return element instanceof Element ? element.closest("form") : null;
}

/** Show or end the waiting sign of one button; `text` is what it says meanwhile. Elements of other files use it too. */
export function setBusy(button, text) {
  const word = button.querySelector("span");
  if (text) {
    button.dataset.wort = word ? word.textContent : "";
    button.setAttribute("aria-busy", "true");
  } else button.removeAttribute("aria-busy");
  if (word) word.textContent = text || button.dataset.wort;
}

/** Minus and plus change the number on the spot; without JavaScript they are submit buttons. */
function onStep(event) {
  const button = event.target.closest(".stufen button");
  if (!button) return;
  event.preventDefault();
  const box = button.closest(".stufen");
  const field = box.querySelector("input");
  const now = Number.parseFloat(field.value.replace(",", ".")) || 0;
  const next = Math.min(Number(box.dataset.max), Math.max(Number(box.dataset.min), now + Number(button.value)));
  field.value = String(next).replace(".", ",");
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

/** A whole page that came in one round trip begins like one that was loaded: at the top, with what has happened. */
function onSwap(event) {
  if (event.detail.ctx.target === document.body) {
    scrollTo(0, 0);
    (document.querySelector("[data-quittung]") || document.getElementById("inhalt")).focus({ preventScroll: true });
    loadElements();
    prepareButtons();
    showNet();
  }
  focusErrors();
  greetReceipt();
}

function focusErrors() {
  const list = document.getElementById("fehlerliste");
  if (!list || list.dataset.seen) return;
  list.dataset.seen = "1";
  list.focus();
  const word = document.documentElement.dataset.fehler;
  if (word && !document.title.startsWith(word)) document.title = `${word} ${document.title}`;
}

/** A receipt is felt in a loud hall, where the phone can. */
function greetReceipt() {
  const receipt = document.querySelector("[data-quittung]:not([data-seen])");
  if (!receipt) return;
  receipt.dataset.seen = "1";
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(100);
}

function showFault(isFault) {
  const band = document.getElementById("stoerung");
  if (!band) return;
  const word = band.querySelector("span");
  band.dataset.fehler ??= word.textContent;
  word.textContent = navigator.onLine ? band.dataset.fehler : band.dataset.keinNetz;
  band.hidden = !isFault;
}

function showNet() {
  const band = document.getElementById("band-offline");
  if (band) band.hidden = navigator.onLine && !document.body.dataset.stand;
}

/** The service worker writes data-stand into a page that comes from the phone's own copy. */
function showCopyTime() {
  const { stand } = document.body.dataset;
  const text = document.querySelector("#band-offline [data-stand-text]");
  if (stand && text) text.textContent = text.dataset.standText.replace("{}", stand);
}

/** The browser offers this once, often before the button exists; the install element picks it up. */
function keepInstallOffer(event) {
  event.preventDefault();
  self.installOffer = event;
  dispatchEvent(new Event("install-offer"));
}

function startWorker() {
  navigator.serviceWorker?.register(`${root}sw.js`, { scope: root }).catch(() => {});
}

/** Before somebody else signs in, and at sign-out, the copies of this person's pages go. */
export function forgetPerson() {
  navigator.serviceWorker?.controller?.postMessage({ type: "forget" });
}

/** Post JSON to our own server; resolves to the answer, also of a refusal, as {ok, status, body}. */
export async function postJson(url, body) {
  const csrf = document.querySelector("meta[name=csrf]")?.content ?? "";
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify(body),
  });
  return { ok: response.ok, status: response.status, body: await response.json().catch(() => ({})) };
}

/** Bytes of base64url. */
export function bytes(text) {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
}

/** Buttons that only make sense with a script, and words that are only true on some phones. */
function prepareButtons() {
  document.querySelectorAll("[data-drucken]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => print());
  });
  if ("BarcodeDetector" in self) document.querySelectorAll("[data-scannen] span").forEach((word) => { word.textContent = word.parentElement.dataset.scannen; });
}

/** The number on the app's icon is what the server says at every page. */
function showCount(count) {
  (count ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.())?.catch(() => {});
}

/** Hours that were written down without a net (queue.js). */
function isAnythingWaiting() {
  try {
    return Boolean(localStorage.getItem(`waiting:${root}`));
  } catch {
    return false;
  }
}

function loadElements() {
  const has = (name) => document.querySelector(name);
  if (has("passkey-button")) import("./passkey.js");
  if (has("install-button")) import("./install.js");
  if (has("code-scanner")) import("./scan.js");
  if (has("hours-form") || isAnythingWaiting()) import("./hours.js");
  const push = has("meta[name=push]");
  if (push) showCount(Number(push.dataset.count));
  if (has("push-button") || (push && self.Notification?.permission === "granted")) import("./push.js");
}
