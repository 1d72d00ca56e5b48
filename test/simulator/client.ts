import type t from 'tap';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/index.js';

export type Document = Record<string, unknown>;

export const post = (simulator: Simulator, document: unknown, contentType = 'text/JSON'): Promise<Response> =>
  fetch(`${simulator.url}/serverjson.asp`, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body: typeof document === 'string' ? document : JSON.stringify(document),
    redirect: 'manual',
  });

export const call = async (simulator: Simulator, document: Document): Promise<Document> => {
  const response = await post(simulator, { API: '4.0', ...document });
  return (await response.json()) as Document;
};

export const credentials = ({ ubi, username, password }: { ubi: string; username: string; password: string }) => ({
  license_number: ubi,
  username,
  password,
});

export const logIn = async (simulator: Simulator, user = simulator.demo): Promise<string> => {
  const answer = await call(simulator, { action: 'login', ...credentials(user) });
  return String(answer.sessionid);
};

export const list = async (
  simulator: Simulator,
  sessionid: string,
  more: Document = {},
): Promise<readonly Document[]> => {
  const answer = await call(simulator, { action: 'sync_vendor', sessionid, ...more });
  return answer.vendor as Document[];
};

export const isSuccess = (answer: Document): boolean => answer.success === 1 || answer.success === '1';
export const codeOf = (answer: Document): string => String(answer.errorcode);
export const at = <T>(items: readonly T[], place: number): T => {
  const item = items[place];
  if (item === undefined) throw new Error(`nothing at ${place}`);
  return item;
};

/** A simulator that is closed when the test ends. */
export const start = async (test: Pick<typeof t, 'teardown'>, options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ licenses: 120, ...options });
  test.teardown(() => simulator.close());
  return simulator;
};
