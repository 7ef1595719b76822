// One connection for all tabs of an origin. The tab that holds the lock leads: it has the connection, and tells the others
// what it hears. The lock goes on by itself, also from a tab that crashes.

const LEADER_LIMIT = 3000; // without a word of it the leader is frozen: a phone does that to a tab in the background

/** Truthy in a browser that has what it takes, which is not on pages without TLS. */
export const canShare = () => globalThis.document && globalThis.BroadcastChannel && globalThis.navigator?.locks;

/**
 * Joins the tabs that share `name`. `client`:
 *   topics()        map of this tab's topics
 *   lead(isLeader)  this tab leads from now on, or not any more
 *   status()        of the leader, for newcomers and on each change
 *   follow(status)  what the leader says
 *   frame(frame)    what the leader heard
 *   change()        topics of other tabs have changed
 */
export function joinTabs(name, client) {
  const id = crypto.randomUUID();
  const others = new Map(); // id of a tab: its topics
  const channel = new BroadcastChannel(name);
  const leaving = new AbortController();
  const { signal } = leaving;
  let isLeader = false;
  let timer;

  const say = (...message) => channel.postMessage(message);

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
    client.change();
  }

  function forget(tab) {
    if (others.delete(tab)) client.change();
  }

  function lead(steal) {
    hold(name, steal ? { steal } : { signal }, () => {
      isLeader = true;
      clearTimeout(timer);
      client.lead(true);
    }).catch(() => {
      if (signal.aborted) return;
      isLeader = false; // it was stolen
      client.lead(false);
      lead();
    });
  }

  function expectLeader() {
    clearTimeout(timer);
    if (!isLeader) timer = setTimeout(() => lead(true), LEADER_LIMIT);
  }

  /** Tells the others what this tab wants. `isNew`: they shall tell what they want. */
  function announce(isNew) {
    say('topics', id, client.topics(), isNew);
    if (isNew) expectLeader();
  }

  channel.onmessage = ({ data: [kind, value, topics, isNew] }) => {
    if (kind === 'topics') {
      meet(value, topics);
      if (isNew) announce();
      if (isNew && isLeader) say('status', client.status());
    } else if (kind === 'gone') {
      forget(value);
    } else if (!isLeader) {
      clearTimeout(timer);
      if (kind === 'frame') client.frame(value);
      else client.follow(value);
    }
  };

  hold(name + id, { signal }, () => {
    announce(true);
    lead();
  }).catch(() => signal.aborted || client.lead(true)); // locks are forbidden here: a connection of its own

  return {
    announce,
    others: () => [...others.values()],
    tell: (kind, value) => isLeader && say(kind, value),
    leave() {
      say('gone', id);
      clearTimeout(timer);
      leaving.abort();
      channel.close();
    },
  };
}
