// Topics as a client asks for them: 'a/b', or {topic: 'a/b', binded: true}.

/** A topic in the form in which the broker wants it. Throws a TypeError for what can't be one. */
export function normalised(one, settings) {
  const { topic = one, binded } = one;
  if (typeof topic !== 'string' || !topic) throw TypeError('No topic');
  if (!binded) return topic;
  if (!settings.bindKey && !settings.ticket) throw TypeError('binded needs bindKey or ticket');
  return { topic, binded };
}

export const nameOf = (one) => one.topic || one;

/** Topics are kept in maps by this: a bound one is another than the open one of the same name. */
export const keyOf = (one) => (one.binded ? 'b ' : 'o ') + nameOf(one);

/** What `map` has and `other` has not. */
export const missingIn = (other, map) => [...map].filter(([key]) => !other.has(key)).map(([, topic]) => topic);
