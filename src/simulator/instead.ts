import { type DialectSpeaker, type SimulatedAnswer, type SimulatorCall, toHtml } from './dialect.js';
import type { FaultOrder } from './faults.js';
import { SIMULATED_REFUSALS } from './refusals.js';
import type { World } from './world.js';

/** What is answered instead, for the faults in which the state itself is never asked. */
export const toInsteadAnswer = (
  world: World,
  speaker: DialectSpeaker,
  call: SimulatorCall,
  fault: FaultOrder,
): SimulatedAnswer => {
  const { contentType } = world.settings;
  const plain = (status: number, text: string, type = contentType): SimulatedAnswer => ({
    status,
    contentType: fault.contentType ?? type,
    body: [Buffer.from(text, 'utf8')],
    outcome: 'fault',
  });
  const html = (status: number, title: string): SimulatedAnswer => ({
    status,
    contentType: fault.contentType ?? 'text/html',
    body: toHtml(title),
    outcome: 'fault',
  });
  switch (fault.fault) {
    case 'empty_body':
      return plain(200, '');
    case 'html':
      return html(fault.status ?? 200, 'The service is being maintained');
    case 'json_null':
      return plain(200, 'null');
    case 'json_array':
      return plain(200, '[]');
    case 'raw_body':
      return plain(fault.status ?? 200, fault.text ?? '');
    case 'throttled':
      return { ...html(fault.status ?? 429, 'Too Many Requests'), headers: retryAfter(fault) };
    case 'server_error':
      return { ...html(fault.status ?? 503, 'Service Unavailable'), headers: retryAfter(fault) };
    case 'redirect':
      return { ...html(fault.status ?? 302, 'Moved'), headers: { location: fault.location ?? '/redirected' } };
    case 'code_602':
      return refusal(speaker, call, fault, SIMULATED_REFUSALS.catchAll);
    case 'code_1000':
      return refusal(speaker, call, fault, SIMULATED_REFUSALS.trouble);
    case 'error_answer':
      return refusal(speaker, call, fault, { error: null, errorcode: null });
    case 'invalid_license_number':
      return refusal(speaker, call, fault, SIMULATED_REFUSALS.invalidLicenseNumber);
    case 'session_expired':
      if (typeof call.sessionId === 'string') world.sessions.expire(call.sessionId);
      return fault.errorcode === 60
        ? refusal(speaker, call, fault, SIMULATED_REFUSALS.invalidSession)
        : refusal(speaker, call, fault, SIMULATED_REFUSALS.sessionExpired);
    case 'echo_password':
      return speaker.refuse(call, `Login failed for ${sentPassword(world, call)} (internal).`, null);
    default:
      throw new RangeError(`${fault.fault} is not answered with a document`);
  }
};

const refusal = (
  speaker: DialectSpeaker,
  call: SimulatorCall,
  fault: FaultOrder,
  usual: { readonly error: string | null; readonly errorcode: number | string | null },
): SimulatedAnswer =>
  speaker.refuse(
    call,
    fault.error === undefined ? usual.error : fault.error,
    fault.errorcode === undefined ? usual.errorcode : fault.errorcode,
  );

const retryAfter = (fault: FaultOrder): Readonly<Record<string, string>> => {
  if (fault.retryAfter !== undefined) return { 'retry-after': fault.retryAfter };
  return fault.retryAfterSeconds === undefined ? {} : { 'retry-after': String(fault.retryAfterSeconds) };
};

/** The password of the call, or of the user whose session it uses. */
const sentPassword = (world: World, call: SimulatorCall): string => {
  if (typeof call.password === 'string') return call.password;
  const session = world.sessions.check(call.sessionId);
  return session.outcome === 'open' ? (world.users.find(session.user)?.password ?? '') : '';
};
