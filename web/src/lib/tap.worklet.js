registerProcessor('tap', class extends AudioWorkletProcessor {
  held = new Float32Array(2048);
  at = 0;
  process([[input]]) {
    for (const sample of input ?? []) {
      this.held[this.at++] = sample;
      if (this.at === 2048) {
        this.port.postMessage(this.held);
        this.at = 0;
      }
    }
    return true;
  }
});
