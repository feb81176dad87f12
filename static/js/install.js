// <install-button>: shows exactly what this phone can do: the browser's offer, the steps by hand, or "done".
import { system } from "./app.js";

const isInstalled = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;

class InstallButton extends HTMLElement {
  connectedCallback() {
    this.show(isInstalled ? "fertig" : self.installOffer ? "angebot" : system);
    this.querySelector("[data-zeigen=angebot] button")?.addEventListener("click", () => this.install());
    addEventListener("install-offer", () => this.show("angebot"));
    addEventListener("appinstalled", () => this.show("fertig"));
  }

  async install() {
    const offer = self.installOffer;
    if (!offer) return;
    self.installOffer = null;
    offer.prompt();
    const { outcome } = await offer.userChoice;
    this.show(outcome === "accepted" ? "fertig" : system);
  }

  show(which) {
    this.querySelectorAll("[data-zeigen]").forEach((part) => { part.hidden = part.dataset.zeigen !== which; });
  }
}

customElements.define("install-button", InstallButton);
