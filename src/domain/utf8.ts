const strict = new TextDecoder('utf-8', { fatal: true });

/** Without the byte order mark that some editors add. @throws TypeError for bytes that are not UTF-8 */
export const decodeUtf8 = (bytes: Uint8Array): string => strict.decode(bytes);
