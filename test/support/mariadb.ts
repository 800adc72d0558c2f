/** Starts real MariaDB servers with users who need a client certificate. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverFiles } from './server-files';
import { runAs, type ServerProcess, startServerProcess } from './server-process';

const USER = 'mysql';
const INSTALL = [
  '--auth-root-authentication-method=normal',
  '--skip-test-db',
  '--skip-name-resolve',
  '--skip-innodb',
  '--default-storage-engine=Aria',
];

/** @param sql - Run while it starts, a statement a line. */
export function startMariadb(sql: readonly string[]): Promise<ServerProcess> {
  return startServerProcess({
    name: 'mariadb',
    program: 'mariadbd',
    debianPackage: 'mariadb-server',
    ready: /ready for connections/,
    user: USER,
    prepare: async (folder, port) => {
      const data = join(folder, 'data');
      const install = ['--no-defaults', `--datadir=${data}`, ...INSTALL];
      await promisify(execFile)('mariadb-install-db', install, runAs(USER));
      const files = await serverFiles(folder, USER);
      await writeFile(join(folder, 'init.sql'), `${sql.join('\n')}\n`);
      return [
        '--no-defaults',
        `--datadir=${data}`,
        `--socket=${join(folder, 'socket')}`,
        `--pid-file=${join(folder, 'pid')}`,
        '--bind-address=127.0.0.1',
        `--port=${port}`,
        '--skip-name-resolve',
        '--skip-innodb',
        '--default-storage-engine=Aria',
        `--init-file=${join(folder, 'init.sql')}`,
        `--ssl-cert=${files.cert}`,
        `--ssl-key=${files.key}`,
        `--ssl-ca=${files.clientCas}`,
      ];
    },
  });
}
