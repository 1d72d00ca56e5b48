// Checks the conventions for text: words, API summaries, exported names, and what documents name. Arguments are the names
// of conventions, all by default. Ends with exit code 1 if something breaks one.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readFiles } from './conventions/files.js';
import { CONVENTIONS } from './conventions/index.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const wanted = process.argv.slice(2);
const files = await readFiles(ROOT);
let total = 0;
for (const [name, find] of Object.entries(CONVENTIONS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const findings = find(files);
  total += findings.length;
  for (const { file, line, problem, fix } of findings) say(`${file}:${line} ${name}: ${problem}; ${fix}`);
}
say(total === 0 ? 'no convention is broken' : `${total} findings`);
process.exitCode = total === 0 ? 0 : 1;
