// Whose connection a page hears: its own, or that of the tab that leads.
//
// Each page knows by itself how far it has heard, and which topics it wants. It follows another tab only from where that tab's
// connection covers it: all of its topics are in force there, and the leader knows that it wants them, else it might be dropping
// one; and it has heard everything up to where that connection is now;
// what it lacks until then it fetches itself, by polls of its own, and keeps what the leader says meanwhile. So it does with the
// last values of topics that were in force already when it began to want them. What the leader says is numbered: a follower that has missed something begins that anew. A page whose topics are heard as a user connects by
// itself first: the broker says in `connected` who that is, and the page goes to the tabs of that user. Which mode it is in:
//   prove   connects by itself to learn whose page it is
//   join    has met the tabs, and waits for the lock or for a leader that covers it; hears its own connection, if it has one
//   lead    has the lock, or is alone
//   follow  hears the leader, or catches up to do so

import { createLink } from './link.js';
import { memory } from './memory.js';
import { createPosition, isPresence, isUpTo, lacksValues } from './position.js';
import { canShare, joinTabs } from './tabs.js';
import { keyOf, missingIn, needProof } from './topics.js';

const SAY_WITHIN = 500; // ms until the broker is told what was had, of events of which it wants to know

const NO_STATUS = { state: 'connecting', transport: undefined, who: {}, held: new Map(), at: undefined, head: undefined };

/**
 * `page`:
 *   _topics()             map of the wanted topics
 *   _since                map with the keys of those that were heard before
 *   _told                 map of presence topics with the counts that the page knows
 *   _position
 *   _tell(kind, value, text)  hears what the connection says: status, frame, mark, refused, dropped
 *   _change()             state may be another
 *   _error(failure)
 */
export function createSource(settings, page) {
  const { base, share = true, clid, user, log } = settings;
  const { _position: position } = page;
  let mode; // undefined: takes no part
  let tabs;
  /** @type {any} */
  let status = NO_STATUS; // of the leader
  let isInSync; // with the leader
  let waiting; // what the connection said while this page catches up
  let goal; // id up to which it has to
  const lacking = new Map(); // links that fetch last values: the topics whose
  let isProven; // the page's user was asked for
  let saying; // timer: it will be said what was had
  const counts = new Map(); // presence topic: how many streams have the name, also of topics that other tabs want

  const link = createLink({ ...settings, _says: { report: true } }, {
    _topics: () => new Map([page._topics(), ...(tabs ? tabs._others() : [])].flatMap((map) => [...map])),
    _since: { has: (key) => page._since.has(key) || link.held.has(key) },
    _position: position,
    _tell: tell,
    _change() {
      if (!mode) return page._change();
      if (mode === 'prove' && link.state === 'connected') meet();
      if (mode !== 'follow') tell('status', ownStatus());
    },
    _error: page._error,
    _memory: (name) => memory(base, name),
  });

  const known = () => new Map([...page._topics()].filter(([key]) => page._since.has(key)));
  const unknown = () => new Map([...page._topics()].filter(([key]) => !page._since.has(key)));

  const createFetcher = (feed) => createLink({ ...settings, transports: ['poll'], clid: '' }, { _change() {}, _error: page._error, ...feed });

  const catcher = createFetcher({
    _topics: known,
    _since: page._since,
    _position: position,
    _tell(kind, value, text) {
      hand(kind, value, text);
      if (kind === 'mark' && isUpTo(goal, position._last())) {
        catcher._stop();
        goal = undefined;
        goOn();
      }
    },
  });

  /** Up to the id `from`; what comes after it is said by the connection. */
  function fetchValues(topics, from) {
    if (!topics.size) return;
    const _position = createPosition(from);
    const fetcher = createFetcher({
      _topics: () => topics,
      _since: new Map(),
      _position,
      _tell(kind, value) {
        if (value.kept) hand(kind, value);
        if (kind !== 'mark') return;
        _position._mark(value);
        if (!lacksValues(value)) {
          fetcher._stop();
          lacking.delete(fetcher);
          goOn();
        }
      },
    });
    lacking.set(fetcher, topics);
    waiting ||= [];
    fetcher._start();
  }

  /** What the connection is like, also for other tabs: names that stay as they are. */
  function ownStatus() {
    const { state, transport, who, held, at, head } = link;
    return { state, transport, who, held, at, head, counts };
  }

  /**
   * To the page. The broker says who is there when a topic is asked for: where another tab had asked for it before, we do.
   */
  function hand(kind, value, text) {
    if (kind === 'frame' && isPresence(value) && value.ep.requested === value.ep.emitted) {
      counts.set(value.ep.requested, value.e.detail.clid_instances);
    }
    if (kind === 'status' && value.state === 'connected') {
      for (const topic of counts.keys()) if (!value.held.has(keyOf(topic))) counts.delete(topic);
      for (const [topic, count] of value.counts) if (!counts.has(topic)) counts.set(topic, count);
    }
    page._tell(kind, value, text);
    if (kind === 'status') tellCounts();
  }

  function tellCounts() {
    for (const topic of page._topics().values()) {
      const detail = { clid_instances: counts.get(topic) };
      if (counts.has(topic) && !page._told.has(topic)) page._tell('frame', { ep: { requested: topic, emitted: topic }, e: { type: 'available', detail } });
    }
  }

  /** What the own connection says, to this page and, when it leads, to the others. */
  function tell(kind, value, text) {
    if (tabs) tabs._say(kind, value);
    if (waiting && kind !== 'dropped') wait(kind, value, text);
    else hand(kind, value, text);
    if (value?.report && link.transport !== 'poll') {
      link._had = value.id;
      saying ||= setTimeout(() => {
        saying = 0;
        link._say();
      }, Math.random() * SAY_WITHIN);
    }
  }

  /** What the leader says. */
  function told(kind, value, isNext) {
    if (kind === 'status') status = value;
    if (!isNext) lose();
    if (waiting && kind !== 'dropped') wait(kind, value); // that ends what is waited for, too
    else if (isInSync) hand(kind, value);
    else if (kind === 'status') tryToFollow();
    else if (kind === 'refused' || kind === 'dropped') page._tell(kind, value);
  }

  function tryToFollow() {
    const { state, held, at } = status;
    const isCovered = state === 'connected' && !missingIn(held, page._topics()).length && tabs._isSeen();
    if (!isCovered) return page._change();
    mode = 'follow';
    link._stop();
    waiting = [['status', status]];
    fetchValues(unknown(), at);
    if (position._last() && known().size && !isUpTo(at, position._last())) {
      goal = at;
      log('catches up from', position._last(), 'to', at);
      catcher._start();
    }
    goOn();
    return page._change();
  }

  function wait(kind, ...said) {
    waiting.push([kind, ...said]);
    if (kind === 'status') page._change();
  }

  /** When this page has what it lacked. */
  function goOn() {
    if (goal || lacking.size) return;
    const said = waiting;
    waiting = undefined;
    isInSync = true;
    for (const one of said) hand(...one);
  }

  function lose() {
    isInSync = false;
    waiting = goal = undefined;
    catcher._stop();
    for (const [fetcher, topics] of lacking) {
      fetcher._stop();
      for (const key of topics.keys()) page._since.delete(key);
    }
    lacking.clear();
  }

  /** By the proven user; what a page says of its user can only part it from others. */
  function meet() {
    mode = 'join';
    const group = JSON.stringify([share, clid || '', isProven, (isProven ? settings.identity.uid : user) ?? null]);
    tabs = joinTabs(`esn 3 ${group} ${base}`, {
      _topics: page._topics,
      _lead(isLeader) {
        log(isLeader ? 'leads' : 'follows');
        lose();
        if (!isLeader) {
          mode = 'follow';
          link._stop();
          return;
        }
        mode = 'lead';
        // It goes on as the client that the leader was, for its whispers.
        if (status.who.connid && link.state === 'closed') link.who = status.who;
        link._start();
        tell('status', ownStatus());
      },
      _status: ownStatus,
      _told: told,
      _lost() {
        log('the leading tab does not answer');
        status = { ...status, state: 'connecting' };
        lose();
        page._change();
      },
      _change: link._sync,
    });
  }

  function enter() {
    if (mode) return;
    const isShared = share && canShare();
    status = NO_STATUS;
    isProven = !!needProof(settings, page._topics());
    if (isShared && !isProven) return meet();
    mode = isShared ? 'prove' : 'lead';
    link._start();
  }

  function leave() {
    mode = undefined;
    tabs?._leave();
    tabs = undefined;
    lose();
    link._stop();
    page._change();
  }

  /** @returns {import('../types/index.js').State} */
  function stateNow() {
    if (!mode) return 'closed';
    if (mode === 'lead') return link.state;
    const isFollower = mode === 'follow' || (mode === 'join' && link.state === 'closed');
    const { state } = isFollower ? status : link;
    const isSure = mode === 'follow' && isInSync && tabs._isSeen();
    return state === 'closed' || (state === 'connected' && !isSure) ? 'connecting' : state;
  }

  return {
    _enter: enter,
    _leave: leave,
    _link: link,
    /** Of the connection that is heard, with the state that the page has by it. */
    get _status() {
      return { ...(mode === 'follow' ? status : ownStatus()), state: stateNow() };
    },

    /** The page wants other topics. */
    _announce() {
      // Whose page it is has to be known for topics of a user.
      if (tabs && !isProven && needProof(settings, page._topics())) {
        leave();
        enter();
      } else if (tabs) {
        tabs._turn();
        const { held } = mode === 'follow' ? status : link;
        if (mode === 'lead' || isInSync) fetchValues(new Map([...unknown()].filter(([key]) => held.has(key))), position._last());
      }
      tellCounts();
    },

    _probe(surely) {
      if (mode === 'follow') tabs._announce(true);
      link._probe(surely);
      catcher._probe(surely);
    },
  };
}
