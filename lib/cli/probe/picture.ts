/** A handshake as a sequence diagram in SVG: what was seen of it, and nothing else. */
import { authorityOf } from '../target';
import { printable } from '../text';
import type { Message, Messages } from './messages';
import type { ProbeReport } from './report';

const WIDTH = 720;
const LEFT = 130;
const RIGHT = 590;
const TOP = 96;
const STEP = 30;
const WAIT = 84;
const MARGIN = 44;

/** What happens, from top to bottom. */
type Event =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'wait'; readonly from: number; readonly to: number; readonly caption: string };

/**
 * Draws it, for light and dark backgrounds, with nothing from elsewhere.
 *
 * @param report - Of the same connection.
 */
export function drawHandshake(report: ProbeReport, messages: Messages): string {
  const events = eventsOf(report, messages);
  const parts: string[] = [];
  let y = TOP;
  for (const event of events) {
    parts.push(event.kind === 'message' ? arrow(event.message, y) : wait(event, y));
    y += event.kind === 'message' ? STEP : WAIT;
  }
  const bottom = y;
  const height = bottom + MARGIN;
  const { target, connection } = report;
  const title = authorityOf(target.host, target.port);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(`TLS handshake with ${title}`)}</title>`,
    `<desc id="description">${escaped(description(events))}</desc>`,
    STYLE,
    `<rect class="ground" width="${WIDTH}" height="${height}" rx="8"/>`,
    text(WIDTH / 2, 26, 'heading middle', cut(title, 72)),
    text(WIDTH / 2, 46, 'small middle', facts(connection)),
    lifeline(LEFT, 'client', bottom),
    lifeline(RIGHT, 'server', bottom),
    ...parts,
    text(WIDTH / 2, bottom + 22, 'small middle', ending(report)),
    '</svg>',
  ].join('\n')}\n`;
}

function eventsOf({ requests }: ProbeReport, { list, suspensions }: Messages): Event[] {
  const events: Event[] = list.map((message) => ({ kind: 'message', message }));
  // From the last, so that the places of the others stay.
  [...suspensions].reverse().forEach(({ from, to, after }, n) => {
    const request = requests[suspensions.length - 1 - n];
    const caption =
      request?.answer === 'declined' ? 'answered: there is no certificate' : 'no answer was given';
    events.splice(after, 0, { kind: 'wait', from, to, caption });
  });
  return events;
}

function facts({ protocol, cipher, keyExchange, alpn }: ProbeReport['connection']): string {
  const parts = [protocol, cipher, keyExchange, alpn === null ? null : `ALPN ${alpn}`];
  return parts.filter((part) => part !== null).join(' · ');
}

function ending({ asked, requests }: ProbeReport): string {
  if (!asked) return 'no certificate was asked for';
  const last = requests.at(-1);
  if (last?.serverGaveUp) return 'the server gave up waiting';
  return last?.answer === 'declined'
    ? 'the client said that it has no certificate'
    : 'the connection was ended, and no certificate sent';
}

/** For those who do not see it. */
function description(events: readonly Event[]): string {
  const steps = events.map((event) =>
    event.kind === 'message'
      ? `${event.message.from}: ${event.message.name}`
      : `suspended for ${duration(event)}`,
  );
  return steps.join('; ');
}

function duration({ from, to }: { readonly from: number; readonly to: number }): string {
  const time = to - from;
  return time < 1000 ? `${time.toFixed(1)} ms` : `${(time / 1000).toFixed(2)} s`;
}

function lifeline(x: number, name: string, bottom: number): string {
  return [
    `<rect class="head" x="${x - 46}" y="60" width="92" height="24" rx="4"/>`,
    text(x, 76, 'label middle', name),
    `<line class="life" x1="${x}" y1="84" x2="${x}" y2="${bottom}"/>`,
  ].join('\n');
}

const HIGHLIGHTED = new Set(['CertificateRequest']);

function arrow({ from, name, length, at }: Message, y: number): string {
  const [start, end] = from === 'client' ? [LEFT, RIGHT] : [RIGHT, LEFT];
  const tip = from === 'client' ? -8 : 8;
  const kind = name.startsWith('Alert') ? ' alert' : HIGHLIGHTED.has(name) ? ' asks' : '';
  const size = length === null ? '' : ` (${length} bytes)`;
  return [
    `<g class="message${kind}">`,
    `<line x1="${start}" y1="${y + 12}" x2="${end + tip}" y2="${y + 12}"/>`,
    `<path d="M${end} ${y + 12} l${tip} -4 v8 z"/>`,
    text((LEFT + RIGHT) / 2, y + 6, 'label middle', `${cut(name, 44)}${size}`),
    text(LEFT - 56, y + 16, 'time end', `${at.toFixed(1)} ms`),
    '</g>',
  ].join('\n');
}

function wait(event: Extract<Event, { kind: 'wait' }>, y: number): string {
  const height = WAIT - 24;
  return [
    '<g class="wait">',
    `<rect x="${LEFT - 10}" y="${y + 6}" width="20" height="${height}" rx="3"/>`,
    text(LEFT + 24, y + 28, 'label', `handshake suspended: ${duration(event)}`),
    text(LEFT + 24, y + 48, 'small', event.caption),
    text(LEFT - 56, y + 16, 'time end', `${event.from.toFixed(1)} ms`),
    '</g>',
  ].join('\n');
}

/** So that nothing is drawn beyond the edge. */
function cut(content: string, most: number): string {
  const characters = [...printable(content)];
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : content;
}

function text(x: number, y: number, kind: string, content: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${escaped(content)}</text>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Names come from the command line and from the server. */
function escaped(content: string): string {
  return printable(content).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

const STYLE = `<style>
.ground { fill: #ffffff; stroke: #d0d7de; }
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
.heading { font-weight: 600; font-size: 15px; }
.small, .time { font-size: 11px; fill: #59636e; }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.head { fill: #eff2f5; stroke: #818b98; }
.life { stroke: #818b98; stroke-dasharray: 4 4; }
.message line { stroke: #1f2328; }
.message path { fill: #1f2328; }
.asks line { stroke: #0969da; stroke-width: 2; }
.asks path, .asks .label { fill: #0969da; }
.alert line { stroke: #cf222e; }
.alert path, .alert .label { fill: #cf222e; }
.wait rect { fill: #fff8c5; stroke: #9a6700; }
.wait .label { fill: #9a6700; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; stroke: #3d444d; }
  text { fill: #f0f6fc; }
  .small, .time { fill: #9198a1; }
  .head { fill: #212830; stroke: #9198a1; }
  .life { stroke: #656c76; }
  .message line { stroke: #f0f6fc; }
  .message path { fill: #f0f6fc; }
  .asks line { stroke: #4493f8; }
  .asks path, .asks .label { fill: #4493f8; }
  .alert line { stroke: #f85149; }
  .alert path, .alert .label { fill: #f85149; }
  .wait rect { fill: #3b2e00; stroke: #d29922; }
  .wait .label { fill: #d29922; }
}
</style>`;
