// <install-button>: shows exactly what this phone can do: the browser's offer, the steps for an iPhone, or "done".
const isInstalled = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
const isIphone = /iPhone|iPad|iPod/.test(navigator.userAgent);
let offer = null;

class InstallButton extends HTMLElement {
  connectedCallback() {
    this.show(isInstalled ? "fertig" : isIphone ? "iphone" : offer ? "angebot" : "");
    this.querySelector("[data-zeigen=angebot] button")?.addEventListener("click", () => this.install());
    addEventListener("beforeinstallprompt", (event) => this.keep(event));
    addEventListener("appinstalled", () => this.show("fertig"));
  }

  keep(event) {
    event.preventDefault();
    offer = event;
    this.show("angebot");
  }

  async install() {
    if (!offer) return;
    offer.prompt();
    const { outcome } = await offer.userChoice;
    offer = null;
    this.show(outcome === "accepted" ? "fertig" : "");
  }

  show(which) {
    this.querySelectorAll("[data-zeigen]").forEach((part) => { part.hidden = part.dataset.zeigen !== which; });
  }
}

customElements.define("install-button", InstallButton);
