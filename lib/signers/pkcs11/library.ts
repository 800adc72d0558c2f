/**
 * The Cryptoki functions that are used here, one by one, in the worker thread. The only file that
 * loads `pkcs11js`.
 */
import { endianness } from 'node:os';
import { CKA, CKM, CKR } from './constants';
import type { FailureRecord, LibraryRecord, Pin, SigningVariant, TokenRecord } from './protocol';

/** A CK_ULONG, as `pkcs11js` carries it. */
export type Handle = Buffer;

/** Thrown in the worker thread: it becomes a reply. */
export class Failed extends Error {
  constructor(readonly failure: FailureRecord) {
    super(failure.kind);
  }
}

type Pkcs11Js = typeof import('pkcs11js');

const CKF_OS_LOCKING_OK = 0x2;
const CKF_SERIAL_SESSION = 0x4;
const CKF_SIGN = 0x800;
const CKU = { user: 1, signature: 2 } as const;
/** CKS_RO_USER_FUNCTIONS and CKS_RW_USER_FUNCTIONS. */
const LOGGED_IN_STATES = [1, 3];
/** Of a session that is gone. */
const NO_SESSION = [
  CKR.CKR_SESSION_HANDLE_INVALID,
  CKR.CKR_SESSION_CLOSED,
  CKR.CKR_CRYPTOKI_NOT_INITIALIZED,
];
/** More than any RSA modulus or pair of curve numbers. */
const LONGEST_SIGNATURE = 2048;
const AT_ONCE = 64;

/** A shared library with the PKCS#11 functions in it, initialized. */
export class Library {
  readonly #pkcs11js: Pkcs11Js;
  readonly #module: InstanceType<Pkcs11Js['PKCS11']>;
  /** Whether C_Initialize was this one's, and C_Finalize has to be. */
  #ours = false;
  readonly #mechanisms = new Map<string, readonly number[]>();

  /** @param orphaned - It may be initialized, by a thread of ours that died. */
  constructor(path: string, orphaned: boolean) {
    this.#pkcs11js = loadPkcs11js();
    this.#module = new this.#pkcs11js.PKCS11();
    try {
      this.#module.load(path);
    } catch (error) {
      const { message } = error as Error;
      throw new Failed({ kind: 'not-loaded', message });
    }
    this.#initialize();
    if (orphaned && !this.#ours) {
      // With it go the sessions and logins of the dead.
      this.#ours = true;
      this.reinitialize();
    }
  }

  get ours(): boolean {
    return this.#ours;
  }

  info(): LibraryRecord {
    const info = this.#call('C_GetInfo', () => this.#module.C_GetInfo());
    return {
      manufacturer: unpadded(info.manufacturerID),
      description: unpadded(info.libraryDescription),
      version: `${info.libraryVersion.major}.${info.libraryVersion.minor}`,
    };
  }

  /** Those with a token in them. */
  slots(): Handle[] {
    const list = () => this.#call('C_GetSlotList', () => this.#module.C_GetSlotList(true));
    try {
      return list();
    } catch (error) {
      // Whoever else uses the module in this process has finalized it under our feet.
      if (!isReturned(error, CKR.CKR_CRYPTOKI_NOT_INITIALIZED)) throw error;
      this.#initialize();
      return list();
    }
  }

  token(slot: Handle): TokenRecord {
    const info = this.#call('C_GetTokenInfo', () => this.#module.C_GetTokenInfo(slot));
    const about = this.#call('C_GetSlotInfo', () => this.#module.C_GetSlotInfo(slot));
    return {
      label: unpadded(info.label),
      manufacturer: unpadded(info.manufacturerID),
      model: unpadded(info.model),
      serial: unpadded(info.serialNumber),
      flags: info.flags,
      slot: {
        id: ulong(slot),
        description: unpadded(about.slotDescription),
        manufacturer: unpadded(about.manufacturerID),
      },
    };
  }

  /** Of the mechanisms that are used here, those that the token has and that sign. */
  signingMechanisms(slot: Handle): readonly number[] {
    const name = slot.toString('hex');
    const known = this.#mechanisms.get(name);
    if (known !== undefined) return known;
    const all = this.#call('C_GetMechanismList', () => this.#module.C_GetMechanismList(slot));
    const found = Object.values(CKM).filter((mechanism) => {
      if (!all.includes(mechanism)) return false;
      const info = this.#call('C_GetMechanismInfo', () =>
        this.#module.C_GetMechanismInfo(slot, mechanism),
      );
      return (info.flags & CKF_SIGN) !== 0;
    });
    this.#mechanisms.set(name, found);
    return found;
  }

  openSession(slot: Handle): Handle {
    // The card in this slot may be another than before.
    this.#mechanisms.delete(slot.toString('hex'));
    return this.#call('C_OpenSession', () => this.#module.C_OpenSession(slot, CKF_SERIAL_SESSION));
  }

  /** Does no harm to one that is gone, nor to whoever has its handle now. */
  closeSession(session: Handle, slot: Handle): void {
    try {
      if (!this.isSessionWith(slot, session)) return;
    } catch (error) {
      // Where it cannot be asked after for another reason, it is still open, and with it perhaps a login.
      if (NO_SESSION.some((value) => isReturned(error, value))) return;
    }
    try {
      this.#module.C_CloseSession(session);
    } catch {
      // It is closed, one way or the other.
    }
  }

  /**
   * Whether a session is one with the token in `slot`. After a C_Finalize, whoever called it, handles
   * are given out again, and that of a session with one token may be that of another's.
   */
  isSessionWith(slot: Handle, session: Handle): boolean {
    return this.#sessionInfo(session).slotID.equals(slot);
  }

  isLoggedIn(session: Handle): boolean {
    return LOGGED_IN_STATES.includes(this.#sessionInfo(session).state);
  }

  /** Once, whatever comes of it. */
  login(session: Handle, as: keyof typeof CKU, pin: Pin): void {
    // `pkcs11js` takes no null. At a PIN pad, modules go by the flag or by the length.
    const text =
      pin === 'pad' ? '' : Buffer.from(pin.buffer, pin.byteOffset, pin.length).toString();
    try {
      this.#call('C_Login', () => this.#module.C_Login(session, CKU[as], text));
    } catch (error) {
      // Another part of the program was faster; the login is one for the whole process.
      if (!isReturned(error, CKR.CKR_USER_ALREADY_LOGGED_IN)) throw error;
    }
  }

  /** Signs; with `pin` the user is authenticated for this signature alone. */
  sign(session: Handle, key: Handle, variant: SigningVariant, pin?: Pin): Uint8Array {
    const { mechanism, pss, data } = variant;
    const parameter =
      pss === undefined
        ? undefined
        : {
            type: this.#pkcs11js.CK_PARAMS_RSA_PSS,
            hashAlg: pss.hash,
            mgf: pss.mgf,
            saltLen: pss.saltLength,
          };
    const full = parameter === undefined ? { mechanism } : { mechanism, parameter };
    this.#call('C_SignInit', () => this.#module.C_SignInit(session, full, key));
    if (pin !== undefined) this.login(session, 'signature', pin);
    const signature = this.#call('C_Sign', () =>
      this.#module.C_Sign(session, Buffer.from(data), Buffer.alloc(LONGEST_SIGNATURE)),
    );
    return new Uint8Array(signature);
  }

  /** All objects that fit the template and are shown. */
  find(session: Handle, template: { type: number; value: number | Buffer }[]): Handle[] {
    this.#call('C_FindObjectsInit', () => this.#module.C_FindObjectsInit(session, template));
    try {
      const found: Handle[] = [];
      for (;;) {
        const some = this.#call('C_FindObjects', () =>
          this.#module.C_FindObjects(session, AT_ONCE),
        );
        found.push(...some);
        if (some.length < AT_ONCE) return found;
      }
    } finally {
      this.#call('C_FindObjectsFinal', () => this.#module.C_FindObjectsFinal(session));
    }
  }

  /** An attribute's value; undefined where the object has none. */
  attribute(session: Handle, object: Handle, type: number): Buffer | undefined {
    try {
      const [result] = this.#call('C_GetAttributeValue', () =>
        this.#module.C_GetAttributeValue(session, object, [{ type }]),
      );
      return result?.value;
    } catch (error) {
      if (isReturned(error, CKR.CKR_ATTRIBUTE_TYPE_INVALID)) return undefined;
      if (isReturned(error, CKR.CKR_ATTRIBUTE_SENSITIVE)) return undefined;
      throw error;
    }
  }

  /** CKA_ALLOWED_MECHANISMS; undefined where all are. */
  allowedMechanisms(session: Handle, key: Handle): readonly number[] | undefined {
    const bytes = this.attribute(session, key, CKA.allowedMechanisms);
    // Modules that do not know the attribute may answer with an empty one.
    if (bytes === undefined || bytes.length === 0) return undefined;
    const width = session.length;
    return Array.from({ length: bytes.length / width }, (_, i) =>
      ulong(bytes.subarray(i * width, (i + 1) * width)),
    );
  }

  /** Finalizes and initializes, if that is ours to do; says whether it was done. */
  reinitialize(): boolean {
    if (!this.#ours) return false;
    this.#call('C_Finalize', () => this.#module.C_Finalize());
    this.#mechanisms.clear();
    this.#initialize();
    return true;
  }

  close(): void {
    try {
      if (this.#ours) this.#call('C_Finalize', () => this.#module.C_Finalize());
    } finally {
      this.#module.close();
    }
  }

  #sessionInfo(session: Handle) {
    return this.#call('C_GetSessionInfo', () => this.#module.C_GetSessionInfo(session));
  }

  #initialize(): void {
    try {
      this.#call('C_Initialize', () => this.#module.C_Initialize({ flags: CKF_OS_LOCKING_OK }));
    } catch (error) {
      // Somebody else in this process uses the module, and will finalize it.
      if (isReturned(error, CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
        this.#ours = false;
        return;
      }
      if (!isReturned(error, CKR.CKR_CANT_LOCK)) throw error;
      // It cannot be shared among threads; here only one uses it.
      this.#call('C_Initialize', () => this.#module.C_Initialize());
    }
    this.#ours = true;
  }

  #call<Result>(name: string, call: () => Result): Result {
    try {
      return call();
    } catch (error) {
      const value = returnValue(error);
      if (value === undefined) throw error;
      throw new Failed({ kind: 'returned', function: name, value });
    }
  }
}

function loadPkcs11js(): Pkcs11Js {
  try {
    return require('pkcs11js') as Pkcs11Js;
  } catch (error) {
    const { message } = error as Error;
    throw new Failed({ kind: 'pkcs11js-missing', message: message.split('\n')[0] ?? '' });
  }
}

/** `pkcs11js` reports `CKR_…:number`, on some paths without its own class. */
function returnValue(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (error.message.startsWith('CKR_') && typeof code === 'number') return code;
  const [, number] = /^CKR_\w+:(\d+)$/.exec(error.message) ?? [];
  return number === undefined ? undefined : Number(number);
}

function isReturned(error: unknown, value: number): boolean {
  return (
    error instanceof Failed && error.failure.kind === 'returned' && error.failure.value === value
  );
}

/** Text fields are padded with blanks (v2.40 Base, section 3.1); some modules pad with zeros. */
function unpadded(text: string): string {
  return text.replace(/[\0 ]+$/, '');
}

const LITTLE = endianness() === 'LE';

/** A CK_ULONG, of 4 or 8 bytes. Larger numbers than fit are no mechanism, and no slot. */
function ulong(bytes: Buffer): number {
  if (bytes.length < 8) return LITTLE ? bytes.readUInt32LE() : bytes.readUInt32BE();
  return Number(LITTLE ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE());
}
