// <install-button>: shows exactly what this phone can do: the browser's offer, the steps by hand, or "done".
const isInstalled = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
const agent = navigator.userAgent;
const steps = /iPhone|iPad|iPod/.test(agent) ? "iphone" : /Android/.test(agent) ? "android" : "computer";

class InstallButton extends HTMLElement {
  connectedCallback() {
    this.show(isInstalled ? "fertig" : self.installOffer ? "angebot" : steps);
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
    this.show(outcome === "accepted" ? "fertig" : steps);
  }

  show(which) {
    this.querySelectorAll("[data-zeigen]").forEach((part) => { part.hidden = part.dataset.zeigen !== which; });
  }
}

customElements.define("install-button", InstallButton);
