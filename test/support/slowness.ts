/** How many times slower a test is than the plain one: the sanitizers' tools say so. */
const SLOWNESS = Number(process.env.TLS_CLIENT_CERT_TEST_SLOWNESS ?? 1);

/** A limit, in milliseconds, that holds for what is slowed down as well. */
export const patience = (ms: number) => ms * SLOWNESS;

/** How often to do something that is done many times, where each time takes very long. */
export const fewer = (count: number) => (SLOWNESS > 10 ? Math.ceil(count / 8) : count);
