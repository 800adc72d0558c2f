/** A TPM for the tests: `swtpm`, with keys made by tpm2-tools and used through tpm2-openssl. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { registerLeftover } from './leftovers';
import { OPENSSL, openssl, opensslEnvironment } from './openssl';
import type { Identity } from './pki';
import { startWatchdog } from './watchdog';

const run = promisify(execFile);

const MISSING =
  'The tests of stores need a TPM in software and a provider for it ' +
  '(Debian and Ubuntu: apt-get install swtpm tpm2-tools tpm2-openssl).';

const START_MS = 10_000;

/** What a private key of the TPM's may be: as tpm2_create's `-G` takes it. */
export type TpmKeyKind = 'rsa2048' | 'ecc256' | 'rsa2048:rsapss-sha256:null';

export interface TpmKey {
  /** For OSSL_STORE. */
  readonly uri: string;
  /** PEM. */
  readonly cert: string;
  readonly subject: string;
}

/** The absolute path of tpm2-openssl's module. */
export async function tpmModule(): Promise<string> {
  // By the tool of the distribution that the module is built for.
  const printed = await openssl(['version', '-m'], '.');
  const path = join(/"(.*)"/.exec(printed)?.[1] ?? '', 'tpm2.so');
  if (!existsSync(path)) throw new Error(`${MISSING} There is no ${path}.`);
  return path;
}

/** Resolves once it takes commands. One client at a time: a second waits until the first is gone. */
export async function startSwtpm(): Promise<Swtpm> {
  const folder = await mkdtemp(join(tmpdir(), 'tls-client-cert-swtpm-'));
  const tpm = new Swtpm(folder);
  try {
    await tpm.listening();
    return tpm;
  } catch (error) {
    await tpm.stop();
    throw error;
  }
}

export class Swtpm {
  /** For `TPM2OPENSSL_TCTI` and `TPM2TOOLS_TCTI`. */
  readonly tcti: string;
  readonly #folder: string;
  readonly #socket: string;
  readonly #child: ChildProcess;
  readonly #watchdog: ReturnType<typeof startWatchdog>;
  readonly #forget = registerLeftover(() => this.stop());
  readonly #ended: Promise<unknown>;
  #spawnError: Error | undefined;
  #keys = 0;

  /** @internal Use `startSwtpm`. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#socket = join(folder, 'tpm');
    this.tcti = `swtpm:path=${this.#socket}`;
    this.#child = spawn(
      'swtpm',
      [
        ...['socket', '--tpm2', '--tpmstate', `dir=${folder}`],
        ...['--server', `type=unixio,path=${this.#socket}`],
        ...['--ctrl', `type=unixio,path=${this.#socket}.ctrl`],
        ...['--flags', 'not-need-init,startup-clear'],
      ],
      { stdio: 'ignore' },
    );
    this.#watchdog = startWatchdog(this.#child.pid, folder);
    this.#child.on('error', (error) => {
      this.#spawnError = error;
    });
    this.#ended = once(this.#child, 'close').catch(() => {});
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /**
   * Makes a key that stays in the TPM, and a certificate for it.
   *
   * @param pin - What signing with it takes; its URI has to end in `?pass` then.
   */
  async createKey(
    kind: TpmKeyKind,
    issuer: Pick<Identity, 'certPath' | 'keyPath'>,
    pin?: string,
  ): Promise<TpmKey> {
    this.#keys += 1;
    const handle = `0x8100000${this.#keys}`;
    const name = `key${this.#keys}`;
    if (this.#keys === 1) {
      await this.#tool('tpm2_createprimary', ['-C', 'o', '-G', 'ecc', '-c', 'primary']);
    }
    const secret = pin === undefined ? [] : ['-p', pin];
    await this.#tool('tpm2_create', [
      ...['-C', 'primary', '-G', kind, '-u', `${name}.pub`, '-r', `${name}.priv`],
      ...['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign', ...secret],
    ]);
    await this.#tool('tpm2_load', [
      ...['-C', 'primary', '-u', `${name}.pub`, '-r', `${name}.priv`, '-c', name],
    ]);
    await this.#tool('tpm2_evictcontrol', ['-C', 'o', '-c', name, handle]);
    await this.#tool('tpm2_readpublic', ['-c', handle, '-f', 'pem', '-o', `${name}.pem`]);
    return {
      uri: `handle:${handle}${pin === undefined ? '' : '?pass'}`,
      ...(await this.#certify(name, issuer)),
    };
  }

  /** A file with a key that the TPM has wrapped, as `openssl genpkey` of tpm2-openssl writes it. */
  async createKeyFile(issuer: Pick<Identity, 'certPath' | 'keyPath'>): Promise<TpmKey> {
    const providers = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2'];
    const options = {
      cwd: this.#folder,
      env: { ...opensslEnvironment(), TPM2OPENSSL_TCTI: this.tcti },
      timeout: START_MS,
    };
    const file = ['-in', 'file.key'];
    await run(
      OPENSSL,
      ['genpkey', ...providers, '-algorithm', 'EC', '-pkeyopt', 'group:P-256', '-out', 'file.key'],
      options,
    );
    await run(OPENSSL, ['pkey', ...providers, ...file, '-pubout', '-out', 'file.pem'], options);
    return { uri: join(this.#folder, 'file.key'), ...(await this.#certify('file', issuer)) };
  }

  /** Lets it go on, whoever has stopped it. */
  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** Ends it, as if somebody had pulled it out. */
  async stop(): Promise<void> {
    // First, so that it cannot aim at a process number that has been given away again.
    this.#watchdog?.kill('SIGKILL');
    this.#child.kill('SIGKILL');
    await this.#ended;
    await rm(this.#folder, { recursive: true, force: true });
    this.#forget();
  }

  /** @internal */
  async listening(): Promise<void> {
    const deadline = Date.now() + START_MS;
    // It says nothing when it is ready.
    while (!existsSync(`${this.#socket}.ctrl`) || !existsSync(this.#socket)) {
      if (this.#spawnError !== undefined) throw new Error(MISSING, { cause: this.#spawnError });
      if (this.#child.exitCode !== null) throw new Error('swtpm ended at once');
      if (Date.now() > deadline) throw new Error(`swtpm did not start within ${START_MS} ms`);
      await sleep(10);
    }
  }

  /** Of the public key in `<name>.pem`. */
  async #certify(name: string, issuer: Pick<Identity, 'certPath' | 'keyPath'>) {
    const commonName = `tpm ${name}`;
    await openssl(
      [
        ...['x509', '-new', '-force_pubkey', `${name}.pem`, '-days', '3650', '-sha256'],
        ...['-subj', `/O=tls-client-cert tests/CN=${commonName}`, '-out', `${name}.crt`],
        ...['-CA', issuer.certPath, '-CAkey', issuer.keyPath],
      ],
      this.#folder,
    );
    return {
      cert: await readFile(join(this.#folder, `${name}.crt`), 'utf8'),
      subject: `CN=${commonName},O=tls-client-cert tests`,
    };
  }

  async #tool(program: string, args: readonly string[]): Promise<void> {
    const options = {
      cwd: this.#folder,
      env: { ...process.env, TPM2TOOLS_TCTI: this.tcti },
      timeout: START_MS,
    };
    try {
      await run(program, ['-Q', ...args], options);
      // The TPM has room for three; what a tool loaded stays until it is told to go.
      await run('tpm2_flushcontext', ['-t'], options);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new Error(MISSING, { cause: error });
      }
      throw error;
    }
  }
}
