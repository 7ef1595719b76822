// How far a page has heard: what it resumes from, and what is a double.

/**
 * An id is EPOCH-SEQUENCE. The second number grows; the first is another when the broker's log was begun anew. While last values
 * are to come there is a third one: up to which sequence they were had.
 */
const parts = (id) => `${id}`.split('-').map(Number);

/** True when `id` is not after `other`, in the same log. Either may be missing. */
export function isUpTo(id, other) {
  const [epoch, sequence] = parts(id);
  const [log, most] = parts(other);
  return epoch === log && sequence <= most;
}

/** Whether last values are to come. */
export const lacksValues = (id) => /-.*-/.test(id);

/** Presence is not in the log: its frames have the id of the event before. */
export const isPresence = ({ ep }) => ep.emitted.startsWith('@CONNECTION@/');

export function createPosition(last) {
  let heard; // requested topics under which the newest event was heard; undefined: all there are

  const position = {
    /** The newest id, or undefined. */
    _last: () => last,

    /** Everything up to this id was heard. */
    _mark(id) {
      // Of one event the newer is said later: how far its topics' last values were had.
      if (isUpTo(id, last) && !isUpTo(last, id)) return;
      last = id;
      heard = undefined;
    },

    /** A connection begins here: news only to who has heard nothing yet, or of another log. */
    _begin(id) {
      if (!isUpTo(id, last) && !isUpTo(last, id)) position._mark(id);
    },

    /** True for a frame that is new, and heard from now on. An event comes once for each requested topic it matches. */
    _take(frame) {
      const { id, ep } = frame;
      if (isPresence(frame)) return true;
      if (isUpTo(id, last)) {
        if (!isUpTo(last, id) || !heard || heard.has(ep.requested)) return false;
        heard.add(ep.requested);
      } else {
        last = id;
        heard = new Set([ep.requested]);
      }
      return true;
    },

    /**
     * The id to go on from. With several topics the newest event may be still to come under another one: then it is
     * the id before, and what was heard already is known to be a double. Last values are asked for when a topic is new, or
     * when they were to come at `at`, where the connection of before was.
     */
    _resume(topics, isNew, at) {
      if (!last) return last;
      const [epoch, sequence, values = lacksValues(at) ? 0 : ''] = parts(last);
      return [epoch, heard && topics > 1 ? sequence - 1 : sequence, isNew ? 0 : values].join('-').replace(/-$/, '');
    },
  };
  return position;
}
