import type { Flags } from './flags.js';
import type { Hidden } from './hidden.js';

/** The flag for each field of a tenant in a file. */
const FLAGS: Readonly<Record<string, string>> = {
  '/tenant_id': '--tenant',
  '/name': '--name',
  '/state': '--state',
  '/environment': '--environment',
  '/ubi': '--ubi',
  '/strategy': '--strategy',
  '/include_labs': '--include-labs',
  '/licenses': '--license',
  '/credential/description': '--description',
  '/credential/username': '--username',
  '/credential/password': '--password',
  '/credential/license_number': '--login-license',
};

export const toFlagName = (pointer: string): string => FLAGS[pointer] ?? pointer;

/** Whether the flags mean the demo tenant of local mode: they name neither a business nor a login. */
export const isDemo = ({ texts }: Flags): boolean =>
  texts.file === undefined &&
  texts.state === undefined &&
  texts.environment === undefined &&
  texts.ubi === undefined &&
  texts.username === undefined &&
  texts.password === undefined &&
  texts['password-file'] === undefined;

/** Converts flags to a tenant as in a file, so that both are validated by the same rules. */
export const toRawTenant =
  ({ texts, switches, licenses }: Flags, tenantId: string | undefined) =>
  (password: Hidden | undefined): unknown => {
    const { tenant = tenantId, name, state, environment, ubi, strategy, description, username } = texts;
    return withoutUndefined({
      tenant_id: tenant,
      name,
      state,
      environment,
      ubi,
      strategy,
      include_labs: switches.has('include-labs') ? true : undefined,
      licenses: licenses.length === 0 ? undefined : licenses,
      credential: withoutUndefined({
        description,
        username,
        password: password?.reveal(),
        license_number: texts['login-license'],
      }),
    });
  };

const withoutUndefined = (members: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
