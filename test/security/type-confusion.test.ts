/** No method of the addon, or of a public class, does anything on an object that is not its own: a TypeError, no crash. */
import { once } from 'node:events';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { inspect, types } from 'node:util';
import { Agent } from '../../lib/agents/https';
import {
  binding,
  type NativeConnection,
  type NativeSocketTransport,
  Step,
} from '../../lib/binding';
import * as api from '../../lib/index';
import { createPair } from '../support/pair';
import { loadPki } from '../support/pki';
import { requestByHand } from '../support/request-by-hand';

const pki = loadPki();
const { cert, key } = pki.clients.ec256;

type Class = { readonly name: string; readonly prototype: object };
type Method = (this: unknown, ...args: unknown[]) => unknown;

const nativeContext = () =>
  new binding.Context({
    trust: new binding.TrustStore({ authorities: [], crls: [] }),
    minVersion: 0,
    maxVersion: 0,
    options: 0,
    allowPartialTrustChain: false,
  });

function nativeConnection(): NativeConnection {
  return api.Connection.nativeOf(new api.Connection({ host: 'localhost' })) as NativeConnection;
}

/** One real object of each class of the addon. */
const natives: Record<string, object> = {
  TrustStore: new binding.TrustStore({ authorities: [], crls: [] }),
  Context: nativeContext(),
  Credential: api.Credential.nativeOf(new api.Credential({ cert, key })),
  Connection: nativeConnection(),
};

/** What a descriptor is taken from. */
let listener: Server;
let socket: Socket;
const transports: NativeSocketTransport[] = [];
beforeAll(async () => {
  listener = net.createServer((accepted) => accepted.resume());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  socket = net.connect((listener.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  natives.SocketTransport = transport();
});
afterAll(async () => {
  for (const one of transports) one.close();
  socket.destroy();
  listener.close();
  await once(listener, 'close');
});

const place = () => ({
  descriptor: (socket as unknown as { _handle: { fd: number } })._handle.fd,
  limit: 1000,
});

function transport(): NativeSocketTransport {
  const made = new binding.SocketTransport(nativeConnection(), place(), () => {});
  transports.push(made);
  return made;
}

const classesOf = (exports: object) =>
  Object.entries(exports).filter(
    (entry): entry is [string, Class] => typeof entry[1] === 'function' && /^[A-Z]/.test(entry[0]),
  );

/** Methods, getters and setters, wherever they stand. */
function membersOf(owner: object): [string, Method][] {
  return Reflect.ownKeys(owner)
    .filter((name) => name !== 'constructor')
    .flatMap((name): [string, Method][] => {
      const { value, get, set } = Object.getOwnPropertyDescriptor(owner, name) ?? {};
      return [value, get, set]
        .filter((member) => typeof member === 'function')
        .map((member) => [String(name), member as Method]);
    });
}

function receivers(own: object): [string, unknown][] {
  const others = Object.values(natives).filter((native) => native !== own);
  return [
    ...others.map((other, i): [string, unknown] => [`another wrap ${i}`, other]),
    ['undefined', undefined],
    ['null', null],
    ['a number', 1],
    ['an object', {}],
    ['a function', () => {}],
    ['a buffer', Buffer.alloc(8)],
    ['derived from its own', Object.create(own)],
    ['a proxy of its own', new Proxy(own, {})],
    ['a copy', { ...own }],
    ['of its prototype', Object.create(Object.getPrototypeOf(own))],
  ];
}

/** TypeErrors of V8's come from another realm in jest. */
const isTypeError = (error: unknown) => types.isNativeError(error) && error.name === 'TypeError';

/** What tells nothing of anybody; nor does an argument that comes back. */
const isNothing = (value: unknown) => !value || (Array.isArray(value) && value.length === 0);

function outcome(method: Method, receiver: unknown, args: unknown[]): string {
  try {
    const value = method.apply(receiver, args);
    return isNothing(value) || args.includes(value) ? 'nothing' : `returned ${inspect(value)}`;
  } catch (error) {
    return isTypeError(error) ? 'TypeError' : String(error);
  }
}

describe('the addon', () => {
  const classes = classesOf(binding);

  test('has the classes that are tried here', () => {
    expect(classes.map(([name]) => name).sort()).toEqual(Object.keys(natives).sort());
  });

  test.each(classes)('%s: every method refuses every other receiver', (name, { prototype }) => {
    const members = membersOf(prototype);
    const wrong = members.flatMap(([member, method]) =>
      receivers(natives[name] as object).flatMap(([kind, receiver]) => {
        const seen = outcome(method, receiver, [{}, {}, () => {}]);
        return seen === 'TypeError' ? [] : [`${member} on ${kind}: ${seen}`];
      }),
    );
    expect(wrong).toEqual([]);
    // A trust store can do nothing but be passed on.
    expect(members.length).toBeGreaterThan(name === 'TrustStore' ? -1 : 0);
  });

  test('takes no argument of another class, and none of no class, for its own', () => {
    const values = [
      undefined,
      null,
      1,
      'x',
      {},
      [],
      () => {},
      Buffer.alloc(4),
      ...Object.values(natives),
    ];
    const { Connection, Context, Credential, TrustStore, SocketTransport } =
      binding as unknown as Record<string, new (...args: unknown[]) => object>;
    for (const made of [Connection, Context, Credential, TrustStore, SocketTransport]) {
      for (const first of values) {
        for (const second of [
          undefined,
          {},
          natives.Context,
          { credentials: [{}], descriptor: -1 },
        ]) {
          try {
            new (made as new (...args: unknown[]) => object)(first, second, () => {});
          } catch (error) {
            expect(types.isNativeError(error)).toBe(true);
          }
        }
      }
    }
  });

  test('a transport that cannot be made leaves its connection as it was', () => {
    const connection = nativeConnection();
    const Transport = binding.SocketTransport as unknown as new (...args: unknown[]) => object;
    const { socketTransports } = binding.live();
    for (const onEvent of [undefined, null, 1, 'x', {}]) {
      expect(() => new Transport(connection, place(), onEvent)).toThrow(/onEvent/);
    }
    expect(() => new Transport(connection, { ...place(), descriptor: -1 }, () => {})).toThrow();
    expect(binding.live().socketTransports).toBe(socketTransports);
    expect(connection.handshake()).toBe(Step.wantRead);
    transports.push(new binding.SocketTransport(connection, place(), () => {}));
  });

  test('its functions and methods take any argument without a crash', () => {
    const odd = [
      undefined,
      null,
      -1,
      2 ** 53,
      NaN,
      'x'.repeat(10),
      {},
      [],
      Symbol('x'),
      10n,
      Buffer.alloc(3),
      new Proxy({}, {}),
    ];
    const functions = Object.entries(binding).filter(
      ([name, value]) =>
        typeof value === 'function' && !/^[A-Z]/.test(name) && name !== 'openStore',
    ) as unknown as [string, Method][];
    const tried: [Method, () => unknown][] = functions.map(([, method]) => [
      method,
      () => undefined,
    ]);
    const ENDS = ['close', 'destroy'];
    const fresh: Record<string, () => object> = {
      Context: nativeContext,
      Credential: () => natives.Credential as object,
      Connection: nativeConnection,
      SocketTransport: transport,
    };
    for (const [name, make] of Object.entries(fresh)) {
      const own = make();
      const members = membersOf(Object.getPrototypeOf(own));
      // The end of it last, and all once more behind that.
      const ends = members.filter(([member]) => ENDS.includes(member));
      for (const [, method] of [
        ...members.filter((one) => !ends.includes(one)),
        ...ends,
        ...members,
      ]) {
        tried.push([method, name === 'Credential' ? make : () => own]);
      }
    }
    expect(tried.length).toBeGreaterThan(80);
    const exporting = binding.Connection.prototype.exportKeyingMaterial as unknown;
    for (const [method, receiver] of tried) {
      for (const value of odd) {
        // So much memory is what it would be asked for.
        if (method === exporting && typeof value === 'number') continue;
        const seen = outcome(method, receiver(), [value, value, value]);
        expect(typeof seen).toBe('string');
      }
    }
  });
});

describe('the public classes', () => {
  const connection = new api.Connection({ host: 'localhost' });
  const socket = api.connect({ socket: createPair().client, host: 'localhost' } as never);
  socket.on('error', () => {});
  socket.destroy();
  const request = requestByHand();
  const objects: Record<string, object> = {
    Credential: new api.Credential({ cert, key }),
    SecureContext: api.createSecureContext(),
    Connection: connection,
    TLSSocket: socket,
    CertificateRequest: request,
  };

  /** What is inherited of ours, without the streams' and EventEmitter's. */
  function ours(object: object): [string, Method][] {
    const found: [string, Method][] = [];
    let at = Object.getPrototypeOf(object);
    while (at !== null && !['Duplex', 'Object', 'EventEmitter'].includes(at.constructor.name)) {
      found.push(...membersOf(at));
      at = Object.getPrototypeOf(at);
    }
    return found;
  }

  /** A socket that is none is closed, of course. */
  const NOTHING =
    /^(TypeError|nothing|returned 'closed'|TLSClientCertError: A TLSSocket cannot .*)$/;

  test.each(Object.keys(objects))('%s: its methods get nothing out of other objects', (name) => {
    const own = objects[name] as object;
    const others = Object.entries(objects).flatMap(([key, object]) =>
      key === name ? [] : [object],
    );
    const members = ours(own);
    expect(members.length).toBeGreaterThan(1);
    // TLSSocket's are in part those of streams, which do what they can on any.
    const stream = name === 'TLSSocket';
    for (const [member, method] of members) {
      for (const receiver of [null, undefined, {}, ...(stream ? [] : others)]) {
        const seen = outcome(method, receiver, [512]);
        expect([member, seen]).toEqual([member, expect.stringMatching(NOTHING)]);
      }
    }
  });

  test.each(['Credential', 'SecureContext'])(
    "%s: its secrets are its own objects' alone",
    (name) => {
      const own = objects[name] as object;
      for (const [member, method] of ours(own)) {
        const seen = [Object.create(own), new Proxy(own, {}), {}, null].map((receiver) =>
          outcome(method, receiver, [null]),
        );
        expect([member, ...seen]).toEqual([member, ...seen.map(() => 'TypeError')]);
      }
    },
  );

  test('a credential or context of somebody else is none', () => {
    for (const impostor of [
      Object.create(objects.Credential as object),
      new Proxy(objects.Credential as object, {}),
    ]) {
      expect(
        () => new api.Connection({ host: 'localhost', credential: impostor as never }),
      ).toThrow(expect.objectContaining({ name: 'TypeError' }));
    }
    for (const impostor of [
      Object.create(objects.SecureContext as object),
      new Proxy(objects.SecureContext as object, {}),
    ]) {
      expect(
        () => new api.Connection({ host: 'localhost', secureContext: impostor as never }),
      ).toThrow(expect.objectContaining({ name: 'TypeError' }));
    }
  });

  test('classes are not functions', () => {
    for (const [name, made] of classesOf({ ...api, Agent })) {
      if (name === 'TLSClientCertError') continue;
      expect([name, outcome(made as unknown as Method, undefined, [{}])]).toEqual([
        name,
        'TypeError',
      ]);
    }
  });
});
