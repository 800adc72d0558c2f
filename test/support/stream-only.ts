/**
 * Keeps all connections from using descriptors, as on a platform that shows none: jest runs the tests over
 * the stream with it (`npm run test:stream`), and the children that they start load it, too.
 */
import { SocketTransport } from '../../lib/socket-transport';

SocketTransport.over = () => undefined;
process.env.TLS_CLIENT_CERT_TEST_TRANSPORT = 'stream';
