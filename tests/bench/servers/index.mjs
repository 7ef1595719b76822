export { floor, floorBatch } from './floor.mjs';
export { notify, notifyHeaders, notifySse, notifyWebsocket, notifyWeb, notifyWebKept } from './notify.mjs';
export { nchanWebsocket, nchanChunked, nchanEvents } from './nchan.mjs';
export { nats } from './nats.mjs';
export { mosquitto } from './mosquitto.mjs';
export { redis } from './redis.mjs';
