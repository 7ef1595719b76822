// What becomes of the page and its network.

import { LONGEST_TIMER } from './timer.js';

const TICK = 5000;
const JUMP = 15_000; // so late is a timer only when the machine has slept

/**
 * `client`:
 *   _probe(surely)  is the connection alive? surely: the network has changed
 *   _enter(), _leave()
 * `hiddenTime`: ms after which a hidden page leaves. Gives a function that ends the watching.
 */
export function watchPage({ _probe, _enter, _leave }, hiddenTime) {
  const watching = new AbortController();
  const { signal } = watching;
  const page = globalThis.document;
  const listen = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const look = () => _probe(true);
  const comeBack = () => isAway || _enter();
  let isAway; // since it was hidden for long: browsers thaw hidden pages now and then
  let timer;
  let ticked = Date.now();

  const ticks = setInterval(() => {
    const late = Date.now() - ticked - TICK;
    ticked += late + TICK;
    if (late > JUMP && !page?.hidden) look();
  }, TICK);

  if (page) {
    listen(globalThis, 'online', look);
    listen(globalThis, 'offline', look);
    // A page that the browser keeps for "back" may have no connection, and one that it freezes hears nothing by it.
    listen(globalThis, 'pagehide', _leave);
    listen(globalThis, 'pageshow', comeBack);
    listen(page, 'freeze', _leave);
    listen(page, 'resume', comeBack);
    listen(page, 'visibilitychange', () => {
      clearTimeout(timer);
      if (!page.hidden) {
        isAway = false;
        _enter();
        _probe();
      } else if (hiddenTime < LONGEST_TIMER) {
        timer = setTimeout(() => {
          isAway = true;
          _leave();
        }, hiddenTime);
      }
    });
  }
  return () => {
    clearTimeout(timer);
    clearInterval(ticks);
    watching.abort();
  };
}
