import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { linkSignals } from '../../src/domain/linked-signal.js';
import { buildDist } from '../helpers/build-dist.js';

/** Timeouts fire even if nothing but the runtime holds their signal (nodejs/node issue 57736). */

const MODULE = pathToFileURL(join(dirname(buildDist()), 'domain', 'linked-signal.js')).href;

/** Waits for the timeout of a signal while garbage is collected. Prints `fired` if it fires within two seconds. */
const toScript = (create: string): string => `
  import { linkSignals } from ${JSON.stringify(MODULE)};
  const parent = new AbortController();
  const watch = () => ${create}.addEventListener('abort', () => { console.log('fired'); process.exit(); });
  watch();
  setInterval(gc, 20);
  setTimeout(() => { console.log('lost'); process.exit(); }, 2_000);
`;

async function runWithGc(create: string): Promise<string> {
  const args = ['--expose-gc', '--input-type=module', '-e', toScript(create)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trim();
}

t.test('the timeout survives garbage collections', async (t) => {
  t.equal(await runWithGc('linkSignals([parent.signal], 300).signal'), 'fired');
  const native = await runWithGc('AbortSignal.any([parent.signal, AbortSignal.timeout(300)])');
  t.comment(`AbortSignal.any on Node ${process.version}: ${native}`);
  if (process.version.startsWith('v20.')) t.equal(native, 'lost', 'without linkSignals');
});

t.test('a parent aborts it with its reason', async (t) => {
  const parent = new AbortController();
  const linked = linkSignals([undefined, parent.signal], 60_000);
  parent.abort(new Error('why'));
  t.match(linked, { signal: { aborted: true, reason: { message: 'why' } }, isTimedOut: false });
  t.ok(linkSignals([parent.signal]).signal.aborted, 'also a parent that has aborted before');
  linked.dispose();
});

t.test('after dispose, nothing aborts it', async (t) => {
  const parent = new AbortController();
  const linked = linkSignals([parent.signal], 1);
  linked.dispose();
  parent.abort();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.notOk(linked.signal.aborted);
});
