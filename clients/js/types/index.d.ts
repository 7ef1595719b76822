// What the client is given, and gives. docs/clients.md has examples.

/** `'a/b'`, or a bound topic, which is heard as the user whom the bind key names. */
export type Topic = string | { topic: string; binded?: boolean };

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
  ep: Topic[];
  clid?: string;
  last_id?: string;
}

export interface Options {
  /** The broker's address, such as `/notify/`. */
  url: string;
  topics?: Topic[];
  /** A name for presence. */
  clid?: string;

  /** Gives a bind key; asked for each connection that has a bound topic. */
  bindKey?: () => string | Promise<string>;
  /** Gives a ticket that the page's backend has signed; asked for each connection. */
  ticket?: (subscription: Subscription) => string | Promise<string>;

  /** The ways in, in the order in which they are tried. Default: ws, frames, sse, poll. */
  transports?: TransportName[];
  /**
   * Whether the tabs of this origin that have the same `url` and `clid` share one connection. A string shares with those
   * that have the same string: for tabs of different users. Default: true.
   */
  share?: boolean | string;
  /** ms after which a hidden page gives up the connection, until it is shown again. Default: never. */
  hiddenTime?: number;
  /** The id after which to begin: an earlier client's `lastId`. Default: with what comes from now on. */
  lastId?: string;

  /** ms within which a way in has to show that nothing on it buffers. It doubles when all have failed. Default: 600. */
  patience?: number;
  /** ms of silence after which a connection is given up. Default: 110,000; the broker keeps alive every 50,000. */
  silence?: number;
  /** ms: longest wait after the first failure; doubles with each one. Default: 1,000. */
  backoff?: number;
  /** ms: longest wait at all. Default: 30,000. */
  maxBackoff?: number;
  /** Whether the connection's time is renewed before it is over. Default: true. */
  renew?: boolean;

  /** Instead of the platform's: `ws` of npm for Node before 22. */
  WebSocket?: unknown;
  fetch?: (url: string, init?: RequestInit) => Promise<Response>;
}

export interface Event<Detail = any> {
  type: string;
  detail: Detail;
  /** On which it was published. */
  topic: string;
  /** As it stands in the subscription. */
  requested: string;
  /** Missing when another tab had asked for presence before. */
  id?: string;
  /** ms since 1970 by the broker's clock. */
  iat?: number;
}

/** As the broker wrote it: docs/protocol.md, section 2. */
export interface Frame {
  iat?: number;
  id?: string;
  ep: { requested: string; emitted: string };
  e: { type: string; detail?: any };
}

/** Why an attempt to connect came to nothing, or why a connection ended. */
export interface Failure extends Error {
  /**
   * - `refused`: the broker does not like what it was asked
   * - `mute`: on no way in did anything come in time
   * - `unfit`: all ways in are closed
   * - `down`: nobody there, not now, the connection broke, or `bindKey` or `ticket` failed
   */
  kind: 'refused' | 'mute' | 'unfit' | 'down';
  /** Of an HTTP answer. */
  status?: number;
}

/** Ends what it was given for. */
export type Off = () => void;

export interface Client {
  readonly state: State;
  /** The connection's number, for whispers. */
  readonly connid: number | undefined;
  readonly transport: TransportName | undefined;
  /** Of the newest event. */
  readonly lastId: string | undefined;

  /** When all topics are in force: true; false after close(). */
  ready(): Promise<boolean>;

  on(what: '@state', handler: (state: State) => void): Off;
  on(what: '@error', handler: (failure: Failure) => void): Off;
  /** Every frame for this page with its text, those of the server itself too. */
  on(what: '@frame', handler: (frame: Frame, text: string) => void): Off;
  /** Events of a requested topic; with `type`, of this type alone. */
  on(what: { topic: string; type?: string }, handler: (event: Event) => void): Off;
  /** Events of this type; `*` for all. */
  on(what: string, handler: (event: Event) => void): Off;

  /** More topics; as ready(). */
  subscribe(...topics: (Topic | Topic[])[]): Promise<boolean>;
  unsubscribe(...topics: (Topic | Topic[])[]): void;

  /** How many streams have a name, now and after each change. */
  presence(name: string, handler: (count: number, event: Event) => void): Off;

  /**
   * Asks the page's backend, and gives the answer that it whispers: the first event of this type, or for which `match` is
   * true. Rejects when none comes within `timeout` (10,000 ms), or when `send` does.
   */
  whisper(
    match: string | ((event: Event) => unknown),
    send: (connid: number) => unknown,
    options?: { timeout?: number },
  ): Promise<Event>;

  /** Ends this connection as if it had broken; the next one follows. */
  abort(): void;
  /** Ends it all. `softly`: the connection may go on until it ends by itself. Resolves when it is over. */
  close(options?: { softly?: boolean }): Promise<unknown>;
}

export function connect(options: Options): Client;

export interface NoPollRequest extends Partial<Omit<Options, 'url' | 'topics' | 'clid' | 'bindKey'>> {
  url: string;
  /** What to subscribe to, or its JSON. */
  data?: string | { ep: Topic[]; clid?: string };
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
