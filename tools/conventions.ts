// Checks the conventions for texts and names. Arguments select conventions by name; the default is all. Exits with 1 if a
// convention is violated.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readFiles } from './conventions/files.js';
import { CONVENTIONS } from './conventions/index.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const selected = process.argv.slice(2);
const files = await readFiles(ROOT);
let total = 0;
for (const [name, find] of Object.entries(CONVENTIONS)) {
  if (selected.length > 0 && !selected.includes(name)) continue;
  const findings = find(files);
  total += findings.length;
  for (const { file, line, problem, fix } of findings) print(`${file}:${line} ${name}: ${problem}; ${fix}`);
}
print(total === 0 ? 'no violations' : `${total} violations`);
process.exitCode = total === 0 ? 0 : 1;
