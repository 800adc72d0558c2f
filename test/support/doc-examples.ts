/**
 * Compiles the code blocks of documents, as a reader would paste them into an ES module: strictly,
 * and against the package's types in lib/.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '../..');

/** What the examples leave to the reader. No module: its names are there in every block. */
const PRELUDE = `
interface ExampleCard {
  cert: string;
  key: string;
}
interface ExampleReader {
  once(event: 'card', listener: (card: ExampleCard) => void): this;
}

declare function askThePerson(
  names: string[],
  context: { signal: AbortSignal },
): Promise<{ cert: string; key: string; intermediates: string[] } | null>;
declare function pickCard(
  authorities: readonly import('tls-client-cert').DistinguishedName[],
  context: { signal: AbortSignal },
): Promise<import('tls-client-cert').Credential | null>;

declare const host: string;
declare const port: number;
declare const ca: Buffer;
declare const cert: Buffer;
declare const key: Buffer;
declare const options: import('tls-client-cert').ConnectionOptions;
declare const clientCertCallback: import('tls-client-cert').ClientCertCallback;
declare const everyday: import('tls-client-cert').Credential;
declare const administrator: import('tls-client-cert').Credential;
declare const reader: ExampleReader;
declare const card: {
  readonly certificate: string;
  sign(
    data: Uint8Array,
    scheme: import('tls-client-cert').SignatureScheme,
    context: { signal: AbortSignal },
  ): Promise<Uint8Array>;
};
declare const work: import('tls-client-cert').Credential;
declare const home: import('tls-client-cert').Credential;
declare const cards: Map<string | null, ExampleCard>;
declare const transport: import('node:stream').Duplex;

// Of the block before.
declare const first: import('tls-client-cert').ExampleSocket;
declare const saved: Buffer | undefined;
`;

/** Stands below a block that imports nothing itself. */
const IMPORTS = `
import https from 'node:https';
import { Connection, Credential, connect, createSecureContext, SUSPEND } from 'tls-client-cert';
import type { ConnectionOptions, ConnectionResult } from 'tls-client-cert';
`;

interface Block {
  readonly document: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
  readonly code: string;
}

/** The blocks in JavaScript and TypeScript. */
export function codeBlocks(document: string, text: string): Block[] {
  const fences = /^( *)```(?:[cm]?[jt]s|javascript|typescript)\b[^\n]*\n(.*?)^\1```$/gms;
  return [...text.matchAll(fences)].map(({ index, 2: code = '' }) => ({
    document,
    line: text.slice(0, index).split('\n').length + 1,
    code,
  }));
}

/** What the compiler finds wrong, as `document:line: error TS…`. */
export function compileBlocks(blocks: readonly Block[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-docs-'));
  try {
    for (const [name, content] of Object.entries(project(blocks))) {
      writeFileSync(join(folder, name), content);
    }
    // The packages that the examples are about.
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [tsc, '-p', 'tsconfig.json', '--pretty', 'false'],
      { cwd: folder, encoding: 'utf8' },
    );
    // A problem's further lines are indented.
    const problems = stdout.split(/\n(?! )/).filter((line) => line !== '');
    if ((status === 0) !== (problems.length === 0)) throw new Error(`tsc: ${stdout}${stderr}`);
    return problems.map((problem) => inDocument(problem, blocks));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function project(blocks: readonly Block[]): Record<string, string> {
  const config = {
    extends: join(root, 'tsconfig.base.json'),
    compilerOptions: {
      noEmit: true,
      // An example may show what it does not use.
      noUnusedLocals: false,
      noUnusedParameters: false,
      // Other packages' own types.
      skipLibCheck: true,
      typeRoots: [join(root, 'node_modules/@types')],
      paths: {
        'tls-client-cert': [join(root, 'test/support/doc-package.ts')],
        ...Object.fromEntries(
          ['http2', 'https', 'undici'].map((name) => [
            `tls-client-cert/${name}`,
            [join(root, 'lib/agents', `${name}.ts`)],
          ]),
        ),
        'tls-client-cert/pkcs11': [join(root, 'lib/signers/pkcs11/index.ts')],
        'tls-client-cert/select': [join(root, 'lib/select/index.ts')],
        'tls-client-cert/starttls': [join(root, 'lib/starttls/index.ts')],
        'tls-client-cert/webcrypto': [join(root, 'lib/signers/webcrypto/index.ts')],
      },
    },
    include: ['*'],
  };
  const sources = blocks.map(({ code }, index) => [
    `block-${index}.mts`,
    /^import /m.test(code) ? code : code + IMPORTS,
  ]);
  return {
    'tsconfig.json': JSON.stringify(config),
    'prelude.d.ts': PRELUDE,
    ...Object.fromEntries(sources),
  };
}

function inDocument(problem: string, blocks: readonly Block[]): string {
  const [, index, line, what] = /^block-(\d+)\.mts\((\d+),\d+\): (.*)$/s.exec(problem) ?? [];
  const block = blocks[Number(index)];
  // Then it is what the examples are compiled with.
  if (block === undefined) throw new Error(problem);
  return `${block.document}:${block.line + Number(line) - 1}: ${what}`;
}
