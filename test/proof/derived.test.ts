import t from 'tap';
import { DERIVED_FILES } from '../../tools/derived/index.js';
import { createSources } from '../../tools/derived/sources.js';
import { createTestDatabase } from '../helpers/postgres.js';

t.test('every derived file is as it has to be', async (t) => {
  const database = await createTestDatabase();
  t.teardown(() => database.drop());
  const sources = createSources(async () => database.url);
  for (const { name, path, make } of DERIVED_FILES) {
    const difference = findDifference(await sources.read(path), await make(sources));
    t.equal(difference, undefined, `${path} is current; if it is not: npm run derive ${name}`);
  }
});

t.test('what is made from a database does not depend on which', async (t) => {
  const [first, second] = [await createTestDatabase(), await createTestDatabase()];
  t.teardown(async () => {
    await first.drop();
    await second.drop();
  });
  const file = DERIVED_FILES.find(({ name }) => name === 'schema');
  const texts = [first, second].map(({ url }) => file?.make(createSources(async () => url)));
  const [one, other] = await Promise.all(texts);
  t.equal(one, other);
});

/** The first line that differs: a diff of a whole document would take longer than to make it. */
function findDifference(is: string, shall: string): { line: number; is: string; shall: string } | undefined {
  if (is === shall) return undefined;
  const [present, wanted] = [is.split('\n'), shall.split('\n')];
  const index = wanted.findIndex((text, at) => text !== present[at]);
  const at = index < 0 ? wanted.length : index;
  return { line: at + 1, is: present[at] ?? '(the end)', shall: wanted[at] ?? '(the end)' };
}
