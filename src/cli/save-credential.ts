import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api.js';
import { CliError } from './failure.js';
import type { components } from './generated/v1.js';
import { listAll } from './pages.js';
import { MOST_RACES } from './put-setting.js';
import type { TenantOrder } from './tenant-order.js';

type Credential = components['schemas']['Credential'];

export type CredentialAction =
  | { readonly kind: 'reuse' }
  | { readonly kind: 'create' }
  /** The login is there and does not work, or was never tried: the password that was given now is the newer word. */
  | { readonly kind: 'replace_password'; readonly id: string }
  | { readonly kind: 'description_taken'; readonly by: string };

/**
 * What to do about the login. One user name is one login, whatever it is called. Another login of the same description
 * is left alone: somebody may sync with it.
 */
export function toCredentialAction(
  present: readonly Credential[],
  { description, username }: Pick<Credential, 'description' | 'username'>,
): CredentialAction {
  const ofCompany = present.filter(({ owner }) => owner === 'company');
  const same = ofCompany.find((credential) => credential.username === username);
  if (same !== undefined)
    return same.status === 'valid' ? { kind: 'reuse' } : { kind: 'replace_password', id: same.id };
  const namesake = ofCompany.find((credential) => credential.description === description);
  return namesake === undefined ? { kind: 'create' } : { kind: 'description_taken', by: namesake.username };
}

/** Makes sure of a login that works; returns whether anything had to be changed. */
export async function saveCredential(api: ApiClient, order: TenantOrder): Promise<boolean> {
  for (let races = 0; ; races += 1) {
    const action = toCredentialAction(await listCredentials(api, order.tenantId), order.credential);
    if (action.kind === 'reuse') return false;
    try {
      await carryOut(api, order, action);
      return true;
    } catch (error) {
      // Somebody saved or changed it meanwhile, or the answer to a first attempt was lost.
      const isRace = error instanceof CliError && ['credential_exists', 'precondition_failed'].includes(error.code);
      if (!isRace || races >= MOST_RACES) throw error;
    }
  }
}

async function listCredentials(api: ApiClient, tenantId: string): Promise<Credential[]> {
  const credentials: Credential[] = [];
  const path = { tenant_id: tenantId };
  const pages = listAll((query) =>
    api.call((client) => client.GET('/v1/tenants/{tenant_id}/credentials', { params: { path, query } })),
  );
  for await (const credential of pages) credentials.push(credential);
  return credentials;
}

async function carryOut(
  api: ApiClient,
  { tenantId, credential }: TenantOrder,
  action: Exclude<CredentialAction, { kind: 'reuse' }>,
): Promise<void> {
  const { description, username, password } = credential;
  if (action.kind === 'description_taken') {
    throw new CliError({
      title: 'The description is taken',
      detail: `"${description}" is the login of ${action.by}. Give this login another description.`,
      code: 'description_taken',
    });
  }
  if (action.kind === 'create') {
    // One key for all repetitions of this request, and a new one for the next run: BioTrack may have changed its mind
    // by then, and the refusal of today would be answered again for a day.
    const headers = { 'Idempotency-Key': randomUUID() };
    const body = { description, username, password: password.reveal(), owner: 'company' as const };
    const params = { path: { tenant_id: tenantId } };
    await api.call((client) => client.POST('/v1/tenants/{tenant_id}/credentials', { params, headers, body }));
    return;
  }
  const path = { tenant_id: tenantId, id: action.id };
  const { etag } = await api.call((client) =>
    client.GET('/v1/tenants/{tenant_id}/credentials/{id}', { params: { path } }),
  );
  await api.call((client) =>
    client.PATCH('/v1/tenants/{tenant_id}/credentials/{id}', {
      params: { path, header: { 'if-match': etag } },
      body: { password: password.reveal() },
    }),
  );
}
