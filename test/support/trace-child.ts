/** Connects with a trace, sends something there and back, and ends. */
import tls from 'node:tls';
import { connect } from '../../lib/index';
import { loadPki } from './pki';

const [client, port, version, how] = process.argv.slice(2);
const options = {
  host: '127.0.0.1',
  port: Number(port),
  servername: 'localhost',
  ca: loadPki().serverCa.cert,
  minVersion: version as tls.SecureVersion,
  maxVersion: version as tls.SecureVersion,
  enableTrace: how === 'option',
};
const socket = client === 'ours' ? connect(options) : tls.connect(options);
if (how === 'method') socket.enableTrace();
socket.write('x');
socket.once('data', () => socket.end());
socket.once('error', (error: Error) => {
  throw error;
});
