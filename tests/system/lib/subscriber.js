'use strict';

const assert = require('node:assert/strict');
const { FrameReader } = require('./frames');
const { send } = require('./secure');
const { LIMIT_MS, within } = require('./wait');

/** A held stream as a browser holds it, read by the rules of a browser's client. */
class Subscriber {
  #request;
  #response;
  #waiting = [];
  frames = []; // {text, json} of every frame but keep-alives, in order of arrival
  keepAlives = 0;
  connected; // detail of the first frame
  isOver = false;
  endedCleanly = false; // with the last chunk
  fault; // of the stream's bytes

  /**
   * Subscribes and waits for `connected`. `body` is an array of topics or the whole request body; without one it is a GET.
   * Options: agent, headers, socketPath, onFrame(frame).
   */
  static async open(url, body, options = {}) {
    const subscriber = new Subscriber();
    await within(`the stream at ${url}`, subscriber.#start(url, body, options));
    await subscriber.until('connected', () => subscriber.frames.length > 0);
    return subscriber;
  }

  #start(url, body, { agent = false, headers = {}, socketPath, onFrame }) {
    const bytes = body && Buffer.from(JSON.stringify(Array.isArray(body) ? { ep: body } : body));
    this.onFrame = onFrame;
    this.over = new Promise((resolve) => {
      this.finish = () => {
        this.isOver = true;
        resolve();
        this.#look();
      };
    });
    const ofBody = bytes && { 'Content-Length': bytes.length, 'Content-Type': 'text/plain' };
    const first = { method: bytes ? 'POST' : 'GET', agent, socketPath, headers: { ...ofBody, ...headers } };
    return new Promise((resolve, reject) => this.#send(url, first, bytes, resolve, reject));
  }

  /** As a browser does: a 303 is followed with GET, a 307 with the same method and body. */
  #send(url, options, bytes, resolve, reject) {
    const refuse = (error) => {
      reject(error);
      this.finish();
    };
    const sent = send(url, options, (response) => {
      this.#response = response;
      if ([303, 307].includes(response.statusCode)) {
        response.resume();
        const { agent, headers: { 'Content-Length': _length, 'Content-Type': _type, ...headers } } = options;
        const isSame = response.statusCode === 307;
        const next = isSame ? { ...options, socketPath: undefined } : { method: 'GET', agent, headers };
        const location = new URL(response.headers.location, url);
        this.#send(location, next, isSame ? bytes : undefined, resolve, reject);
        return;
      }
      if (response.statusCode !== 200) {
        refuse(new Error(`subscribing was answered ${response.statusCode} ${response.statusMessage}`));
        sent.destroy();
        return;
      }
      this.#read(response);
      resolve();
    });
    this.#request = sent;
    sent.on('error', refuse);
    sent.end(bytes);
  }

  #read(response) {
    const reader = new FrameReader((text) => this.#take(text));
    response.on('data', (chunk) => {
      try {
        reader.write(chunk);
      } catch (error) {
        this.fault = error;
        this.#request.destroy();
      }
      this.#look();
    });
    response.on('error', () => {});
    response.on('close', () => {
      this.endedCleanly = response.complete;
      try {
        if (response.complete) {
          reader.end();
        }
      } catch (error) {
        this.fault = error;
      }
      this.finish();
    });
  }

  #take(text) {
    if (text === '') {
      this.keepAlives++;
      return;
    }
    const frame = { text, json: JSON.parse(text) };
    this.connected ??= frame.json.e.detail;
    this.frames.push(frame);
    this.onFrame?.(frame);
  }

  #look() {
    this.#waiting = this.#waiting.filter((entry) => {
      if (this.fault) {
        entry.reject(this.fault);
        return false;
      }
      const value = entry.condition();
      if (value) {
        entry.resolve(value);
        return false;
      }
      if (this.isOver) {
        entry.reject(new Error(`the stream ended before ${entry.what}`));
        return false;
      }
      return true;
    });
  }

  get rawHeaders() {
    return this.#response.rawHeaders;
  }

  get localPort() {
    return this.#request.socket.localPort;
  }

  get connid() {
    return this.connected.connid;
  }

  get secret() {
    return this.connected.secret;
  }

  /** Waits until condition() is true; it is looked at whenever something arrives. */
  until(what, condition, limit = LIMIT_MS) {
    const promise = new Promise((resolve, reject) => {
      this.#waiting.push({ what, condition, resolve, reject });
      this.#look();
    });
    return within(what, promise, limit);
  }

  /** Frames of events, without those of the server itself. */
  events() {
    return this.frames.filter((frame) => frame.json.ep.emitted !== '@SERVER@' && frame.json.e.type !== 'available');
  }

  /** The frames that arrive up to and with the first event of this type; takes them off. */
  async takeUntil(type) {
    const index = await this.until(`an event of type ${type}`, () => {
      const found = this.frames.findIndex((frame) => frame.json.e.type === type);
      return found < 0 ? undefined : { found };
    });
    return this.frames.splice(0, index.found + 1);
  }

  /** Stops reading, as a client does that hangs. */
  pause() {
    this.#response.pause();
  }

  resume() {
    this.#response.resume();
  }

  close() {
    this.#request.destroy();
    this.#response?.destroy(); // one that has come whole and was not read yet would wait for its reader
    return within('the close of a stream', this.over);
  }

  /** Ends the connection with a reset instead of a FIN. */
  reset() {
    this.#request.socket.resetAndDestroy();
    return within('the reset of a stream', this.over);
  }

  async ended() {
    await within('the end of a stream', this.over);
    assert.equal(this.fault, undefined);
  }
}

module.exports = { Subscriber };
