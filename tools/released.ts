// Compares the OpenAPI document with the one that was released last: callers rely on that one. With `--release` the
// present document becomes the released one; that is a decision, and part of making a release.
import { copyFile, readFile } from 'node:fs/promises';
import process from 'node:process';
import { listBreakingChanges } from './breaking-changes.js';

const PRESENT = new URL('../openapi/v1.json', import.meta.url);
const RELEASED = new URL('../openapi/released/v1.json', import.meta.url);

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const read = async (url: URL): Promise<Record<string, unknown>> => JSON.parse(await readFile(url, 'utf8'));

const found = listBreakingChanges(await read(RELEASED), await read(PRESENT));
for (const change of found) say(change);
if (process.argv.includes('--release')) {
  await copyFile(PRESENT, RELEASED);
  say(`released, with ${found.length} breaking changes`);
} else {
  say(found.length === 0 ? 'nothing that was released is broken' : `${found.length} breaking changes`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
