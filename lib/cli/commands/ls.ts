import type { Command } from 'commander';
import { action } from '../action';
import type { ExitCode } from '../exit-codes';
import type { Identity } from '../identities';
import { exitCodeOf, lookForIdentities, noIdentities, writeProblems } from '../identities/look';
import {
  identityRecord,
  issuerCell,
  keyCell,
  problemRecord,
  subjectCell,
  validityCell,
  whereCell,
} from '../identities/summary';
import { writeTable } from '../table';
import type { Terminal } from '../terminal';

interface LsFlags {
  readonly pkcs11?: string;
}

const EXAMPLES = `
Without arguments it looks in this folder, in ~/.postgresql and ~/.globus, and on the tokens that the system's PKCS#11 module (p11-kit-proxy, opensc-pkcs11) knows.

Examples:
  $ tls-client-cert ls
  $ tls-client-cert ls ~/certs alice.p12
  $ tls-client-cert ls --pkcs11 /usr/lib/softhsm/libsofthsm2.so
  $ tls-client-cert ls 'pkcs11:token=card' --json`;

export function registerLs(program: Command): void {
  program
    .command('ls')
    .description(
      'List the identities at hand: certificates with their keys, in files and on tokens.',
    )
    .argument('[source...]', 'files (PEM, DER, PFX), folders, pkcs11: URIs')
    .option('--pkcs11 <module>', 'look on the tokens of this PKCS#11 module')
    .option('--json', 'print one JSON object, for machines')
    .addHelpText('after', EXAMPLES)
    .action(action<LsFlags>(({ terminal }, sources, flags) => ls(terminal, sources, flags)));
}

async function ls(
  terminal: Terminal,
  sources: readonly string[],
  { pkcs11: module, json }: LsFlags & { json?: boolean },
): Promise<ExitCode> {
  const found = await lookForIdentities(terminal, sources, { module });
  try {
    const { identities, problems, places } = found;
    if (identities.length === 0) throw noIdentities(found);
    if (json) {
      const records = identities.map((identity) => identityRecord(identity));
      terminal.json({
        format: 1,
        identities: records,
        problems: problems.map(problemRecord),
        places,
      });
    } else {
      writeIdentities(terminal, identities);
      writeProblems(terminal, found);
    }
    return exitCodeOf(found);
  } finally {
    await found.close();
  }
}

const COLUMNS = [
  { title: 'Subject', least: 16 },
  { title: 'Issuer', least: 10 },
  { title: 'Valid until', least: 10 },
  { title: 'Key', least: 8 },
  { title: 'Where', least: 16 },
];

function writeIdentities(terminal: Terminal, identities: readonly Identity[]): void {
  const rows = identities.map((identity) => [
    subjectCell(identity),
    issuerCell(identity),
    validityCell(identity),
    keyCell(identity),
    whereCell(identity, identities),
  ]);
  writeTable(terminal, COLUMNS, rows);
}
