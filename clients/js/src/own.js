// A page that hears its own connection. `page` is as in sharing.js.

import { createLink } from './link.js';

export function createSource(settings, page) {
  const link = createLink(settings, { ...page, _change: () => page._tell('status', link) });
  return {
    _enter: link._start,
    _leave() {
      link._stop();
      page._change();
    },
    _link: link,
    _status: link,
    _probe: link._probe,
  };
}
