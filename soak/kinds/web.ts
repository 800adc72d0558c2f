/** Requests of HTTP over connections that are kept, each identity's by itself. */
import https from 'node:https';
import type { Attempt } from '../attempt';
import { between } from '../random';
import { Wrong } from '../talk';
import type { Kinds } from './kind';

function request(attempt: Attempt, size: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = https.request(
      {
        host: '127.0.0.1',
        port: attempt.world.ports.https,
        agent: attempt.identity.agents[attempt.transport],
        method: size === 0 ? 'GET' : 'POST',
      },
      (response) => {
        if (!asked.reusedSocket) attempt.connections += 1;
        let text = '';
        response.setEncoding('latin1').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject).on('end', () => resolve(text));
      },
    );
    asked.on('error', reject).end(size === 0 ? undefined : Buffer.alloc(size, 'post'));
  });
}

async function some(attempt: Attempt): Promise<void> {
  for (let left = between(attempt.random, 1, 3); left > 0; left -= 1) {
    const size = attempt.random() < 0.5 ? 0 : between(attempt.random, 1, 5_000);
    const [seen = '', heard] = (await request(attempt, size)).split(' ');
    attempt.mustBe(seen);
    if (Number(heard) !== size) throw new Wrong(`of ${size} bytes ${heard} were heard`);
  }
}

export const WEB = { https: { weight: 6, run: some } } satisfies Kinds;
