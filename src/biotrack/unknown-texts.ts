import { createHash } from 'node:crypto';

/** A text of BioTrack for operators, and a label by which equal texts are recognized. */
export interface RefusalText {
  readonly text: string;
  readonly label: string;
}

const MAX_READ = 2_000;
const MAX_SHOWN = 300;

/**
 * Removes what was sent, in every usual encoding and in any case, because BioTrack's texts can repeat it. Words with
 * digits are replaced in the label, because they often identify one case; the code is part of it.
 */
export function toRefusalText(
  { text, code }: { readonly text: string | undefined; readonly code: string | undefined },
  sent: readonly string[],
): RefusalText | undefined {
  if (text === undefined && code === undefined) return undefined;
  // The longest first: a password can contain the username.
  const forms = [...new Set(sent.flatMap(toForms))].sort((a, b) => b.length - a.length);
  const removeSent = (part = ''): string => {
    const read = part.slice(0, MAX_READ);
    const plain = forms.reduce((rest, form) => rest.replace(new RegExp(escapeRegExp(form), 'giu'), REMOVED), read);
    // The end can be the first half of something that was sent.
    return toOneLine(read === part ? plain : plain.slice(0, -(forms[0]?.length ?? 0)));
  };
  const plainText = removeSent(text);
  const plainCode = removeSent(code);
  const labeled = toOneLine(
    plainText
      .replaceAll(REMOVED, '')
      .toLowerCase()
      .replace(/\S*\d\S*/g, '#'),
  );
  return {
    text: (plainText === '' ? `code ${plainCode}` : plainText).slice(0, MAX_SHOWN),
    label: createHash('sha256')
      .update(JSON.stringify([labeled, plainCode]))
      .digest('hex')
      .slice(0, 8),
  };
}

const REMOVED = '\u2026';

const toOneLine = (text: string): string => text.replace(/[\p{C}\s]+/gu, ' ').trim();

function toForms(secret: string): string[] {
  const inQuery = new URLSearchParams([['', secret]]).toString().slice(1);
  const forms = [
    secret,
    secret.trim(),
    inQuery,
    inQuery.replaceAll('+', '%20'),
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    secret.replace(/[&<>"']/g, (character) => HTML_ENTITIES[character] as string),
    Buffer.from(secret).toString('base64'),
  ];
  return forms.filter((form) => form !== '');
}

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/** Further texts of the same host share the label `other`. */
const MAX_LABELS = 32;

/** Bounds the number of labels of a host, for metrics. */
export class TextLabels {
  readonly #labels = new Set<string>();

  limit(label: string): string {
    if (this.#labels.has(label)) return label;
    if (this.#labels.size >= MAX_LABELS) return 'other';
    this.#labels.add(label);
    return label;
  }
}
