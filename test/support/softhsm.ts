/**
 * Tokens of SoftHSM, in folders of their own, filled with the test PKI's keys and certificates.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerLeftover } from './leftovers';
import { openssl } from './openssl';
import { type Identity, loadPki } from './pki';

// The module's own object: what is set here, the code under test sees.
import workerThreads = require('node:worker_threads');

export const PIN = '271828';
export const WRONG_PIN = '314159';
const SO_PIN = '12345678';

const MISSING =
  'The tests need SoftHSM 2 and the tools of OpenSC (Debian and Ubuntu: apt-get install softhsm2 ' +
  'opensc). Name another place of libsofthsm2.so with TCC_SOFTHSM.';

/** Where distributions put it. */
const PLACES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
  ...multiarch('softhsm/libsofthsm2.so'),
];

/** The path of SoftHSM's PKCS#11 module. */
export const SOFTHSM = found([process.env.TCC_SOFTHSM ?? '', ...PLACES]);

/** OpenSC's module that writes down every call to another one. */
export const PKCS11_SPY = found([
  ...multiarch('pkcs11-spy.so'),
  ...multiarch('pkcs11/pkcs11-spy.so'),
  '/usr/lib64/pkcs11/pkcs11-spy.so',
  '/usr/lib64/pkcs11-spy.so',
]);

function multiarch(file: string): string[] {
  if (!existsSync('/usr/lib')) return [];
  return readdirSync('/usr/lib')
    .filter((folder) => folder.includes('-linux-'))
    .map((folder) => join('/usr/lib', folder, file));
}

function found(places: readonly string[]): string {
  const place = places.find((path) => path !== '' && existsSync(path));
  if (place === undefined) throw new Error(MISSING);
  return place;
}

/** What is put on a token. */
export interface Placed {
  readonly label: string;
  /** CKA_ID in hexadecimal. */
  readonly id: string;
  readonly identity: Identity;
  /** Default: private key, public key and certificate. */
  readonly parts?: readonly ('private' | 'public' | 'cert')[];
  /** Further arguments for the private key, such as `['--always-auth']`. */
  readonly args?: readonly string[];
}

export interface SoftHsmOptions {
  readonly tokens?: Readonly<Record<string, readonly Placed[]>>;
  /** As in `slots.mechanisms` of its configuration. */
  readonly mechanisms?: string;
}

/** A folder with tokens, by label. What runs here uses it once `select()` was called. */
export class SoftHsm {
  readonly #forget = registerLeftover(() => this.remove());
  readonly #folder: string;
  readonly #env: Record<string, string>;

  private constructor({ mechanisms = 'ALL' }: SoftHsmOptions) {
    this.#folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-softhsm-'));
    const tokens = mkdtempSync(join(this.#folder, 'tokens-'));
    const configuration = join(this.#folder, 'softhsm2.conf');
    writeFileSync(
      configuration,
      `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n` +
        `slots.mechanisms = ${mechanisms}\n`,
    );
    this.#env = { SOFTHSM2_CONF: configuration, PKCS11SPY: SOFTHSM, PKCS11SPY_OUTPUT: this.spyLog };
  }

  static async make(options: SoftHsmOptions): Promise<SoftHsm> {
    const softHsm = new SoftHsm(options);
    for (const [label, placed] of Object.entries(options.tokens ?? {})) {
      await softHsm.init(label);
      for (const one of placed) await softHsm.place(label, one);
    }
    return softHsm;
  }

  /** For children. */
  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** What the spy wrote down. */
  get spyLog(): string {
    return join(this.#folder, 'spy.log');
  }

  /** From now on the module finds these tokens, when it is initialized. */
  async select(): Promise<void> {
    await setEnvironment(this.#env);
  }

  async place(token: string, placed: Placed): Promise<void> {
    const { identity, id, label, args = [], parts = ['private', 'public', 'cert'] } = placed;
    const file = (name: string) => join(this.#folder, `${identity.name}.${name}`);
    const write = (type: string, path: string, more: readonly string[] = []) =>
      this.tool([
        ...['--token-label', token, '--login', '--pin', PIN, '--write-object', path],
        ...['--type', type, '--id', id, '--label', label, ...more],
      ]);
    const both = parts.includes('private') && parts.includes('public') && args.length === 0;
    if (both) {
      const pkcs8 = ['pkcs8', '-topk8', '-nocrypt', '-in', identity.keyPath, '-out', file('p8')];
      await openssl(pkcs8, this.#folder);
      await this.#run('softhsm2-util', [
        ...['--import', file('p8'), '--token', token, '--pin', PIN, '--label', label, '--id', id],
        // Else it minds that an id is there twice, which some tests are about.
        '--force',
      ]);
    } else {
      if (parts.includes('private')) await write('privkey', identity.keyPath, args);
      if (parts.includes('public')) {
        const der = ['pkey', '-in', identity.keyPath, '-pubout', '-outform', 'DER'];
        await openssl([...der, '-out', file('pub')], this.#folder);
        await write('pubkey', file('pub'));
      }
    }
    if (parts.includes('cert')) await write('cert', identity.certPath);
  }

  /** Runs OpenSC's `pkcs11-tool` on these tokens. */
  tool(args: readonly string[]): Promise<string> {
    return this.#run('pkcs11-tool', ['--module', SOFTHSM, ...args]);
  }

  /** Pulls a token out, by default the only one; the returned function puts it back. */
  pull(label = ''): () => void {
    const [tokens = ''] = readdirSync(this.#folder).filter((name) => name.startsWith('tokens-'));
    const folder = join(this.#folder, tokens);
    // Labels are padded to 32 characters in it.
    const isMeant = (token: string) =>
      readFileSync(join(folder, token, 'token.object'), 'latin1').includes(label.padEnd(32));
    const [token = ''] = readdirSync(folder).filter((name) => label === '' || isMeant(name));
    const [there, away] = [join(folder, token), join(this.#folder, `away-${label}`)];
    renameSync(there, away);
    return () => renameSync(away, there);
  }

  async remove(): Promise<void> {
    this.#forget();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Makes a further token. */
  async init(label: string): Promise<void> {
    await this.#run('softhsm2-util', [
      ...['--init-token', '--free', '--label', label, '--so-pin', SO_PIN, '--pin', PIN],
    ]);
  }

  #run(program: string, args: readonly string[]): Promise<string> {
    const env = { ...process.env, ...this.#env };
    return new Promise((resolve, reject) => {
      execFile(program, args, { encoding: 'utf8', env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (error.code === 'ENOENT') reject(new Error(MISSING));
        else reject(new Error(`${program} ${args.join(' ')} failed: ${stderr}${stdout}`));
      });
    });
  }
}

const { Worker } = workerThreads;

/** A token with a key that is logged in for once, and one that wants the PIN for each signature; selected already. */
export async function everydayAndCareful(): Promise<SoftHsm> {
  const { ec256, rsa } = loadPki().clients;
  const softHsm = await SoftHsm.make({
    tokens: {
      card: [
        { label: 'everyday', id: '01', identity: ec256 },
        { label: 'careful', id: '02', identity: rsa, args: ['--always-auth'] },
      ],
    },
  });
  await softHsm.select();
  return softHsm;
}

/** In the process itself, where `getenv()` looks; jest gives tests a copy of `process.env`. */
async function setEnvironment(env: Readonly<Record<string, string>>): Promise<void> {
  Object.assign(process.env, env);
  const code = 'Object.assign(process.env, require("node:worker_threads").workerData)';
  const worker = new Worker(code, { eval: true, env: workerThreads.SHARE_ENV, workerData: env });
  await new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });
}

export const REGISTER = join(__dirname, '../../tools/register-typescript.cjs');

/** The worker threads that were started since {@link useTypeScriptWorkers}. */
export const started: InstanceType<typeof Worker>[] = [];

/** Lets threads that the code under test starts read TypeScript, as `node --require` does. */
export function useTypeScriptWorkers(): void {
  beforeAll(() => {
    jest.spyOn(workerThreads, 'Worker').mockImplementation((file, options) => {
      const worker = new Worker(file, { ...options, execArgv: ['--require', REGISTER] });
      started.push(worker);
      return worker;
    });
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    // What a failed test left open would keep the next file of this process from its own tokens.
    await Promise.all(started.splice(0).map((worker) => worker.terminate()));
  });
}
