/** What is remembered of a server's certificate never stands in for a check that would say otherwise. */
import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { judgeServer } from '../../lib/server-identity';
import { loadPki } from '../support/pki';

const pki = loadPki();

function judge(
  hostname: string,
  certificate: string,
  checkServerIdentity = tls.checkServerIdentity,
) {
  const { raw } = new X509Certificate(certificate);
  return judgeServer(
    null,
    { hostname, checkServerIdentity },
    {
      leaf: () => raw,
      detailed: () => {
        throw new Error('the chain is looked at');
      },
    },
  );
}

test('a name that was found once is found again, and no other is', () => {
  for (let i = 0; i < 3; i++) {
    expect(judge('localhost', pki.server.cert)).toBeNull();
    expect(judge('127.0.0.1', pki.server.cert)).toBeNull();
    expect(judge('elsewhere.example', pki.server.cert)).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    expect(judge('localhost', pki.wrongNameServer.cert)).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  }
});

test("a program's own check is asked each time, also in the place of Node's", () => {
  expect(judge('localhost', pki.server.cert)).toBeNull();
  const names: string[] = [];
  const refuses = (name: string) => {
    names.push(name);
    return new Error('not this one');
  };
  const original = tls.checkServerIdentity;
  try {
    tls.checkServerIdentity = refuses;
    expect(judge('localhost', pki.server.cert)).toMatchObject({ code: 'not this one' });
    // What accepts here says nothing for the next time.
    tls.checkServerIdentity = () => undefined;
    expect(judge('elsewhere.example', pki.server.cert)).toBeNull();
  } finally {
    tls.checkServerIdentity = original;
  }
  expect(judge('elsewhere.example', pki.server.cert)).not.toBeNull();
  expect(names).toEqual(['localhost']);
});
