/** Starts real nginx servers that ask for a client certificate in the first handshake. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadPki } from './pki';
import { type ServerProcess, startServerProcess } from './server-process';

export interface NginxOptions {
  readonly protocol: 'TLSv1.2' | 'TLSv1.3';
  /** `ssl_verify_client`. Default `'on'`. */
  readonly verifyClient?: 'on' | 'optional';
  /** `ssl_verify_depth`. Default 3. */
  readonly verifyDepth?: number;
  /** Leave it to nginx itself to say why it refuses. Default `false`: the report says it. */
  readonly explain?: boolean;
}

/**
 * nginx that answers every path with what it saw of the client, as {@link NginxReport}: with
 * status 200, or 400 where it refuses the certificate or its lack. Of `pki.clientCaA` it knows
 * the root alone.
 */
export function startNginx(options: NginxOptions): Promise<ServerProcess> {
  return startServerProcess({
    name: 'nginx',
    program: 'nginx',
    debianPackage: 'nginx',
    ready: /start worker process \d+/,
    prepare: async (folder, port) => {
      const file = join(folder, 'nginx.conf');
      await writeFile(file, configuration(options, folder, port));
      // -e: until it has read the file it would log to the system's folder.
      return ['-p', folder, '-c', file, '-e', 'stderr'];
    },
  });
}

/** The `key=value` lines of a response's body. */
export interface NginxReport {
  readonly subject: string;
  /** `SUCCESS`, `NONE` or `FAILED:` and a reason. */
  readonly verify: string;
  /** `r` for a resumed session, `.` for a new one. */
  readonly reused: string;
  readonly protocol: string;
}

const REPORT = [
  'subject=$ssl_client_s_dn',
  'verify=$ssl_client_verify',
  'reused=$ssl_session_reused',
  'protocol=$ssl_protocol',
].join('\\n');

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

function configuration(options: NginxOptions, folder: string, port: number): string {
  const pki = loadPki();
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr info;
${process.getuid?.() === 0 ? 'user root;' : ''}
events {
  worker_connections 64;
}
http {
  access_log off;
  ${TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port} ssl;
    server_name localhost;
    ssl_protocols ${options.protocol};
    ssl_certificate ${pki.server.certPath};
    ssl_certificate_key ${pki.server.keyPath};
    ssl_client_certificate ${pki.clientCaA.certPath};
    ssl_verify_client ${options.verifyClient ?? 'on'};
    ssl_verify_depth ${options.verifyDepth ?? 3};
    ssl_session_cache shared:tests:1m;
    # 495: the certificate was refused; 496: there was none.
    ${options.explain === true ? '' : 'error_page 495 496 @refused;'}
    location / {
      return 200 "${REPORT}\\n";
    }
    location @refused {
      return 400 "${REPORT}\\n";
    }
  }
}
`;
}
