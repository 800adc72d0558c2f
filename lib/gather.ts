/** A TLS record holds so many bytes of plaintext (RFC 8446, section 5.1). */
export const RECORD_SIZE = 16 * 1024;

/** The same bytes, small neighbours joined as far as one TLS record holds them. */
export function gather(chunks: readonly Uint8Array[]): Uint8Array[] {
  const gathered: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let size = 0;
  const close = () => {
    if (run.length === 1) gathered.push(run[0] as Uint8Array);
    else if (run.length > 1) gathered.push(Buffer.concat(run, size));
    run = [];
    size = 0;
  };
  for (const chunk of chunks) {
    if (size + chunk.length > RECORD_SIZE) close();
    run.push(chunk);
    size += chunk.length;
  }
  close();
  return gathered;
}
