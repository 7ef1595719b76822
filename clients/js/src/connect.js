import { createClient } from './client.js';
import { addPresence } from './presence.js';
import { createSource } from './sharing.js';
import { addWhisper } from './whisper.js';

/**
 * A client that shares its connection with the other tabs of the origin.
 * @type {any}
 */
export const connect = (options) => addWhisper(addPresence(createClient(createSource, options)));
