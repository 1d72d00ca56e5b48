/** Letters that Unicode does not decompose, as users type them on other keyboards. */
const FOLDED: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ŧ: 't',
  ı: 'i',
  // `toLowerCase` chooses between σ and ς by the next letter.
  ς: 'σ',
};
const FOLDABLE = new RegExp(`[${Object.keys(FOLDED).join('')}]`, 'g');

const MARKS_AND_FORMATS = /[\p{M}\p{Cf}]/gu;
/** Without `%`, `_` and `\`, which users expect to match themselves. */
const PUNCTUATION = /(?![%_\\])\p{P}/gu;
const WHITE_SPACE = /\s+/g;

const ASCII = /^[ -~]*$/;

/**
 * Text as it is searched and sorted: without differences in case, accents, width, punctuation, repeated white space and
 * Unicode normalization form. A part of a text has a form that is contained in the form of the text, unless the part starts or
 * ends within a character.
 */
export function toSearchText(text: string): string {
  const plain = ASCII.test(text)
    ? text.toLowerCase()
    : text
        .normalize('NFKD')
        .replace(MARKS_AND_FORMATS, '')
        .toLowerCase()
        .replace(FOLDABLE, (letter) => FOLDED[letter] as string);
  return plain.replace(PUNCTUATION, '').replace(WHITE_SPACE, ' ').trim();
}

/** An identifier as it is searched: also without white space, so that `603 123-456` and `603123456` are equal. */
export const toSearchNumber = (text: string): string => toSearchText(text).replaceAll(' ', '');

/**
 * The text of an object as it is stored and searched: its fields, one per line. Omits what the other fields contain, except
 * the first field.
 */
export function joinSearchFields(first: string, others: readonly string[]): string {
  let text = first;
  for (const field of others) if (!text.includes(field)) text += `\n${field}`;
  return text;
}

/** The different words of a query, in the form of `toSearchText`. Words without a letter, digit or symbol are omitted. */
export const toSearchWords = (query: string): string[] => [
  ...new Set(
    toSearchText(query)
      .split(' ')
      .filter((word) => /[^%_\\]/.test(word)),
  ),
];
