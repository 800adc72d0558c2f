/** Starts real PostgreSQL servers that want a client certificate in the name of the database user. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ServerFiles, serverFiles } from './server-files';
import { runAs, type ServerProcess, startServerProcess } from './server-process';

const DEBIAN = '/usr/lib/postgresql';
const USER = 'postgres';

/** Where Debian keeps its newest PostgreSQL, out of everybody's PATH. */
function program(name: string): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).map(Number) : [];
  return join(DEBIAN, String(Math.max(0, ...versions)), 'bin', name);
}

/**
 * Who comes by TLS needs a certificate whose common name is the database user's, but for `scram`, for whom any
 * of our authorities will do, and who needs a password.
 *
 * @param sql - Run in single-user mode before it starts, a statement a line.
 */
export function startPostgres(sql: readonly string[]): Promise<ServerProcess> {
  return startServerProcess({
    name: 'postgres',
    program: program('postgres'),
    debianPackage: 'postgresql',
    ready: /database system is ready to accept connections/,
    user: USER,
    // Without the checkpoint that nobody will read.
    stopSignal: 'SIGQUIT',
    prepare: async (folder, port) => {
      const data = join(folder, 'data');
      const as = runAs(USER);
      const run = promisify(execFile);
      const auth = ['--no-sync', '--auth=trust', '--locale=C', '--encoding=UTF8', '-U', USER];
      await run(program('initdb'), [...auth, '-D', data], as);
      await appendFile(
        join(data, 'postgresql.conf'),
        configuration(folder, port, await serverFiles(folder, USER)),
      );
      await writeFile(join(data, 'pg_hba.conf'), HBA);
      const single = run(program('postgres'), ['--single', '-D', data, 'postgres'], as);
      single.child.stdin?.end(`${sql.join('\n')}\n`);
      await single;
      return ['-D', data];
    },
  });
}

function configuration(folder: string, port: number, files: ServerFiles): string {
  return `
listen_addresses = '127.0.0.1'
port = ${port}
unix_socket_directories = '${folder}'
ssl = on
ssl_cert_file = '${files.cert}'
ssl_key_file = '${files.key}'
ssl_ca_file = '${files.clientCas}'
fsync = off
autovacuum = off
max_connections = 20
max_wal_senders = 0
shared_buffers = 1MB
`;
}

const HBA = `
hostssl  all  scram  127.0.0.1/32  scram-sha-256  clientcert=verify-ca
hostssl  all  all    127.0.0.1/32  trust          clientcert=verify-full
`;
