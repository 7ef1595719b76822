// The client without sharing between tabs, and without presence(), whisper() and NoPollSubscriber.

import type { Client as WholeClient, Details, Options } from './index.cjs';

export type {
  AnyOf, Details, Event, Failure, Frame, Handle, Limits, Off, Options, State, Subscription, Topic, Topics, TransportName,
} from './index.cjs';

/** Who is there: `subscribe('@CONNECTION@/NAME', handler)`. */
export type Client<Events extends object = Details> = Omit<WholeClient<Events>, 'presence' | 'whisper'>;

export function connect<Events extends object = Details>(options: Options): Client<Events>;
