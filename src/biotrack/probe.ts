import { ANSWERS } from './answers.js';
import { toApi4Path } from './api4/client.js';
import { Deadline } from './deadline.js';
import { createDispatcher, type ProxySettings } from './dispatcher.js';
import { parseDocument } from './document.js';
import { BiotrackError } from './errors.js';
import { REST_LOGIN_PATH } from './rest/client.js';
import type { BiotrackEnvironment } from './states.js';
import { COMMON_HEADERS, type HttpResponse, sendRequest } from './transport.js';

/** Undefined if the address answers in its dialect; otherwise what is wrong, in words for operators. */
export type ProbeResult = string | undefined;

const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Sends a login without UBI, username and password, which BioTrack refuses. A refusal proves that the address, the path,
 * TLS and the proxy work.
 */
export async function probeUpstream(
  { dialect, url, charset }: BiotrackEnvironment,
  { timeoutMs, proxy }: { readonly timeoutMs: number; readonly proxy: ProxySettings | undefined },
): Promise<ProbeResult> {
  const { origin, pathname } = new URL(url);
  const isRest = dialect === 'rest';
  const request = {
    action: 'login',
    origin,
    path: isRest ? `${pathname.replace(/\/+$/, '')}${REST_LOGIN_PATH}` : toApi4Path(pathname),
    method: 'POST',
    headers: { ...COMMON_HEADERS, 'content-type': isRest ? 'application/json' : 'text/JSON' },
    body: JSON.stringify(isRest ? {} : { API: '4.0', action: 'login' }),
  } as const;
  const limits = { connectMs: timeoutMs, headersMs: timeoutMs, maxBodyBytes: MAX_BODY_BYTES };
  const dispatcher = createDispatcher(origin, { connectMs: timeoutMs, proxy });
  const deadline = new Deadline(timeoutMs, undefined);
  try {
    const response = await sendRequest(dispatcher, request, limits, deadline);
    return await toProblem(response, charset);
  } catch (error) {
    if (!(error instanceof BiotrackError)) throw error;
    const { answer, code } = error.evidence;
    if (answer === ANSWERS.deadlineExceeded.id) return `no answer within ${timeoutMs / 1000} s`;
    return code ?? answer;
  } finally {
    deadline.close();
    await dispatcher.destroy();
  }
}

async function toProblem(
  { status, body }: HttpResponse,
  charset: BiotrackEnvironment['charset'],
): Promise<ProbeResult> {
  if (status >= 300 && status < 400) return `HTTP ${status}: redirects to another address`;
  if (status === 404 || status === 405) return `HTTP ${status}: the path of the URL is wrong`;
  if (status === 407) return 'HTTP 407: the proxy requires a user and a password';
  if (status >= 500) return `HTTP ${status}`;
  const { kind } = await parseDocument(body, charset);
  return kind === 'object' ? undefined : `HTTP ${status}: the answer is not from BioTrack (${kind})`;
}
