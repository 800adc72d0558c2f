/** What a connection of ours hears from a server that echoes. */
import type { TLSSocket } from '../../lib/index';
import { Waiting } from './waiting';

/** A function that resolves when exactly this text has come since it last did. */
export type Hears = (text: string) => Promise<void>;

export function hears(socket: TLSSocket): Hears {
  let heard = '';
  const waiting = new Waiting((why) => new Error(`${why}; heard ${JSON.stringify(heard)}`));
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
    waiting.changed();
  });
  return async (text) => {
    await waiting.until(JSON.stringify(text), () => heard.length >= text.length || undefined);
    expect(heard).toBe(text);
    heard = '';
  };
}

/** Has the server echo, which shows that the connection works and that earlier data has passed. */
export async function expectEcho(socket: TLSSocket, heard: Hears, line: string): Promise<void> {
  socket.write(line);
  await heard(line);
}
