import type { FastifyInstance, FastifyRequest } from 'fastify';
import { visit } from 'jsonc-parser';
import { ServiceError } from '../domain/service-error.js';
import { decodeUtf8 } from '../domain/utf8.js';

const MAX_DEPTH = 20;
/** Objects, arrays, and their members. Validation reports each wrong one, so a body of many could take seconds. */
const MAX_VALUES = 20_000;

/**
 * Parses JSON bodies strictly. Rejects other charsets, compressed bodies, invalid UTF-8, `__proto__`, duplicate keys (parsers
 * disagree on which one counts), integers that a double would round, and bodies that are nested deeper or have more values than
 * any of our schemas. An empty body is no body.
 */
export function registerStrictJson(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Fastify also parses text/plain by default.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    if (bytes.length === 0) return done(null, undefined);
    try {
      rejectEncoding(request);
      rejectSize(bytes);
      const text = decode(bytes);
      return parseJson(request, text, (error, body) => done(error ?? findContentError(text) ?? null, body));
    } catch (error) {
      return done(error as Error);
    }
  });
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]*)/i;

function rejectEncoding({ headers }: FastifyRequest): void {
  const { 'content-encoding': encoding = 'identity', 'content-type': type = '' } = headers;
  if (encoding.toLowerCase() !== 'identity')
    throw new ServiceError('unsupported_media_type', 'Send the body without Content-Encoding.');
  const [, charset = 'utf-8'] = CHARSET.exec(type) ?? [];
  if (!['utf-8', 'utf8'].includes(charset.toLowerCase()))
    throw new ServiceError('unsupported_media_type', 'Send the body in UTF-8.');
}

function decode(bytes: Buffer): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new ServiceError('malformed_json', 'The body is not valid UTF-8.', { cause });
  }
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** Counts without parsing, so that the largest body takes less time than its parsing would. */
function rejectSize(bytes: Buffer): void {
  let [depth, values, isText] = [0, 1, false];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (isText) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) {
      isText = true;
    } else if (byte === COMMA) {
      values += 1;
    } else if (OPENING.has(byte)) {
      depth += 1;
      values += 1;
      if (depth > MAX_DEPTH) throw malformed(`The body is nested more than ${MAX_DEPTH} levels deep.`);
    } else if (CLOSING.has(byte)) {
      depth -= 1;
    }
    if (values > MAX_VALUES) throw malformed(`The body has more than ${MAX_VALUES} values. Split the request.`);
  }
}

/** @param text that the JSON parser accepts: on other texts, `visit` could recurse deeper than was counted */
function findContentError(text: string): ServiceError | undefined {
  const objects: Set<string>[] = [];
  let error: ServiceError | undefined;
  const reject = (found: ServiceError): void => {
    error ??= found;
  };
  visit(text, {
    onObjectBegin: () => void objects.push(new Set()),
    onObjectEnd: () => void objects.pop(),
    onObjectProperty: (name) => {
      const names = objects.at(-1);
      if (names?.has(name) === true) reject(malformed('An object in the body has a duplicate key.'));
      names?.add(name);
    },
    onLiteralValue: (value, offset, length, _line, _character, pathSupplier) => {
      if (typeof value !== 'number' || Number.isSafeInteger(value)) return;
      if (INTEGER.test(text.slice(offset, offset + length))) reject(roundedNumber(pathSupplier()));
    },
  });
  return error;
}

const INTEGER = /^-?\d+(\.0*)?$/;

const malformed = (detail: string): ServiceError => new ServiceError('malformed_json', detail);

function roundedNumber(path: readonly (string | number)[]): ServiceError {
  const pointer = path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  const detail = 'is an integer beyond 2^53, which JSON parsers round; send it as text';
  return new ServiceError('invalid_request', `${pointer} ${detail}.`, { errors: [{ pointer, detail }] });
}
