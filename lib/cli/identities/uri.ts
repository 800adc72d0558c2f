/**
 * How an identity is named on a command line, as short as it can be.
 */
import { Pkcs11Uri } from '../../signers/pkcs11/uri';
import type { Identity } from './identity';

type Attributes = Pkcs11Uri['attributes'];

/** Attributes that tell enough, the friendliest first. */
const CHOICES: readonly (readonly (keyof Attributes)[])[] = [
  ['token', 'object'],
  ['token', 'id'],
  ['serial', 'id'],
];

/**
 * What `--identity` takes to mean this one and none of the others: the file, or for a token a URI of few
 * attributes.
 */
export function namedBriefly(identity: Identity, among: readonly Identity[]): string {
  if (identity.kind !== 'token') return identity.where;
  const own = Pkcs11Uri.parse(identity.where).attributes;
  const others = among
    .filter((one) => one !== identity && one.kind === 'token')
    .map((one) => Pkcs11Uri.parse(one.where).attributes);
  for (const names of CHOICES) {
    const isSame = (other: Attributes) =>
      names.every((name) => String(own[name]) === String(other[name]));
    // An empty label is one that a person cannot see.
    if (others.some(isSame) || names.some((name) => String(own[name] ?? '') === '')) continue;
    const kept = names.map((name) => [name, own[name]]);
    return new Pkcs11Uri(Object.fromEntries(kept)).toString();
  }
  return identity.where;
}
