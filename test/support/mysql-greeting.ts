/** Of a MySQL server with that low half of its capabilities. */
export function mysqlGreeting(capabilities: number): Buffer {
  const payload = Buffer.concat([
    Buffer.from('\x0a5.7.0-test\0'),
    Buffer.alloc(4 + 8 + 1),
    Buffer.from([capabilities & 0xff, capabilities >> 8]),
    Buffer.alloc(30),
  ]);
  return Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload]);
}
