// What becomes of the page and its network.

/**
 * `client`:
 *   probe(surely)  is the connection alive? surely: the network has changed
 *   enter(), leave()
 * `hiddenTime`: ms after which a hidden page leaves. Gives a function that ends the watching.
 */
export function watchPage({ probe, enter, leave }, hiddenTime) {
  const watching = new AbortController();
  const { signal } = watching;
  const page = globalThis.document;
  const listen = (target, type, handler) => target.addEventListener(type, handler, { signal });
  let timer;

  if (page) {
    listen(globalThis, 'online', () => probe(true));
    listen(globalThis, 'offline', () => probe(true));
    // A page that the browser keeps for "back" may have no connection.
    listen(globalThis, 'pagehide', leave);
    listen(globalThis, 'pageshow', enter);
    listen(page, 'visibilitychange', () => {
      clearTimeout(timer);
      if (page.visibilityState === 'hidden') {
        if (hiddenTime < Infinity) timer = setTimeout(leave, hiddenTime);
      } else {
        enter();
        probe();
      }
    });
  }
  return () => {
    clearTimeout(timer);
    watching.abort();
  };
}
