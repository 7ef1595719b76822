// Whether a test notices a slip.
import { nearestFirst } from './tests.mjs';

// What a test is given: most of it for what is short and shares the machine with others.
const LEAST_MS = { unit: 5000, system: 10_000 };
const limitOf = ({ kind, milliseconds }) => (LEAST_MS[kind] ?? LEAST_MS.system) + 4 * milliseconds;

/** {by, reached}: the test that notices, if one does within `patience` milliseconds; how many come by. */
async function judge(slip, tests, slot, patience) {
  const near = nearestFirst(tests, slip);
  let left = patience;
  for (const test of near) {
    if (left <= 0) break;
    const limit = limitOf(test);
    slot.put(slip);
    const result = await slot.run(test, { limit });
    slot.takeBack(slip);
    left -= result.milliseconds;
    // A test that fails without the slip as well, or is slow without it too, has noticed nothing.
    if (!result.ok && (await slot.run(test, { limit: result.over ? limit / 2 : limit })).ok) return { by: `${test.kind} ${test.name}${result.over ? ', which did not end' : ''}`, reached: near.length };
  }
  return { reached: near.length };
}

/** Those of the slips that no test noticed; told(slip, verdict) of each. */
export async function judgeAll(slips, tests, { slots, patience, until, told }) {
  const waiting = [...slips];
  const left = [];
  await Promise.all(slots.map(async (slot) => {
    for (let slip; Date.now() < until && (slip = waiting.shift());) {
      const verdict = await judge(slip, tests, slot, patience);
      if (!verdict.by) left.push({ ...slip, reached: (slip.reached ?? 0) + verdict.reached });
      told(slip, verdict);
    }
  }));
  return left;
}
