// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Browsers start no worker from a page that was opened from a disk. There, a
// worker is a hidden frame that runs the same script, so that search works.
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inner = frame.contentWindow;
      // The script calls these as a worker does.
      inner.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }));
      inner.importScripts = (...urls) => urls.map(url => {
        const script = inner.document.createElement("script");
        return new Promise((done, failed) => {
          Object.assign(script, { src: url, onload: done, onerror: failed });
          inner.document.body.append(script);
        });
      }).reduce((before, next) => before.then(() => next), Promise.resolve());
      this.inner = inner;
      this.ready = inner.importScripts(url);
    }
    postMessage(data) {
      this.ready.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {}
    set onmessage(listener) { this.addEventListener("message", listener); }
  };
