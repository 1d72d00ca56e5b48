import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ConfigError } from './config.js';
import { createKeysetFile } from './vault/index.js';

/**
 * Prints a new keyset, or writes it to the file of `--out`, which must not exist.
 * @throws ConfigError if the arguments are wrong or the file cannot be written
 */
export async function createKeyset(args: readonly string[], print: (line: string) => void): Promise<void> {
  const text = createKeysetFile(new Date().toISOString().slice(0, 10));
  const out = parseOut(args);
  if (out === undefined) return print(text.trimEnd());
  try {
    await writeFile(out, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const isPresent = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new ConfigError(`--out: ${isPresent ? 'the file exists already' : 'the file cannot be written'}`);
  }
  print(`wrote ${out}; back it up: without it, stored passwords cannot be read`);
}

function parseOut(args: readonly string[]): string | undefined {
  try {
    return parseArgs({ args: [...args], options: { out: { type: 'string' } } }).values.out;
  } catch {
    throw new ConfigError('usage: create-keyset [--out FILE]');
  }
}
