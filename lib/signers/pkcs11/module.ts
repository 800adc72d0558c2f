/**
 * PKCS#11 modules: what is in the slots, and who can be asked for a signature.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { invalidArgType, invalidArgValue, TLSClientCertError } from '../../errors';
import { given } from '../../given';
import { asError, moduleError, tokenError, tokenName } from './failures';
import { Pkcs11Identity } from './identity';
import { identitiesOf, inventory, oneIdentity } from './inventory';
import { Logins } from './logins';
import type { PinCallback } from './pin';
import { pinOf } from './pin-source';
import type { LibraryRecord, TokenContents, TokenRecord } from './protocol';
import { ModuleThread } from './thread';
import { meansToken, type Pkcs11Token, publicToken, tokenId } from './token';
import { Pkcs11Uri } from './uri';

/** For {@link Pkcs11Module.load}. */
export interface Pkcs11ModuleOptions {
  /** Asks for PINs. Without it, a token that wants one gives `ERR_PKCS11_PIN`, `'missing'`. */
  readonly pin?: PinCallback | undefined;
}

/** For {@link openPkcs11}. */
export interface OpenPkcs11Options extends Pkcs11ModuleOptions {
  /** The module's path, for a URI without `module-path`. */
  readonly module?: string | undefined;
}

type State =
  | { readonly is: 'open'; readonly thread: ModuleThread; readonly logins: Logins }
  | { readonly is: 'closed' };

/**
 * A PKCS#11 module, loaded in a thread of its own: it may block there for as long as a card takes.
 *
 * Idle, it does not keep the process alive. A login lasts as long as the token stays in its slot and
 * somebody has the module open, and is one for the whole process, as PKCS#11 has it (v2.40 Usage Guide, section
 * 2.6).
 */
export class Pkcs11Module {
  #state: State;
  /** As it was given. */
  readonly path: string;
  /** What the module says of itself (C_GetInfo). */
  readonly library: Readonly<LibraryRecord>;

  private constructor(path: string, thread: ModuleThread, pin: PinCallback | undefined) {
    this.path = path;
    this.library = Object.freeze({ ...thread.info });
    this.#state = { is: 'open', thread, logins: new Logins(thread, pin) };
  }

  /**
   * Loads a module.
   *
   * @param path - The shared library. A name without a folder is looked for where the system looks.
   * @throws {@link TLSClientCertError} `ERR_PKCS11_MODULE`, with `reason` `'pkcs11js-missing'` (run
   *   `npm install pkcs11js`), `'not-found'`, `'not-pkcs11'` or `'not-loadable'`; `ERR_PKCS11_FAILED`:
   *   it cannot be initialized.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
   */
  static async load(path: string, options: Pkcs11ModuleOptions = {}): Promise<Pkcs11Module> {
    checkPath(path, 'path');
    const pin = given(options, 'pin');
    if (pin !== undefined && typeof pin !== 'function') {
      throw invalidArgType('options.pin', 'of type function', pin);
    }
    return new Pkcs11Module(path, await ModuleThread.share(path), pin);
  }

  /**
   * The tokens that are there now, without those that were never initialized. A token that came back is
   * among them, unless its module shows it only after it is initialized again, which is not done while
   * another token is logged in. {@link identity} does it, and so does a signature by the token.
   *
   * @param uri - Only those that this means (RFC 7512).
   * @throws {@link TLSClientCertError} `ERR_PKCS11_URI`, `ERR_PKCS11_MODULE`, `ERR_PKCS11_FAILED`.
   */
  async tokens(uri: string | Pkcs11Uri = 'pkcs11:'): Promise<readonly Pkcs11Token[]> {
    return (await this.#tokens(Pkcs11Uri.from(uri))).map(publicToken);
  }

  /**
   * The certificates that have a key, or may have one that is hidden until the login
   * ({@link Pkcs11Identity.keySeen} is `false`): those whose keys are seen come first. No PIN is asked
   * for: keys are found by what tokens show to everybody. A certificate whose key is known to be
   * missing, or one of several with the same id, is left out; {@link identity} says why.
   *
   * @param uri - Only those that this means (RFC 7512).
   * @throws {@link TLSClientCertError} `ERR_PKCS11_URI`, `ERR_PKCS11_MODULE`, `ERR_PKCS11_FAILED`.
   */
  async identities(uri: string | Pkcs11Uri = 'pkcs11:'): Promise<readonly Pkcs11Identity[]> {
    const meant = Pkcs11Uri.from(uri);
    const { thread, logins } = this.#open;
    const contents = await this.#contents(meant, await this.#tokens(meant));
    return identitiesOf(inventory(contents), meant).map(
      (found) => new Pkcs11Identity(found, thread, logins),
    );
  }

  /**
   * The one certificate that a URI means, with its key.
   *
   * @throws {@link TLSClientCertError} `ERR_PKCS11_TOKEN` with `reason` `'not-found'`: no such token is
   *   there. `ERR_PKCS11_OBJECT` with `reason` `'not-found'`, `'key-not-found'` (a certificate without
   *   its key), `'certificate-not-found'` (a key without its certificate), `'key-ambiguous'`,
   *   `'certificate-ambiguous'`. `ERR_PKCS11_URI`, `ERR_PKCS11_MODULE`, `ERR_PKCS11_FAILED`.
   */
  async identity(uri: string | Pkcs11Uri): Promise<Pkcs11Identity> {
    const meant = Pkcs11Uri.from(uri);
    try {
      return await this.#identity(meant);
    } catch (error) {
      const isMissing = error instanceof TLSClientCertError && error.reason === 'not-found';
      if (!isMissing || !(await this.#lookAgain())) throw error;
      return this.#identity(meant);
    }
  }

  /**
   * Closes the module. What the token is at is finished first; signatures that wait for a PIN, and all
   * that its identities are asked for afterwards, fail with `ERR_PKCS11_MODULE`, `'closed'`. With the
   * last who loaded the same module, its sessions are closed, which logs out. Does no harm twice.
   */
  async close(): Promise<void> {
    if (this.#state.is === 'closed') return;
    const { thread, logins } = this.#state;
    this.#state = { is: 'closed' };
    logins.close(this.#closedError());
    await thread.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [inspect.custom](): string {
    return `Pkcs11Module <${this.path}, ${this.library.description}, ${this.#state.is}>`;
  }

  get #open() {
    if (this.#state.is === 'open') return this.#state;
    throw this.#closedError();
  }

  #closedError(): Error {
    return moduleError('closed', `The PKCS#11 module ${this.path} was closed. Load it again.`);
  }

  async #identity(uri: Pkcs11Uri): Promise<Pkcs11Identity> {
    const { thread, logins } = this.#open;
    const tokens = await this.#tokens(uri);
    if (tokens.length === 0) throw await this.#noToken(uri);
    const contents = await this.#contents(uri, tokens);
    const found = oneIdentity(contents, inventory(contents), uri);
    return new Pkcs11Identity(found, thread, logins);
  }

  async #tokens(uri: Pkcs11Uri): Promise<readonly TokenRecord[]> {
    try {
      const all = await this.#open.thread.request('tokens', {});
      return all.filter((token) => meansToken(uri, this.library, token));
    } catch (error) {
      throw asError(error, { path: this.path });
    }
  }

  async #lookAgain(): Promise<boolean> {
    try {
      return await this.#open.thread.request('lookAgain', {});
    } catch (error) {
      throw asError(error, { path: this.path });
    }
  }

  async #contents(
    uri: Pkcs11Uri,
    tokens: readonly TokenRecord[],
  ): Promise<readonly TokenContents[]> {
    try {
      return await this.#open.thread.request('contents', { tokens: tokens.map(tokenId) });
    } catch (error) {
      const token = tokens.length === 1 ? tokens[0] : undefined;
      throw asError(error, { path: this.path, token, object: uri.attributes.object });
    }
  }

  async #noToken(uri: Pkcs11Uri): Promise<Error> {
    const all = await this.#tokens(Pkcs11Uri.parse('pkcs11:'));
    const there =
      all.length === 0 ? 'There is none' : `There are: ${all.map(tokenName).join(', ')}`;
    return tokenError('not-found', `No token fits ${uri}. ${there}. Insert the one you mean.`);
  }
}

/**
 * Loads the module that a URI names and finds the one certificate that it means. Its `pin-value` or
 * `pin-source` answers for the PIN, unless `options.pin` does.
 *
 * @returns The identity, and the module to close when it is of no use any more.
 * @throws {@link TLSClientCertError} As {@link Pkcs11Module.load} and {@link Pkcs11Module.identity} do;
 *   `ERR_PKCS11_URI` with `input` `'module-path'`: neither the URI nor `options.module` name a module.
 */
export async function openPkcs11(
  uri: string | Pkcs11Uri,
  options: OpenPkcs11Options = {},
): Promise<{ readonly module: Pkcs11Module; readonly identity: Pkcs11Identity }> {
  const meant = Pkcs11Uri.from(uri);
  const named = given(options, 'module');
  if (named !== undefined) checkPath(named, 'options.module');
  const path = named ?? modulePath(meant);
  const fromUri = pinOf(meant);
  let token: string | undefined;
  // The PIN in a URI is that of the token which it means, and of no other that the module has.
  const pin: PinCallback | undefined =
    fromUri && ((request) => (request.token.uri === token ? fromUri(request) : null));
  const module = await Pkcs11Module.load(path, { pin: given(options, 'pin') ?? pin });
  try {
    const identity = await module.identity(meant);
    token = identity.token.uri;
    return { module, identity };
  } catch (error) {
    await module.close();
    throw error;
  }
}

function checkPath(path: unknown, name: string): asserts path is string {
  if (typeof path !== 'string') throw invalidArgType(name, 'of type string', path);
  if (path === '') {
    throw invalidArgValue(name, "is empty: give the path of the token's PKCS#11 module");
  }
  if (path.includes('\0')) throw invalidArgValue(name, 'must not contain null bytes');
}

const SUFFIX =
  process.platform === 'win32' ? '.dll' : process.platform === 'darwin' ? '.dylib' : '.so';

/** A path may be that of a folder, in which the module has its name (RFC 7512, section 2.3). */
export function modulePath(uri: Pkcs11Uri): string {
  const { moduleName, modulePath: path } = uri.attributes;
  // The loader takes an empty one for this very program.
  if (path === undefined || path === '') {
    const lacks =
      path === '' ? 'has an empty "module-path". Complete it' : 'has no "module-path". Add one';
    throw new TLSClientCertError(
      'ERR_PKCS11_URI',
      `The pkcs11: URI ${lacks}, or pass the option module.`,
      { input: 'module-path', reason: 'missing' },
    );
  }
  if (moduleName === undefined || !isFolder(path)) return path;
  const names = [`lib${moduleName}${SUFFIX}`, `${moduleName}${SUFFIX}`];
  const files = names.map((name) => join(path, name));
  return files.find((file) => statSync(file, { throwIfNoEntry: false })) ?? (files[0] as string);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
