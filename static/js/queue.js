// What waits on this phone for a net: hours and "gesehen". Page and service worker share this file: it is no module.
//
// An entry: {key, person, keptAt, isTried, error?, url, body, title?, isSeen?}. The server takes a key once and answers a
// repeat with the same result: an entry leaves only after its OK. `person` marks who wrote it: nobody else sends it.
(() => {
  const root = self.document ? document.documentElement.dataset.root || "/" : ROOT;
  const GIVE_UP_MS = 15000;

  function open() {
    return new Promise((resolve, reject) => {
      const asked = indexedDB.open(`werkring:${root}`, 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore("waiting", { keyPath: "key" });
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  }

  async function run(mode, act) {
    const database = await open();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction("waiting", mode, { durability: "strict" });
        const asked = act(transaction.objectStore("waiting"));
        transaction.oncomplete = () => resolve(asked.result);
        transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      database.close();
    }
  }

  async function keep(entry) {
    const full = { key: randomKey(), keptAt: Date.now(), isTried: false, ...entry };
    await run("readwrite", (store) => store.put(full));
    note();
    askToBeWoken();
    return full;
  }

  /** Where the browser can, the worker is woken with all pages closed. Never waited for: without a worker it never comes. */
  function askToBeWoken() {
    const registered = self.registration ? Promise.resolve(self.registration) : self.navigator.serviceWorker?.ready;
    registered?.then((registration) => registration.sync?.register("waiting")).catch(() => {});
  }

  async function list(person) {
    const all = await run("readonly", (store) => store.getAll());
    return all.filter((entry) => person === undefined || entry.isSeen || entry.person === person).sort((a, b) => a.keptAt - b.keptAt);
  }

  /** What may have reached the server is corrected by a second entry behind it. */
  async function change(entry, fields) {
    const body = { ...entry.body, ...fields };
    if (!entry.isTried) return put({ ...entry, body, error: "" });
    return keep({ ...entry, key: randomKey(), keptAt: Date.now(), isTried: false, error: "", body: { ...body, corrects_key: entry.key } });
  }

  async function drop(key) {
    await run("readwrite", (store) => store.delete(key));
    note();
  }

  const put = (entry) => run("readwrite", (store) => store.put(entry));

  /** One tab or worker at a time. */
  function sendAll(person) {
    return self.navigator.locks ? self.navigator.locks.request(`werkring:${root}waiting`, () => sendInOrder(person)) : sendInOrder(person);
  }

  async function sendInOrder(person) {
    const result = { sent: [], isOffline: false, isSignedOut: false, answers: {} };
    for (const entry of await list(person)) {
      if (result.isOffline || result.isSignedOut) break;
      await send(entry, result);
    }
    note();
    return result;
  }

  async function send(entry, result) {
    await put({ ...entry, isTried: true });
    let response;
    try {
      response = await tell(entry);
    } catch {
      result.isOffline = true;
      return;
    }
    const body = await response.json().catch(() => ({}));
    result.answers[entry.key] = { status: response.status, ...body };
    if (response.ok || (entry.isSeen && response.status < 500)) {
      await drop(entry.key);
      result.sent.push(entry.key);
    } else if (response.status === 403) result.isSignedOut = true;
    else if (response.status >= 500 || response.status === 429) result.isOffline = true;
    // refused: nothing of it is on the server, and its writer puts it right
    else await put({ ...entry, isTried: false, error: body.error || String(response.status) });
  }

  function tell({ url, body, isSeen, key, keptAt, person }) {
    if (isSeen) return post(url, body);
    return post(url, { ...body, key, person, phone_at: new Date(keptAt).toISOString() }, "same-origin");
  }

  function post(url, body, credentials = "omit") {
    return fetch(url, {
      method: "POST",
      credentials,
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(GIVE_UP_MS),
    });
  }

  /** Most of the time nothing waits, and then no page opens the store. */
  async function note() {
    if (!self.localStorage) return;
    const { length } = await list();
    if (length) localStorage.setItem(`waiting:${root}`, length);
    else localStorage.removeItem(`waiting:${root}`);
    dispatchEvent(new Event("waiting"));
  }

  function randomKey() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  self.waiting = { keep, list, change, drop, sendAll, post };
})();
