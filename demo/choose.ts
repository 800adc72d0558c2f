/** Picks a certificate: a person does on a terminal, otherwise the demo itself, after a pause. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CertificateRequest, Credential } from '../lib/index';
import type { Candidate } from './certificates';
import { canAnimate, dim, green, heading, suspendedFor, yellow } from './screen';

const PAUSE_MS = 1_500;

interface Choice extends Candidate {
  /** Why the server would not get or not accept it. */
  readonly unfit: string | undefined;
}

/** Shows the candidates and resolves to one that fits. Rejects when `signal` aborts. */
export async function choose(
  candidates: readonly Candidate[],
  request: CertificateRequest,
  signal: AbortSignal,
): Promise<Candidate> {
  const start = performance.now();
  const choices = candidates.map((candidate) => ({
    ...candidate,
    unfit: whyNot(request, candidate.credential),
  }));
  list(choices);
  if (process.stdin.isTTY && process.stdout.isTTY) return ask(choices, start, signal);
  await pause(start, signal);
  const chosen = choices.find(({ unfit }) => unfit === undefined);
  if (chosen === undefined) throw new Error('none of the certificates fits');
  console.log('  nobody to ask: taking the first that fits');
  return chosen;
}

/** `supports` tells what TLS can do, `matchesAuthorities` what the server would accept. */
function whyNot(request: CertificateRequest, credential: Credential): string | undefined {
  const supported = request.supports(credential);
  if (supported !== true) return supported.reason?.replaceAll('-', ' ') ?? 'unusable';
  if (!request.matchesAuthorities(credential)) return 'its CA is not accepted';
  return undefined;
}

function list(choices: readonly Choice[]): void {
  heading('Which certificate? The handshake waits.');
  choices.forEach(({ name, credential, unfit }, i) => {
    const issuer = /^CN=(.*)$/m.exec(credential.certificate.issuer)?.[1] ?? '';
    const about = `${(credential.keyType ?? '').padEnd(8)} ${issuer.padEnd(18)}`;
    const verdict = unfit === undefined ? green('fits') : yellow(`does not fit: ${unfit}`);
    console.log(`  ${i + 1}  ${name.padEnd(6)} ${dim(about)} ${verdict}`);
  });
  console.log();
}

/** The moving line is the prompt itself, so that it and the typing keep out of each other's way. */
async function ask(
  choices: readonly Choice[],
  start: number,
  signal: AbortSignal,
): Promise<Candidate> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const prompt = () => {
    terminal.setPrompt(`  ${suspendedFor(start)}   pick 1 to ${choices.length}: `);
    terminal.prompt(true);
  };
  const close = () => terminal.close();
  signal.addEventListener('abort', close);
  // In raw mode Ctrl-C is a key like any other.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));

  let chosen: Choice | undefined;
  terminal.on('line', (line) => {
    if (chosen !== undefined) return;
    const typed = line.trim().toLowerCase();
    const choice = choices.find(({ name }, i) => [`${i + 1}`, name.toLowerCase()].includes(typed));
    if (choice !== undefined && choice.unfit === undefined) {
      chosen = choice;
      close();
      return;
    }
    if (choice !== undefined) console.log(yellow(`  ${choice.name}'s: ${choice.unfit}`));
    prompt();
  });

  prompt();
  const moving = canAnimate ? setInterval(prompt, 100) : undefined;
  await once(terminal, 'close');
  clearInterval(moving);
  signal.removeEventListener('abort', close);
  if (chosen !== undefined) return chosen;
  console.log();
  throw signal.aborted ? signal.reason : new Error('no certificate was chosen');
}

async function pause(start: number, signal: AbortSignal): Promise<void> {
  const show = () => process.stdout.write(`${canAnimate ? '\r' : ''}  ${suspendedFor(start)}`);
  const end = start + PAUSE_MS;
  while (performance.now() < end) {
    show();
    if (!canAnimate) console.log();
    await sleep(canAnimate ? 100 : 500, undefined, { signal });
  }
  show();
  console.log();
}
