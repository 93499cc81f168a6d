"use strict";
/* All versions of a song run together, one is heard. Those unheard are kept in step by running a little faster or
   slower, so that switching keeps the place without a seek. */
class Player {
  constructor(elements, told) {
    this.elements = elements;
    this.told = told; /* {moved(seconds), heard(index, seconds), state(), failed(index)} */
    this.at = 0;
    this.playing = false;
    this.loop = true;
    this.gain = 1;
    this.fading = 0;
    this.last = performance.now();
    elements.forEach((element, index) => {
      element.preload = "auto";
      element.loop = false;
      element.preservesPitch = false;
      element.onended = () => { if (index === this.at) { this.ended(); } };
      element.onerror = () => told.failed(index);
      element.onloadedmetadata = () => told.moved(this.time);
      element.load();
    });
    this.quiet();
    this.timer = setInterval(() => this.tick(), 100);
  }

  get duration() {
    const known = this.elements.map((element) => element.duration).filter(Number.isFinite);
    return known.length ? Math.min(...known) : 0;
  }

  get time() { return this.elements[this.at].currentTime; }

  quiet() {
    this.elements.forEach((element, index) => {
      element.muted = index !== this.at;
      element.volume = index === this.at ? this.gain : 0;
    });
  }

  setGain(gain) { this.gain = gain; this.quiet(); }

  select(index) {
    if (index === this.at) { return; }
    const old = this.at;
    this.at = index;
    this.elements[index].playbackRate = 1;
    if (!this.playing) { this.quiet(); this.told.state(); return; }
    if (this.elements[index].paused) { /* browsers that start only one sound at a time */
      this.elements[index].currentTime = this.elements[old].currentTime;
      this.start(index);
    }
    this.fade(old, index);
    this.told.state();
  }

  /* Some 30 ms from one version to the other, so that nothing clicks. */
  fade(from, to) {
    const steps = 4, run = ++this.fading;
    this.elements.forEach((element, index) => {
      element.muted = index !== from && index !== to;
      if (index !== from) { element.volume = 0; }
    });
    const step = (count) => {
      if (run !== this.fading) { return; }
      const part = count / steps;
      this.elements[to].volume = this.gain * part;
      this.elements[from].volume = this.gain * (1 - part);
      if (count < steps) { setTimeout(step, 8, count + 1); } else { this.quiet(); }
    };
    step(1);
  }

  play() {
    if (this.playing) { return; }
    this.playing = true;
    this.last = performance.now();
    if (this.duration && this.time >= this.duration - 0.05) { this.seek(0); }
    this.run();
    this.told.state();
  }

  run() { this.elements.forEach((_, index) => this.start(index)); }

  start(index) {
    this.elements[index].play().catch((error) => {
      if (this.playing && index === this.at && error.name !== "AbortError") { this.pause(); this.told.failed(index); }
    });
  }

  pause() {
    this.playing = false;
    const time = this.time;
    this.elements.forEach((element) => { element.pause(); element.currentTime = time; element.playbackRate = 1; });
    this.told.state();
  }

  seek(seconds) {
    this.elements.forEach((element) => { element.currentTime = seconds; });
    this.told.moved(seconds);
  }

  ended() {
    this.seek(0);
    if (this.loop && this.playing) { this.run(); } else { this.pause(); }
  }

  tick() {
    const now = performance.now(), passed = Math.min((now - this.last) / 1000, 0.5);
    this.last = now;
    if (!this.playing) { return; }
    const lead = this.elements[this.at];
    if (!lead.paused && lead.readyState > 2) { this.told.heard(this.at, passed); }
    this.told.moved(lead.currentTime);
    this.elements.forEach((element, index) => {
      if (index === this.at || element.paused || element.readyState < 3 || element.seeking) { return; }
      const behind = lead.currentTime - element.currentTime;
      if (Math.abs(behind) > 0.3) {
        element.currentTime = lead.currentTime;
      } else {
        element.playbackRate = Math.abs(behind) < 0.002 ? 1 : 1 + Math.max(-0.25, Math.min(0.25, behind * 4));
      }
    });
  }

  close() {
    clearInterval(this.timer);
    this.fading += 1;
    this.playing = false;
    this.elements.forEach((element) => {
      element.pause();
      element.onended = element.onerror = element.onloadedmetadata = null;
      element.preload = "none";
    });
  }
}
