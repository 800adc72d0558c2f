/**
 * The operations on a PKCS#11 module, in the worker thread: each may block, for as long as a card takes.
 */
import { CKA, CKF, CKO } from './constants';
import { Failed, type Handle, Library } from './library';
import {
  type ObjectRecord,
  type Operations,
  type SignReply,
  type SignRequest,
  type TokenContents,
  type TokenId,
  type TokenRecord,
  tokenKey,
} from './protocol';

/** A session with a token, which lasts as long as the token stays: with it goes the login. */
interface Session {
  readonly token: TokenId;
  readonly slot: Handle;
  /** CKF_LOGIN_REQUIRED. */
  readonly loginRequired: boolean;
  readonly handle: Handle;
  /** By CKA_ID, in hexadecimal. */
  readonly keys: Map<string, PrivateKey>;
}

interface PrivateKey {
  readonly handle: Handle;
  /** Whether it is usable only after a login. */
  readonly private: boolean;
  readonly alwaysAuthenticate: boolean;
  readonly allowedMechanisms: readonly number[] | undefined;
}

type Answers = {
  [Name in keyof Operations]: (takes: Operations[Name]['takes']) => Operations[Name]['brings'];
};

/** The operations on one module. */
export class Cryptoki implements Answers {
  #library: Library | undefined;
  readonly #sessions = new Map<string, Session>();
  /** All that were ever there. */
  readonly #seen = new Set<string>();
  /** Those there when it was last looked, since the module was initialized. */
  #lastSeen: ReadonlySet<string> | undefined;
  /** Whether the module was seen to notice by itself that a token came. */
  #notices = false;

  open({ path, orphaned }: Operations['open']['takes']): Operations['open']['brings'] {
    this.#library = new Library(path, orphaned);
    return { library: this.#library.info(), ours: this.#library.ours };
  }

  tokens(): readonly TokenRecord[] {
    for (const session of this.#sessions.values()) {
      if (!this.#isLive(session)) this.forget(session);
    }
    const there = this.#slots();
    return (this.#lookAgain('free') ? this.#slots() : there).map(({ token }) => token);
  }

  lookAgain(): boolean {
    return this.#lookAgain('logins');
  }

  token({ token }: { readonly token: TokenId }): TokenRecord {
    const { slot } = this.#live(token, 'logins');
    return this.#opened.token(slot);
  }

  contents({ tokens }: { readonly tokens: readonly TokenId[] }): readonly TokenContents[] {
    const failures: Failed[] = [];
    const contents = tokens.flatMap((token) => {
      try {
        return [this.#contentsOf(token)];
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        // Between the listing and now somebody may have pulled it out.
        if (!this.#isGone(token)) failures.push(error);
        return [];
      }
    });
    // One that cannot be read does not make the others unusable.
    if (contents.length === 0 && failures[0] !== undefined) throw failures[0];
    return contents;
  }

  login({ token, pin }: Operations['login']['takes']): undefined {
    const session = this.#live(token, 'logins');
    if (this.#opened.isLoggedIn(session.handle)) return;
    this.#whileThere(token, () => this.#opened.login(session.handle, 'user', pin));
    // What was hidden is there now, and may have other handles.
    session.keys.clear();
  }

  sign(request: SignRequest): SignReply {
    const { token, pin, variants } = request;
    const session = this.#live(token, 'logins');
    return this.#whileThere(token, () => {
      const library = this.#opened;
      const loggedIn = library.isLoggedIn(session.handle);
      const key = this.#key(session, request.id, loggedIn);
      if (key === undefined) return { status: 'login' };
      if (!loggedIn && session.loginRequired && key.private) return { status: 'login' };

      const mechanisms = library.signingMechanisms(session.slot);
      const variant = variants.find(
        ({ mechanism }) =>
          mechanisms.includes(mechanism) && (key.allowedMechanisms?.includes(mechanism) ?? true),
      );
      if (variant === undefined) throw new Failed({ kind: 'no-mechanism' });
      if (!key.alwaysAuthenticate) {
        const signature = library.sign(session.handle, key.handle, variant);
        return { status: 'signed', mechanism: variant.mechanism, signature };
      }
      if (pin === undefined) return { status: 'signature-pin' };
      // Of its own: closing it is the one sure way to end the operation when the PIN is refused.
      const own = library.openSession(session.slot);
      try {
        const signature = library.sign(own, key.handle, variant, pin);
        return { status: 'signed', mechanism: variant.mechanism, signature };
      } finally {
        library.closeSession(own, session.slot);
      }
    });
  }

  forget({ token }: { readonly token: TokenId }): undefined {
    const session = this.#sessions.get(tokenKey(token));
    if (session === undefined) return;
    this.#sessions.delete(tokenKey(token));
    this.#opened.closeSession(session.handle, session.slot);
  }

  close(): undefined {
    if (this.#library === undefined) return;
    for (const { handle, slot } of this.#sessions.values())
      this.#library.closeSession(handle, slot);
    this.#sessions.clear();
    this.#library.close();
    this.#library = undefined;
  }

  get #opened(): Library {
    if (this.#library === undefined) throw new Error('no module is open');
    return this.#library;
  }

  /** Slots with a token that is initialized; an empty one cannot hold anything. */
  #slots(): { readonly slot: Handle; readonly token: TokenRecord }[] {
    const there = this.#opened
      .slots()
      .flatMap((slot) => {
        try {
          return [{ slot, token: this.#opened.token(slot) }];
        } catch (error) {
          // One that cannot be read does not make the others unusable.
          if (error instanceof Failed) return [];
          throw error;
        }
      })
      .filter(({ token }) => (token.flags & CKF.tokenInitialized) !== 0);
    const before = this.#lastSeen;
    this.#lastSeen = new Set(there.map(({ token }) => tokenKey(token)));
    for (const name of this.#lastSeen) {
      this.#seen.add(name);
      if (before?.has(name) === false) this.#notices = true;
    }
    return there;
  }

  #find(token: TokenId): Handle | undefined {
    const wanted = tokenKey(token);
    return this.#slots().find((there) => tokenKey(there.token) === wanted)?.slot;
  }

  /**
   * Some modules see a token that came back only after they are initialized again, which ends the
   * sessions and the logins of all others. Does that when one is missing; says whether it was done.
   *
   * @param price - `'free'`: not if anybody would have to log in again.
   */
  #lookAgain(price: 'free' | 'logins'): boolean {
    const isMissing = [...this.#seen].some((name) => !this.#lastSeen?.has(name));
    if (!isMissing || this.#notices || (price === 'free' && this.#isAnyLoggedIn())) return false;
    if (!this.#opened.reinitialize()) return false;
    this.#sessions.clear();
    this.#lastSeen = undefined;
    return true;
  }

  #isAnyLoggedIn(): boolean {
    return [...this.#sessions.values()].some(
      (session) => this.#isLive(session) && this.#opened.isLoggedIn(session.handle),
    );
  }

  /** Whether a session is what it was: a module may keep one to a card that is gone. */
  #isLive({ token, slot, handle }: Session): boolean {
    try {
      const library = this.#opened;
      if (!library.isSessionWith(slot, handle)) return false;
      return tokenKey(library.token(slot)) === tokenKey(token);
    } catch (error) {
      if (error instanceof Failed) return false;
      throw error;
    }
  }

  /** The session with a token, looked for anew when it is not what it was. */
  #live(token: TokenId, price: 'free' | 'logins'): Session {
    const known = this.#sessions.get(tokenKey(token));
    if (known !== undefined) {
      if (this.#isLive(known)) return known;
      this.forget({ token });
    }
    const slot = this.#find(token) ?? (this.#lookAgain(price) ? this.#find(token) : undefined);
    if (slot === undefined) throw new Failed({ kind: 'token-gone' });
    const session = {
      token,
      slot,
      loginRequired: (this.#opened.token(slot).flags & CKF.loginRequired) !== 0,
      handle: this.#opened.openSession(slot),
      keys: new Map(),
    };
    this.#sessions.set(tokenKey(token), session);
    return session;
  }

  #isGone(token: TokenId): boolean {
    try {
      return this.#find(token) === undefined;
    } catch {
      return true;
    }
  }

  /** Runs `use`; a failure that comes from the token's absence is told as that. */
  #whileThere<Result>(token: TokenId, use: () => Result): Result {
    try {
      return use();
    } catch (error) {
      if (!(error instanceof Failed) || error.failure.kind !== 'returned') throw error;
      if (!this.#isGone(token)) throw error;
      this.forget({ token });
      throw new Failed({ kind: 'token-gone', after: error.failure });
    }
  }

  /** The private key with this CKA_ID; undefined when it may come into sight by a login. */
  #key(session: Session, id: Uint8Array, loggedIn: boolean): PrivateKey | undefined {
    const name = Buffer.from(id).toString('hex');
    const known = session.keys.get(name);
    if (known !== undefined) return known;
    const library = this.#opened;
    const handles = library.find(session.handle, [
      { type: CKA.class, value: CKO.privateKey },
      { type: CKA.id, value: Buffer.from(id) },
    ]);
    const [handle] = handles;
    if (handles.length > 1) throw new Failed({ kind: 'key-ambiguous', count: handles.length });
    if (handle === undefined) {
      if (!loggedIn) return undefined;
      throw new Failed({ kind: 'key-not-found' });
    }
    const flag = (type: number) => library.attribute(session.handle, handle, type)?.[0];
    const key = {
      handle,
      private: flag(CKA.private) !== 0,
      alwaysAuthenticate: flag(CKA.alwaysAuthenticate) === 1,
      allowedMechanisms: library.allowedMechanisms(session.handle, handle),
    };
    session.keys.set(name, key);
    return key;
  }

  #contentsOf(token: TokenId): TokenContents {
    const session = this.#live(token, 'free');
    const library = this.#opened;
    const read = (type: ObjectRecord['type'], cko: number) =>
      library
        .find(session.handle, [{ type: CKA.class, value: cko }])
        .map((handle) => this.#object(session, type, handle));
    const publicKeys = library
      .find(session.handle, [{ type: CKA.class, value: CKO.publicKey }])
      .map((handle) => ({ handle, object: this.#object(session, 'public', handle) }));
    return {
      token: library.token(session.slot),
      loggedIn: library.isLoggedIn(session.handle),
      mechanisms: library.signingMechanisms(session.slot),
      objects: [
        ...read('cert', CKO.certificate),
        ...read('private', CKO.privateKey),
        ...publicKeys.map(({ handle, object }) => {
          const twins = publicKeys.filter((one) => Buffer.compare(one.object.id, object.id) === 0);
          if (twins.length < 2) return object;
          const bytes = (type: number) => library.attribute(session.handle, handle, type);
          return { ...object, value: bytes(CKA.modulus) ?? bytes(CKA.ecPoint) };
        }),
      ],
    };
  }

  #object({ handle: session }: Session, type: ObjectRecord['type'], handle: Handle): ObjectRecord {
    const library = this.#opened;
    const bytes = (attribute: number) => library.attribute(session, handle, attribute);
    return {
      type,
      id: bytes(CKA.id) ?? new Uint8Array(),
      label: (bytes(CKA.label) ?? Buffer.alloc(0)).toString('utf8'),
      ...(type === 'cert' && { value: bytes(CKA.value) }),
      ...(type === 'private' && { allowedMechanisms: library.allowedMechanisms(session, handle) }),
    };
  }
}
