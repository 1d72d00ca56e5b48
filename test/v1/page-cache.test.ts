import Fastify from 'fastify';
import t, { type Test } from 'tap';
import { createPageSender } from '../../src/http/page-cache.js';

/** The page cache of `createPageSender`. */

/** A list whose revision and rows the test controls. */
function startList(t: Test, cacheMegabytes: number) {
  const state = { revision: '1' as string | undefined, rows: 3, reads: 0, revisionReads: 0 };
  const sendCachedPage = createPageSender(cacheMegabytes);
  const app = Fastify();
  const items = { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } };
  const schema = { type: 'object', properties: { data: items } };
  const response = { 200: { content: { 'application/json': { schema } } } };
  app.get('/list', { schema: { response } }, (request, reply) =>
    sendCachedPage(request, reply, {
      toEtag: (revision) => `"${request.url} ${revision}"`,
      async findRevision() {
        state.revisionReads += 1;
        return state.revision;
      },
      async read() {
        state.reads += 1;
        if (state.revision === undefined) throw Object.assign(new Error('gone'), { statusCode: 404 });
        return { revision: state.revision, rows: state.rows };
      },
      toReply: ({ rows }) => ({
        data: Array.from({ length: rows }, () => ({ name: 'Ñandú', secret: 'not in the schema' })),
      }),
    }),
  );
  t.teardown(() => app.close());
  const ask = async (url = '/list', etag?: string) => {
    const answer = await app.inject({ url, headers: etag === undefined ? {} : { 'if-none-match': etag } });
    const { statusCode: status, body, headers } = answer;
    return { status, body, etag: headers.etag as string | undefined, type: headers['content-type'] };
  };
  return { state, ask };
}

t.test('a list is read again only when its revision has changed', async (t) => {
  const { state, ask } = startList(t, 1);
  const first = await ask();
  t.match(first, { status: 200, type: 'application/json; charset=utf-8' });
  t.same(
    JSON.parse(first.body),
    { data: Array.from({ length: 3 }, () => ({ name: 'Ñandú' })) },
    'serialized by its schema',
  );
  t.match(state, { reads: 1, revisionReads: 0 }, 'not cached: no separate revision query');
  t.same(await ask(), first);
  t.match(state, { reads: 1, revisionReads: 1 });
  t.match(await ask('/list', first.etag), { status: 304, body: '', type: undefined });
  t.match(await ask('/list', '"another"'), { status: 200, body: first.body });
  t.equal(state.reads, 1);

  Object.assign(state, { revision: '2', rows: 1 });
  const second = await ask();
  t.same(JSON.parse(second.body).data.length, 1);
  t.not(second.etag, first.etag);
  t.match(await ask('/list', first.etag), { status: 200, body: second.body });
  t.equal(state.reads, 2);

  t.equal((await ask('/list?name=x')).status, 200);
  t.equal(state.reads, 3, 'cached per URL');

  state.revision = undefined;
  t.equal((await ask()).status, 404, 'a deleted list is not sent from the cache');
  Object.assign(state, { revision: '2', rows: 2 });
  t.equal(JSON.parse((await ask()).body).data.length, 2, 'and its cached page is dropped');
});

t.test('the cache respects its size limit', async (t) => {
  const none = startList(t, 0);
  await none.ask();
  await none.ask();
  t.match(none.state, { reads: 2, revisionReads: 0 }, 'disabled');

  const { state, ask } = startList(t, 1);
  state.rows = 10_000;
  await ask();
  await ask();
  t.equal(state.reads, 2, 'large pages are not cached');
  state.rows = 1_000;
  const pages = Array.from({ length: 100 }, (_, index) => `/list?page=${index}`);
  for (const page of pages) await ask(page);
  t.equal(state.reads, 102);
  await ask(pages.at(-1));
  t.equal(state.reads, 102, 'the latest page is cached');
  await ask(pages[0]);
  t.equal(state.reads, 103, 'the oldest page was evicted');
});
