// Runs the compiled test files that the runner sends, one after the other, each as a subtest. Loading the service takes longer
// than most test files, and later files run on code that is already loaded.
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import tap from 'tap';
import { setFileTest } from '../test/helpers/tap.js';

export interface WorkerTask {
  /** The path, relative to the root of the repository. */
  readonly name: string;
  readonly compiledPath: string;
  readonly timeoutMs: number;
}

tap.setTimeout(0);

process.on('message', async ({ name, compiledPath, timeoutMs }: WorkerTask) => {
  await tap.test(name, { timeout: timeoutMs }, async (t) => {
    setFileTest(t);
    await import(pathToFileURL(compiledPath).href);
  });
  // The parser reports a result only when it sees the next one.
  tap.pass('end of file');
});
// The runner disconnects when no files are left.
process.on('disconnect', () => tap.end());
tap.pipe(process.stdout);
// tap removes this reference when it loads.
process.channel?.ref();
