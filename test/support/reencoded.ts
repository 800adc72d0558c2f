/** Certificates as OpenSSL takes them, and no authority issues them. */
import { X509Certificate } from 'node:crypto';

/** Places of the fields of a TBSCertificate (RFC 5280, section 4.1). */
export const FIELDS = {
  serialNumber: 1,
  signature: 2,
  issuer: 3,
  validity: 4,
  subject: 5,
} as const;

/** How an element is written. */
export type Encoding = (tag: number, content: Buffer) => Buffer;

/** The certificate, in PEM, with one field written otherwise. Its signature is wrong then. */
export function reencoded(pem: string, field: keyof typeof FIELDS, encode: Encoding): string {
  const [body, ...rest] = elements(only(new X509Certificate(pem).raw));
  if (body === undefined) throw new Error('no certificate');
  const fields = elements(only(body)).map((one, i) =>
    i === FIELDS[field] ? encode(one[0] as number, only(one)) : one,
  );
  const whole = der(0x30, Buffer.concat([der(0x30, Buffer.concat(fields)), ...rest]));
  const base64 = whole.toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

/** In the shortest form. */
export const der: Encoding = (tag, content) => {
  const { length } = content;
  const digits = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...digits]), content]);
};

/** With a length of eight digits. */
export const longWinded: Encoding = (tag, content) => {
  const digits = Buffer.alloc(8);
  digits.writeUInt32BE(content.length, 4);
  return Buffer.concat([Buffer.from([tag, 0x88]), digits, content]);
};

/** Without a length, until the end of contents. */
export const endless: Encoding = (tag, content) =>
  Buffer.concat([Buffer.from([tag, 0x80]), content, Buffer.from([0, 0])]);

/** Both it and what it consists of. */
export const endlessWithin: Encoding = (tag, content) =>
  endless(tag, Buffer.concat(elements(content).map((one) => endless(one[0] as number, only(one)))));

/** With a second date of month 13. */
export const noEnd: Encoding = (tag, content) => {
  const [from, to] = elements(content) as [Buffer, Buffer];
  const year = to.length === 15 ? 2 : 4;
  const month = Buffer.from('13');
  return der(tag, Buffer.concat([from, to.fill(month, 2 + year, 4 + year)]));
};

function elements(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.subarray(at);
    const element = rest.subarray(0, headerOf(rest) + lengthOf(rest));
    found.push(element);
    at += element.length;
  }
  return found;
}

/** The content of the element that these bytes are. */
function only(element: Buffer): Buffer {
  return element.subarray(headerOf(element));
}

function headerOf([, first = 0]: Buffer): number {
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

function lengthOf(element: Buffer): number {
  const size = headerOf(element) - 2;
  return size === 0 ? (element[1] as number) : element.readUIntBE(2, size);
}
