// Runs the project's own load tools, which answer in lines of JSON.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const STAMP_PLACE = `~${'0'.repeat(24)}~`;

export const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

/** Writes the bytes of a message into the session's folder; returns the path. */
export function keepMessage(dir, name, bytes) {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return path;
}

/** Starts a tool. `.lines` fills with what it answers, `.done` resolves to them or rejects with what it complained of. */
export function startTool(command, args, { onComplaint } = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const tool = { child, lines: [], complaints: '' };
  tool.output = createInterface({ input: child.stdout });
  tool.output.on('line', (line) => tool.lines.push(JSON.parse(line)));
  child.stderr.on('data', (data) => {
    tool.complaints += data;
    onComplaint?.(tool.complaints);
  });
  child.stdin.on('error', () => {}); // the tool may have ended; its exit status says why
  tool.done = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(tool.lines);
      else reject(new Error(`${command} ${args.join(' ')}\n${signal ?? `exit status ${code}`}: ${tool.complaints.trim()}`));
    });
  });
  tool.done.catch(() => {}); // awaited later by whoever started it
  return tool;
}

/** The tool's next line of JSON. */
export async function nextLine(tool, index) {
  while (tool.lines.length <= index) await Promise.race([once(tool.output, 'line'), tool.done]);
  return tool.lines[index];
}

export const runTool = (command, args) => startTool(command, args).done;
