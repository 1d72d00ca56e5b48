import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import type { TlsOptions } from 'node:tls';

// Made with `openssl ca`, valid from 2020 to 2120 except `expired` (January 2020). The key is of these certificates only.
const KEY = `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEINALGPvw8G8FT0X8+9gvuTE60YRdVejtPXp2ywHY/dS3oAoGCCqGSM49
AwEHoUQDQgAEKFh/sQiyDKXSE8aKZy1437jIr9JiGQ9xeoy50q2ctCmWrdhP8FHb
MVxTVsJsbEpJ2AaHebn/nzTIHSm5lpDEaQ==
-----END EC PRIVATE KEY-----`;
/** Signed all of the following. */
export const TEST_CA = `-----BEGIN CERTIFICATE-----
MIIBRjCB7aADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB1Rlc3QgQ0Ew
IBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBIxEDAOBgNVBAMMB1Rl
c3QgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ2052zpHgfZOQA+AU55zEO
av8fWQO+SJZ4OEQWXZC8C/9VFWBgk2MeomD7yktIzJ+Fibf315uGL2u+kuiv0wEm
ozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBQFSvpnSftB3aJH3rbh6kw0
9p69ejAKBggqhkjOPQQDAgNIADBFAiAoYAoR0qINmShLXKnrk83N0iHowPcNxp49
OBkZfeb0zQIhAP1/926ca/uWILTrD89DmF3Zwxc6tQnBKba15ax4Zyog
-----END CERTIFICATE-----`;
const CERTIFICATES = {
  /** For 127.0.0.1 and localhost. */
  valid: `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIBAzAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdUZXN0IENB
MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQoWH+xCLIMpdITxopn
LXjfuMiv0mIZD3F6jLnSrZy0KZat2E/wUdsxXFNWwmxsSknYBod5uf+fNMgdKbmW
kMRpo14wXDAaBgNVHREEEzARhwR/AAABgglsb2NhbGhvc3QwHQYDVR0OBBYEFHV6
xw75YJS/I+DmXNjqMScV8kC5MB8GA1UdIwQYMBaAFAVK+mdJ+0HdokfetuHqTDT2
nr16MAoGCCqGSM49BAMCA0gAMEUCIQDLwiCb9K05gkNJRLr8ryLW+oJ/aTI63q6Z
HUeW1ZEZhAIgNtODhL5Tfsoe5eRQvm1Rt+6sX1vQaT2QtcTwckFwB1M=
-----END CERTIFICATE-----`,
  expired: `-----BEGIN CERTIFICATE-----
MIIBdDCCARmgAwIBAgIBAjAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdUZXN0IENB
MB4XDTIwMDEwMTAwMDAwMFoXDTIwMDIwMTAwMDAwMFowFDESMBAGA1UEAwwJbG9j
YWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKFh/sQiyDKXSE8aKZy14
37jIr9JiGQ9xeoy50q2ctCmWrdhP8FHbMVxTVsJsbEpJ2AaHebn/nzTIHSm5lpDE
aaNeMFwwGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxob3N0MB0GA1UdDgQWBBR1escO
+WCUvyPg5lzY6jEnFfJAuTAfBgNVHSMEGDAWgBQFSvpnSftB3aJH3rbh6kw09p69
ejAKBggqhkjOPQQDAgNJADBGAiEA/w4I0Ju21vDR44b7+5vFSbsm4soV0t7wMdCB
4dn1k80CIQDo+qdAFGqv8FTQa73TAYcrimaznKilMxjEcQncqcUwQg==
-----END CERTIFICATE-----`,
  /** For other.test. */
  otherHost: `-----BEGIN CERTIFICATE-----
MIIBcDCCARagAwIBAgIBBDAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdUZXN0IENB
MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQoWH+xCLIMpdITxopn
LXjfuMiv0mIZD3F6jLnSrZy0KZat2E/wUdsxXFNWwmxsSknYBod5uf+fNMgdKbmW
kMRpo1kwVzAVBgNVHREEDjAMggpvdGhlci50ZXN0MB0GA1UdDgQWBBR1escO+WCU
vyPg5lzY6jEnFfJAuTAfBgNVHSMEGDAWgBQFSvpnSftB3aJH3rbh6kw09p69ejAK
BggqhkjOPQQDAgNIADBFAiAGGSQ7dpD0h2B7OJlbUASkbVr83yXuJm4LvdWxAG99
3wIhAMt5jcnX9bT85al9ksDzVOKnu6BR2FqpVaTgxNGx/xCJ
-----END CERTIFICATE-----`,
} as const;
export type CertificateName = keyof typeof CERTIFICATES;

export interface LocalServer {
  readonly port: number;
  close(): Promise<void>;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An HTTPS server on a loopback address. */
export function startTlsServer(
  certificate: CertificateName,
  answer: Answer,
  tls: TlsOptions = {},
): Promise<LocalServer> {
  return listen(createTlsServer({ key: KEY, cert: CERTIFICATES[certificate], ...tls }, answer));
}

export interface ConnectProxy extends LocalServer {
  /** The targets of all CONNECT requests, with their `Proxy-Authorization`. */
  readonly tunnels: { readonly target: string; readonly authorization: string | undefined }[];
}

/** A proxy that tunnels every CONNECT request to a port of this machine, whatever the requested host. */
export async function startConnectProxy(targetPort: number): Promise<ConnectProxy> {
  const tunnels: ConnectProxy['tunnels'] = [];
  const server = createServer((_, response) => response.writeHead(405).end());
  server.on('connect', (request, near) => {
    tunnels.push({ target: request.url ?? '', authorization: request.headers['proxy-authorization'] });
    const far = connect(targetPort, '127.0.0.1', () => near.write('HTTP/1.1 200 Connection established\r\n\r\n'));
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  return Object.assign(await listen(server), { tunnels });
}

async function listen(server: ReturnType<typeof createServer>): Promise<LocalServer> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => undefined);
    },
  };
}
