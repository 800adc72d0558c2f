/**
 * Entry of the worker thread: one module, one operation after another.
 */
import { parentPort } from 'node:worker_threads';
import { Cryptoki } from './cryptoki';
import { Failed } from './library';
import type { OperationName, Operations, Reply, Request } from './protocol';

const cryptoki = new Cryptoki();

function perform<Name extends OperationName>({ name, takes }: Request<Name>) {
  const operation = cryptoki[name] as (
    takes: Operations[Name]['takes'],
  ) => Operations[Name]['brings'];
  return operation.call(cryptoki, takes);
}

function reply(request: Request): Reply {
  try {
    return { brought: perform(request) };
  } catch (error) {
    if (error instanceof Failed) return { failure: error.failure };
    return { failure: { kind: 'unexpected', message: String(error) } };
  } finally {
    const { pin } = request.takes as { pin?: unknown };
    if (pin instanceof Uint8Array) pin.fill(0);
  }
}

parentPort?.on('message', (request: Request) => parentPort?.postMessage(reply(request)));
