import { ServiceError } from '../domain/service-error.js';

/**
 * Parses the words of a query parameter, which are separated by commas; see `WordList`.
 * @throws ServiceError `invalid_request` for an unknown word
 */
export function parseWordList<const Word extends string>(
  parameter: string,
  text: string | undefined,
  words: readonly Word[],
): readonly Word[] | undefined {
  if (text === undefined) return undefined;
  const given = new Set(text.split(','));
  const known = words.filter((word) => given.has(word));
  if (known.length === given.size) return known;
  const detail = `must be one or more of these words, separated by commas: ${words.join(', ')}`;
  throw new ServiceError('invalid_request', `?${parameter} ${detail}.`, {
    errors: [{ pointer: `?${parameter}`, detail }],
  });
}
