export { floor, floorBatch } from './floor.mjs';
export { notify, notifyHeaders, notifySse, notifyWebsocket, notifyWeb, notifyWebKept, notifyTls, notifyTlsWebsocket } from './notify.mjs';
export { nchanWebsocket, nchanChunked, nchanEvents, nchanTlsWebsocket, nchanTlsEvents } from './nchan.mjs';
export { nats } from './nats.mjs';
export { mosquitto } from './mosquitto.mjs';
export { redis } from './redis.mjs';
