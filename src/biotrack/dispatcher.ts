import { type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import type { Secret } from '../domain/secret.js';

export interface ProxySettings {
  /** May contain a user and a password. */
  readonly url: Secret;
  /** Hosts without proxy, as in `NO_PROXY`. */
  readonly except: string;
}

export interface DispatcherOptions {
  readonly connectMs: number;
  readonly proxy?: ProxySettings | undefined;
  /** Certificate authorities besides those of Node.js. */
  readonly ca?: string | undefined;
}

/** Further calls to the same host wait for a free connection, within the connect deadline. */
const CONNECTIONS_PER_HOST = 32;

/**
 * Connections to one origin, through the proxy if there is one. Loopback addresses never use it. The timeouts of
 * transport.ts are exact; undici's connect timeout closes the socket of an abandoned attempt.
 */
export function createDispatcher(origin: string, { connectMs, proxy, ca }: DispatcherOptions): Dispatcher {
  const connect = { timeout: connectMs, ...(ca === undefined ? {} : { ca }) };
  const pool = { connections: CONNECTIONS_PER_HOST, pipelining: 1, connect, headersTimeout: 0, bodyTimeout: 0 };
  if (proxy === undefined || isLoopback(new URL(origin).hostname)) return new Pool(origin, pool);
  // Empty texts, because undici reads the environment for what is undefined.
  const settings = { httpProxy: '', httpsProxy: proxy.url.reveal(), noProxy: proxy.except };
  return new EnvHttpProxyAgent({ ...pool, ...settings, requestTls: connect });
}

export const isLoopback = (hostname: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
