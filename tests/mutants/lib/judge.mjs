// Whether a test notices a slip.
import { nearestFirst } from './tests.mjs';

// What a test is given: most of it for what is short and shares the machine with others.
const LEAST_MS = { unit: 5000, system: 15_000 };

/** How much of a file of tests could notice the slip: {env, limit}. */
function partOf(test, slip) {
  const { kind, milliseconds, reaches, isWhole } = test;
  const least = LEAST_MS[kind] ?? LEAST_MS.system;
  const chosen = isWhole ? [] : (reaches.casesOf?.(slip) ?? []);
  if (!chosen.length) return { limit: least + 4 * milliseconds };
  const time = chosen.reduce((sum, one) => sum + one.milliseconds, 0);
  return { limit: least + 4 * time, env: { ESN_ONLY: JSON.stringify(chosen.map(({ name }) => name)) } };
}

/** {noticed, over, milliseconds} of one test. */
async function look(test, slip, slot) {
  const part = partOf(test, slip);
  slot.put(slip);
  const { ok, over, milliseconds } = await slot.run(test, part);
  slot.takeBack(slip);
  if (ok) return { milliseconds };
  // A test that fails without the slip as well, or is slow without it too, has noticed nothing.
  const without = await slot.run(test, { ...part, limit: over ? part.limit / 2 : part.limit });
  if (without.ok || without.over || !part.env) return { noticed: without.ok, over, milliseconds };
  test.isWhole = true; // some of its tests need the others
  return look(test, slip, slot);
}

/** {by, reached}: the test that notices, if one does within `patience` milliseconds; how many come by. */
async function judge(slip, tests, slot, patience) {
  const near = nearestFirst(tests, slip);
  let left = patience;
  for (const test of near) {
    if (left <= 0) break;
    const { noticed, over, milliseconds } = await look(test, slip, slot);
    if (noticed) return { by: `${test.kind} ${test.name}${over ? ', which did not end' : ''}`, reached: near.length };
    left -= milliseconds;
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
