import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import t from 'tap';
import { createQueuePool, requireCheckedVersion } from '../../src/jobs/queue-pool.js';
import { createTestDatabase } from '../helpers/postgres.js';

/** The connections of the job queue: which errors graphile-worker retries. */

t.test('another version of graphile-worker is rejected with instructions', async (t) => {
  t.doesNotThrow(() => requireCheckedVersion('0.17.3'));
  t.throws(
    () => requireCheckedVersion('0.17.4'),
    /graphile-worker is version 0\.17\.4.*queue-pool\.ts was checked with/,
  );
});

t.test('lost connections get the code that is retried, other errors keep theirs', async (t) => {
  const database = await createTestDatabase();
  const pool = createQueuePool(1_000, { connectionString: database.url });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  t.teardown(async () => {
    await pool.end();
    await database.drop();
  });
  const client = await pool.connect();
  t.strictSame((await client.query('select $1::int as value', [1])).rows, [{ value: 1 }]);
  await t.rejects(client.query('select 1 / 0'), { code: '22012' });
  await t.rejects(client.query('select pg_terminate_backend(pg_backend_pid())'), { code: 'ETIMEDOUT' });
  client.release(true);
  t.strictSame((await pool.query('select 2 as value')).rows, [{ value: 2 }], 'the pool opens a new connection');
  t.strictSame(
    await new Promise((resolve, reject) => {
      pool.connect((error, client, release) => {
        if (client === undefined) return reject(error);
        client.query('select 3 as value', (error: Error | undefined, result: { rows: unknown }) => {
          release();
          if (error) reject(error);
          else resolve(result.rows);
        });
      });
    }),
    [{ value: 3 }],
    'callbacks work too',
  );
});

t.test('a server that stops answering counts as lost', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    // Authentication succeeds, and the server is ready for a query, which it never answers.
    socket.once('data', () => socket.write(Buffer.from('5200000008000000005a0000000549', 'hex')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const pool = createQueuePool(200, { host: '127.0.0.1', port, user: 'x', database: 'x' });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await pool.end();
  });
  const client = await pool.connect();
  await t.rejects(client.query('select 1'), { code: 'ETIMEDOUT', message: /silent for 200 ms/ });
  client.release(true);
});

t.test('a server that refuses connections is retried', async (t) => {
  const pool = createQueuePool(200, { host: '127.0.0.1', port: 1, user: 'x', database: 'x' });
  t.teardown(() => pool.end());
  await t.rejects(pool.connect(), { code: 'ETIMEDOUT' });
});
