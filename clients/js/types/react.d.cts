import type { ReactElement, ReactNode } from 'react';
import type { Client, Event, Failure, Options, State, Topic } from './index.cjs';

export interface ProviderProps {
  /** A client that is there already: the page closes it. */
  client?: Client<any> | undefined;
  /** Of a client of its own; those of the first rendering count. */
  options?: Options | undefined;
  children?: ReactNode;
}

/** Gives a client to all components below it. */
export function NotifyProvider(props: ProviderProps): ReactElement;

/** The client; undefined before there is one, and on a server. */
export function useNotify(): Client | undefined;

/** Its state; `closed` on a server. */
export function useNotifyState(): State;

export interface Heard<Detail> {
  /** The newest one, when there is no handler. */
  event: Event<Detail> | undefined;
  /** The topics are in force. */
  isReady: boolean;
  /** Why they are not. */
  error: Failure | undefined;
}

/** Hears a topic, or several, for as long as the component is there. */
export function useTopic<Detail = any>(
  topic: Topic | readonly Topic[],
  handler?: (event: Event<Detail>) => void,
): Heard<Detail>;

/** How many streams have a name; undefined before it is known. */
export function usePresence(name: string): number | undefined;
