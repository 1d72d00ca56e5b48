import { toSearchWords } from '../../domain/search-text.js';
import { ServiceError } from '../../domain/service-error.js';

const MAX_WORDS = 10;
const MAX_IDS = 100;

/**
 * The words of the query parameter `q`, in the form in which texts are stored. Undefined if it is empty.
 * @throws ServiceError `invalid_request`
 */
export function parseSearch(query: string | undefined): readonly string[] | undefined {
  if (query === undefined || query === '') return undefined;
  const words = toSearchWords(query);
  if (words.length === 0) throw invalidParameter('q', 'must contain a letter or a digit');
  if (words.length > MAX_WORDS) throw invalidParameter('q', `must not have more than ${MAX_WORDS} words`);
  return words;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The ids of the query parameter `ids`. @throws ServiceError `invalid_request` */
export function parseIds(text: string | undefined): readonly string[] | undefined {
  const ids = text?.split(',');
  if (ids === undefined) return undefined;
  if (ids.length > MAX_IDS)
    throw invalidParameter('ids', `must not have more than ${MAX_IDS} ids, and has ${ids.length}`);
  if (!ids.every((id) => UUID.test(id))) throw invalidParameter('ids', 'must be UUIDs, separated by commas');
  return ids.map((id) => id.toLowerCase());
}

const invalidParameter = (name: string, detail: string): ServiceError =>
  new ServiceError('invalid_request', `?${name} ${detail}.`, { errors: [{ pointer: `?${name}`, detail }] });
