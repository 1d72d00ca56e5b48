import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Secret } from '../domain/secret.js';
import type { Keyset } from './keyset.js';

/**
 * Additional authenticated data. A text sealed in one context cannot be opened in another: a sealed text copied into another row,
 * an old one put into a row that has changed since, or a changed upstream URL never sends a password to the wrong host. A whole
 * row restored from a backup opens as before.
 */
export interface SealContext {
  readonly tenantId: string;
  readonly owner: string;
  readonly rowId: string;
  readonly secretVersion: number;
  /** `origin_id` of the upstream in the states file. */
  readonly originId: string;
}

/** A sealed text cannot be opened: its key is not in the keyset, its context differs, or it is corrupt. */
export class UnreadableError extends Error {}

export interface Vault {
  seal(secret: Secret, context: SealContext): Buffer;
  /** @throws UnreadableError */
  open(sealed: Buffer, context: SealContext): Secret;
  /** The key that seals. */
  readonly primaryKeyId: string;
  /** Keys for another purpose, one per key of the keyset: sign with the first, and accept all. */
  deriveKeys(purpose: string): readonly [Buffer, ...Buffer[]];
}

const FORMAT = 1;
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const WRAPPED_BYTES = IV_BYTES + KEY_BYTES + TAG_BYTES;

/**
 * Envelope encryption: each text is encrypted with its own key, which is encrypted with the keyset's first key.
 * Layout in bytes: format (1), length of the key ID (1), key ID, encrypted text key (12 + 32 + 16), encrypted text
 * (12 + n + 16). The text is padded, so that its length does not show: 0x80 and zeros up to a multiple of 64 bytes.
 */
export function createVault(keyset: Keyset): Vault {
  const keys = new Map(keyset.map(({ id, key }) => [id, key]));
  const [primary, ...others] = keyset;
  return {
    primaryKeyId: primary.id,
    seal(secret, context) {
      const id = Buffer.from(primary.id, 'ascii');
      const header = Buffer.concat([Buffer.from([FORMAT, id.length]), id]);
      const aad = toAad(header, context);
      const textKey = randomBytes(KEY_BYTES);
      const wrapped = encrypt(primary.key, textKey, aad);
      return Buffer.concat([header, wrapped, encrypt(textKey, pad(Buffer.from(secret.reveal(), 'utf8')), aad)]);
    },
    open(sealed, context) {
      try {
        if (sealed[0] !== FORMAT) throw new UnreadableError('unknown format');
        const header = sealed.subarray(0, 2 + (sealed[1] ?? 0));
        const key = keys.get(header.subarray(2).toString('ascii'));
        if (key === undefined) throw new UnreadableError('the key is not in the keyset');
        const aad = toAad(header, context);
        const body = sealed.subarray(header.length);
        const textKey = decrypt(key, body.subarray(0, WRAPPED_BYTES), aad);
        return new Secret(unpad(decrypt(textKey, body.subarray(WRAPPED_BYTES), aad)).toString('utf8'));
      } catch (error) {
        if (error instanceof UnreadableError) throw error;
        throw new UnreadableError('the sealed text does not match its context', { cause: error });
      }
    },
    deriveKeys(purpose) {
      const derive = (key: Buffer): Buffer => Buffer.from(hkdfSync('sha256', key, '', purpose, KEY_BYTES));
      return [derive(primary.key), ...others.map(({ key }) => derive(key))];
    },
  };
}

const PADDING = 0x80;
const PADDED_BYTES = 64;

const pad = (text: Buffer): Buffer => {
  const length = Math.ceil((text.length + 1) / PADDED_BYTES) * PADDED_BYTES;
  return Buffer.concat([text, Buffer.from([PADDING]), Buffer.alloc(length - text.length - 1)]);
};

function unpad(padded: Buffer): Buffer {
  const end = padded.lastIndexOf(PADDING);
  if (end === -1 || padded.subarray(end + 1).some((byte) => byte !== 0)) throw new UnreadableError('no padding');
  return padded.subarray(0, end);
}

/** A JSON array, because plain concatenation would give different contexts the same bytes. */
const toAad = (header: Buffer, { tenantId, owner, rowId, secretVersion, originId }: SealContext): Buffer =>
  Buffer.concat([header, Buffer.from(JSON.stringify([tenantId, owner, rowId, secretVersion, originId]), 'utf8')]);

function encrypt(key: Buffer, text: Buffer, aad: Buffer): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(aad);
  return Buffer.concat([iv, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, aad: Buffer): Buffer {
  if (sealed.length < IV_BYTES + TAG_BYTES) throw new UnreadableError('the sealed text is truncated');
  const iv = sealed.subarray(0, IV_BYTES);
  const tag = sealed.subarray(sealed.length - TAG_BYTES);
  const text = sealed.subarray(IV_BYTES, sealed.length - TAG_BYTES);
  // Without authTagLength Node accepts tags down to 4 bytes.
  const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(aad).setAuthTag(tag);
  return Buffer.concat([decipher.update(text), decipher.final()]);
}
