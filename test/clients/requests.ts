/** What the tests of HTTP clients share: requests by `node:https`, and identities to make them with. */
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import type { TLSSocket } from '../../lib/index';
import { within } from '../support/client';
import type { Report } from '../support/https-server';
import { loadPki } from '../support/pki';

export const pki = loadPki();

const { ec256, rsa } = pki.clients;
/** Two of whom the servers know. */
export const one = { cert: ec256.cert, key: ec256.key };
export const other = { cert: rsa.cert, key: rsa.key };
export const ONE = 'client ec256';
export const OTHER = 'client rsa';

export const ca = pki.serverCa.cert;

/** What the server saw, and what the client has in hand. */
export interface Answer extends Report {
  readonly response: IncomingMessage;
  readonly socket: TLSSocket;
}

/** A request of ours, whose response is read to its end. */
export function get(url: string, options: https.RequestOptions): Promise<Answer> {
  return within(
    `response of ${url}`,
    new Promise((resolve, reject) => {
      https
        .get(url, options, (response) => {
          const socket = response.socket as unknown as TLSSocket;
          readJson(response).then((report) => resolve({ ...report, response, socket }), reject);
        })
        .on('error', reject);
    }),
  );
}

async function readJson(response: IncomingMessage): Promise<Report> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return JSON.parse(text);
}
