export { connect } from './connect.js';
export { NoPollSubscriber } from './no-poll-subscriber.js';
