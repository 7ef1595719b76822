// What the tabs of an origin that share a connection say to each other. One leads: the one that holds the lock, which goes on
// by itself, also from a tab that crashes. What it says is numbered, so that the others notice when they have missed something.
// It has to show that it is alive: when it is frozen or stands still, a tab that is shown takes the lock away from it.

const BEAT = 5000; // between two questions of a tab that is shown
const LIMIT = 4000; // for the leader's answer

/** Truthy where a page has what it takes: not without TLS, nor in Firefox where the user lets the site keep nothing. */
export function canShare() {
  try {
    new BroadcastChannel('').close();
    return globalThis.document && navigator.locks;
  } catch {}
}

/**
 * Joins the tabs that share `name`. `client`:
 *   _topics()        map of this tab's topics
 *   _lead(isLeader)  this tab leads from now on, or not any more
 *   _status()        what the leader tells a newcomer
 *   _told(kind, value, isNext)  by the leader; isNext: nothing is missing since what it said before
 *   _lost()          the leader does not answer
 *   _change()        topics of other tabs have changed
 */
export function joinTabs(name, client) {
  const id = crypto.randomUUID();
  const others = new Map(); // id of a tab: its topics
  const channel = new BroadcastChannel(name);
  const leaving = new AbortController();
  const { signal } = leaving;
  let isLeader = false;
  let term = 0; // of the leader of now: a newer one has a greater number
  let former = 0; // of the one before, whose last word may come after the lock that it left
  let number = 0; // of what the leader said last
  let turn = 0; // of this tab's topics: how often they were others
  let seen; // the turn that the leader knows, when it says what the connection is like
  const turns = new Map(); // id of a tab: its turn
  let limit, askedAt;

  const post = (...message) => signal.aborted || channel.postMessage(message);
  const say = (kind, value) => isLeader && post(kind, value, term, ++number, kind === 'status' ? turns : undefined);

  /** Holds a lock until this tab leaves, or it is stolen. */
  const hold = (lock, options, begin) =>
    navigator.locks.request(lock, options, () => {
      if (signal.aborted) return undefined;
      begin();
      return new Promise((release) => signal.addEventListener('abort', release));
    });

  /** A tab's own lock is free when the tab is gone. */
  function meet(tab, topics) {
    if (!others.has(tab)) navigator.locks.request(name + tab, { signal }, () => forget(tab)).catch(() => {});
    others.set(tab, topics);
    client._change();
  }

  function forget(tab) {
    turns.delete(tab);
    if (others.delete(tab)) client._change();
  }

  function lead(steal) {
    hold(name, steal ? { steal } : { signal }, () => {
      isLeader = true;
      former = term;
      term = Math.max(Date.now(), term + 1);
      clearTimeout(limit);
      client._lead(true);
    }).catch(() => {
      if (signal.aborted) return;
      follow(); // it was stolen
      lead();
    });
  }

  function follow() {
    if (!isLeader) return;
    isLeader = false;
    number = -1;
    client._lead(false);
    announce(true);
  }

  function expect() {
    if (isLeader || limit) return;
    askedAt = Date.now();
    limit = setTimeout(() => {
      limit = 0;
      // This tab stood still itself: the answer may wait for it.
      if (Date.now() - askedAt > 2 * LIMIT) return announce(true);
      client._lost();
      lead(true);
    }, LIMIT);
  }

  /** Tells the others what this tab wants. `asks`: the leader shall show that it is there. */
  function announce(asks) {
    post('tab', id, client._topics(), asks, turn);
    if (asks) expect();
  }

  function hear({ data: [kind, value, more, n, t] }) {
    if (kind === 'tab') {
      const isNew = !others.has(value);
      turns.set(value, t);
      meet(value, more);
      if (isNew) announce();
      // Not at once: a frozen tab still gets messages, but its timers stand still, and so does its network.
      if (n && isLeader) setTimeout(() => say('status', client._status()));
    } else if (kind === 'gone') {
      forget(value);
    } else if (more > term || (more === term && !isLeader)) {
      const isNext = more === term && n === number + 1;
      follow();
      clearTimeout(limit);
      limit = 0;
      if (more > term) former = term;
      term = more;
      number = n;
      if (kind === 'status') seen = t.get(id);
      client._told(kind, value, isNext);
    } else if (kind === 'dropped' && more === former) {
      say(kind);
      client._told(kind);
    }
  }
  channel.onmessage = hear;

  const beat = setInterval(() => !document.hidden && !isLeader && announce(true), BEAT);

  hold(name + id, { signal }, () => {
    announce(true);
    lead();
  }).catch(() => signal.aborted || client._lead(true)); // locks are forbidden here: a connection of its own

  return {
    _announce: announce,
    /** Other topics are wanted. The leader drops none of them from when it has seen that. */
    _turn() {
      turn++;
      announce(true);
    },
    _isSeen: () => seen === turn,
    _others: () => [...others.values()],
    _say: say,
    _leave() {
      post('gone', id);
      clearTimeout(limit);
      clearInterval(beat);
      leaving.abort();
      channel.close();
    },
  };
}
