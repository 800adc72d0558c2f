/**
 * Uses a key in a TPM. A process of its own, because the provider takes the TPM's address out of the
 * environment, which jest's sandbox does not let through to C.
 */
import { spawn } from 'node:child_process';
import { verify, X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { binding } from '../../../lib/binding';
import { Credential, connect, type SignatureScheme, type Signer } from '../../../lib/index';
import { to } from '../../lifecycle/children/client';
import { verification } from '../verification';

/** What the parent hands over, as JSON. */
export interface StoreTask {
  readonly mode: keyof typeof MODES;
  /** The provider's: a path, or its name where `OPENSSL_MODULES` says. */
  readonly module: string;
  readonly uri: string;
  readonly cert: string;
  readonly passphrase?: string;
  readonly schemes?: readonly SignatureScheme[];
  readonly pid: number;
  readonly port?: number;
  readonly protocol?: 'TLSv1.2' | 'TLSv1.3';
}

const task = JSON.parse(process.argv[2] ?? '') as StoreTask;
const { pid, cert } = task;
const report = (value: unknown) => console.log(JSON.stringify(value));
const data = Buffer.from('what is to be signed');
const context = { signal: new AbortController().signal };

function open(): Promise<Credential> {
  const { module, uri, passphrase, schemes } = task;
  return Credential.fromStore(uri, { providers: [module], cert, passphrase, schemes });
}

const signerOf = (credential: Credential) => Credential.signerOf(credential) as Signer;

const isGood = (scheme: SignatureScheme, signature: Uint8Array) => {
  const { hash, key } = verification(scheme, new X509Certificate(cert).publicKey);
  return verify(hash, data, key, signature);
};

/** A signature of the first scheme. */
const sign = async (signer: Signer) => {
  const scheme = signer.schemes?.[0] as SignatureScheme;
  return isGood(scheme, await signer.sign(data, scheme, context));
};

function faultOf(error: unknown) {
  const { code, reason, message } = error as { code?: string; reason?: string; message: string };
  return { code, reason, message };
}

/** Until the finalizers have run. */
async function collect(): Promise<void> {
  for (let tries = 0; tries < 200 && binding.live().storeKeys > 0; tries += 1) {
    globalThis.gc?.();
    await sleep(10);
  }
}

/** A worker that has begun what `phase` says, which cannot end: the TPM is stopped. */
async function stuckWorker(phase: 'opening' | 'signing'): Promise<Worker> {
  const worker = new Worker(__filename.replace('store-child', 'store-worker'), {
    workerData: { ...task, phase },
  });
  worker.on('error', (error) => {
    console.log(`worker failed: ${error.stack}`);
    process.exit(2);
  });
  await once(worker, 'message');
  return worker;
}

const MODES = {
  /** Every scheme that the signer declares. */
  async schemes() {
    const credential = await open();
    const signer = signerOf(credential);
    const good: Record<string, boolean> = {};
    for (const scheme of signer.schemes ?? []) {
      const signature = await signer.sign(data, scheme, context);
      good[scheme] = isGood(scheme, signature);
    }
    report(good);
  },

  async handshake() {
    const credential = await open();
    const { port, protocol = 'TLSv1.3' } = task;
    const socket = connect({
      ...to(port ?? 0),
      minVersion: protocol,
      maxVersion: protocol,
      clientCertCallback: () => credential,
    });
    await once(socket, 'secureConnect');
    const { clientAuth } = socket;
    report({
      protocol: socket.getProtocol(),
      ...(clientAuth.status === 'sent' && { signedUnder: clientAuth.signatureScheme }),
    });
    socket.end();
    await once(socket, 'close');
  },

  /** The event loop turns, timers fire and files are read while the TPM does nothing at all. */
  async 'not blocked'() {
    const signer = signerOf(await open());
    const events: string[] = [];
    process.kill(pid, 'SIGSTOP');
    const signed = sign(signer).then((good) => events.push(`signed: ${good}`));
    for (let turn = 0; turn < 1_000; turn += 1) await setImmediate();
    events.push('1000 turns');
    await sleep(50);
    events.push('timer');
    process.kill(pid, 'SIGCONT');
    await signed;
    report(events);
  },

  /** More than the pool has threads, and none of these is taken. */
  async 'many at once'() {
    const signer = signerOf(await open());
    const events: string[] = [];
    process.kill(pid, 'SIGSTOP');
    const signed = Array.from({ length: 8 }, () => sign(signer));
    await stat(__filename);
    await lookup('localhost');
    events.push('pool is free');
    process.kill(pid, 'SIGCONT');
    events.push(...(await Promise.all(signed)).map(String));
    report(events);
  },

  /** The same, for opening. */
  async 'many opened at once'() {
    process.kill(pid, 'SIGSTOP');
    for (let i = 0; i < 8; i += 1) void open();
    await stat(__filename);
    await lookup('localhost');
    report('pool is free');
    // process.exit() would wait for the TPM.
    process.kill(process.pid, 'SIGKILL');
  },

  /** Whoever gives up before his turn does not take the TPM's time. */
  async aborted() {
    const signer = signerOf(await open());
    const scheme = signer.schemes?.[0] as SignatureScheme;
    const controller = new AbortController();
    const results = [
      signer.sign(data, scheme, context),
      signer.sign(data, scheme, { signal: controller.signal }),
      signer.sign(data, scheme, context),
    ];
    controller.abort(new Error('not wanted any more'));
    report(
      (await Promise.allSettled(results)).map((result) =>
        result.status === 'fulfilled' ? isGood(scheme, result.value) : result.reason.message,
      ),
    );
  },

  async gone() {
    const signer = signerOf(await open());
    const before = await sign(signer);
    process.kill(pid, 'SIGKILL');
    await sleep(50);
    const { code, reason } = await sign(signer).then(
      () => ({ code: 'none', reason: 'it signed' }),
      faultOf,
    );
    report({ before, code, reason });
  },

  async 'gone in a handshake'() {
    const credential = await open();
    process.kill(pid, 'SIGKILL');
    await sleep(50);
    const socket = connect({ ...to(task.port ?? 0), clientCertCallback: () => credential });
    const [error] = await once(socket, 'error').catch((thrown) => [thrown]);
    report({ code: error.code, cause: faultOf(error.cause) });
  },

  async 'wrong passphrase'() {
    const signer = signerOf(await open());
    const first = sign(signer);
    const queued = sign(signer);
    const faults = [await first.catch(faultOf), await queued.catch(faultOf)];
    // It could not answer now.
    process.kill(pid, 'SIGSTOP');
    faults.push(await sign(signer).catch(faultOf));
    process.kill(pid, 'SIGCONT');
    report(faults);
  },

  async fault() {
    report(await open().then(() => 'opened', faultOf));
  },

  /** The TPM takes one client at a time, so a second opening shows that the first has gone. */
  async freed() {
    const opened: boolean[] = [];
    for (let i = 0; i < 3; i += 1) {
      opened.push(await (async () => sign(signerOf(await open())))());
      await collect();
    }
    report({ opened, ...binding.live() });
  },

  /** A wrapped key takes up room in the TPM, which has to be told to forget it. */
  async 'freed off the loop'() {
    await (async () => void (await open()))();
    process.kill(pid, 'SIGSTOP');
    await collect();
    report({ storeKeys: binding.live().storeKeys });
    process.kill(pid, 'SIGCONT');
    report(await sign(signerOf(await open())));
  },

  /** Nobody but the operation holds the key. */
  async 'freed while signing'() {
    const begin = async () => {
      const signer = signerOf(await open());
      process.kill(pid, 'SIGSTOP');
      return { signed: sign(signer) };
    };
    const { signed } = await begin();
    for (let i = 0; i < 10; i += 1) {
      globalThis.gc?.();
      await sleep(5);
    }
    process.kill(pid, 'SIGCONT');
    const good = await signed;
    await collect();
    report({ good, again: await sign(signerOf(await open())) });
  },

  'worker ends while opening': () => endWorker('opening'),
  'worker ends while signing': () => endWorker('signing'),

  async 'exit while signing'() {
    const signer = signerOf(await open());
    process.kill(pid, 'SIGSTOP');
    void sign(signer);
    await exit();
  },

  async 'exit while opening'() {
    process.kill(pid, 'SIGSTOP');
    void open();
    await exit();
  },

  /** With all its keys alive. */
  async 'natural end'() {
    Object.assign(globalThis, { kept: await open() });
    report('ends');
  },
};

/** The TPM goes on when this process is about to leave, or has left. */
async function exit() {
  await setImmediate();
  const script = 'sleep 0.3; kill -CONT "$1"';
  const options = { detached: true, stdio: 'ignore' } as const;
  spawn('/bin/sh', ['-c', script, 'sh', String(pid)], options).unref();
  report('exits');
  process.exit(7);
}

async function endWorker(phase: 'opening' | 'signing') {
  const worker = await stuckWorker(phase);
  const ended = worker.terminate().then(() => report('terminated'));
  // What the TPM has begun is waited for.
  await sleep(100);
  process.kill(pid, 'SIGCONT');
  await ended;
  report(await sign(signerOf(await open())));
}

void MODES[task.mode]();
