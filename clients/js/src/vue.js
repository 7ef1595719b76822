// For Vue 3. Nothing is connected while a page is rendered on a server.

import { connect } from 'es-web-notify';
import { inject, onScopeDispose, readonly, ref, shallowRef, toValue, watch } from 'vue';

const KEY = Symbol('es-web-notify');
const isInBrowser = typeof window !== 'undefined';

/**
 * A plugin: app.use(createNotify(options)), or with a client that is there already. The client ends with the app.
 * @param {any} given
 */
export function createNotify({ client: given, ...options }) {
  return {
    install(app) {
      const client = given || (isInBrowser ? connect(/** @type {any} */ (options)) : undefined);
      app.provide(KEY, client);
      const { unmount } = app;
      app.unmount = () => {
        unmount.call(app);
        if (!given) client?.close();
      };
    },
  };
}

/** The client; undefined on a server. */
export const useNotify = () => inject(KEY, undefined);

/** Its state, as a ref. */
export function useNotifyState() {
  const client = useNotify();
  const state = ref(client?.state ?? 'closed');
  if (client) onScopeDispose(client.on('@state', (now) => (state.value = now)));
  return readonly(state);
}

/** Does something with the client for what `source` gives, anew when that changes, until the component is gone. */
function follow(source, begin) {
  const client = useNotify();
  if (!client) return;
  watch(
    () => JSON.stringify(toValue(source)),
    (key, _former, onCleanup) => onCleanup(begin(client, JSON.parse(key))),
    { immediate: true },
  );
}

/** Hears a topic, or several; `topic` may be a ref or a getter. Without a handler `event` is the newest one. All three are refs. */
export function useTopic(topic, handler = undefined) {
  const event = shallowRef();
  const isReady = ref(false);
  const error = shallowRef();
  follow(topic, (client, topics) => {
    let isHere = true;
    event.value = error.value = undefined;
    isReady.value = false;
    const { ready, off } = client.subscribe(topics, handler || ((heard) => (event.value = heard)));
    ready.then(
      (value) => isHere && (isReady.value = value),
      (failure) => isHere && (error.value = failure),
    );
    return () => {
      isHere = false;
      off();
    };
  });
  return { event, isReady, error };
}

/** How many streams have a name, as a ref; undefined before it is known. */
export function usePresence(name) {
  const count = ref();
  follow(name, (client, one) => {
    count.value = undefined;
    return client.presence(one, (now) => (count.value = now));
  });
  return readonly(count);
}
