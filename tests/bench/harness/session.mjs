// One server, started for one measurement in a folder of its own and ended after it.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { keepMessage, runTool } from './tools.mjs';

const folders = new Set();

function removeFolder(dir) {
  rmSync(dir, { recursive: true, force: true });
  folders.delete(dir);
}

/** For a run that is cut short. */
export function removeSessionFolders() {
  for (const dir of folders) removeFolder(dir);
}

/** Calls measure(running, dir) while the server runs. */
export async function withServer(context, server, measure) {
  const dir = mkdtempSync(join(tmpdir(), 'esn-bench-'));
  folders.add(dir);
  let running;
  try {
    running = await server.start(dir, context.programs);
    return await measure(running, dir);
  } catch (error) {
    error.message = `${server.label}: ${error.message}`;
    throw error;
  } finally {
    await running?.stop();
    removeFolder(dir);
  }
}

/** Options of a load tool that say where streams are opened and how. */
export function streamOptions(dir, name, stream) {
  return ['--port', String(stream.port), '--request', keepMessage(dir, name, stream.request), '--subscribed', stream.subscribed,
    ...(stream.tls ? ['--tls'] : [])];
}

function publisherOptions(dir, publisher, window) {
  if (publisher.command) return ['--command', publisher.command];
  const options = ['--publish-port', String(publisher.port), '--publish', keepMessage(dir, 'publish', publisher.message)];
  if (publisher.connectionPerEvent) options.push('--publishers', String(window));
  if (publisher.hello) options.push('--hello', keepMessage(dir, 'hello', publisher.hello), '--greeted', publisher.greeted);
  return options;
}

/** stages: [{ subscribers, events, window }]. Options of fanout_load. */
export function loadOptions(dir, running, stages, { publish = true, stream = running.subscriber } = {}) {
  const window = Math.max(...stages.map((stage) => stage.window));
  return [
    ...streamOptions(dir, 'subscribe', stream),
    '--server', running.pids().join(','),
    ...(publish ? publisherOptions(dir, running.publisher, window) : []),
    ...stages.flatMap(({ subscribers, events, window: inFlight }) => ['--stage', `${subscribers}:${events}:${inFlight}`]),
  ];
}

/** Runs the stages; returns fanout_load's records. */
export const runStages = (context, dir, running, stages) => runTool(context.programs.fanoutLoad, loadOptions(dir, running, stages));

