// Waits are for conditions; the limit ends a test that would hang, it never decides one.

const LIMIT = 60_000;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until condition() gives something true, and gives that. */
export async function until(what, condition) {
  const end = Date.now() + LIMIT;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await pause(5);
  }
}
