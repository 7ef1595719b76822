// Hooks for React 18 and newer. Nothing is connected while a page is rendered on a server; in StrictMode, where effects run twice,
// the first connection is closed again.

import { connect } from 'es-web-notify';
import { createContext, createElement, useContext, useEffect, useRef, useState, useSyncExternalStore } from 'react';

const Context = createContext(undefined);

/** Gives a client to all below it: `client`, or one of its own with `options`, which are those of the first rendering. */
export function NotifyProvider({ client: given, options, children }) {
  const [own, setOwn] = useState(undefined);
  const first = useRef(options);
  useEffect(() => {
    if (given) return undefined;
    const client = connect(first.current);
    setOwn(client);
    return () => {
      setOwn(undefined);
      client.close();
    };
  }, [given]);
  return createElement(Context.Provider, { value: given || own }, children);
}

/** The client, or undefined before there is one. */
export const useNotify = () => useContext(Context);

const nothing = () => () => {};

/** @returns {import('es-web-notify').State} */
export function useNotifyState() {
  const client = useNotify();
  return useSyncExternalStore(
    client ? (changed) => client.on('@state', changed) : nothing,
    () => client?.state ?? 'closed',
    () => 'closed',
  );
}

const NONE = { event: undefined, isReady: false, error: undefined };

/** Hears a topic, or several, for as long as the component is there. Without a handler it gives the newest event. */
export function useTopic(topic, handler = undefined) {
  const client = useNotify();
  const [value, setValue] = useState(NONE);
  const newest = useRef(handler);
  const key = JSON.stringify(topic);
  useEffect(() => {
    newest.current = handler;
  });
  useEffect(() => {
    if (!client) return undefined;
    let isHere = true;
    const change = (part) => isHere && setValue((former) => ({ ...former, ...part }));
    const hear = (event) => (newest.current ? newest.current(event) : change({ event }));
    const { ready, off } = client.subscribe(JSON.parse(key), hear);
    ready.then(
      (isReady) => change({ isReady }),
      (error) => change({ error }),
    );
    return () => {
      isHere = false;
      off();
      setValue(NONE);
    };
  }, [client, key]);
  return value;
}

/** How many streams have a name; undefined before it is known. */
export function usePresence(name) {
  const client = useNotify();
  const [count, setCount] = useState(undefined);
  useEffect(() => {
    if (!client) return undefined;
    const off = client.presence(name, setCount);
    return () => {
      off();
      setCount(undefined);
    };
  }, [client, name]);
  return count;
}
