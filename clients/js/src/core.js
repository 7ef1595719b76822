import { createClient } from './client.js';
import { createSource } from './own.js';

/**
 * A client with a connection of its own, in each tab, without presence() and whisper().
 * @type {any}
 */
export const connect = (options) => createClient(createSource, options);
