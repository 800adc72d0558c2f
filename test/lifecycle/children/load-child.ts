/** Loads the package from where it is told, perhaps under another host's name; prints the error. */
const [file = '', fake] = process.argv.slice(2);

if (fake === 'electron') {
  Object.defineProperty(process, 'versions', { value: { ...process.versions, electron: '1' } });
}
if (fake === 'no openssl') {
  const { openssl, ...versions } = process.versions;
  Object.defineProperty(process, 'versions', { value: versions });
}
try {
  require(file);
  console.log('{}');
} catch (error) {
  const { code, message, cause } = error as Error & { code?: string; cause?: Error };
  console.log(JSON.stringify({ code, message, cause: cause?.message }));
}

export {};
