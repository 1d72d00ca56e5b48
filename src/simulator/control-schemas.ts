import { FAULT_NAMES } from './faults.js';
import { REFUSAL_NAMES } from './refusals.js';
import { TABLE_NAMES } from './row.js';
import { PRIVILEGES } from './users.js';

/** The bodies of the commands on the control port. Unknown members are rejected, because ignoring a typo hides it. */

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string', maxLength: 10_000 };
const textOrNull: Schema = { type: ['string', 'null'], maxLength: 10_000 };
const flag: Schema = { type: 'boolean' };
const count: Schema = { type: 'integer', minimum: 0 };
const privileges: Schema = { type: 'array', items: { enum: PRIVILEGES } };

const object = (
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema => ({
  type: 'object',
  properties: { ...required, ...optional },
  required: Object.keys(required),
  additionalProperties: false,
});

const training = { training: flag };
const ofLicense = (required: Readonly<Record<string, Schema>> = {}, optional: Readonly<Record<string, Schema>> = {}) =>
  object({ location: text, ...required }, { ...training, ...optional });
const rawEdit = { table: { enum: TABLE_NAMES }, unchanged: flag };
const user = { ubi: text, username: text };
const address = { address1: textOrNull, address2: textOrNull, city: textOrNull, state: textOrNull, zip: textOrNull };

export const COMMAND_SCHEMAS = {
  rename: ofLicense({ name: textOrNull }),
  moveAddress: ofLicense({}, address),
  dropFlags: ofLicense(),
  delete: ofLicense(),
  vanish: ofLicense(),
  restore: ofLicense({}, { unchanged: flag }),
  sell: ofLicense({ toUbi: text }),
  setUbi: ofLicense({ ubi: textOrNull }),
  swapUbis: object({ a: text, b: text }, training),
  swapNames: object({ a: text, b: text }, training),
  setField: ofLicense({ field: text }, { ...rawEdit, value: {}, json: { type: 'string' } }),
  clearFields: ofLicense({}, rawEdit),
  addSite: object(
    { ubi: textOrNull },
    {
      ...training,
      ...address,
      location: text,
      name: textOrNull,
      locationType: { type: ['integer', 'null'] },
      producer: flag,
      processor: flag,
      retail: flag,
      medical: flag,
    },
  ),
  addVendor: object({}, { ...training, ubi: text, name: text, sites: { type: 'integer', minimum: 1, maximum: 1_000 } }),
  addElement: object({ element: {} }, training),
  addUser: object({ ...user, password: text }, { privileges }),
  changePassword: object({ ...user, password: text }, { endSessions: flag }),
  setPrivileges: object({ ...user, privileges }),
  deleteUser: object(user),
  expireSessions: object({}, user),
  advanceClock: object({ seconds: { type: 'number', minimum: 0 } }),
  injectFault: object(
    { fault: { enum: FAULT_NAMES } },
    {
      action: text,
      username: text,
      from: { type: 'integer', minimum: 1 },
      times: count,
      delayMs: count,
      cutAt: count,
      bytes: count,
      intervalMs: count,
      status: { type: 'integer', minimum: 200, maximum: 599 },
      retryAfterSeconds: count,
      retryAfter: text,
      location: text,
      charset: { enum: ['utf16le', 'latin1', 'utf8_with_bom'] },
      refusal: { enum: REFUSAL_NAMES },
      error: textOrNull,
      errorcode: { type: ['integer', 'string', 'null'] },
      text: { type: 'string' },
      contentType: text,
      withLength: flag,
      keep: count,
      percent: { type: 'integer', minimum: 0, maximum: 100 },
    },
  ),
  clearFaults: object({}, { id: count }),
  setOptions: object(
    {},
    {
      contentType: text,
      shuffleKeys: flag,
      shuffleRows: flag,
      shapeSeed: { type: 'integer' },
      sessionTtlSeconds: { type: 'number', minimum: 0 },
      oneSessionPerUser: flag,
      deletedRows: { enum: ['flagged', 'vanish'] },
      syncCheckRows: { enum: ['list', 'table'] },
      transporterKey: { enum: ['location', 'license_number'] },
      apiMember: { enum: ['required', 'optional'] },
      getStatus: { type: 'integer', minimum: 200, maximum: 599 },
      offersSyncCheck: flag,
      offersTransporters: flag,
      restCursorParameter: { type: 'string', minLength: 1 },
      restPageSize: { type: 'integer', minimum: 1 },
      restLastCursor: { enum: ['null', 'empty', 'absent'] },
      restErrorStatus: { type: 'integer', minimum: 200, maximum: 599 },
    },
  ),
  reset: object({}),
} as const;

export type CommandName = keyof typeof COMMAND_SCHEMAS;

export const ROWS_QUERY = object({}, { training: { enum: ['0', '1'] }, ubi: text });
