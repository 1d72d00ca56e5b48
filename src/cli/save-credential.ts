import { type Client, type components, isProblem } from '#client';
import { MAX_RACES, PAGE_SIZE } from './api-client.js';
import { CliError } from './cli-error.js';
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
export async function saveCredential(client: Client, spec: TenantSpec): Promise<boolean> {
  for (let races = 0; ; races += 1) {
    const action = toCredentialAction(await listCredentials(client, spec.tenantId), spec.credential);
    if (action.kind === 'reuse') return false;
    try {
      await applyAction(client, spec, action);
      return true;
    } catch (error) {
      // Another caller saved or changed it, or the response to an earlier attempt was lost.
      const isRace = isProblem(error, 'credential_exists') || isProblem(error, 'precondition_failed');
      if (!isRace || races >= MAX_RACES) throw error;
    }
  }
}

async function listCredentials(client: Client, tenantId: string): Promise<Credential[]> {
  const credentials: Credential[] = [];
  const params = { path: { tenant_id: tenantId }, query: { 'page[size]': PAGE_SIZE } };
  for await (const credential of client.paginate('/v1/tenants/{tenant_id}/credentials', { params })) {
    credentials.push(credential);
  }
  return credentials;
}

async function applyAction(
  client: Client,
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
    // Each run of this command has a new Idempotency-Key: the API would otherwise return a stored rejection for a day, even
    // if BioTrack accepts the login by then.
    const body = { description, username, ...login, owner: 'company' as const };
    const params = { path: { tenant_id: tenantId } };
    await client.POST('/v1/tenants/{tenant_id}/credentials', { params, body });
    return;
  }
  const path = { tenant_id: tenantId, id: action.id };
  const { data } = await client.GET('/v1/tenants/{tenant_id}/credentials/{id}', { params: { path } });
  await client.PATCH('/v1/tenants/{tenant_id}/credentials/{id}', { params: { path }, etag: data.etag, body: login });
}
