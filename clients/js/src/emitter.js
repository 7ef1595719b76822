/** Names with the functions that are called for them. An error in one of these is reported, and keeps no other one back. */
export function createEmitter() {
  const all = new Map();
  return {
    /** Each call counts by itself, also with one function twice; what it gives ends this one. */
    _on(name, handler) {
      const entry = { _call: handler };
      all.set(name, (all.get(name) || new Set()).add(entry));
      return () => all.get(name).delete(entry);
    },
    _emit(name, ...values) {
      for (const entry of [...(all.get(name) || [])]) report(() => entry._call(...values));
    },
  };
}

/** Calls a function of the page. */
export function report(call) {
  try {
    call();
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}
