// Long-poll: each request is answered when there is something to hear. For where nothing else gets through.

export async function listen(topics, hear, tell) {
  for (let body = { ep: topics, wait: 0 }; ; ) {
    try {
      const answer = await fetch('/notify/poll', { method: 'POST', body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      const { events, id } = await answer.json();
      const { connid, secret } = events[0].e.detail; // with these the next one is the same connection
      body = { ep: topics, last_id: id, connid, secret };
      for (const frame of events) {
        if (frame.ep.requested === '@SERVER@') tell(frame.e.type);
        else hear(frame);
      }
    } catch (error) {
      console.info(error);
      tell('waiting');
      await new Promise((done) => setTimeout(done, 1000 + 2000 * Math.random()));
    }
  }
}
