import type { CertificateRequest } from '../../certificate-request';
import type { Identity } from '../identities';
import { styled, type Terminal } from '../terminal';
import { displayWidth, padded, wrapped } from '../text';
import { type Candidate, candidatesFor, detailsOf, shortName, summaryOf } from './candidates';
import { askLine } from './plain';
import { checkInteractive, exclusively, type PromptOptions, prompted } from './prompt';

/** `null`: no certificate is to be sent. */
export type Choice = Identity | null;

/** Above this many lines the list scrolls, where the screen has room for them. */
const PAGE = 10;
/** Lines that are not the list's: the question, the details, the keys. */
const AROUND = 12;
/** Columns below which only names stand in the list; the details are below it anyway. */
const WIDE = 72;

/** Of the details: the longest name and a blank. */
const INDENT = 'Subject '.length;

const FLAGS = '--auto (the first that fits) or --decline (send none)';

/**
 * Lets a person choose whom to be: those that fit first, then to send none, then those that do not fit, which
 * cannot be chosen and say why.
 *
 * @throws CliError of the kind `usage`: nobody can be asked; `interrupted`: Ctrl-C. The signal's reason.
 */
export async function chooseIdentity(
  request: CertificateRequest,
  identities: readonly Identity[],
  options: PromptOptions,
): Promise<Choice> {
  const { terminal } = options;
  checkInteractive(terminal, 'The server asks for a certificate', FLAGS);
  const candidates = candidatesFor(request, identities);
  const fitting = candidates.filter(({ reasons }) => reasons.length === 0);
  const others = candidates.filter(({ reasons }) => reasons.length > 0);
  return terminal.plain
    ? chooseByNumber(fitting, others, options)
    : chooseByArrows(fitting, others, options);
}

async function chooseByArrows(
  fitting: readonly Candidate[],
  others: readonly Candidate[],
  options: PromptOptions,
): Promise<Choice> {
  const { terminal } = options;
  const names = linesOf([...fitting, ...others], terminal.errWidth);
  const item = (candidate: Candidate) => {
    const { identity, reasons } = candidate;
    const [first] = reasons;
    return {
      value: identity as Choice,
      name: printed(terminal, names.get(candidate) ?? ''),
      short: printed(terminal, shortName(identity)),
      description: describe(terminal, candidate),
      disabled: first === undefined ? false : `(${first.code.replaceAll('-', ' ')})`,
    };
  };
  return prompted(options, ({ select, Separator }, context) =>
    select<Choice>(
      {
        message: questionOf(fitting),
        loop: false,
        pageSize: Math.max(3, Math.min(PAGE, (process.stderr.rows ?? 24) - AROUND)),
        choices: [
          ...fitting.map(item),
          {
            value: null,
            name: 'none',
            short: 'none',
            description: 'No certificate is sent; the server decides.',
          },
          ...(others.length > 0 ? [new Separator('These do not fit:'), ...others.map(item)] : []),
        ],
        theme: {
          i18n: { disabledError: 'This one does not fit what the server asks for.' },
          // One line of its own for each value.
          style: { description: (text: string) => text },
        },
      },
      context,
    ),
  );
}

function questionOf(fitting: readonly Candidate[]): string {
  return fitting.length === 0
    ? 'No certificate fits. Go on without?'
    : 'Which certificate does the server get?';
}

/** In columns, where there is room for that. */
function linesOf(candidates: readonly Candidate[], columns: number): Map<Candidate, string> {
  const rows = candidates.map(({ identity }) => [shortName(identity), ...summaryOf(identity)]);
  const widths = [0, 1, 2].map((i) => {
    // The last cell of a row has all the room behind it.
    const cells = rows.flatMap((row) => (i < row.length - 1 ? [row[i] ?? ''] : []));
    return Math.max(0, ...cells.map(displayWidth));
  });
  const lines = rows.map((row) =>
    columns < WIDE
      ? (row[0] ?? '')
      : row.map((cell, i) => padded(cell, i < row.length - 1 ? (widths[i] ?? 0) : 0)).join('  '),
  );
  return new Map(candidates.map((candidate, i) => [candidate, lines[i] ?? '']));
}

function describe(terminal: Terminal, { identity, reasons }: Candidate): string {
  const columns = terminal.errWidth - 1;
  const details = detailsOf(identity).flatMap(([name, value]) =>
    wrapped(value, columns - INDENT).map((line, i) =>
      terminal.rendered([styled('dim', (i === 0 ? name : '').padEnd(INDENT)), line]),
    ),
  );
  const against = reasons
    .flatMap(({ message }) => wrapped(message, columns))
    .map((line) => terminal.rendered(styled('yellow', line)));
  return [...details, ...against].join('\n');
}

function printed(terminal: Terminal, text: string): string {
  return terminal.rendered(text);
}

async function chooseByNumber(
  fitting: readonly Candidate[],
  others: readonly Candidate[],
  options: PromptOptions,
): Promise<Choice> {
  const { terminal, signal } = options;
  const tell = (identity: Identity) =>
    detailsOf(identity)
      .map(([name, value]) => `${name}: ${value}`)
      .join('; ');
  return exclusively(options, async () => {
    terminal.err(`The server asks for a certificate, and waits. ${questionOf(fitting)}`);
    for (const { identity, reasons } of others) {
      terminal.err(
        `Does not fit: ${shortName(identity)}. ${reasons.map((r) => r.message).join(' ')}`,
      );
    }
    terminal.err('0: none, no certificate is sent');
    fitting.forEach(({ identity }, i) => {
      terminal.err(`${i + 1}: ${shortName(identity)}. ${tell(identity)}`);
    });
    for (;;) {
      const answer = (await askLine(`Number from 0 to ${fitting.length}: `, signal)).trim();
      if (/^\d{1,9}$/.test(answer)) {
        const chosen = fitting[Number(answer) - 1];
        if (chosen !== undefined) return chosen.identity;
        if (Number(answer) === 0) return null;
      }
      terminal.err(`"${answer}" is none of the numbers.`);
    }
  });
}
