// What valgrind's memcheck wrote as XML, a file for each process. What counts is an error, and a definite leak,
// whose stack reaches the addon before it reaches JavaScript. V8 has its own: it reads what nobody wrote, on
// purpose. Behind JavaScript the addon may well be again, whose call V8 then is in.
const { Found, logsIn } = require('./found.cjs');

const OURS = 'tls_client_cert.node';
/** What is called from here on is JavaScript. */
const INTO_JAVASCRIPT =
  /^(?:napi_(?:call_function|make_callback|new_instance)|node::MakeCallback)\b/;

const ENTITIES = { '&lt;': '<', '&gt;': '>', '&amp;': '&', '&quot;': '"', '&apos;': "'" };

function tag(xml, name) {
  const [, text] = new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(xml) ?? [];
  return text?.replace(/&\w+;/g, (entity) => ENTITIES[entity] ?? entity);
}

const all = (xml, name) => xml.match(new RegExp(`<${name}>[\\s\\S]*?</${name}>`, 'g')) ?? [];

/** Whether the stack has a frame of ours above the first of JavaScript. */
function isOurs(stack) {
  for (const frame of all(stack, 'frame')) {
    const object = tag(frame, 'obj');
    // Compiled code of V8's is in no file.
    if (object === undefined || INTO_JAVASCRIPT.test(tag(frame, 'fn') ?? '')) return false;
    if (object.endsWith(OURS)) return true;
  }
  return false;
}

function frameText(frame) {
  const line = tag(frame, 'line');
  const place = line === undefined ? tag(frame, 'obj') : `${tag(frame, 'file')}:${line}`;
  return `    ${tag(frame, 'fn') ?? tag(frame, 'ip')} (${place ?? 'JavaScript'})`;
}

/** The errors of one process that count, and how many do not. */
function reportsIn(xml) {
  const errors = all(xml, 'error');
  const ours = errors.filter((error) => {
    const stacks = all(error, 'stack');
    // An error in an address that belongs to us is ours wherever it came about.
    return /^Invalid/.test(tag(error, 'kind') ?? '')
      ? stacks.some(isOurs)
      : isOurs(stacks[0] ?? '');
  });
  return {
    others: errors.length - ours.length,
    found: ours.map((error) => {
      const what = tag(error, 'xwhat');
      const title = what === undefined ? tag(error, 'what') : tag(what, 'text');
      const more = all(error, 'auxwhat').map((aux) => tag(aux, 'auxwhat'));
      const stacks = all(error, 'stack').map((stack) =>
        all(stack, 'frame').map(frameText).join('\n'),
      );
      const parts = stacks.map(
        (stack, index) => `${index === 0 ? title : more[index - 1]}\n${stack}`,
      );
      return `${tag(error, 'kind')}: ${parts.join('\n')}`;
    }),
  };
}

/** All files of a folder: each report once, how many processes there were, and what is not counted. */
function reports(folder) {
  const found = new Found();
  let others = 0;
  const unfinished = [];
  const logs = logsIn(folder);
  for (const [name, xml] of logs) {
    const one = reportsIn(xml);
    others += one.others;
    if (!xml.includes('</valgrindoutput>')) unfinished.push(name);
    for (const report of one.found) found.add(report, name);
  }
  return { found: found.reports, processes: logs.length, others, unfinished };
}

module.exports = { reports };
