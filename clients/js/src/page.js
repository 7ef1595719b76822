// What becomes of the page and its network.

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
  const away = new Set(); // why it does not take part
  const listen = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const leave = (why) => {
    away.add(why);
    _leave();
  };
  const comeBack = (why) => {
    away.delete(why);
    if (!away.size) _enter();
  };
  const isHidden = () => page?.visibilityState === 'hidden';
  let timer;
  let ticked = Date.now();

  const ticks = setInterval(() => {
    const late = Date.now() - ticked - TICK;
    ticked += late + TICK;
    if (late > JUMP && !isHidden()) _probe(true);
  }, TICK);

  if (page) {
    listen(globalThis, 'online', () => _probe(true));
    listen(globalThis, 'offline', () => _probe(true));
    // A page that the browser keeps for "back" may have no connection, and one that it freezes hears nothing by it.
    listen(globalThis, 'pagehide', () => leave('kept'));
    listen(globalThis, 'pageshow', () => comeBack('kept'));
    listen(page, 'freeze', () => leave('frozen'));
    listen(page, 'resume', () => comeBack('frozen'));
    listen(page, 'visibilitychange', () => {
      clearTimeout(timer);
      if (!isHidden()) {
        away.clear();
        _enter();
        _probe();
      } else if (hiddenTime < Infinity) {
        timer = setTimeout(leave, hiddenTime, 'hidden');
      }
    });
  }
  return () => {
    clearTimeout(timer);
    clearInterval(ticks);
    watching.abort();
  };
}
