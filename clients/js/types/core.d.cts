// The client without sharing between tabs, and without NoPollSubscriber.

export { connect } from './index.cjs';
export type {
  AnyOf, Client, Details, Event, Failure, Frame, Handle, Limits, Off, Options, State, Subscription, Topic, Topics, TransportName,
} from './index.cjs';
