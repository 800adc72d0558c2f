/**
 * The environment of this process, for programs whose output is looked at: without what has them
 * colour it, of which jest gives its workers one part, and whoever runs it another, and Node warns of
 * both; and without proxies, which are no way to a server of the tests.
 */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const shaping = /^(NO_COLOR|FORCE_COLOR|NODE_DISABLE_COLORS|.*_proxy)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !shaping.test(name)));
}
