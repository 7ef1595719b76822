import type { MaybeRefOrGetter, Plugin, Ref, ShallowRef } from 'vue';
import type { Client, Event, Failure, Options, State, Topic } from './index.js';

/** A plugin: `app.use(createNotify({ url: '/notify/' }))`, or with `client`, which the page closes. */
export function createNotify(options: Options | { client: Client<any> }): Plugin;

/** The client; undefined on a server. */
export function useNotify(): Client | undefined;

/** Its state; `closed` on a server. */
export function useNotifyState(): Readonly<Ref<State>>;

export interface Heard<Detail> {
  /** The newest one, when there is no handler. */
  event: ShallowRef<Event<Detail> | undefined>;
  /** The topics are in force. */
  isReady: Ref<boolean>;
  /** Why they are not. */
  error: ShallowRef<Failure | undefined>;
}

/** Hears a topic, or several, for as long as the component is there. */
export function useTopic<Detail = any>(
  topic: MaybeRefOrGetter<Topic | readonly Topic[]>,
  handler?: (event: Event<Detail>) => void,
): Heard<Detail>;

/** How many streams have a name; undefined before it is known. */
export function usePresence(name: MaybeRefOrGetter<string>): Readonly<Ref<number | undefined>>;
