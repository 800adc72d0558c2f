// What both sanitizers' tools do with the logs of many processes.
const { mkdirSync, readdirSync, readFileSync, rmSync } = require('node:fs');
const { join } = require('node:path');

/** The folder, made anew. */
function emptied(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Each log of a folder, by its file's name. */
function logsIn(folder) {
  return readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]);
}

/** Reports, each once however many processes had it; those of the same `key` are the same. */
class Found {
  #known = new Map();

  add(report, file, key = report) {
    const known = this.#known.get(key) ?? { report, file, times: 0 };
    known.times += 1;
    this.#known.set(key, known);
  }

  get reports() {
    return [...this.#known.values()];
  }
}

function printFound(logs, found) {
  for (const { report, file, times } of found) {
    const more = times > 1 ? `, and ${times - 1} like it` : '';
    console.log(`\n--- ${join(logs, file)}${more}\n${report}`);
  }
}

module.exports = { Found, emptied, logsIn, printFound };
