/** The files of the test PKI, where a server that does not run as root can read them. */
import { chown, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Identity, loadPki } from './pki';
import { runAs } from './server-process';

export interface ServerFiles {
  readonly cert: string;
  readonly key: string;
  /** Both client authorities in one file. */
  readonly clientCas: string;
}

/** Copies a server's certificate and key, and the client authorities, to `folder` for `user`. */
export async function serverFiles(
  folder: string,
  user?: string,
  identity: Identity = loadPki().server,
): Promise<ServerFiles> {
  const { uid, gid } = runAs(user);
  const copy = async (from: string, name: string) => {
    const to = join(folder, name);
    await copyFile(from, to);
    if (uid !== undefined && gid !== undefined) await chown(to, uid, gid);
    return to;
  };
  return {
    cert: await copy(identity.certPath, 'server.crt'),
    key: await copy(identity.keyPath, 'server.key'),
    clientCas: await copy(loadPki().clientCasPath, 'client-cas.crt'),
  };
}
