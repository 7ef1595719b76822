// What the client is given, and gives. docs/clients.md has examples.

/**
 * `'a/b'`, or a bound topic, which is heard as the user whom the bind key names. `binded` is the wire's word for `bound`.
 * `private`: one that this user was granted by name.
 */
export type Topic = string | { readonly topic: string; readonly bound?: boolean; readonly binded?: boolean; readonly private?: boolean };

/** Topics, each alone or in lists. */
export type Topics = readonly (Topic | readonly Topic[])[];

export type TransportName = 'ws' | 'frames' | 'sse' | 'poll';

/**
 * - `connecting`: on the way, or some topics are not in force yet
 * - `connected`: all topics are in force
 * - `waiting`: it failed and is tried again in a moment
 * - `offline`: the same, and the browser says that there is no network
 * - `closed`: after close(), while a hidden page does not take part (`hiddenTime`), and before the beginning
 */
export type State = 'connecting' | 'connected' | 'waiting' | 'offline' | 'closed';

/** What the broker is asked, as a backend needs it to sign a ticket. */
export interface Subscription {
  ep: ({ topic: string; binded?: true; private?: true } | string)[];
  clid?: string;
  last_id?: string;
}

export interface Options {
  /** The broker's address, such as `/notify/`. */
  url: string | URL;
  topics?: readonly Topic[] | undefined;
  /** A name for presence. */
  clid?: string | undefined;

  /**
   * Gives a bind key, or is the address that answers one; asked for each connection that has a bound topic. An answer 401 or
   * 403, or a page instead of a key, ends the client: kind `login`.
   */
  bindKey?: string | URL | (() => string | Promise<string>) | undefined;
  /** The same for an access token of the application. */
  token?: string | URL | (() => string | Promise<string>) | undefined;
  /** Gives a ticket that the page's backend has signed; asked for each connection. */
  ticket?: ((subscription: Subscription) => string | Promise<string>) | undefined;
  /** Whom the page is for: when the broker says that its user is another one, the client ends. Default: who it was first. */
  user?: string | number | undefined;

  /** The ways in, in the order in which they are tried. Default: ws, frames, sse, poll. */
  transports?: readonly TransportName[] | undefined;
  /**
   * Whether the tabs of this origin that have the same `url` and `clid`, and by the broker's word the same user, share one
   * connection. A string shares with those that have the same string. Default: true.
   */
  share?: boolean | string | undefined;
  /** Ends the client, as close() does. */
  signal?: AbortSignal | undefined;
  /** Tells on the console what it does. */
  debug?: boolean | undefined;
  /** ms after which a hidden page gives up the connection, until it is shown again. Default: never. */
  hiddenTime?: number | undefined;
  /**
   * The id after which to begin: an earlier client's `lastId`, or the position that the backend has rendered into the page (PHP:
   * `Emitter::position()`). Default: with what comes from now on.
   */
  lastId?: string | null | undefined;

  /** ms without a sign of life after which the next way in is tried as well. It doubles when all have failed. Default: 600. */
  patience?: number | undefined;
  /** ms of silence after which a connection is given up. Default: 60,000, at most 1e9; the broker keeps alive every 25,000. */
  silence?: number | undefined;
  /** ms: longest wait after the first failure; doubles with each one. Default: 1,000. */
  backoff?: number | undefined;
  /** ms: longest wait at all. Default: 30,000. */
  maxBackoff?: number | undefined;
  /** ms after which a better way in is looked for, when it came by another one than the first; doubles. Default: 300,000. Infinity: never. */
  betterTime?: number | undefined;
  /**
   * ms after which a connection by frames or Server-Sent Events tells the broker again that it is there, by a request: behind a
   * proxy nothing else says so. It counts as gone after twice as long, and a minute more when the page is hidden. At least 1,000.
   * Default: never. WebSockets are asked by the broker.
   */
  beat?: number | undefined;
  /** Whether the connection's time is renewed before it is over. Default: true. */
  renew?: boolean | undefined;

  /** Instead of the platform's: `ws` of npm for Node before 22. */
  WebSocket?: unknown | undefined;
  fetch?: ((url: string, init?: RequestInit) => Promise<Response>) | undefined;
}

export interface Event<Detail = any, Type extends string = string> {
  type: Type;
  detail: Detail;
  /** On which it was published. */
  topic: string;
  /** As it stands in the subscription. */
  requested: string;
  /** Missing when another tab had asked for presence before. */
  id?: string;
  /** ms since 1970 by the broker's clock. */
  iat?: number;
  /** It is its topic's last value, from before the page had this topic. Missing of presence that another tab had asked for before. */
  kept?: boolean;
}

/** As the broker wrote it: docs/protocol.md, section 2. */
export interface Frame {
  iat?: number;
  id?: string;
  ep: { requested: string; emitted: string };
  e: { type: string; detail?: any };
  kept?: true;
  keep?: true;
}

/** Why an attempt to connect came to nothing, or why a connection ended. */
export interface Failure extends Error {
  /**
   * - `refused`: the broker does not like what it was asked; `topics` says which, when it was for these
   * - `mute`: on no way in did anything come in time
   * - `unfit`: all ways in are closed
   * - `down`: nobody there, not now, the connection broke, or `bindKey`, `token` or `ticket` failed
   * - `identity`: the user is another one than the page is for
   * - `login`: the address `bindKey` or `token` gives no proof of who this is
   * - `dropped`: the application has ended this user's streams
   */
  kind: 'refused' | 'mute' | 'unfit' | 'down' | 'identity' | 'login' | 'dropped';
  /** It is not tried again: the client is closed. Without it, it is. */
  final?: true;
  /** Of an HTTP answer. */
  status?: number;
  /** That were refused. Their subscriptions have ended; all others go on. */
  topics?: string[];
}

/** Ends what it was given for. */
export type Off = () => void;

export interface Limits {
  /** Ends it, as off() does. */
  signal?: AbortSignal | undefined;
}

/** The topics of one call of subscribe(). They are asked for as long as one subscription has them. */
export interface Handle extends PromiseLike<boolean> {
  /** True when all are in force, false when it was ended before. Rejects with the failure when the broker refuses one. */
  readonly ready: Promise<boolean>;
  /** Ends this subscription alone, with its handler. */
  off(): void;
}

/** The types of events with their details: `connect<{headline: string}>()`. */
export type Details = Record<string, any>;

export interface Client<Events extends object = Details> {
  readonly state: State;
  /** The connection's number, for whispers. */
  readonly connid: number | undefined;
  readonly transport: TransportName | undefined;
  /** Of the newest event. */
  readonly lastId: string | undefined;
  /** Whose page it is, by the broker's word. */
  readonly user: string | number | undefined;

  /** When all topics are in force: true; false after close(). */
  ready(): Promise<boolean>;

  on(what: '@state', handler: (state: State) => void, limits?: Limits): Off;
  on(what: '@error', handler: (failure: Failure) => void, limits?: Limits): Off;
  /** Something may be missing: the broker does not reach back so far. The page should ask its backend for the state of things. */
  on(what: '@gap', handler: (gap: { id: string }) => void, limits?: Limits): Off;
  /**
   * Presence by patterns (`@CONNECTION@/+`) is told anew, by the events that follow. `changes`: what has changed meanwhile.
   * `all`: what was known is void, each name that is there follows. `newest`: likewise, but there are too many: the newest follow.
   */
  on(what: '@presence', handler: (presence: { told: 'changes' | 'all' | 'newest' }) => void, limits?: Limits): Off;
  /** Every frame for this page with its text, those of the server itself too. */
  on(what: '@frame', handler: (frame: Frame, text: string) => void, limits?: Limits): Off;
  /** Events of a requested topic; with `type`, of this type alone. */
  on<Type extends keyof Events & string>(
    what: { topic: string; type: Type },
    handler: (event: Event<Events[Type], Type>) => void,
    limits?: Limits,
  ): Off;
  on(what: { topic: string }, handler: (event: AnyOf<Events>) => void, limits?: Limits): Off;
  /** Events of this type; `*` for all. */
  on(what: '*', handler: (event: AnyOf<Events>) => void, limits?: Limits): Off;
  on<Type extends keyof Events & string>(what: Type, handler: (event: Event<Events[Type], Type>) => void, limits?: Limits): Off;
  /** As on(), for the first time alone. */
  once: Client<Events>['on'];

  /** More topics, with a handler for their events. */
  subscribe(topic: Topic | readonly Topic[], handler: (event: AnyOf<Events>) => void, limits?: Limits): Handle;
  subscribe(topic: Topic | readonly Topic[], limits: Limits): Handle;
  subscribe(...topics: Topics): Handle;
  /** Takes back one subscribe() without a handler, or one of connect()'s topics, for each of these topics. */
  unsubscribe(...topics: Topics): void;

  /** How many streams have a name, now and after each change. */
  presence(name: string, handler: (count: number, event: Event) => void, limits?: Limits): Off;

  /**
   * Asks the page's backend, and gives the answer that it whispers: the first event of this type, or for which `match` is
   * true. Rejects when none comes within `timeout` (10,000 ms), or when `send` does.
   */
  whisper<Type extends keyof Events & string>(
    match: Type,
    send: (connid: number) => unknown,
    options?: { timeout?: number },
  ): Promise<Event<Events[Type], Type>>;
  whisper(match: (event: AnyOf<Events>) => unknown, send: (connid: number) => unknown, options?: { timeout?: number }): Promise<AnyOf<Events>>;

  /** Ends this connection as if it had broken; the next one follows. */
  abort(): void;
  /** Ends it all. `softly`: the connection may go on until it ends by itself. Resolves when it is over. */
  close(options?: { softly?: boolean }): Promise<unknown>;
}

/** An event of any of these types, told apart by `type`. */
export type AnyOf<Events extends object> = { [Type in keyof Events & string]: Event<Events[Type], Type> }[keyof Events & string];

export function connect<Events extends object = Details>(options: Options): Client<Events>;

export interface NoPollRequest extends Partial<Omit<Options, 'url' | 'topics' | 'clid' | 'bindKey'>> {
  url: string | URL;
  /** What to subscribe to, or its JSON. */
  data?: string | { ep: readonly Topic[]; clid?: string };
  /** Always POST. */
  method?: string;
}

export interface NoPollState {
  value: -1 | 0 | 1 | 2;
  state: 'OFFLINE' | 'DISCONNECTED' | 'WAITING' | 'CONNECTED';
}

/** The class of the broker before. */
export class NoPollSubscriber {
  constructor(
    urlOrObject: string | NoPollRequest,
    onParsed?: (text: string) => void,
    onSubscribe?: () => void,
    onStateChange?: (state: NoPollState) => void,
  );
  start(
    urlOrObject?: string | NoPollRequest,
    onParsed?: (text: string) => void,
    onSubscribe?: () => void,
    onStateChange?: (state: NoPollState) => void,
  ): void;
  stop(): void;
  abort(): void;
  setURL(urlOrObject: string | NoPollRequest): void;
  setBindingKeyUrl(url: string): void;
  unsetBindingKey(): void;
  validateIat(text: string): boolean;
}
