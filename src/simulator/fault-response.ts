import { type DialectHandler, type SimulatedResponse, type SimulatorCall, toHtml } from './dialect.js';
import type { FaultRule } from './faults.js';
import { type RefusalName, SIMULATED_REFUSALS } from './refusals.js';
import type { Simulation } from './simulation.js';

/** The response of a fault of the kind `response`. */
export const toFaultResponse = (
  simulation: Simulation,
  handler: DialectHandler,
  call: SimulatorCall,
  fault: FaultRule,
): SimulatedResponse => {
  const { contentType } = simulation.options;
  const plain = (status: number, text: string, type = contentType): SimulatedResponse => ({
    status,
    contentType: fault.contentType ?? type,
    body: [Buffer.from(text, 'utf8')],
    outcome: 'fault',
  });
  const html = (status: number, title: string): SimulatedResponse => ({
    status,
    contentType: fault.contentType ?? 'text/html',
    body: toHtml(title),
    outcome: 'fault',
  });
  switch (fault.fault) {
    case 'empty_body':
      return plain(200, '');
    case 'html':
      return html(fault.status ?? 200, 'The service is under maintenance');
    case 'json_null':
      return plain(200, 'null');
    case 'json_array':
      return plain(200, '[]');
    case 'raw_body':
      return plain(fault.status ?? 200, fault.text ?? '');
    case 'throttled':
      return { ...html(fault.status ?? 429, 'Too Many Requests'), headers: toRetryAfterHeader(fault) };
    case 'server_error':
      return { ...html(fault.status ?? 503, 'Service Unavailable'), headers: toRetryAfterHeader(fault) };
    case 'redirect':
      return { ...html(fault.status ?? 302, 'Moved'), headers: { location: fault.location ?? '/redirected' } };
    case 'code_602':
    case 'code_1000':
    case 'invalid_license_number':
    case 'error_response':
      return toRefusal(handler, call, fault, fault.refusal ?? REFUSALS[fault.fault]);
    case 'session_expired':
      if (typeof call.sessionId === 'string') simulation.sessions.expire(call.sessionId);
      return toRefusal(handler, call, fault, fault.errorcode === 60 ? 'invalidSession' : 'sessionExpired');
    case 'echo_password':
      return handler.refuse(call, `Login failed for ${findPassword(simulation, call)} (internal).`, null);
    default:
      throw new RangeError(`${fault.fault} has no response document`);
  }
};

const REFUSALS = {
  code_602: 'catchAll',
  code_1000: 'internalError',
  invalid_license_number: 'invalidLicenseNumber',
  error_response: 'unknownUbi',
} as const;

const toRefusal = (
  handler: DialectHandler,
  call: SimulatorCall,
  fault: FaultRule,
  name: RefusalName,
): SimulatedResponse => {
  const { error, errorcode } = SIMULATED_REFUSALS[name];
  return handler.refuse(
    call,
    fault.error === undefined ? error : fault.error,
    fault.errorcode === undefined ? errorcode : fault.errorcode,
  );
};

const toRetryAfterHeader = (fault: FaultRule): Readonly<Record<string, string>> => {
  if (fault.retryAfter !== undefined) return { 'retry-after': fault.retryAfter };
  return fault.retryAfterSeconds === undefined ? {} : { 'retry-after': String(fault.retryAfterSeconds) };
};

/** The password in the call, or that of the user whose session it uses. */
const findPassword = (simulation: Simulation, call: SimulatorCall): string => {
  if (typeof call.password === 'string') return call.password;
  const session = simulation.sessions.check(call.sessionId);
  return session.outcome === 'open' ? (simulation.users.find(session.user)?.password ?? '') : '';
};
