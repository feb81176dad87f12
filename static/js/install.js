// <install-button>: shows exactly what this phone can do: the browser's offer, the steps for an iPhone, or "done".
const isInstalled = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
const isIphone = /iPhone|iPad|iPod/.test(navigator.userAgent);

class InstallButton extends HTMLElement {
  connectedCallback() {
    this.show(isInstalled ? "fertig" : isIphone ? "iphone" : self.installOffer ? "angebot" : "");
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
    this.show(outcome === "accepted" ? "fertig" : "");
  }

  show(which) {
    this.querySelectorAll("[data-zeigen]").forEach((part) => { part.hidden = part.dataset.zeigen !== which; });
  }
}

customElements.define("install-button", InstallButton);
