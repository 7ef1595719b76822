// The hooks for React and Vue, as sources and as built for require().

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, test } from 'node:test';
import React from 'react';
import ReactServer from 'react-dom/server';
import Renderer from 'react-test-renderer';
import * as Vue from 'vue';
import { renderToString } from 'vue/server-renderer';
import { Broker } from './lib/broker.js';
import { until } from './lib/wait.js';

const require = createRequire(import.meta.url);
const { createElement } = React;
const { act } = Renderer;
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

let broker;
beforeEach(async () => (broker = await Broker.start()));
afterEach(() => broker.close());

const options = () => ({ url: broker.url, transports: ['frames'], backoff: 20 });
const topicsNow = () => [...broker.open].flatMap(({ topics }) => topics).sort();

const reacts = { sources: () => import('../src/react.js'), 'dist/': async () => require('../dist/react.cjs') };
for (const [name, load] of Object.entries(reacts)) {
  describe(`React, ${name}`, () => {
    let hooks;
    beforeEach(async () => (hooks = await load()));
    const untilText = (tree, text) =>
      until(`"${text}" is shown`, async () => {
        await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
        return JSON.stringify(tree.toJSON()) === JSON.stringify(text);
      });
    const Feed = ({ topic }) => {
      const { event, isReady, error } = hooks.useTopic(topic);
      return `${hooks.useNotifyState()} ${isReady} ${event?.type ?? 'none'} ${error?.kind ?? 'well'}`;
    };
    const inPage = (child) =>
      createElement(React.StrictMode, null, createElement(hooks.NotifyProvider, { options: options() }, child));

    test('in StrictMode: one connection, topics that come and go with components, the newest event', async () => {
      let tree;
      await act(() => void (tree = Renderer.create(inPage(createElement(Feed, { topic: 'a' })))));
      await untilText(tree, 'connected true none well');
      await until('there is one', () => broker.open.size === 1);
      broker.publish('a', 'one');
      await untilText(tree, 'connected true one well');
      await act(() => tree.update(inPage(createElement(Feed, { topic: ['b', 'c'] }))));
      await untilText(tree, 'connected true none well');
      await until('the topics are others', () => topicsNow().join() === 'b,c');
      await act(() => tree.unmount());
      await until('nobody is left', () => broker.open.size === 0);
    });

    test('one of two components goes: the other hears on; handlers are the newest ones; presence', async () => {
      const heard = [];
      const Two = ({ isTwo, mark }) => {
        const count = hooks.usePresence('me');
        return [createElement(One, { key: 1, mark: `first ${mark}` }), isTwo && createElement(One, { key: 2, mark: `second ${mark}` }), `${count}`];
      };
      const One = ({ mark }) => {
        hooks.useTopic('a', ({ type }) => heard.push(`${mark} ${type}`));
        return null;
      };
      let tree;
      await act(() => void (tree = Renderer.create(inPage(createElement(Two, { isTwo: true, mark: 'old' })))));
      await untilText(tree, '0');
      broker.publish('a', 'x');
      await until('both hear', () => heard.length === 2);
      await act(() => tree.update(inPage(createElement(Two, { isTwo: false, mark: 'new' }))));
      await until('it is held', () => topicsNow().includes('a'));
      broker.publish('a', 'y');
      await until('one hears', () => heard.length === 3);
      assert.deepEqual(heard.sort(), ['first new y', 'first old x', 'second old x']);
      await act(() => tree.unmount());
      await until('nobody is left', () => broker.open.size === 0);
    });

    test('on a server nothing is connected', () => {
      assert.equal(ReactServer.renderToString(inPage(createElement(Feed, { topic: 'a' }))), 'closed false none well');
      assert.equal(broker.requests.length, 0);
    });
  });
}

// A page of texts alone, for Vue to render into.
const node = (text = '') => ({ text, children: [], parent: undefined });
const remove = (child) => child.parent?.children.splice(child.parent.children.indexOf(child), 1);
const renderer = Vue.createRenderer({
  createElement: () => node(),
  createText: node,
  createComment: () => node(),
  setText: (one, text) => (one.text = text),
  setElementText: (one, text) => (one.children = [{ ...node(text), parent: one }]),
  insert(child, parent, anchor) {
    child.parent = parent;
    const at = parent.children.indexOf(anchor);
    parent.children.splice(at < 0 ? parent.children.length : at, 0, child);
  },
  remove,
  parentNode: (one) => one.parent,
  nextSibling: (one) => one.parent?.children[one.parent.children.indexOf(one) + 1],
  patchProp() {},
});
const textOf = ({ text, children }) => text + children.map(textOf).join('');

const vues = { sources: () => import('../src/vue.js'), 'dist/': async () => require('../dist/vue.cjs') };
for (const [name, load] of Object.entries(vues)) {
  describe(`Vue, ${name}`, () => {
    let hooks;
    let feed;
    beforeEach(async () => {
      hooks = await load();
      feed = {
        props: ['topic'],
        setup(props) {
          const { event, isReady, error } = hooks.useTopic(() => props.topic);
          const state = hooks.useNotifyState();
          const count = hooks.usePresence('me');
          return () => `${state.value} ${isReady.value} ${event.value?.type ?? 'none'} ${error.value?.kind ?? 'well'} ${count.value}`;
        },
      };
    });

    test('topics that come and go with what a getter says, the newest event, presence', async () => {
      const { connect } = await import('./lib/client.js');
      const topic = Vue.ref('a');
      const isShown = Vue.ref(true);
      const client = connect(options());
      const app = renderer.createApp({ render: () => isShown.value && Vue.h(feed, { topic: topic.value }) });
      app.use(hooks.createNotify({ client }));
      const page = node();
      app.mount(page);
      await until('it is connected', () => textOf(page) === 'connected true none well 0');
      await until('it is held', () => broker.open.size === 1);
      broker.publish('a', 'one');
      await until('it is heard', () => textOf(page) === 'connected true one well 0');
      topic.value = 'b';
      await until('the topics are others', () => topicsNow().join() === '@CONNECTION@/me,b');
      isShown.value = false;
      await until('none is wanted', () => broker.open.size === 1 && topicsNow().length === 0);
      app.unmount();
      await client.close();
    });

    test('on a server nothing is connected', async () => {
      const app = Vue.createSSRApp(feed, { topic: 'a' });
      app.use(hooks.createNotify(options()));
      assert.equal(await renderToString(app), 'closed false none well undefined');
      assert.equal(broker.requests.length, 0);
    });
  });
}
