/**
 * Jest runs this in each test file under LeakSanitizer (`npm run test:asan`): a look for leaks when the file is
 * done. jest's workers may be killed before they take the one at their end.
 */
const addon = process.env.TLS_CLIENT_CERT_LEAK_CHECK ?? '';
const { checkLeaks } = require(addon) as { checkLeaks: () => void };

afterAll(() => checkLeaks(), 60_000);

export {};
