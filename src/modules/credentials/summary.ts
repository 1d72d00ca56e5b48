import type { Biotrack } from '../../biotrack/index.js';
import type { Tx } from '../../db/database.js';
import { Fault } from '../../domain/fault.js';
import type { Vault } from '../../vault/index.js';
import type { Tenant } from '../tenants/index.js';
import { type Credential, selectCredentialsOf } from './repository.js';
import { openPassword } from './service.js';
import { toStatusDetail } from './verdict.js';

/** A credential as far as the checklist has to know it. */
export interface CredentialState {
  readonly id: string;
  readonly description: string;
  readonly status: Credential['status'] | 'unreadable';
  /** What to do about it; for a person. */
  readonly detail: string;
}

/** The credentials that somebody's syncs may use, in the order of choice: the person's own, then the company's. */
export async function loadCredentialStates(
  tx: Tx,
  { biotrack, vault }: { readonly biotrack: Biotrack; readonly vault: Vault },
  tenant: Tenant,
  userId: string | undefined,
): Promise<CredentialState[]> {
  const own = userId === undefined ? [] : await selectCredentialsOf(tx, [userId]);
  return [...own, ...(await selectCredentialsOf(tx, 'company'))].map((credential) => {
    const { id, description, status } = credential;
    const fault = findUnreadable(() => openPassword(biotrack, vault, tenant, credential));
    return fault === undefined
      ? { id, description, status, detail: toStatusDetail(credential) ?? '' }
      : { id, description, status: 'unreadable', detail: fault.message };
  });
}

function findUnreadable(open: () => unknown): Fault | undefined {
  try {
    open();
    return undefined;
  } catch (error) {
    if (error instanceof Fault && error.code === 'credential_unreadable') return error;
    throw error;
  }
}
