// The service worker: files of this version at hand, one offline page, the person's own "Heute", messages.
//
// The server puts four constants in front of this file (app/web/pwa.py): VERSION, ROOT ("/" or "/uebung/"), SHELL (the
// hashed files) and OFFLINE (the offline page). Real and practice world are two workers with two sets of stores.
//
// A push message is this JSON, declarative Web Push that Safari can show without us (at most 3,993 bytes):
//   {"web_push": 8030,
//    "notification": {"title", "body", "tag", "lang", "navigate": "https://…/task",
//      "data": {"id", "token", "answer_url", "seen_url", "arrived_url", "undo_url",
//               "thanks": {"title", "body"}, "failed": {"title"}},
//      "actions": [{"action": "yes", "title": "…"}, {"action": "no", "title": "…"}]},
//    "app_badge": 2}
// The answer to arrived_url may be {"title"}: the matter is done meanwhile, and that is shown in place of the message.
// Every key of data may be missing. The actions "open" and "seen" go to the task and to seen_url; "undo" goes to undo_url;
// any other action is an answer. All POSTs carry {"token", "id", "answer"?} as JSON and no cookies: the token is the only right.
// The server's answer may be {"title", "body", "undo_url", "token"} and then speaks instead of thanks; the "error" of a
// refusal (4xx) is shown as it is. Without the server's OK nothing is ever shown as done.

const STORE = `werkring:${ROOT}:`;
const FILES = `${STORE}files:${VERSION}`;
const TODAY_COPY = `${STORE}today`;
const TODAY = `${ROOT}heute`;
const PRACTICE = "/uebung/";
const PATIENCE_MS = 3000;
const REPORT = new RegExp(`^${ROOT}auftrag/[0-9a-f-]{36}/stunden$`);
const ICON = (SHELL.find((url) => url.endsWith("icons/sprite.svg")) || "").replace("sprite.svg", "icon-192.png");

importScripts(SHELL.find((url) => url.endsWith("js/queue.js")));

self.addEventListener("install", (event) => event.waitUntil(fillShell().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(dropOldShells().then(() => self.clients.claim())));
self.addEventListener("fetch", onFetch);
self.addEventListener("message", (event) => event.data?.type === "forget" && event.waitUntil(caches.delete(TODAY_COPY)));
self.addEventListener("sync", (event) => event.tag === "waiting" && event.waitUntil(sendWaiting()));
self.addEventListener("push", (event) => event.waitUntil(self.onPush(event.data)));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.onAlert(event.action, event.notification.data || {}));
});

// --- files and pages -------------------------------------------------------------------------------------------------

/** No cookies: a late answer to a precache request must never set an old session again. */
async function fillShell() {
  const store = await caches.open(FILES);
  await Promise.all([...SHELL, OFFLINE].map(async (url) => {
    const response = await fetch(url, { credentials: "omit", cache: url === OFFLINE ? "reload" : "default" });
    if (response.ok) await store.put(url, response);
  }));
}

async function dropOldShells() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(`${STORE}files:`) && name !== FILES).map((name) => caches.delete(name)));
}

function onFetch(event) {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || !isOurs(url.pathname)) return;
  if (SHELL.includes(url.pathname)) event.respondWith(fromShell(request, url.pathname));
  else if (request.mode === "navigate") event.respondWith(url.pathname === TODAY ? today(event) : page(request, REPORT.test(url.pathname)));
}

function isOurs(path) {
  return path.startsWith(ROOT) && (ROOT === PRACTICE || !path.startsWith(PRACTICE));
}

async function fromShell(request, path) {
  return (await caches.match(path, { cacheName: FILES })) || fetch(request);
}

async function page(request, hasCopy = false) {
  try {
    return await fetch(request);
  } catch {
    const copy = hasCopy && (await caches.match(request.url, { cacheName: TODAY_COPY, ignoreSearch: true }));
    return copy ? withTime(copy) : (await caches.match(OFFLINE, { cacheName: FILES })) || Response.error();
  }
}

/** Network first; after three seconds, or without a net, the copy with the time it was made. */
async function today(event) {
  const fresh = fetch(event.request).then((response) => keepToday(event, response));
  const copy = await caches.match(TODAY, { cacheName: TODAY_COPY });
  if (!copy) return fresh.catch(() => page(event.request));
  event.waitUntil(fresh.catch(() => {}));
  const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  const first = await Promise.race([fresh.catch(() => null), patience]);
  return first || withTime(copy);
}

function keepToday(event, response) {
  if (response.ok && !response.redirected && response.type === "basic") event.waitUntil(storeToday(response.clone()));
  else if (response.status !== 503) event.waitUntil(caches.delete(TODAY_COPY)); // signed out, or somebody else's right
  return response;
}

/** With today's jobs come the pages on which their hours are reported: these open without a net too. */
async function storeToday(response) {
  const store = await caches.open(TODAY_COPY);
  const html = await response.text();
  await keepCopy(store, TODAY, response, html);
  const links = [...html.matchAll(/href="([^"]+\/stunden)"/g)].map(([, url]) => url).filter((url) => REPORT.test(url));
  await Promise.allSettled(links.map(async (url) => {
    const form = await fetch(url);
    if (form.ok && !form.redirected) await keepCopy(store, url, form, await form.text());
  }));
}

async function keepCopy(store, url, response, html) {
  const headers = new Headers(response.headers);
  headers.delete("Content-Encoding");
  headers.set("X-Kept-At", new Date().toISOString());
  await store.put(url, new Response(html, { headers }));
}

async function withTime(copy) {
  const time = new Date(copy.headers.get("X-Kept-At")).toLocaleTimeString("de-DE", { hour: "numeric", minute: "2-digit" });
  const html = (await copy.text()).replace("<body", `<body data-stand="${time}"`);
  return new Response(html, { headers: copy.headers });
}

/** The browser wakes us when the net is back, also with all pages closed; what is left waits for the next time. */
async function sendWaiting() {
  const { isOffline } = await self.waiting.sendAll();
  if (isOffline) throw new Error("still no net");
}

// --- messages --------------------------------------------------------------------------------------------------------

/** Show every message that comes, also a broken one: a silent push costs the subscription. */
self.onPush = async (data) => {
  const { notification, app_badge: badge } = read(data);
  await show(notification.title, notification);
  const [, told] = await Promise.allSettled([setBadge(badge), post(notification.data?.arrived_url, notification.data)]);
  if (told.value?.body.title) await show(told.value.body.title, settled(notification));
};

/** What is done meanwhile, say while the phone was off, keeps its place and its page, but asks nothing any more. */
function settled({ tag, lang, navigate, data }) {
  return { tag, lang, navigate, data: { ...data, token: "", answer_url: "" } };
}

/** What a tap does: "" or "open" opens the task, "seen" says so, "undo" takes back, anything else answers. */
self.onAlert = async (action, data) => {
  if (!action || action === "open") return openTask(data);
  if (action === "seen") return sayLater(data.seen_url, data);
  if (action === "undo") return answer(data, data.undo_url, action, { title: "Zurückgenommen.", body: "" });
  return answer(data, data.answer_url, action, data.thanks || { title: "Danke.", body: "" });
};

async function answer(data, url, action, thanks) {
  let reply;
  try {
    reply = await post(url, data, action);
  } catch {
    return show(data.failed?.title || "Noch nicht gesendet – tippe hier", { body: "", data, tag: data.tag });
  }
  const title = reply.body.title || reply.refusal;
  if (!reply.ok && !title) return show(data.failed?.title || "Noch nicht gesendet – tippe hier", { body: "", data, tag: data.tag });
  const said = title ? { title, body: reply.body.body } : thanks;
  const undoUrl = reply.ok && action !== "undo" ? reply.body.undo_url || data.undo_url : "";
  const next = { ...data, answer_url: "", undo_url: undoUrl, token: reply.body.token || data.token };
  const actions = undoUrl ? [{ action: "undo", title: data.undo_title || "Rückgängig" }] : [];
  return show(said.title, { body: said.body, data: next, tag: data.tag, actions });
}

async function openTask(data) {
  await Promise.allSettled([sayLater(data.seen_url, data), goTo(data.navigate && isHere(data.navigate) ? data.navigate : ROOT)]);
}

/** "Gesehen" without a net is said when it is back. */
function sayLater(url, data) {
  return post(url, data).catch(() => self.waiting.keep({ url, isSeen: true, body: { token: data.token, id: data.id } })).catch(() => {});
}

/** Reuse an open window of this world: a second one would lose what was typed in the first. */
async function goTo(url) {
  const windows = await self.clients.matchAll({ type: "window" });
  const ours = windows.find((client) => isOurs(new URL(client.url).pathname));
  if (!ours) return self.clients.openWindow(url);
  await ours.focus();
  return ours.navigate(url);
}

/** A message may lead and report to our own server only. */
function isHere(url) {
  return new URL(url, location.origin).origin === location.origin;
}

async function post(url, data, answerWord) {
  if (!url || !isHere(url)) return { ok: false, body: {} };
  const response = await self.waiting.post(url, { token: data.token, id: data.id, answer: answerWord });
  const body = await response.json().catch(() => ({}));
  return { ok: response.ok, body, refusal: response.status >= 400 && response.status < 500 ? body.error : "" };
}

/** Title, text and buttons; where to go, tag and language travel in data, so that a replacement keeps them. */
function show(title, { body = "", tag, lang, navigate, data = {}, actions = [] }) {
  const kept = { ...data, tag: tag ?? data.tag, lang: lang ?? data.lang, navigate: navigate ?? data.navigate };
  return self.registration.showNotification(title, {
    body, actions, data: kept, tag: kept.tag, lang: kept.lang || "de", renotify: Boolean(kept.tag), icon: ICON || undefined, badge: ICON || undefined,
  });
}

function read(data) {
  try {
    const message = data.json();
    if (message.notification?.title) return message;
  } catch {
    // falls through: an unreadable message is still shown
  }
  return { notification: { title: "Neue Nachricht", body: "Tippe hier.", navigate: ROOT } };
}

async function setBadge(count) {
  if (count === undefined) return;
  await (Number(count) ? self.navigator.setAppBadge?.(Number(count)) : self.navigator.clearAppBadge?.());
}
