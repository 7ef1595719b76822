// Topics as a client asks for them: 'a/b', or {topic: 'a/b', bound: true}.

const KNOWN = ['topic', 'bound', 'binded', 'private'];

/** A topic in the form in which the broker wants it. Throws a TypeError for what can't be one. */
export function normalised(one, settings) {
  const topic = one?.topic ?? one;
  if (typeof topic !== 'string' || !topic) throw TypeError('No topic');
  if (topic === one) return topic;
  for (const key in one) if (!KNOWN.includes(key)) throw TypeError(`A topic has no "${key}"`);
  const isBound = one.bound || one.binded;
  if (!isBound && !one.private) return topic;
  if (!hasProof(settings)) throw TypeError('No bindKey, token or ticket');
  return { topic, ...(isBound && { binded: true }), ...(one.private && { private: true }) };
}

/** Whether the page can say who its user is. */
export const hasProof = ({ bindKey, token, ticket }) => bindKey || token || ticket;

/** Whether these topics are heard as a user alone, or may be: presence is, where the broker says so. */
export const needProof = (settings, topics) => settings.ticket || (hasProof(settings) && [...topics.values()].some((one) => one.topic || one[0] === '@'));

export const nameOf = (one) => one.topic || one;

/** Topics are kept in maps by this: a bound one is another than the open one of the same name. */
export const keyOf = (one) => (one.binded ? 'b ' : one.private ? 'p ' : 'o ') + nameOf(one);

/** What `map` has and `other` has not. */
export const missingIn = (other, map) => [...map].filter(([key]) => !other.has(key)).map(([, topic]) => topic);
