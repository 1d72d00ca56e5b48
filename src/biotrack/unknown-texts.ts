import { createHash } from 'node:crypto';

/** Further texts of the same host share the label `other`. */
const MAX_LABELS = 32;

/**
 * Labels for unknown error texts of a host, so that they can be counted without being logged. What was sent is removed
 * before hashing, because BioTrack's texts can repeat it. Digits are replaced, because they often identify one case.
 */
export class UnknownTexts {
  readonly #labels = new Set<string>();

  toLabel(text: string, sent: readonly string[]): string {
    let plain = text;
    for (const secret of sent) if (secret !== '') plain = plain.replaceAll(secret, '');
    plain = plain.slice(0, 2_000).toLowerCase().replace(/\d+/g, '#').replace(/\s+/g, ' ').trim();
    const label = createHash('sha256').update(plain).digest('hex').slice(0, 8);
    if (this.#labels.has(label)) return label;
    if (this.#labels.size >= MAX_LABELS) return 'other';
    this.#labels.add(label);
    return label;
  }
}
