import { createClient } from './client.js';
import { createSource } from './sharing.js';

/**
 * A client that shares its connection with the other tabs of the origin.
 * @type {any}
 */
export const connect = (options) => createClient(createSource, options);
