/** The addon itself: no object can pose as another, and nothing outlives destroy(). */
import { binding, Step } from '../../lib/binding';

const context = () =>
  new binding.Context({
    trust: new binding.TrustStore({ authorities: [], crls: [] }),
    minVersion: 0,
    maxVersion: 0,
    options: 0,
    allowPartialTrustChain: false,
  });

const options = {
  serverName: 'localhost',
  alpnProtocols: new Uint8Array(),
  credentials: [],
  asks: false,
  postHandshakeAuth: false,
  reselects: false,
  requiresClientCert: false,
  requestsOcsp: false,
  minDHSize: 0,
  hasSharedKeys: false,
  renegotiationLimit: 3,
  renegotiationWindow: 600,
  session: undefined,
  sessionCredential: undefined,
};

const connection = () => new binding.Connection(context(), options);

describe('a native object', () => {
  it('refuses the methods of another class', () => {
    expect(() => context().asksForClientCert.call(connection() as never)).toThrow(
      expect.objectContaining({ name: 'TypeError' }),
    );
    for (const receiver of [{}, Object.create(connection()), null, undefined, 1, () => {}]) {
      expect(() => connection().handshake.call(receiver as never)).toThrow(
        expect.objectContaining({ name: 'TypeError' }),
      );
    }
  });

  it('refuses another class as an argument', () => {
    for (const impostor of [{}, connection(), null, 1]) {
      expect(
        () => new binding.Connection(impostor as never, { ...options, credentials: [] }),
      ).toThrow(/not a native Context/);
      expect(
        () => new binding.Connection(context(), { ...options, credentials: [impostor as never] }),
      ).toThrow(/not a native Credential/);
      expect(() => connection().answer(impostor as never)).toThrow(/not a native Credential/);
    }
  });

  it('is not made by calling its class', () => {
    const { Connection } = binding;
    expect(() => (Connection as unknown as () => void)()).toThrow();
  });
});

describe('a native connection', () => {
  it('begins with a ClientHello and then wants to read', () => {
    const native = connection();
    expect(native.handshake()).toBe(Step.wantRead);
    const hello = native.drain() as Buffer;
    // A record of type handshake (22) that holds a ClientHello (1).
    expect([hello[0], hello[5]]).toEqual([22, 1]);
    expect(native.drain()).toBeUndefined();
    native.destroy();
  });

  it('throws from every method after destroy(), which does no harm twice', () => {
    const native = connection() as unknown as Record<string, () => unknown>;
    native.destroy?.();
    native.destroy?.();
    const methods = Object.getOwnPropertyNames(binding.Connection.prototype).filter(
      (name) => name !== 'constructor' && name !== 'destroy',
    );
    expect(methods.length).toBeGreaterThan(15);
    for (const name of methods) {
      expect(() => native[name]?.()).toThrow('destroyed');
    }
  });

  it('is freed by destroy(), not only by the garbage collector', () => {
    const before = binding.live().connections;
    const natives = Array.from({ length: 10 }, connection);
    expect(binding.live().connections).toBe(before + 10);
    for (const native of natives) native.destroy();
  });
});

describe('parseName', () => {
  it('reads a name by RFC 4514, and says null to what is none', () => {
    const name = Buffer.from('301c310b3009060355040613024445310d300b06035504030c0443412c41', 'hex');
    expect(binding.parseName(name)).toEqual({
      text: 'CN=CA\\,A,C=DE',
      attributes: [
        ['C', 'DE'],
        ['CN', 'CA,A'],
      ],
    });
    expect(binding.parseName(name.subarray(0, 20))).toBeNull();
    expect(binding.parseName(Buffer.concat([name, Buffer.of(0)]))).toBeNull();
    expect(binding.parseName(new Uint8Array())).toBeNull();
  });
});
