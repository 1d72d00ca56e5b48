// Compares the OpenAPI document with the released one and exits with code 1 if it has breaking changes. With `--release`, makes
// the current document the released one, which is part of publishing a release.
import { copyFile, readFile } from 'node:fs/promises';
import process from 'node:process';
import { listBreakingChanges } from './breaking-changes.js';

const CURRENT = new URL('../openapi/v1.json', import.meta.url);
const RELEASED = new URL('../openapi/released/v1.json', import.meta.url);

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const read = async (url: URL): Promise<Record<string, unknown>> => JSON.parse(await readFile(url, 'utf8'));

const found = listBreakingChanges(await read(RELEASED), await read(CURRENT));
for (const change of found) print(change);
if (process.argv.includes('--release')) {
  await copyFile(CURRENT, RELEASED);
  print(`released with ${found.length} breaking changes`);
} else {
  print(found.length === 0 ? 'no breaking changes' : `${found.length} breaking changes`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
