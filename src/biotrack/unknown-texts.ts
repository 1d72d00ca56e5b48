import { createHash } from 'node:crypto';

/** More distinct texts than this from one host, and the rest share a label. */
const MOST_LABELS = 32;

/**
 * Labels for texts that nobody here knows, so that they can be counted and told apart without being seen. What was
 * sent is taken out before hashing, since texts were seen to echo it; digits are evened out, since they name cases.
 */
export class UnknownTexts {
  readonly #labels = new Set<string>();

  toLabel(text: string, sent: readonly string[]): string {
    let plain = text;
    for (const secret of sent) if (secret !== '') plain = plain.replaceAll(secret, '');
    plain = plain.slice(0, 2_000).toLowerCase().replace(/\d+/g, '#').replace(/\s+/g, ' ').trim();
    const label = createHash('sha256').update(plain).digest('hex').slice(0, 8);
    if (this.#labels.has(label)) return label;
    if (this.#labels.size >= MOST_LABELS) return 'other';
    this.#labels.add(label);
    return label;
  }
}
