import { constants } from 'node:crypto';
import t, { type Test } from 'tap';
import { createDispatcher, type DispatcherOptions } from '../../src/biotrack/dispatcher.js';
import { type BiotrackEvent, createBiotrack, parseStates } from '../../src/biotrack/index.js';
import { Secret } from '../../src/domain/secret.js';
import { type CertificateName, startConnectProxy, startTlsServer, TEST_CA } from '../helpers/local-servers.js';

/** Failures of TLS, and the proxy, with real servers. */

const LOGIN = { ubi: '042517300', username: 'demo@example.com', password: new Secret('secret') };
const NM = { state: 'NM', environment: 'production' } as const;

/** Answers every call of `api4`. */
const ANSWER = JSON.stringify({ success: 1, sessionid: 'a'.repeat(128), vendor: [] });

async function startServer(t: Test, name: CertificateName, options = {}): Promise<number> {
  const server = await startTlsServer(name, (_, response) => response.end(ANSWER), options);
  t.teardown(() => server.close());
  return server.port;
}

function open(t: Test, host: string, options: Partial<DispatcherOptions> = {}) {
  const events: BiotrackEvent[] = [];
  const biotrack = createBiotrack({
    states: parseStates({ NM: { environments: { production: { dialect: 'api4', url: `https://${host}` } } } }),
    dispatcher: (origin) => createDispatcher(origin, { connectMs: 5_000, ...options }),
    retry: { attempts: 1 },
    onEvent: (event) => events.push(event),
  });
  t.teardown(() => biotrack.close());
  return { verify: () => biotrack.verifyLogin(NM, LOGIN), events };
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (error: unknown) => error,
  );

t.test('a failure of TLS is a class of its own, with its code', async (t) => {
  const old = { maxVersion: 'TLSv1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  const cases = [
    { name: 'valid', options: {}, ca: undefined, code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    { name: 'expired', options: {}, ca: TEST_CA, code: 'CERT_HAS_EXPIRED' },
    { name: 'otherHost', options: {}, ca: TEST_CA, code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    { name: 'valid', options: old, ca: TEST_CA, code: /^(EPROTO|ERR_SSL_\w+)$/ },
    { name: 'valid', options: { secureOptions: constants.SSL_OP_NO_TLSv1_3 }, ca: TEST_CA, code: undefined },
  ] as const;
  for (const { name, options, ca, code } of cases) {
    const port = await startServer(t, name, options);
    const { verify, events } = open(t, `127.0.0.1:${port}`, { ca });
    if (code === undefined) {
      t.same(await verify(), { kind: 'valid' }, 'TLS 1.2 and a certificate that is trusted');
      t.match(events[0], { outcome: 'ok', httpStatus: 200, code: undefined });
      continue;
    }
    const expected = {
      answer: 'tls_failure',
      reason: 'upstream_unreachable',
      fixedBy: 'operator',
      evidence: { action: 'login', code },
    };
    t.match(await failureOf(verify()), expected, String(code));
    t.match(events[0], { kind: 'call_finished', answer: 'tls_failure', httpStatus: undefined, code });
  }
});

t.test('the proxy is used for all hosts but loopback addresses and the exceptions', async (t) => {
  const direct = await startServer(t, 'valid');
  const port = await startServer(t, 'otherHost');
  const proxy = await startConnectProxy(port);
  t.teardown(() => proxy.close());
  const url = new Secret(`http://operator:proxy-secret@127.0.0.1:${proxy.port}`);
  const through = { proxy: { url, except: 'direct.test' }, ca: TEST_CA };

  t.same(await open(t, 'other.test', through).verify(), { kind: 'valid' });
  const authorization = `Basic ${Buffer.from('operator:proxy-secret').toString('base64')}`;
  t.match(proxy.tunnels[0], { target: 'other.test:443', authorization });
  proxy.tunnels.length = 0;

  t.match(await failureOf(open(t, 'sub.direct.test', through).verify()), { answer: 'no_connection' });
  t.same(await open(t, `127.0.0.1:${direct}`, through).verify(), { kind: 'valid' });
  t.same(await open(t, `localhost:${direct}`, through).verify(), { kind: 'valid' });
  t.same(proxy.tunnels, [], 'none of these asks the proxy');

  const wrongHost = open(t, 'third.test', through);
  t.match(await failureOf(wrongHost.verify()), {
    answer: 'tls_failure',
    evidence: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  });
  await proxy.close();
  const failed = open(t, 'other.test', through);
  t.match(await failureOf(failed.verify()), { answer: 'no_connection', evidence: { code: 'ECONNREFUSED' } });
  t.notMatch(JSON.stringify([wrongHost.events, failed.events]), /proxy-secret/);
});
