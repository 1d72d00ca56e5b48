// Runs the compiled test files that the runner names, one after the other, each as a subtest. Loading the service costs
// more than most files' tests, and the second file runs on warm code.
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import tap from 'tap';
import { setFileTest } from '../test/helpers/tap.js';

export interface WorkerOrder {
  /** From the root of the repository. */
  readonly name: string;
  readonly compiledPath: string;
  readonly timeoutMs: number;
}

tap.setTimeout(0);

process.on('message', async ({ name, compiledPath, timeoutMs }: WorkerOrder) => {
  await tap.test(name, { timeout: timeoutMs }, async (t) => {
    setFileTest(t);
    await import(pathToFileURL(compiledPath).href);
  });
  // The parser reports a result only when it sees the next one.
  tap.pass('end of file');
});
// Disconnected by the runner when there is nothing left to do.
process.on('disconnect', () => tap.end());
tap.pipe(process.stdout);
// tap drops this reference while it registers.
process.channel?.ref();
