/** What Linux tells of this process's descriptors and of TCP connections. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

interface TcpConnection {
  /** Names the socket in `/proc/self/fd`; 0 once nobody has it. */
  readonly inode: number;
  /** 1: established; 8: the peer has ended (CLOSE_WAIT). */
  readonly state: number;
  /** Bytes that the process has not read. */
  readonly unread: number;
  /** 2: keep-alive. */
  readonly timer: number;
  /** Until the timer is due, in seconds. */
  readonly due: number;
}

/** The IPv4 connection between two ports, seen from the first. */
export function tcpConnection(local: number, remote: number): TcpConnection | undefined {
  const port = (address = '') => Number.parseInt(address.split(':')[1] ?? '', 16);
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, from, to, state = '', queues = '', timer = '', , , , inode] = line.trim().split(/\s+/);
    if (port(from) !== local || port(to) !== remote) continue;
    const [kind, due] = timer.split(':').map((part) => Number.parseInt(part, 16));
    return {
      inode: Number(inode),
      state: Number.parseInt(state, 16),
      unread: port(queues),
      timer: kind ?? 0,
      due: (due ?? 0) / 100,
    };
  }
  return undefined;
}

/** Descriptors of sockets that this process has open; with `inode`, of that one. */
export function socketDescriptors(inode?: number): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${descriptor}`);
        return inode === undefined ? target.startsWith('socket:') : target === `socket:[${inode}]`;
      } catch {
        // The one that the directory was read by.
        return false;
      }
    });
}
