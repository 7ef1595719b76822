/** Names with the functions that are called for them. An error in one of these is reported, and keeps no other one back. */
export function createEmitter() {
  const all = new Map();
  return {
    on(name, handler) {
      if (!all.has(name)) all.set(name, new Set());
      all.get(name).add(handler);
      return () => all.get(name).delete(handler);
    },
    emit(name, ...values) {
      for (const handler of [...(all.get(name) || [])]) {
        try {
          handler(...values);
        } catch (error) {
          setTimeout(() => {
            throw error;
          });
        }
      }
    },
  };
}
