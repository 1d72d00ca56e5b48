import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api.js';
import { CliError } from './cli-error.js';
import type { components } from './generated/v1.js';
import { listAll } from './pages.js';
import { MAX_RACES } from './put-setting.js';
import type { TenantSpec } from './tenant-spec.js';

type Credential = components['schemas']['Credential'];

export type CredentialAction =
  | { readonly kind: 'reuse' }
  | { readonly kind: 'create' }
  /** The login exists, but is not valid or not verified, or with another license number: save what is given. */
  | { readonly kind: 'replace'; readonly id: string }
  | { readonly kind: 'description_taken'; readonly by: string };

/**
 * Decides how to save the login. Logins are matched by username, not by description. Another login with the same
 * description is not changed, because syncs may use it.
 */
export function toCredentialAction(
  present: readonly Credential[],
  { description, username, licenseNumber }: TenantSpec['credential'],
): CredentialAction {
  const ofCompany = present.filter(({ owner }) => owner === 'company');
  const same = ofCompany.find((credential) => credential.username === username);
  if (same !== undefined) {
    const isSameLogin = licenseNumber === undefined || licenseNumber === same.license_number;
    return same.status === 'valid' && isSameLogin ? { kind: 'reuse' } : { kind: 'replace', id: same.id };
  }
  const namesake = ofCompany.find((credential) => credential.description === description);
  return namesake === undefined ? { kind: 'create' } : { kind: 'description_taken', by: namesake.username };
}

/** Makes sure that a valid login is saved. Returns whether anything was changed. */
export async function saveCredential(api: ApiClient, spec: TenantSpec): Promise<boolean> {
  for (let races = 0; ; races += 1) {
    const action = toCredentialAction(await listCredentials(api, spec.tenantId), spec.credential);
    if (action.kind === 'reuse') return false;
    try {
      await applyAction(api, spec, action);
      return true;
    } catch (error) {
      // Another caller saved or changed it, or the response to an earlier attempt was lost.
      const isRace = error instanceof CliError && ['credential_exists', 'precondition_failed'].includes(error.code);
      if (!isRace || races >= MAX_RACES) throw error;
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

async function applyAction(
  api: ApiClient,
  { tenantId, credential }: TenantSpec,
  action: Exclude<CredentialAction, { kind: 'reuse' }>,
): Promise<void> {
  const { description, username, licenseNumber: license_number } = credential;
  const login = { password: credential.password.reveal(), ...(license_number !== undefined && { license_number }) };
  if (action.kind === 'description_taken') {
    throw new CliError({
      title: 'Login description in use',
      detail: `"${description}" is the description of the login ${action.by}. Use another description.`,
      code: 'description_taken',
    });
  }
  if (action.kind === 'create') {
    // The same key for all retries of this request, and a new one for each run of this command: the API would otherwise
    // return a stored rejection for a day, even if BioTrack accepts the login by then.
    const headers = { 'Idempotency-Key': randomUUID() };
    const body = { description, username, ...login, owner: 'company' as const };
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
      body: login,
    }),
  );
}
