import { binding } from './binding';

/** A DER name by RFC 4514; one that OpenSSL cannot print by its bytes, rather than as nothing. */
export function printName(der: Buffer): string {
  return binding.parseName(der)?.text ?? `#${der.toString('hex')}`;
}
