// <hours-form> keeps every entry before it sends it, <unsent-list> shows and corrects what waits, <sign-out-guard> asks first.
import "./queue.js";
import { setBusy, system } from "./app.js";

const person = document.querySelector("meta[name=person]")?.content ?? "";
const NUMBER = /^\d{1,2}([.,]\d{1,2})?$/;

class HoursForm extends HTMLElement {
  connectedCallback() {
    if (!self.indexedDB || !person) return;
    this.form = this.querySelector("form");
    this.message = this.querySelector(".meldung");
    this.addEventListener("submit", (event) => this.take(event), true);
  }

  /** First kept, then sent. */
  async take(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
    const fields = this.read();
    if (!NUMBER.test(fields.hours)) return this.giveBack();
    setBusy(event.submitter, document.documentElement.dataset.warten);
    try {
      const { key } = await self.waiting.keep({ person, url: this.dataset.url, title: this.dataset.title, body: fields });
      const result = await self.waiting.sendAll(person);
      this.show(key, result);
    } catch {
      this.giveBack();
    }
  }

  read() {
    const given = Object.fromEntries(new FormData(this.form));
    const { hours = "", day = "", kind = "", quantity = "", scrap = "" } = given;
    // "today" on a copy means the day of the tap
    const tapped = new Date().toLocaleDateString("sv-SE");
    const isCopy = Boolean(document.body.dataset.stand);
    const { booking, entry, heute } = this.dataset;
    return { hours: hours.trim(), day: isCopy && day === heute ? tapped : day, kind, quantity, scrap, booking_id: booking, entry_id: entry };
  }

  async show(key, { sent, isSignedOut, answers }) {
    if (sent.includes(key)) return location.assign(answers[key].url);
    const refused = answers[key]?.status >= 400 && answers[key].status < 429 && !isSignedOut;
    if (refused) {
      await self.waiting.drop(key);
      return this.giveBack();
    }
    this.form.hidden = true;
    this.message.hidden = false;
    this.message.textContent = isSignedOut ? this.dataset.anmelden : this.dataset.kept + (system === "ios" ? ` ${this.dataset.iphone}` : "");
    this.message.focus();
  }

  giveBack() {
    this.form.submit();
  }
}

class UnsentList extends HTMLElement {
  connectedCallback() {
    if (!self.indexedDB || !person) return;
    this.pattern = this.querySelector("template");
    this.querySelector("[data-senden]").addEventListener("click", (event) => this.send(event.currentTarget));
    addEventListener("waiting", () => this.show());
    this.show();
  }

  async show() {
    const all = (await self.waiting.list(person)).filter((entry) => !entry.isSeen);
    const replaced = new Set(all.map((entry) => entry.body.corrects_key));
    const entries = all.filter((entry) => !replaced.has(entry.key));
    this.hidden = !entries.length;
    this.querySelector("h2").textContent = entries.length === 1 ? this.dataset.one : this.dataset.many.replace("{}", entries.length);
    this.querySelector("[data-liste]").replaceChildren(...entries.map((entry) => this.row(entry)));
  }

  row(entry) {
    const row = this.pattern.content.cloneNode(true);
    const field = row.querySelector("input");
    row.querySelector("[data-titel]").textContent = entry.title;
    row.querySelector("[data-tag]").textContent = new Date(`${entry.body.day}T12:00`).toLocaleDateString(document.documentElement.lang);
    row.querySelector("[data-fehler]").textContent = entry.error || "";
    row.querySelector("[data-fehler]").hidden = !entry.error;
    field.value = entry.body.hours;
    row.querySelector("[data-aendern]").addEventListener("click", () => this.change(entry, field.value.trim()));
    row.querySelector("[data-weg]").addEventListener("click", () => this.change(entry, "0"));
    return row;
  }

  async change(entry, hours) {
    if (!NUMBER.test(hours)) return;
    if (hours === "0" && !entry.isTried) await self.waiting.drop(entry.key);
    else await self.waiting.change(entry, { hours });
    await self.waiting.sendAll(person);
    this.show();
  }

  async send(button) {
    setBusy(button, document.documentElement.dataset.warten);
    const { isSignedOut } = await self.waiting.sendAll(person);
    setBusy(button, "");
    const message = this.querySelector(".meldung");
    message.hidden = !isSignedOut;
    this.show();
  }
}

class SignOutGuard extends HTMLElement {
  connectedCallback() {
    if (!self.indexedDB || !person) return;
    this.form = this.querySelector("form");
    this.question = this.querySelector("[data-frage]");
    this.form.addEventListener("submit", () => this.wipe());
    this.querySelector("[data-erst]").addEventListener("click", (event) => this.send(event.currentTarget));
    addEventListener("waiting", () => this.show());
    this.show();
  }

  async show() {
    const { length } = (await self.waiting.list(person)).filter((entry) => !entry.isSeen);
    this.question.hidden = !length;
    this.question.querySelector("p").textContent = length === 1 ? this.dataset.one : this.dataset.many.replace("{}", length);
    this.form.querySelector("button span").textContent = length ? this.dataset.trotzdem : this.dataset.abmelden;
  }

  async send(button) {
    setBusy(button, document.documentElement.dataset.warten);
    await self.waiting.sendAll(person);
    setBusy(button, "");
  }

  async wipe() {
    for (const { key } of await self.waiting.list(person)) await self.waiting.drop(key);
  }
}

/** A list drawn before its entries arrived is drawn anew. */
const send = async () => {
  if (!navigator.onLine || !self.indexedDB) return;
  const { sent } = await self.waiting.sendAll(person);
  if (sent.length && document.querySelector("unsent-list[data-neu]")) location.reload();
};
addEventListener("online", send);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && send());
customElements.define("hours-form", HoursForm);
customElements.define("unsent-list", UnsentList);
customElements.define("sign-out-guard", SignOutGuard);
send();
