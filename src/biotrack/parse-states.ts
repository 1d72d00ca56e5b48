import Type, { type Static } from 'typebox';
import { Errors } from 'typebox/value';
import { ENVIRONMENTS } from '../domain/environment.js';
import { DEFAULT_STATES } from './default-states.js';
import { isLoopback } from './dispatcher.js';
import { CHARSETS } from './document.js';
import {
  type BiotrackEnvironment,
  type BiotrackState,
  DEFAULT_CURSOR_PARAMETER,
  DEFAULT_MAX_BODY_BYTES,
  DEFAULT_OFFERS,
  DIALECTS,
} from './states.js';

/** The states file is invalid. The message has the JSON pointer of the value, never the value itself. */
export class StatesFileError extends Error {
  readonly pointer: string;

  constructor(pointer: string, detail: string) {
    super(`states file: ${pointer === '' ? 'the document' : pointer} ${detail}`);
    this.name = 'StatesFileError';
    this.pointer = pointer;
  }
}

const closed = { additionalProperties: false };
const Text = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^(?=.*\\S)[^\\u0000-\\u001F]+$' });

const FileEnvironment = Type.Object(
  {
    dialect: Type.Enum([...DIALECTS]),
    url: Text(2_000),
    origin_id: Type.Optional(Text(200)),
    max_body_bytes: Type.Optional(Type.Integer({ minimum: 1_024, maximum: 500 * 1024 * 1024 })),
    charset: Type.Optional(Type.Enum([...CHARSETS])),
    cursor_parameter: Type.Optional(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]{0,40}$' })),
    offers: Type.Optional(
      Type.Object(
        {
          labs: Type.Optional(Type.Boolean()),
          transporters: Type.Optional(Type.Boolean()),
          sync_check: Type.Optional(Type.Boolean()),
        },
        closed,
      ),
    ),
  },
  closed,
);

const FileState = Type.Object(
  {
    name: Type.Optional(Text(100)),
    status: Type.Optional(Type.Enum(['active', 'left'])),
    left_on: Type.Optional(Type.String({ pattern: '^\\d{4}(-\\d{2}(-\\d{2})?)?$' })),
    license_types: Type.Optional(Type.Record(Type.String({ pattern: '^\\S{1,40}$' }), Text(200), closed)),
    environments: Type.Object(
      Object.fromEntries(ENVIRONMENTS.map((name) => [name, Type.Optional(FileEnvironment)])),
      closed,
    ),
  },
  closed,
);

type FileState = Omit<Static<typeof FileState>, 'environments'> & {
  environments: Partial<Record<(typeof ENVIRONMENTS)[number], Static<typeof FileEnvironment>>>;
};

const StatesFile = Type.Record(Type.String({ pattern: '^[A-Z]{2}$' }), FileState, closed);

/**
 * Parses an operator's states file, which replaces the built-in list as a whole. For built-in states, the name, the
 * license types and the offered lists default to the built-in values.
 * @throws StatesFileError
 */
export function parseStates(json: unknown): readonly BiotrackState[] {
  const error = Errors(StatesFile, json).find(({ keyword }) => keyword !== 'boolean' && keyword !== 'const');
  if (error !== undefined) throw toStatesFileError(error);
  const states = Object.entries(json as Record<string, FileState>).map(([code, state]) => toState(code, state));
  if (states.length === 0) throw new StatesFileError('', 'must contain at least one state');
  return states;
}

type ValidationError = ReturnType<typeof Errors>[number];

function toStatesFileError(error: ValidationError): StatesFileError {
  const params: Readonly<Record<string, unknown>> = { ...error.params };
  const names = params.additionalProperties ?? params.requiredProperties;
  const name = Array.isArray(names) ? String(names[0]) : undefined;
  if (name === undefined) return new StatesFileError(error.instancePath, `is invalid (${error.keyword})`);
  const pointer = `${error.instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return new StatesFileError(pointer, error.keyword === 'required' ? 'is missing' : 'is not a known member');
}

function toState(code: string, file: FileState): BiotrackState {
  const known = DEFAULT_STATES.find((state) => state.code === code);
  if (file.status !== 'left' && file.left_on !== undefined) {
    throw new StatesFileError(`/${code}/left_on`, 'is only allowed with the status "left"');
  }
  const environments: Partial<Record<(typeof ENVIRONMENTS)[number], BiotrackEnvironment>> = {};
  for (const name of ENVIRONMENTS) {
    const environment = file.environments[name];
    if (environment !== undefined)
      environments[name] = toEnvironment(environment, known, `/${code}/environments/${name}`);
  }
  return {
    code,
    name: file.name?.trim() ?? known?.name ?? code,
    status: file.status ?? 'active',
    leftOn: file.left_on ?? null,
    licenseTypes: file.license_types ?? known?.licenseTypes ?? {},
    environments,
  };
}

function toEnvironment(
  file: Static<typeof FileEnvironment>,
  known: BiotrackState | undefined,
  pointer: string,
): BiotrackEnvironment {
  const url = toUrl(file.url, `${pointer}/url`);
  const builtIn = known?.environments.production;
  const offers = builtIn?.dialect === file.dialect ? builtIn.offers : DEFAULT_OFFERS[file.dialect];
  return {
    dialect: file.dialect,
    url: url.href,
    originId: file.origin_id ?? url.origin,
    maxBodyBytes: file.max_body_bytes ?? DEFAULT_MAX_BODY_BYTES,
    charset: file.charset ?? 'utf-8',
    offers: {
      labs: file.offers?.labs ?? offers.labs,
      transporters: file.offers?.transporters ?? offers.transporters,
      syncCheck: file.offers?.sync_check ?? offers.syncCheck,
    },
    cursorParameter: file.cursor_parameter ?? DEFAULT_CURSOR_PARAMETER,
  };
}

/** Passwords are sent to this URL, so plain HTTP is allowed to the same machine only. */
function toUrl(text: string, pointer: string): URL {
  if (!URL.canParse(text)) throw new StatesFileError(pointer, 'is not a URL');
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw new StatesFileError(pointer, 'must use https (http is allowed for loopback addresses only)');
  }
  if (url.username !== '' || url.password !== '')
    throw new StatesFileError(pointer, 'must not contain a username or password');
  if (url.search !== '' || url.hash !== '') throw new StatesFileError(pointer, 'must not contain a query or fragment');
  return url;
}
