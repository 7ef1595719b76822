// A page that hears its own connection. `page` is as in sharing.js.

import { createLink } from './link.js';

/** What a connection is like, for the page and for other tabs: names that stay as they are. */
export function statusOf({ state, transport, who, held, at, head }, page) {
  return { state, transport, who, held, at, head, counts: page._counts() };
}

export function createSource(settings, page) {
  let isIn = false;
  const status = () => statusOf(link, page);
  const link = createLink(settings, {
    _topics: page._topics,
    _position: page._position,
    _tell: page._take,
    _change: () => page._take('status', status()),
    _error: page._error,
  });
  return {
    _enter() {
      isIn = true;
      link._start();
    },
    _leave() {
      isIn = false;
      link._stop();
      page._change();
    },
    _link: link,
    /** @type {import('../types/index.js').State} */
    get _state() {
      return isIn ? link.state : 'closed';
    },
    get _status() {
      return status();
    },
    _announce() {},
    _probe: link._probe,
  };
}
