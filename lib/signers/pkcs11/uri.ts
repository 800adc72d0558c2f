/**
 * `pkcs11:` URIs (RFC 7512).
 */
import { inspect, types } from 'node:util';
import { invalidArgType, TLSClientCertError } from '../../errors';
import { bare, snapshot } from '../../given';
import { decoded, encodedBytes, encodedText } from './percent';

/** What kind of object a URI means (RFC 7512, section 2.3, `type`). */
export type Pkcs11ObjectType = 'cert' | 'private' | 'public' | 'secret-key' | 'data';

/** The attributes of a {@link Pkcs11Uri}, decoded. Those left out fit anything. */
export interface Pkcs11UriAttributes {
  /** The token's label. */
  token?: string | undefined;
  manufacturer?: string | undefined;
  model?: string | undefined;
  serial?: string | undefined;
  libraryManufacturer?: string | undefined;
  libraryDescription?: string | undefined;
  /** `'2'` or `'2.6'`. */
  libraryVersion?: string | undefined;
  slotManufacturer?: string | undefined;
  slotDescription?: string | undefined;
  slotId?: number | undefined;
  /** The object's label, CKA_LABEL. */
  object?: string | undefined;
  type?: Pkcs11ObjectType | undefined;
  /** CKA_ID. */
  id?: Uint8Array | undefined;
  /** Where the PIN is: a `file:` URI or an absolute path. */
  pinSource?: string | undefined;
  /** The PIN itself. Never shown. */
  pinValue?: string | undefined;
  /** The module's name without prefix and suffix, for instance `'softhsm2'`. */
  moduleName?: string | undefined;
  modulePath?: string | undefined;
}

type Name = keyof Pkcs11UriAttributes;

/** In the order in which they are written. */
const PATH_NAMES: Readonly<Record<string, Name>> = {
  token: 'token',
  manufacturer: 'manufacturer',
  model: 'model',
  serial: 'serial',
  'library-manufacturer': 'libraryManufacturer',
  'library-description': 'libraryDescription',
  'library-version': 'libraryVersion',
  'slot-manufacturer': 'slotManufacturer',
  'slot-description': 'slotDescription',
  'slot-id': 'slotId',
  id: 'id',
  object: 'object',
  type: 'type',
};

const QUERY_NAMES: Readonly<Record<string, Name>> = {
  'pin-source': 'pinSource',
  'pin-value': 'pinValue',
  'module-name': 'moduleName',
  'module-path': 'modulePath',
};

const NAMES: readonly Name[] = [...Object.values(PATH_NAMES), ...Object.values(QUERY_NAMES)];

const TYPES: readonly string[] = ['cert', 'private', 'public', 'secret-key', 'data'];
/** pk11-pchar and pk11-qchar without the percent-encoded. */
const PATH_CHARACTERS = /^[A-Za-z0-9\-._~:[\]@!$'()*+,=&%]*$/;
const QUERY_CHARACTERS = /^[A-Za-z0-9\-._~:[\]@!$'()*+,=/?|%]*$/;
const ATTRIBUTE_NAME = /^[A-Za-z0-9_-]+$/;

/**
 * A `pkcs11:` URI: which tokens, objects or modules are meant, and how to get at them.
 *
 * `pin-value` is used and never shown: `toString()`, `JSON.stringify()` and `util.inspect()` leave it out.
 */
export class Pkcs11Uri {
  readonly #attributes: Readonly<Pkcs11UriAttributes>;

  /**
   * @throws {@link TLSClientCertError} `ERR_PKCS11_URI`: an attribute is not what it should be;
   *   `input` names it as it is written in a URI.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`: what is given are no attributes; a URI as a string is for
   *   {@link parse}.
   */
  constructor(attributes: Pkcs11UriAttributes) {
    // One without attributes would mean everything.
    if (attributes === null || typeof attributes !== 'object' || attributes instanceof Pkcs11Uri) {
      throw invalidArgType(
        'attributes',
        'an object; a URI is read by Pkcs11Uri.parse(uri)',
        attributes,
      );
    }
    this.#attributes = snapshot(attributes, NAMES);
    check(this.#attributes);
  }

  /**
   * Reads a URI.
   *
   * @throws {@link TLSClientCertError} `ERR_PKCS11_URI`: it does not follow RFC 7512, or has an
   *   attribute in its path that is not known here, and would otherwise match too much. `input` names
   *   the attribute. Unknown attributes in the query are left aside (RFC 7512, section 2.5).
   */
  static parse(text: string): Pkcs11Uri {
    if (typeof text !== 'string') throw invalidArgType('uri', 'a string or a Pkcs11Uri', text);
    const scheme = /^pkcs11:/i.exec(text)?.[0];
    if (scheme === undefined) throw fault('pkcs11:', 'scheme', 'does not begin with "pkcs11:"');
    const rest = text.slice(scheme.length);
    const mark = rest.indexOf('?');
    const path = mark < 0 ? rest : rest.slice(0, mark);
    const query = mark < 0 ? '' : rest.slice(mark + 1);
    const attributes: Record<string, unknown> = Object.create(null);
    for (const [name, value] of pairs(path, ';', PATH_CHARACTERS)) {
      const known = Object.hasOwn(PATH_NAMES, name) ? PATH_NAMES[name] : undefined;
      if (known === undefined) throw fault(name, 'unknown', 'is no attribute that is known here');
      if (known in attributes) throw fault(name, 'repeated', 'stands there more than once');
      attributes[known] = read(name, value);
    }
    for (const [name, value] of pairs(query, '&', QUERY_CHARACTERS)) {
      const known = Object.hasOwn(QUERY_NAMES, name) ? QUERY_NAMES[name] : undefined;
      if (known === undefined) continue;
      if (known in attributes) throw fault(name, 'repeated', 'stands there more than once');
      attributes[known] = read(name, value);
    }
    return new Pkcs11Uri(attributes);
  }

  /** `value` itself when it is one already, else parsed. */
  static from(value: string | Pkcs11Uri): Pkcs11Uri {
    return value instanceof Pkcs11Uri ? value : Pkcs11Uri.parse(value);
  }

  /** All attributes but the PIN. */
  get attributes(): Readonly<Omit<Pkcs11UriAttributes, 'pinValue'>> {
    const { pinValue: _, ...shown } = this.#attributes;
    return bare(shown);
  }

  /** Whether it says what the PIN is, or where. */
  get hasPin(): boolean {
    return this.#attributes.pinValue !== undefined || this.#attributes.pinSource !== undefined;
  }

  /** @internal */
  static pinValueOf(uri: Pkcs11Uri): string | undefined {
    return uri.#attributes.pinValue;
  }

  /** In the form of RFC 7512, without `pin-value`. */
  toString(): string {
    const path = write(PATH_NAMES, this.attributes, PATH_CHARACTERS).join(';');
    const query = write(QUERY_NAMES, this.attributes, QUERY_CHARACTERS).join('&');
    return `pkcs11:${path}${query === '' ? '' : `?${query}`}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return `Pkcs11Uri <${this}>`;
  }
}

/** The attributes' names and values, as they are written. */
function pairs(text: string, separator: string, characters: RegExp): [string, string][] {
  if (text === '') return [];
  return text.split(separator).map((pair, i) => {
    const mark = pair.indexOf('=');
    const name = pair.slice(0, mark);
    // Not shown: it may be a PIN.
    if (mark < 0 || !ATTRIBUTE_NAME.test(name)) {
      const which = `attribute ${i + 1} of its ${separator === ';' ? 'path' : 'query'}`;
      throw fault(which, 'syntax', 'is not of the form name=value', '');
    }
    const value = pair.slice(mark + 1);
    if (!characters.test(value)) {
      throw fault(name, 'character', 'has a character that must be percent-encoded');
    }
    return [name, value];
  });
}

function read(name: string, value: string): unknown {
  const bytes = decoded(value);
  if (bytes === undefined) throw fault(name, 'percent', 'has a % without two hexadecimal digits');
  if (name === 'id') return new Uint8Array(bytes);
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (name !== 'slot-id') return text;
    return /^\d+$/.test(text) ? Number(text) : Number.NaN;
  } catch {
    throw fault(name, 'utf-8', 'is not UTF-8');
  }
}

function check(attributes: Readonly<Pkcs11UriAttributes>): void {
  const { id, libraryVersion, pinSource, pinValue, slotId, type } = attributes;
  if (type !== undefined && !TYPES.includes(type)) {
    throw fault('type', 'value', `must be one of ${TYPES.join(', ')}`);
  }
  if (libraryVersion !== undefined && !/^\d+(\.\d+)?$/.test(libraryVersion)) {
    throw fault('library-version', 'value', 'must be a number, or two with a dot between them');
  }
  if (slotId !== undefined && (!Number.isSafeInteger(slotId) || slotId < 0)) {
    throw fault('slot-id', 'value', 'must be a number');
  }
  if (id !== undefined && !types.isUint8Array(id)) throw fault('id', 'value', 'must be bytes');
  for (const [written, name] of Object.entries({ ...PATH_NAMES, ...QUERY_NAMES })) {
    const value = attributes[name];
    if (name === 'id' || name === 'slotId' || value === undefined) continue;
    if (typeof value !== 'string') throw fault(written, 'value', 'must be text');
  }
  if (pinSource !== undefined && pinValue !== undefined) {
    throw fault('pin-value', 'conflict', 'and pin-source exclude each other: keep one of them');
  }
}

function write(
  names: Readonly<Record<string, Name>>,
  attributes: Readonly<Pkcs11UriAttributes>,
  characters: RegExp,
): string[] {
  return Object.entries(names).flatMap(([written, name]) => {
    const value = attributes[name];
    if (value === undefined) return [];
    if (types.isUint8Array(value)) return [`${written}=${encodedBytes(value)}`];
    return [`${written}=${encodedText(String(value), characters)}`];
  });
}

function fault(
  name: string,
  reason: string,
  what: string,
  quote: '"' | '' = '"',
): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_PKCS11_URI',
    reason === 'scheme'
      ? `The URI ${what}, as RFC 7512 has it.`
      : `In the pkcs11: URI, ${quote}${name}${quote} ${what} (RFC 7512, section 2.3).`,
    { input: name, reason },
  );
}
