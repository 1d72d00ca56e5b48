import { once } from 'node:events';
import { access, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEMO_ROLES, type DemoHost, type DemoRole } from './demo-host.js';

export interface PageServer {
  /** For `CORS_ORIGINS`: the page calls the API from another origin. */
  readonly origin: string;
  /** Serves the page. Before, all requests return 503. */
  open(api: PageApi): void;
  stop(): Promise<void>;
}

/** The API that the page calls. */
export interface PageApi {
  readonly baseUrl: string;
  readonly tenantId: string;
}

export interface PageServerOptions {
  /** The folder with the built page. */
  readonly folder: string;
  readonly host: Pick<DemoHost, 'sign'>;
}

const HOST = '127.0.0.1';

const FILES: Readonly<Record<string, { readonly name: string; readonly type: string }>> = {
  '/': { name: 'index.html', type: 'text/html' },
  '/style.css': { name: 'style.css', type: 'text/css' },
  '/settings-page.js': { name: 'settings-page.js', type: 'text/javascript' },
};

/** Where the build puts the page. Undefined if it was built without the page, because esbuild was not installed. */
export async function findPageFolder(): Promise<string | undefined> {
  // From dist/local, or from src/local when the sources run.
  for (const path of ['../settings-page/', '../../dist/settings-page/']) {
    const folder = fileURLToPath(new URL(path, import.meta.url));
    if (await isReadable(join(folder, 'settings-page.js'))) return folder;
  }
  return undefined;
}

const isReadable = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Serves the example page, and tokens for its demo users, on a free port of the loopback address. Only for local mode: every
 * local process can get a token.
 */
export async function startPageServer({ folder, host }: PageServerOptions): Promise<PageServer> {
  let api: PageApi | undefined;
  let origin = '';
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, type = 'text/plain', body: string | Buffer = ''): void => {
      response.writeHead(status, { ...toHeaders(api), 'Content-Type': `${type}; charset=utf-8` });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const { pathname, searchParams } = new URL(request.url ?? '/', origin);
    // A site whose name resolves to this address could otherwise read tokens (DNS rebinding).
    if (`http://${request.headers.host}` !== origin) return send(421);
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(405);
    if (api === undefined) return send(503);
    if (pathname === '/token') {
      if (request.headers['sec-fetch-site'] !== 'same-origin') return send(403);
      const role = toRole(searchParams.get('as'));
      if (role === undefined) return send(404);
      const token = await host.sign(api.tenantId, role);
      const body = { base_url: api.baseUrl, tenant_id: api.tenantId, token };
      return send(200, 'application/json', JSON.stringify(body));
    }
    const file = Object.hasOwn(FILES, pathname) ? FILES[pathname] : undefined;
    if (file === undefined) return send(404);
    send(200, file.type, await readFile(join(folder, file.name)));
  }

  server.listen(0, HOST);
  await once(server, 'listening');
  origin = `http://${HOST}:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    open(opened) {
      api = opened;
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Defaults to the admin. */
const toRole = (as: string | null): DemoRole | undefined => DEMO_ROLES.find((role) => role === (as ?? 'admin'));

const toHeaders = (api: PageApi | undefined): Record<string, string> => ({
  'Cache-Control': 'no-store',
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    'img-src data:',
    `connect-src 'self'${api === undefined ? '' : ` ${new URL(api.baseUrl).origin}`}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
});
