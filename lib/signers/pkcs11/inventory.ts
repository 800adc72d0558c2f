/**
 * What is on a token, put together: certificates with their chains and their keys.
 */
import { X509Certificate } from 'node:crypto';
import type { SignatureScheme } from '../../signature-schemes';
import { chainOf } from '../chain';
import { objectError, tokenName } from './failures';
import { encodedBytes } from './percent';
import type { ObjectRecord, TokenContents } from './protocol';
import { schemesOf } from './schemes';
import type { Pkcs11Uri } from './uri';

/** Why a certificate cannot be used. */
type Problem = 'key-not-found' | 'key-ambiguous' | 'no-mechanism';

/** A certificate on a token, and what is known of its key. */
export interface Found {
  readonly contents: TokenContents;
  readonly object: ObjectRecord;
  readonly certificate: X509Certificate;
  /** Nearest issuer first, without the root; as far as they are on the same token. */
  readonly chain: readonly X509Certificate[];
  /** Whether the token shows a key, private or public, with the certificate's id. */
  readonly keySeen: boolean;
  /** What the key can sign under, as far as it is known. */
  readonly schemes: readonly SignatureScheme[];
  readonly problem: Problem | undefined;
}

/** Every certificate on the tokens, those whose keys are seen first. */
export function inventory(tokens: readonly TokenContents[]): readonly Found[] {
  const found = tokens.flatMap((contents) => {
    const certificates = certificatesOf(contents);
    const all = certificates.map(({ certificate }) => certificate);
    return certificates.map(({ object, certificate }) => ({
      contents,
      object,
      certificate,
      chain: chainOf(certificate, all),
      ...keyOf(contents, object, certificate),
    }));
  });
  return [...found.filter((one) => one.keySeen), ...found.filter((one) => !one.keySeen)];
}

/** Those that can be used and that the URI means. */
export function identitiesOf(found: readonly Found[], uri: Pkcs11Uri): readonly Found[] {
  return found.filter((one) => one.problem === undefined && meansIdentity(uri, one));
}

/** The one that the URI means; an error says what is missing or too much. */
export function oneIdentity(
  tokens: readonly TokenContents[],
  found: readonly Found[],
  uri: Pkcs11Uri,
): Found {
  const meant = found.filter((one) => meansIdentity(uri, one));
  // Certificates of authorities have no keys here; they are meant only when nothing else is.
  const usable = meant.filter((one) => one.problem === undefined);
  const [first, ...others] = usable;
  if (first !== undefined && others.length === 0) return first;
  if (first !== undefined) {
    const list = usable.map((one) => `"${one.object.label}" (${subjectOf(one)})`).join(', ');
    throw objectError(
      'certificate-ambiguous',
      `${usable.length} certificates fit ${uri}: ${list}. Name one by its id, or by object and token.`,
    );
  }
  const wrong = meant.find((one) => one.problem !== 'key-not-found') ?? meant[0];
  if (wrong !== undefined) throw problemOf(wrong);
  throw nothingFound(tokens, uri);
}

function problemOf({ contents, object: { label }, problem }: Found): Error {
  const token = tokenName(contents.token);
  switch (problem) {
    case 'key-ambiguous':
      return objectError(
        problem,
        `${token} has more than one key with the CKA_ID of the certificate "${label}". Give each key ` +
          'and its certificate an id of their own.',
      );
    case 'no-mechanism':
      return objectError(
        problem,
        `The key of the certificate "${label}" on ${token} can sign under no TLS signature scheme, by ` +
          "its type, its CKA_ALLOWED_MECHANISMS or the token's mechanisms. Choose another one.",
      );
    default:
      return objectError(
        'key-not-found',
        `${token} has the certificate "${label}", but no private key with its CKA_ID. Import the key ` +
          'under the same id, or choose another certificate.',
      );
  }
}

function nothingFound(tokens: readonly TokenContents[], uri: Pkcs11Uri): Error {
  for (const { token, objects } of tokens) {
    const key = objects.find((object) => object.type !== 'cert' && meansObject(uri, object));
    if (key === undefined) continue;
    return objectError(
      'certificate-not-found',
      `${tokenName(token)} has the key "${key.label}", but no certificate with its CKA_ID. Import ` +
        'the certificate under the same id.',
    );
  }
  const where = tokens.map(({ token }) => tokenName(token)).join(', ');
  return objectError(
    'not-found',
    `No certificate fits ${uri}. Searched: ${where}.${idHint(tokens, uri)}`,
  );
}

/** Tools show an id in hexadecimal; in a URI its bytes are percent-encoded, or stand for themselves. */
function idHint(tokens: readonly TokenContents[], uri: Pkcs11Uri): string {
  const text = Buffer.from(uri.attributes.id ?? []).toString('latin1');
  if (!/^[0-9a-f]{2}(:?[0-9a-f]{2})*$/i.test(text)) return '';
  const id = Buffer.from(text.replaceAll(':', ''), 'hex');
  const isThere = tokens.some(({ objects }) => objects.some((object) => areEqual(object.id, id)));
  return isThere
    ? ` There is an object whose id is ${text} in hexadecimal: in a URI that is id=${encodedBytes(id)}.`
    : '';
}

function certificatesOf({ objects }: TokenContents) {
  return objects.flatMap((object) => {
    const certificate = object.type === 'cert' && object.value && parsed(object.value);
    return certificate ? [{ object, certificate }] : [];
  });
}

/** What is no X.509 certificate in DER (WTLS, attribute certificates, leftovers) is nobody's. */
function parsed(der: Uint8Array): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    // Throws for a key of a kind that OpenSSL does not know.
    return certificate.publicKey && certificate;
  } catch {
    return undefined;
  }
}

function keyOf(
  contents: TokenContents,
  { id }: ObjectRecord,
  certificate: X509Certificate,
): Pick<Found, 'keySeen' | 'schemes' | 'problem'> {
  const withId = (type: ObjectRecord['type']) =>
    contents.objects.filter((object) => object.type === type && areEqual(object.id, id));
  const keys = withId('private');
  const shown = keys.length > 0 || contents.loggedIn ? keys : distinct(withId('public'));
  const allowed = keys[0]?.allowedMechanisms;
  const schemes = schemesOf(certificate.publicKey, contents.mechanisms, allowed);
  const facts = { keySeen: id.length > 0 && shown.length > 0, schemes };
  // Whoever is logged in sees all keys; before, they may be hidden. That of an authority is not
  // expected on a user's token.
  const mayBeHidden = !contents.loggedIn && !certificate.ca;
  if (id.length === 0) return { ...facts, problem: 'key-not-found' };
  if (shown.length > 1) return { ...facts, problem: 'key-ambiguous' };
  if (shown.length === 0 && !mayBeHidden) return { ...facts, problem: 'key-not-found' };
  return { ...facts, problem: schemes.length === 0 ? 'no-mechanism' : undefined };
}

/** Without those that are one key written twice: it says nothing of how many private ones there are. */
function distinct(keys: readonly ObjectRecord[]): readonly ObjectRecord[] {
  return keys.filter(
    ({ value }, i) =>
      value === undefined ||
      keys.findIndex((one) => one.value !== undefined && areEqual(one.value, value)) === i,
  );
}

/** A URI of a key means the certificate with its id; without a type, either's label will do. */
function meansIdentity(uri: Pkcs11Uri, found: Found): boolean {
  const { contents, object: own } = found;
  return contents.objects.some(
    (object) =>
      (object === own || (object.type !== 'cert' && areEqual(object.id, own.id))) &&
      meansObject(uri, object),
  );
}

function meansObject(uri: Pkcs11Uri, object: ObjectRecord): boolean {
  const { id, object: label, type } = uri.attributes;
  return (
    (type === undefined || type === object.type) &&
    (id === undefined || areEqual(id, object.id)) &&
    (label === undefined || label === object.label)
  );
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function subjectOf({ certificate }: Found): string {
  // Node has none where the name is empty.
  const name = certificate.subject as string | undefined;
  return name?.split('\n').reverse().join(',') ?? '';
}
