// What AddressSanitizer, LeakSanitizer and UBSan wrote into their log files. Every error counts, whoever's
// it is. Of leaks those count that our addon or OpenSSL allocated, and not V8 or Node on their behalf: what hangs
// on pages of V8's that LeakSanitizer does not read looks lost, and a test's server may be in the middle of things.
const { Found, logsIn } = require('./found.cjs');

const OURS = /tls_client_cert\.node|\bnative\/(?:openssl|binding|addon)|\bplanted\.cc/;
/** Node's OpenSSL has no frame pointers: a stack may end within it. Other programs have a library. */
const OPENSSL = / in (?:CRYPTO|OPENSSL)_\w*(?:alloc|dup)(?!.*libcrypto)/;
/** The last is OpenSSL as a server: a test's, by Node. */
const OTHERS =
  / in (?:v8::|node::|Builtins_|napi_(?:call_function|make_callback|new_instance)|tls_process_client_)/;

/**
 * Whether a frame of ours comes before any of V8 or Node. OpenSSL's memory counts as well where the stack does not
 * tell for whom it was allocated; but what hangs on that, often deeper than stacks are written down, is not asked again.
 */
function isOurs(leak) {
  for (const line of leak.split('\n')) {
    if (OURS.test(line)) return true;
    if (OTHERS.test(line)) return false;
  }
  return leak.startsWith('Direct') && OPENSSL.test(leak);
}

/** That OpenSSL leaves a fibre by longjmp(3), on a stack that is not the thread's: no report. */
const FIBRE = /^.*WARNING: ASan is ignoring requested __asan_handle_no_return.*\n.*\n.*\n?/gm;

/** The reports of one log file that count. */
function reportsIn(log) {
  const text = log.replace(FIBRE, '');
  const found = [];
  // The report of an error is the rest of its file: the process is aborted. Leaks are parted by empty lines.
  const error = text.search(
    /^.*(?:ERROR: AddressSanitizer:|AddressSanitizer:DEADLYSIGNAL|CHECK failed|runtime error:)/m,
  );
  if (error !== -1) found.push(text.slice(error).trim());
  for (const leak of text.split(/\n\s*\n/)) {
    if (!/^(?:Direct|Indirect) leak of /.test(leak)) continue;
    if (isOurs(leak)) found.push(leak.trim());
  }
  // What no rule above knows must not pass for nothing.
  if (found.length === 0 && text.trim() !== '' && !/ERROR: LeakSanitizer/.test(text)) {
    found.push(text.trim());
  }
  return found;
}

/** The same over all files of a folder, each report once however many processes had it. */
function reports(folder) {
  const found = new Found();
  for (const [name, log] of logsIn(folder)) {
    for (const report of reportsIn(log)) {
      // Without what is another in each process.
      const key = report
        .replace(/0x[\da-f]+/g, '')
        .replace(/^=+\d+=+/gm, '')
        .replace(/\d+ (?:byte|object)/g, '');
      found.add(report, name, key);
    }
  }
  return found.reports;
}

module.exports = { reports };
