/**
 * Identities on smart cards, USB keys and HSMs.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Credential } from '../../credential';
import { TLSClientCertError } from '../../errors';
import type { Pkcs11Identity } from '../../signers/pkcs11/identity';
import { modulePath, Pkcs11Module } from '../../signers/pkcs11/module';
import type { PinCallback } from '../../signers/pkcs11/pin';
import { pinOf } from '../../signers/pkcs11/pin-source';
import { Pkcs11Uri } from '../../signers/pkcs11/uri';
import { Identity, type Needs } from './identity';

export class TokenIdentity extends Identity {
  readonly kind = 'token';
  readonly #identity: Pkcs11Identity;
  readonly #knowsPin: boolean;
  override readonly device: string;
  override readonly keySeen: boolean;

  /** @param knowsPin - Its URI says what the PIN is, or where. */
  constructor(identity: Pkcs11Identity, knowsPin: boolean) {
    super();
    this.#identity = identity;
    this.#knowsPin = knowsPin;
    this.device = identity.token.label;
    this.keySeen = identity.keySeen;
  }

  get where(): string {
    return this.#identity.uri;
  }

  get label(): string {
    return this.#identity.label;
  }

  get certificate() {
    return this.#identity.certificate;
  }

  get chain() {
    return this.#identity.chain;
  }

  get keyWhere(): string {
    return this.#identity.uri;
  }

  get needs(): Needs {
    const { loginRequired, pinPad } = this.#identity.token;
    if (!loginRequired) return 'nothing';
    if (pinPad) return 'pin-pad';
    return this.#knowsPin ? 'nothing' : 'pin';
  }

  override preview(): Credential {
    return this.#identity.credential();
  }

  protected async make(): Promise<Credential> {
    return this.#identity.credential();
  }
}

export interface TokenOptions {
  readonly module?: string | undefined;
  readonly pin?: PinCallback | undefined;
}

/**
 * The identities that a URI means, which may be several. The module stays open for as long as they are used.
 *
 * @throws TLSClientCertError `ERR_PKCS11_…`
 */
export async function findOnTokens(
  text: string,
  options: TokenOptions,
): Promise<{ identities: readonly TokenIdentity[]; module: Pkcs11Module }> {
  const uri = Pkcs11Uri.parse(text);
  const path = options.module ?? moduleOf(uri);
  const fromUri = pinOf(uri);
  // The PIN in a URI is that of one token, and must not be tried on others.
  let token: string | undefined;
  const module = await Pkcs11Module.load(path, {
    pin: (request) => {
      if (fromUri !== undefined && request.token.uri === token) return fromUri(request);
      if (options.pin !== undefined) return options.pin(request);
      throw new TLSClientCertError(
        'ERR_PKCS11_PIN',
        `The token "${request.token.label}" wants a PIN, and nobody can be asked for it. Add ?pin-source=/path/of/a/file to its URI.`,
        { reason: 'missing' },
      );
    },
  }).catch((error) => {
    throw withHint(error);
  });
  try {
    const found = await module.identities(uri);
    const tokens = new Set(found.map((one) => one.token.uri));
    if (tokens.size === 1) [token] = tokens;
    // What shows neither key nor login has nothing to hide: it is somebody else's certificate.
    const usable = found.filter((one) => one.keySeen || one.token.loginRequired);
    if (usable.length === 0 && meansSomething(uri)) await module.identity(uri);
    const knowsPin = fromUri !== undefined && token !== undefined;
    return { identities: usable.map((one) => new TokenIdentity(one, knowsPin)), module };
  } catch (error) {
    await module.close();
    throw error;
  }
}

/** Whether it names something that then has to be there. */
function meansSomething({ attributes }: Pkcs11Uri): boolean {
  const { moduleName: _, modulePath: __, pinSource: ___, ...path } = attributes;
  return Object.keys(path).length > 0;
}

function moduleOf(uri: Pkcs11Uri): string {
  if (uri.attributes.modulePath !== undefined) return modulePath(uri);
  const path = systemModule();
  if (path !== undefined) return path;
  throw new TLSClientCertError(
    'ERR_PKCS11_MODULE',
    'There is no PKCS#11 module where systems keep one (p11-kit-proxy, opensc-pkcs11). Install OpenSC, or name the module by --pkcs11 or by module-path in the URI.',
    { reason: 'not-found' },
  );
}

const SUFFIX =
  process.platform === 'win32' ? 'dll' : process.platform === 'darwin' ? 'dylib' : 'so';

/** The first leads to all that are configured, the second to most cards. */
const MODULES = [`p11-kit-proxy.${SUFFIX}`, `opensc-pkcs11.${SUFFIX}`];

/** The module that the system has for everybody, if it has one. */
export function systemModule(): string | undefined {
  const folders = foldersOfModules();
  const places = MODULES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return places.find((place) => existsSync(place));
}

function foldersOfModules(): string[] {
  if (process.platform === 'win32') {
    const programs = process.env.ProgramFiles ?? 'C:\\Program Files';
    return [join(programs, 'OpenSC Project', 'OpenSC', 'pkcs11')];
  }
  const roots = ['/usr/lib64', '/usr/lib', '/usr/local/lib', '/opt/homebrew/lib'];
  const folders = [...multiarch('/usr/lib'), ...roots, '/Library/OpenSC/lib'];
  return folders.flatMap((folder) => [folder, join(folder, 'pkcs11')]);
}

/** Debian keeps libraries by architecture; those of another cannot be loaded. */
function multiarch(folder: string): string[] {
  const architectures: Partial<Record<NodeJS.Architecture, string>> = {
    x64: 'x86_64-linux-gnu',
    arm64: 'aarch64-linux-gnu',
    arm: 'arm-linux-gnueabihf',
    ia32: 'i386-linux-gnu',
  };
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const own = architectures[process.arch];
  return names.filter((name) => name === own).map((name) => join(folder, name));
}

/** A program that was started by npx has no place of its own to install anything into. */
function withHint(error: unknown): unknown {
  if (!(error instanceof TLSClientCertError) || error.reason !== 'pkcs11js-missing') return error;
  return new TLSClientCertError(
    error.code,
    `${error.message} (with npx: npx -p tls-client-cert -p pkcs11js tls-client-cert …)`,
    { reason: error.reason, cause: error },
  );
}
