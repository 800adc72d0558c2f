/** Percent-encoding (RFC 3986, section 2.1), over bytes: a CKA_ID need not be text. */

/** The bytes of an encoded text; undefined when a `%` stands alone. */
export function decoded(text: string): Buffer | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const pieces = text.split(/(%[0-9A-Fa-f]{2})/);
  return Buffer.concat(
    pieces.map((piece) =>
      piece.startsWith('%') ? Buffer.from(piece.slice(1), 'hex') : Buffer.from(piece, 'utf8'),
    ),
  );
}

/** Every byte encoded, as RFC 7512, section 2.3, recommends for `id`. */
export function encodedBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(
    '',
  );
}

/** Text in UTF-8, with what `allowed` lets stand as it is. */
export function encodedText(text: string, allowed: RegExp): string {
  return Array.from(text, (character) =>
    // The percent sign is allowed only as the beginning of three.
    character !== '%' && allowed.test(character)
      ? character
      : encodedBytes(Buffer.from(character, 'utf8')),
  ).join('');
}
