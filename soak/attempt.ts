/** One connection, or a few for a kind that keeps them, as the run's seed and its number make it. */
import { type ConnectionOptions, connect } from '../lib/index';
import { pick, type Random } from './random';
import { Talk, Wrong } from './talk';
import {
  type Identity,
  PROTOCOLS,
  type Protocol,
  TRANSPORTS,
  type Transport,
  type World,
} from './world';

export interface Choice {
  readonly identity: Identity;
  readonly protocol: Protocol;
  readonly transport: Transport;
}

export class Attempt implements Choice {
  readonly world: World;
  readonly random: Random;
  readonly identity: Identity;
  readonly protocol: Protocol;
  readonly transport: Transport;
  /** How many connections it came to. */
  connections = 0;
  readonly #talks: Talk[] = [];

  constructor(world: World, random: Random, choice?: Partial<Choice>) {
    this.world = world;
    this.random = random;
    this.identity = choice?.identity ?? pick(random, world.identities);
    this.transport = choice?.transport ?? pick(random, TRANSPORTS);
    // One in eight is of the older.
    this.protocol = choice?.protocol ?? PROTOCOLS[random() < 1 / 8 ? 1 : 0];
  }

  /** Connects to the server that does what it is told. */
  dial(options: ConnectionOptions = {}, protocol: Protocol = this.protocol): Talk {
    const { commands } = this.world.ports;
    return this.dialTo(commands[protocol], {
      secureContext: this.world.contexts[protocol],
      ...options,
    });
  }

  dialTo(port: number, options: ConnectionOptions): Talk {
    this.connections += 1;
    const talk = new Talk(
      connect({
        host: '127.0.0.1',
        servername: 'localhost',
        port,
        transport: this.transport,
        ...options,
      }),
    );
    this.#talks.push(talk);
    return talk;
  }

  /** Fails unless that is what the server has to say of whom it sees. */
  mustBe(seen: string, expected: string = this.identity.fingerprint): void {
    if (seen === expected) return;
    const name = this.world.identities.find(({ fingerprint }) => fingerprint === seen)?.name;
    throw new Wrong(`the server sees ${name ?? seen}, not ${this.#nameOf(expected)}`);
  }

  /** Whatever is open still. */
  destroy(): void {
    for (const { socket } of this.#talks) socket.destroy();
  }

  /** For whoever reads of its failure. */
  describe(): string {
    const { identity, protocol, transport } = this;
    const over = transport === 'stream' ? 'over the stream' : 'over the socket';
    return `${identity.name}, ${protocol}, ${over}`;
  }

  #nameOf(fingerprint: string): string {
    const { identities } = this.world;
    return identities.find((it) => it.fingerprint === fingerprint)?.name ?? fingerprint;
  }
}
