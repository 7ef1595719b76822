// The ways in. Each opens one connection, tells what it hears, and settles when that connection is over: resolved after a
// clean end, rejected with a failure otherwise. After `signal` has aborted it settles soon.
//
// What they are given (attempt.js), beside the settings of connect():
//   _subscription(more)  what to ask for: {_body} or, with a ticket, {_query}, {_text} of a body that has to go with it, and
//                        {_url} where the ticket is taken without a redirection, which a WebSocket does not follow
//   _call(path, init)    fetch of a path of the broker
//   _signal
//   _alive()             bytes came
//   _hear(frame, text)   a frame came; its text, where there is one
//   _mark(id)            everything up to this id was heard
//   _speak(function)     how to say something on this connection
//   _refuse(reason)      the broker has refused what was asked

import { DOWN, UNFIT, checkAnswer, failure, jsonOf } from './failure.js';
import { frameReader } from './frames.js';
import { sseReader } from './sse.js';

/** What goes wrong here is of this way in. */
function orUnfit(call) {
  try {
    return call();
  } catch ({ message }) {
    throw failure(UNFIT, message);
  }
}

async function request(link, path, init, more) {
  const { _body, _query: query, _text: text = query ? '' : JSON.stringify(_body) } = await link._subscription(more);
  // Without a Content-Type of its own the browser says text/plain, and asks no preflight of another origin.
  const how = text ? { ...init, method: 'POST', body: text } : init;
  return checkAnswer(await link._call(path + (query ? `?${query}` : ''), how));
}

/** Frames or Server-Sent Events, whichever comes. */
async function stream(link, init) {
  const answer = await request(link, '', init);
  const reader = answer.body.getReader();
  // Debian's Node 18 (undici 5.15) forgets the signal of a request.
  link._signal.onabort = () => reader.cancel().catch(() => {});
  const decoder = new TextDecoder();
  const isSse = /event-stream/.test(answer.headers.get('content-type'));
  const read = (isSse ? sseReader : frameReader)((text) => link._hear(JSON.parse(text), text));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    link._alive();
    orUnfit(() => read(decoder.decode(value, { stream: true })));
  }
}

/** The first poll asks to be answered at once, to see who is there. */
async function poll(link) {
  for (let more = { wait: 0 }; ; more = undefined) {
    const answer = await jsonOf(await request(link, 'poll', {}, more));
    link._alive();
    for (const frame of answer.events) link._hear(frame);
    link._mark(answer.id);
  }
}

const GOING_AWAY = 1001; // and 1000: a clean end
const TOO_BIG = 1009; // more topics than go into a message
const CLOSE_LIMIT = 2000; // a peer that is gone does not answer the closing

async function ws(link) {
  const { _body: body, _query: query, _text: text, _url: url = link.base } = await link._subscription();
  const { ep = [], last_id, ...who } = body || {};
  let asks = ep.length; // else the topics are in the ticket, or there are none
  if (text) throw failure(UNFIT, 'Too many topics');
  const address = `${url.replace(/^http/, 'ws').split('?')[0]}ws?${query || new URLSearchParams(who)}`;
  const socket = orUnfit(() => new link.WebSocket(address)); // a policy of the page may forbid it
  let connected; // the frame, until the topics are in force
  let over, limit, isOpen;
  const say = (message) => socket.send(JSON.stringify(message));
  const finish = () => {
    socket.close();
    // What is not open yet need not be waited for.
    limit = setTimeout(over, isOpen ? CLOSE_LIMIT : 0);
  };
  const hear = ({ data }) => {
    const frame = JSON.parse(data);
    const { type, detail } = frame.e;
    link._alive();
    if (asks && !connected) {
      connected = frame;
    } else if (asks && type === 'subscribed') {
      asks = 0;
      Object.assign(connected.e.detail, detail);
      connected.id = frame.id; // where it begins
      link._hear(connected);
    } else if (asks && type === 'error') {
      link._refuse(detail.error);
    } else {
      link._hear(frame, data);
    }
  };
  try {
    await new Promise((resolve, reject) => {
      over = resolve;
      link._signal.onabort = finish;
      socket.onopen = () => {
        isOpen = true;
        link._speak(say);
        if (asks) say({ subscribe: ep, last_id });
      };
      socket.onmessage = hear;
      socket.onerror = () => {}; // onclose follows
      socket.onclose = ({ code }) =>
        code <= GOING_AWAY
          ? resolve()
          : reject(failure(isOpen && code !== TOO_BIG ? DOWN : UNFIT, `WebSocket ${code}`));
      if (link._signal.aborted) finish();
    });
  } finally {
    clearTimeout(limit);
    socket.onmessage = socket.onclose = link._signal.onabort = null;
  }
}

/** In the order in which they are tried. */
export const transports = {
  ws,
  frames: stream,
  sse: (link) => stream(link, { headers: { Accept: 'text/event-stream' } }),
  poll,
};
