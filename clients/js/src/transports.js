// The ways in. Each opens one connection, tells what it hears, and settles when that connection is over: resolved after a
// clean end, rejected with a failure otherwise. After `signal` has aborted it settles soon.
//
// What they are given (attempt.js):
//   subscription(more)  what to ask for: {body} or, with a ticket, {query}
//   fetch(path, init), base, WebSocket, signal
//   alive()             bytes came
//   hear(frame, text)   a frame came; its text, where there is one
//   mark(id)            everything up to this id was heard
//   speak(function)     how to say something on this connection
//   refuse(reason)      the broker has refused what was asked

import { DOWN, UNFIT, checkAnswer, failure } from './failure.js';
import { frameReader } from './frames.js';
import { sseReader } from './sse.js';

const ASK_FOR_SSE = { headers: { Accept: 'text/event-stream' } };

async function request(link, path, init, ticketPath = path, more) {
  const { body, query } = await link.subscription(more);
  // Without a Content-Type of its own the browser says text/plain, and asks no preflight of another origin.
  const how = query ? init : { ...init, method: 'POST', body: JSON.stringify(body) };
  return checkAnswer(await link.fetch(query ? `${ticketPath}?${query}` : path, how));
}

/** Frames or Server-Sent Events, whichever comes. */
async function stream(link, init, ticketPath = '') {
  const answer = await request(link, '', init, ticketPath);
  const reader = answer.body.getReader();
  // Debian's Node 18 (undici 5.15) forgets the signal of a request.
  link.signal.onabort = () => reader.cancel().catch(() => {});
  const decoder = new TextDecoder();
  const isSse = /event-stream/.test(answer.headers.get('content-type'));
  const read = (isSse ? sseReader : frameReader)((text) => link.hear(JSON.parse(text), text));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    link.alive();
    try {
      read(decoder.decode(value, { stream: true }));
    } catch (error) {
      throw failure(UNFIT, error.message);
    }
  }
}

/** The first poll asks to be answered at once, to see who is there. */
async function poll(link) {
  for (let more = { wait: 0 }; ; more = undefined) {
    const answer = await (await request(link, 'poll', {}, 'poll', more)).json();
    link.alive();
    for (const frame of answer.events) link.hear(frame);
    link.mark(answer.id);
  }
}

const CLEAN_CLOSE = 1000;
const GOING_AWAY = 1001;
const CLOSE_LIMIT = 2000; // a peer that is gone does not answer the closing

async function ws(link) {
  const { body, query } = await link.subscription();
  const { ep = [], last_id, ...who } = body || {};
  const asks = ep.length; // else the topics are in the ticket, or there are none
  const socket = new link.WebSocket(`${link.base.replace(/^http/, 'ws')}ws?${query || new URLSearchParams(who)}`);
  let connected; // the frame, until the topics are in force
  let over, limit;
  const finish = () => {
    socket.close();
    limit = setTimeout(over, CLOSE_LIMIT);
  };
  const hear = ({ data }) => {
    const frame = JSON.parse(data);
    const { type, detail } = frame.e;
    link.alive();
    if (frame.ep.requested !== '@SERVER@') {
      link.hear(frame, data);
    } else if (type === 'connected' && asks) {
      connected = frame;
    } else if (type === 'subscribed' && connected) {
      Object.assign(connected.e.detail, detail);
      connected.id = frame.id; // where it begins
      link.hear(connected);
      connected = undefined;
    } else if (type === 'error' && connected) {
      link.refuse(detail.error);
    } else {
      link.hear(frame, data);
    }
  };
  try {
    await new Promise((resolve, reject) => {
      over = resolve;
      let isOpen;
      link.signal.onabort = finish;
      socket.onopen = () => {
        isOpen = true;
        link.speak((message) => socket.send(JSON.stringify(message)));
        if (asks) socket.send(JSON.stringify({ subscribe: ep, last_id }));
      };
      socket.onmessage = hear;
      socket.onerror = () => {}; // onclose follows
      socket.onclose = ({ code }) =>
        code === CLEAN_CLOSE || code === GOING_AWAY
          ? resolve()
          : reject(failure(isOpen ? DOWN : UNFIT, `WebSocket closed with ${code}`));
      if (link.signal.aborted) finish();
    });
  } finally {
    clearTimeout(limit);
    socket.onmessage = socket.onclose = link.signal.onabort = null;
  }
}

export const transports = {
  ws,
  frames: (link) => stream(link),
  sse: (link) => stream(link, ASK_FOR_SSE, 'sse'),
  poll,
};
