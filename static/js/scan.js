// <code-scanner data-foreign data-denied>: reads a QR code of this app with the camera; stays hidden where the browser cannot.
const PAUSE_MS = 200;

class CodeScanner extends HTMLElement {
  async connectedCallback() {
    const formats = (await self.BarcodeDetector?.getSupportedFormats()) ?? [];
    if (!formats.includes("qr_code") || !navigator.mediaDevices) return;
    this.hidden = false;
    this.querySelector("button").addEventListener("click", () => this.scan().catch(() => this.say(this.dataset.denied)));
  }

  async scan() {
    const video = this.querySelector("video");
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.hidden = false;
    await video.play();
    const url = await this.find(video, new BarcodeDetector({ formats: ["qr_code"] }));
    for (const track of video.srcObject.getTracks()) track.stop();
    location.assign(url);
  }

  /** Look again and again until a code of our own server is in the picture; no other address is ever opened. */
  async find(video, detector) {
    for (;;) {
      const [code] = await detector.detect(video);
      if (code && URL.canParse(code.rawValue) && new URL(code.rawValue).origin === location.origin) return code.rawValue;
      if (code) this.say(this.dataset.foreign);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  say(text) {
    const message = this.querySelector(".meldung");
    message.textContent = text;
    message.hidden = false;
  }
}

customElements.define("code-scanner", CodeScanner);
