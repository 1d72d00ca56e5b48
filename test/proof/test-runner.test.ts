import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type FileReport, readTap } from '../../tools/tap-report.js';
import { selectTestFiles, type Tier } from '../../tools/test-files.js';

/** That the runner selects what it is asked for, and passes nothing that has not passed. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function select(tier: Tier, ...args: string[]): readonly string[] {
  const selected = selectTestFiles(ROOT, tier, args);
  if ('error' in selected) throw new Error(selected.error);
  return selected.files;
}

t.test('arguments are files, folders or words', async (t) => {
  t.same(select('default', 'test/v1/ubi.test.ts'), ['test/v1/ubi.test.ts']);
  t.same(select('default', 'Yielding'), ['test/mapping/yielding.test.ts'], 'a word, in any case');
  const sync = select('default', 'test/sync');
  t.ok(sync.length > 3 && sync.every((file) => file.startsWith('test/sync/')), 'a folder');
  t.same(select('default', 'test/v1/ubi.test.ts', 'v1/ubi').length, 1, 'no file twice');
  t.ok(select('default', 'crashes').includes('test/faults/crashes.test.ts'), 'of all tiers');
  t.throws(() => select('default', 'conflict-s'), {
    message: /No test file matches "conflict-s"[\s\S]*test\/v1\/conflicts\.test\.ts/,
  });
  t.throws(() => select('default', 'test/nothing.test.ts'), { message: /No test file matches/ });
});

t.test('each file belongs to one tier', async (t) => {
  const [files, faults, proof] = [select('default'), select('faults'), select('proof')];
  t.ok(faults.length > 3 && faults.every((file) => file.startsWith('test/faults/')));
  t.ok(proof.length > 3 && proof.every((file) => file.startsWith('test/proof/')));
  const browser = select('browser');
  t.ok(browser.includes('test/v1/docs.test.ts'), 'the docs page is tested in a browser, too');
  const all = new Set([...files, ...faults, ...proof, ...browser]);
  t.same([...all].sort(), [...select('full')].sort());
  t.same([...select('full')].sort(), [...select('long')].sort());
});

async function read(...lines: string[]): Promise<readonly FileReport[]> {
  const reports: FileReport[] = [];
  const text = ['TAP version 14', ...lines, ''].join('\n');
  await readTap(Readable.from([text]), { onOutput: () => {}, onFile: (report) => reports.push(report) });
  return reports;
}

const file = (name: string, lines: readonly string[], isOk = true): string[] => [
  `# Subtest: ${name}`,
  ...lines.map((line) => `    ${line}`),
  `${isOk ? 'ok' : 'not ok'} - ${name}`,
  'ok - end of file',
];

t.test('results are counted by assertion and file', async (t) => {
  const inner = ['# Subtest: inner', '    ok 1 - a', '    ok 2 - b', '    1..2', 'ok 1 - inner', 'ok 2 - c', '1..2'];
  t.match(await read(...file('one', inner), ...file('two', ['ok 1 - d', '1..1']), '1..4'), [
    { name: 'one', passed: 3, failures: [], skips: [] },
    { name: 'two', passed: 1, failures: [] },
  ]);
});

t.test('what is not a plain success is a failure', async (t) => {
  for (const [what, lines, isOk, failure] of [
    ['a failed assertion', ['not ok 1 - a', '1..1'], false, 'a'],
    ['a test without assertions', ['# Subtest: inner', '    1..0', 'ok 1 - inner', 'ok 2 - b', '1..2'], true, 'inner'],
    ['a file without assertions', ['1..0'], true, 'the file'],
    ['a skip without a reason', ['ok 1 - a # SKIP', '1..1'], true, 'a'],
    ['a todo without a reason', ['not ok 1 - a # TODO', '1..1'], true, 'a'],
    ['a failed teardown', ['ok 1 - a', '1..1'], false, 'the file'],
  ] as const) {
    const [report] = await read(...file('one', lines, isOk), '1..2');
    t.match(report?.failures, [{ path: failure }], what);
  }
  const [skipped] = await read(...file('one', ['ok 1 - a # SKIP no browser', 'ok 2 - b', '1..2']), '1..2');
  t.match(skipped, { passed: 1, failures: [], skips: [{ path: 'a', reason: 'no browser' }] }, 'a reason excuses');
  const [, late] = await read(...file('one', ['ok 1 - a', '1..1']), 'not ok - thrown later', '1..3');
  t.match(late, { failures: [{ path: 'thrown later' }] }, 'an error between two files');
});
