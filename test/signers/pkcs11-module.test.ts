/** Modules that are none, the thread they run in, and how it ends. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { openPkcs11, Pkcs11Module } from '../../lib/signers/pkcs11/index';
import { within } from '../support/client';
import { loadPki } from '../support/pki';
import {
  PIN,
  PKCS11_SPY,
  SOFTHSM,
  SoftHsm,
  started,
  useTypeScriptWorkers,
} from '../support/softhsm';

useTypeScriptWorkers();

const { clients } = loadPki();
const root = join(__dirname, '../..');
let softHsm: SoftHsm;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-modules-'));
  softHsm = await SoftHsm.make({
    tokens: { card: [{ label: 'key', id: '01', identity: clients.ec256 }] },
  });
  await softHsm.select();
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const context = { signal: new AbortController().signal };
const scheme = 'ecdsa_secp256r1_sha256';
const data = Buffer.from('data');

describe('what cannot be loaded', () => {
  const text = () => {
    const path = join(folder, 'module.txt');
    writeFileSync(path, 'This is a text, and no library at all. '.repeat(100));
    return path;
  };
  const library = () => {
    const [path] = process.report
      ? (process.report.getReport() as unknown as { sharedObjects: string[] }).sharedObjects.filter(
          (name) => /libc\.so|libm\.so/.test(name),
        )
      : [];
    if (path === undefined) throw new Error('no library is known here');
    return path;
  };
  test.each([
    ['a missing file', () => join(folder, 'none.so'), 'not-found'],
    ['a text', text, 'not-loadable'],
    ['a folder', () => folder, 'not-loadable'],
    ['a name that the system does not find', () => 'libnone-of-ours.so', 'not-loadable'],
    ['a library of another kind', library, 'not-pkcs11'],
  ])('%s', async (_what, path, reason) => {
    await expect(Pkcs11Module.load(path())).rejects.toMatchObject({
      code: 'ERR_PKCS11_MODULE',
      reason,
      message: expect.stringContaining(path()),
    });
    await expect(Pkcs11Module.load(path())).rejects.toThrow(/^(There|The) [a-zA-Z]/);
    // Its thread has gone too, and the next one does as well.
    const cards = await Pkcs11Module.load(SOFTHSM);
    await cards.close();
  });

  test('an empty path, and one that ends too early', async () => {
    const given = (input: unknown) => ({ code: 'ERR_INVALID_ARG_VALUE', message: input });
    const empty = "is empty: give the path of the token's PKCS#11 module";
    await expect(Pkcs11Module.load('')).rejects.toMatchObject(
      given(`The property 'path' ${empty}`),
    );
    await expect(openPkcs11('pkcs11:token=card', { module: '' })).rejects.toMatchObject(
      given(`The property 'options.module' ${empty}`),
    );
    await expect(Pkcs11Module.load(`${SOFTHSM}\0`)).rejects.toMatchObject(
      given(expect.stringContaining('null bytes')),
    );
    await expect(openPkcs11('pkcs11:token=card?module-path=')).rejects.toMatchObject({
      code: 'ERR_PKCS11_URI',
      input: 'module-path',
      reason: 'missing',
      message: expect.stringContaining('has an empty "module-path"'),
    });
  });

  test('arguments of a wrong type', async () => {
    await expect(Pkcs11Module.load(1 as unknown as string)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    const pin = PIN as unknown as () => string;
    const error = await Pkcs11Module.load(SOFTHSM, { pin }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(inspect(error)).not.toContain(PIN);
  });
});

/** Somebody else in this process who has the module loaded, and says whether it is initialized. */
async function startOther(): Promise<{
  initialized(): Promise<boolean>;
  stop(): Promise<unknown>;
}> {
  const code = `
    const { parentPort } = require('node:worker_threads');
    const { PKCS11 } = require('pkcs11js');
    const module = new PKCS11();
    module.load(${JSON.stringify(SOFTHSM)});
    parentPort.on('message', () => {
      let was = true;
      try {
        module.C_GetSlotList(true);
      } catch {
        was = false;
      }
      parentPort.postMessage(was);
    });
    parentPort.postMessage('ready');
  `;
  const worker = new Worker(code, { eval: true });
  const said = () =>
    new Promise<boolean>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  await said();
  worker.unref();
  const initialized = () => {
    worker.postMessage('well?');
    return said();
  };
  return { initialized, stop: () => worker.terminate() };
}

describe('the thread', () => {
  test('is one for all who load the module, and ends with the last', async () => {
    const before = started.length;
    const [one, two] = await Promise.all([Pkcs11Module.load(SOFTHSM), Pkcs11Module.load(SOFTHSM)]);
    expect(started).toHaveLength(before + 1);
    await one?.close();
    await one?.close();
    expect(await two?.tokens()).toHaveLength(1);
    await expect(one?.tokens()).rejects.toMatchObject({
      code: 'ERR_PKCS11_MODULE',
      reason: 'closed',
    });
    await two?.close();
    expect(started.at(-1)?.threadId).toBe(-1);

    const [closing, three] = [two?.close(), Pkcs11Module.load(SOFTHSM)];
    await closing;
    expect(await (await three).tokens()).toHaveLength(1);
    await (await three).close();
  });

  test('an identity is of no use any more when its own module is closed, whoever shares it', async () => {
    const [one, two] = await Promise.all([
      Pkcs11Module.load(SOFTHSM, { pin: () => PIN }),
      Pkcs11Module.load(SOFTHSM, { pin: () => PIN }),
    ]);
    const [mine, others] = await Promise.all([one, two].map((cards) => cards.identity('pkcs11:')));
    await mine?.key.sign(data, scheme, context);
    await one.close();
    await expect(mine?.key.sign(data, scheme, context)).rejects.toMatchObject({
      code: 'ERR_PKCS11_MODULE',
      reason: 'closed',
    });
    await others?.key.sign(data, scheme, context);
    await two.close();
  });

  test('a module loaded while it is being closed waits for that', async () => {
    const one = await Pkcs11Module.load(SOFTHSM, { pin: () => PIN });
    const before = started.length;
    const closing = one.close();
    const loading = Pkcs11Module.load(SOFTHSM, { pin: () => PIN });
    expect(started).toHaveLength(before);
    await closing;
    const two = await loading;
    expect(started).toHaveLength(before + 1);
    const identity = await two.identity('pkcs11:token=card');
    await identity.key.sign(data, scheme, context);
    await two.close();
  });

  test('when it dies, whoever waits is told, and the module can be loaded again', async () => {
    // As long as it is loaded, it stays initialized when the thread that did that dies.
    const other = await startOther();
    const cards = await Pkcs11Module.load(SOFTHSM, {
      pin: () => sleep(50, PIN),
    });
    const identity = await cards.identity('pkcs11:token=card');
    const waiting = [identity.key.sign(data, scheme, context), cards.tokens(), cards.tokens()];
    const worker = started.at(-1);
    const ended = { code: 'ERR_PKCS11_MODULE', reason: 'thread-ended' };
    const told = Promise.all(
      waiting.map((one) => expect(Promise.resolve(one)).rejects.toMatchObject(ended)),
    );
    await worker?.terminate();
    await within('rejection', told);
    await expect(cards.tokens()).rejects.toMatchObject(ended);
    await cards.close();
    expect(await other.initialized()).toBe(true);

    const again = await Pkcs11Module.load(SOFTHSM, { pin: () => PIN });
    const there = await again.identity('pkcs11:token=card');
    await there.key.sign(data, scheme, context);
    await again.close();
    expect(await other.initialized()).toBe(false);
    await other.stop();
  });

  test('a signature that nobody wants any more is not begun', async () => {
    const cards = await Pkcs11Module.load(PKCS11_SPY, { pin: () => PIN });
    const { key } = await cards.identity('pkcs11:token=card');
    await key.sign(data, scheme, context);
    const controller = new AbortController();
    const [first, second] = [context, controller].map(({ signal }) =>
      Promise.resolve(key.sign(data, scheme, { signal })),
    );
    controller.abort(new Error('over'));
    await expect(second).rejects.toThrow('over');
    await first;
    await cards.close();
    expect(readFileSync(softHsm.spyLog, 'utf8').match(/: C_Sign$/gm)).toHaveLength(2);
  });

  test('a module that is in use elsewhere in the process is shared, and not finalized', async () => {
    const code = `
      const { parentPort } = require('node:worker_threads');
      const { PKCS11 } = require('pkcs11js');
      const module = new PKCS11();
      module.load(${JSON.stringify(SOFTHSM)});
      module.C_Initialize();
      parentPort.postMessage('ready');
      parentPort.once('message', () => {
        parentPort.postMessage(module.C_GetSlotList(true).length);
        module.C_Finalize();
      });
    `;
    const other = new Worker(code, { eval: true });
    await new Promise((resolve) => other.once('message', resolve));
    const cards = await Pkcs11Module.load(SOFTHSM, { pin: () => PIN });
    const { key } = await cards.identity('pkcs11:token=card');
    await key.sign(data, scheme, context);
    await cards.close();
    const slots = new Promise((resolve, reject) => {
      other.once('message', resolve);
      other.once('error', reject);
    });
    other.postMessage('go on');
    expect(await slots).toBe(2);
  });
});

describe('a process', () => {
  const block = () => {
    const path = join(folder, 'without-pkcs11js.cjs');
    writeFileSync(
      path,
      `const Module = require('node:module');
       const load = Module._load;
       Module._load = function (name, ...rest) {
         if (name === 'pkcs11js') throw new Error("Cannot find module 'pkcs11js'");
         return load.call(this, name, ...rest);
       };`,
    );
    return path;
  };
  const run = (mode: string, flags: readonly string[] = []) =>
    new Promise<{ status: number | string; lines: string[]; stderr: string }>((resolve) => {
      const register = ['--require', join(root, 'tools/register-typescript.cjs')];
      const file = join(__dirname, 'pkcs11-child.ts');
      const env = { ...process.env, ...softHsm.env };
      execFile(
        process.execPath,
        [...register, ...flags, file, SOFTHSM, mode, PIN],
        { env, timeout: 15_000, encoding: 'utf8' },
        (error, stdout, stderr) =>
          resolve({
            status: error?.signal ?? error?.code ?? 0,
            lines: stdout.trim().split('\n'),
            stderr,
          }),
      );
    });

  test.each([
    ['list', ['idle']],
    ['close', ['idle']],
    ['sign', ['signed true', 'idle']],
  ])('ends by itself when the module is idle: %s', async (mode, lines) => {
    expect(await run(mode)).toEqual({ status: 0, lines, stderr: '' });
  });

  test('lives as long as a signature waits for its PIN', async () => {
    const lines = ['signed true', 'idle'];
    expect(await run('prompt')).toEqual({ status: 0, lines, stderr: '' });
  });

  test('without pkcs11js is told what to install', async () => {
    const { status, lines } = await run('list', ['--require', block()]);
    expect(status).toBe(1);
    expect(lines).toEqual([
      expect.stringMatching(/^ERR_PKCS11_MODULE pkcs11js-missing .*npm install pkcs11js$/),
    ]);
  });
});
